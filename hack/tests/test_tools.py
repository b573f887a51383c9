"""Tools and packages: found on any kind of index, with the checksums that are pinned here."""

from pathlib import Path

import pytest
from bringup import dockerfile, tools
from bringup.refusals import Refusal
from bringup.tools import UV, file_url, mirrored_sync

ROOT = Path(__file__).parents[2]
PAGE = "https://mirror.example/simple/uv/"
JSON = '{"files": [{"filename": "uv-1-py3.whl", "url": "../../files/uv-1-py3.whl"}]}'
HTML = """<a href="../../files/uv-0.whl">0</a><br/>
<a data-yanked="" href='../../files/uv%2D1-py3.whl?a=1&amp;b=2#sha256=00'>uv-1-py3.whl</a>"""


def test_a_file_is_found_in_an_indexs_json() -> None:
    found = file_url(PAGE, JSON, "application/vnd.pypi.simple.v1+json", "uv-1-py3.whl")
    assert found == "https://mirror.example/files/uv-1-py3.whl"


def test_a_file_is_found_in_an_older_indexs_html() -> None:
    found = file_url(PAGE, HTML, "text/html", "uv-1-py3.whl")
    assert found.startswith("https://mirror.example/files/uv%2D1-py3.whl?a=1&b=2")


@pytest.mark.parametrize(("content", "kind"), [(JSON, "application/json"), (HTML, "text/html")])
def test_an_index_without_the_file_is_refused(content: str, kind: str) -> None:
    with pytest.raises(Refusal, match=r"does not have uv-2\.whl"):
        file_url(PAGE, content, kind, "uv-2.whl")


def test_every_package_comes_from_the_index_with_the_locks_checksums() -> None:
    steps = mirrored_sync(Path("wanted.txt"), "https://mirror.example/simple")
    fetching = [step for step in steps if step[0] == "pip"]
    assert all("https://mirror.example/simple" in step for step in fetching)
    assert "--require-hashes" in fetching[0]


def test_images_take_the_very_uv_that_the_host_takes() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert f"ARG UV_SHA256={UV.sha256}\n" in text
    assert f"ARG UV_VERSION={UV.filename.split('-')[1]}\n" in text


def test_images_that_run_our_code_are_told_of_the_mirror() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for target in ("platform", "gateway", "operator", "tests"):
        assert "PYPI_INDEX" in dockerfile.arguments(dockerfile.only(text, target)), target
    assert tools.DEFAULT_INDEX in text
