"""The programs bring-up works with: kind, helm and kubectl compiled by Go, uv from its wheel."""

import hashlib
import json
import os
import re
import shutil
import stat
import sys
import urllib.request
import zipfile
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urljoin

from bringup import golang, paths, pins
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.refusals import Refusal

DEFAULT_INDEX = "https://pypi.org/simple"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
UV = pins.Wheel(
    project="uv",
    filename="uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    sha256="d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
)
PROGRAMS = ("kind", "helm", "kubectl")
_HREF = re.compile(r"""<a[^>]*\shref=["']([^"']+)["']""", re.IGNORECASE)
_BLOCK = 1 << 20


def path(name: str) -> str:
    """Absolute path of a tool: ours, else the machine's."""
    own = paths.BIN / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        raise Refusal(f"{name} is missing.", "run make up, which builds it.")
    return found


def are_built(programs: Sequence[str] = PROGRAMS) -> bool:
    """Whether these programs are there in the pinned versions."""
    return golang.is_built(programs, paths.BIN)


def build(job: Job, knobs: Knobs, programs: Sequence[str] = PROGRAMS) -> None:
    """Build what is missing; where there is no Go, the machine's own tools have to do."""
    if shutil.which("go") is None:
        job.say(f"        no Go here: using {', '.join(map(path, programs))}")
        return
    golang.build(job, knobs, programs, paths.BIN)


def sync_venv(job: Job, knobs: Knobs) -> None:
    """Make .venv exactly what uv.lock says, with the Python that runs this."""
    fetch_uv(job, knobs)
    job.waiting("uv to install what uv.lock says")
    environment = {
        "UV_CACHE_DIR": str(paths.CACHE / "uv"),
        "UV_PROJECT_ENVIRONMENT": str(paths.VENV),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
    }
    sync = ["sync", "--frozen", "--all-extras", "--python", sys.executable]
    if not knobs.pypi_index:
        job.run([path("uv"), *sync], cwd=paths.ROOT, env=environment)
        return
    with TemporaryDirectory() as folder:
        for argv in mirrored_sync(Path(folder) / "wanted.txt", knobs.pypi_index):
            job.run([path("uv"), *argv], cwd=paths.ROOT, env=environment)


def mirrored_sync(wanted: Path, index: str) -> list[list[str]]:
    """`uv sync` from another index, as arguments of uv: the lock's own addresses are files.pythonhosted.org's,
    and uv goes there whatever index it is told; the checksums are the lock's all the same.
    """
    python = ["--python", str(paths.VENV)]
    from_index = ["--default-index", index, *python]
    return [
        ["venv", "--allow-existing", "--quiet", "--python", sys.executable, str(paths.VENV)],
        [
            *("export", "--frozen", "--all-extras", "--quiet", "--no-emit-project"),
            "--output-file",
            str(wanted),
        ],
        ["pip", "sync", "--require-hashes", *from_index, str(wanted)],
        ["pip", "install", "--no-deps", *from_index, "--editable", str(paths.ROOT)],
    ]


def fetch_uv(job: Job, knobs: Knobs) -> None:
    """Take uv out of its wheel; the checksum is ours, so any index may serve it."""
    if _uv_is_there():
        return
    index = (knobs.pypi_index or os.environ.get("PIP_INDEX_URL") or DEFAULT_INDEX).rstrip("/") + "/"
    job.waiting(f"{index} to serve {UV.filename}")
    wheel = paths.CACHE / "wheels" / UV.filename
    wheel.parent.mkdir(parents=True, exist_ok=True)
    _download(job, _file_url(urljoin(index, f"{UV.project}/"), UV.filename), wheel)
    if (seen := hashlib.sha256(wheel.read_bytes()).hexdigest()) != UV.sha256:
        wheel.unlink()
        raise Refusal(
            f"{UV.filename} has checksum {seen}, not the pinned one.", "look at what serves your packages."
        )
    paths.BIN.mkdir(parents=True, exist_ok=True)
    part = paths.BIN / f"uv.{os.getpid()}.part"
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        part.write_bytes(archive.read(member))
    part.chmod(0o755)
    os.replace(part, paths.BIN / "uv")
    (paths.BIN / ".uv.made-from").write_text(UV.sha256)


def forget(folder: Path) -> None:
    """Delete a cache, read-only files of Go's module cache included."""

    def unlock(_function: object, name: str, _error: object) -> None:
        parent = Path(name).parent
        parent.chmod(parent.stat().st_mode | stat.S_IWUSR)
        Path(name).unlink()

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)


def _uv_is_there() -> bool:
    stamp = paths.BIN / ".uv.made-from"
    return (paths.BIN / "uv").exists() and stamp.exists() and stamp.read_text() == UV.sha256


def file_url(page: str, content: str, kind: str, filename: str) -> str:
    """Address of a file on a project's page of an index, in the index's JSON or in its older HTML.

    Raises:
        Refusal: the page does not have it.
    """
    if "json" in kind:
        links = {str(file["filename"]): str(file["url"]) for file in json.loads(content)["files"]}
    else:
        found = (unescape(link) for link in _HREF.findall(content))
        links = {unquote(re.split("[?#]", link)[0].rsplit("/", 1)[-1]): link for link in found}
    if filename not in links:
        raise Refusal(f"{page} does not have {filename}.", "set UP_PYPI_INDEX to an index that does.")
    return urljoin(page, links[filename])


def _file_url(page: str, filename: str) -> str:
    request = urllib.request.Request(page, headers={"Accept": f"{SIMPLE_JSON}, text/html;q=0.1"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return file_url(page, answer.read().decode(), answer.headers.get_content_type(), filename)


def _download(job: Job, url: str, target: Path) -> None:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with urllib.request.urlopen(url, timeout=120) as answer, part.open("wb") as out:
        while block := answer.read(_BLOCK):
            job.go_on()
            out.write(block)
    os.replace(part, target)
