"""`hack images`: what it prints is read by programs."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bringup import images, up
from bringup.cluster import Cluster
from bringup.job import Job
from bringup.knobs import Knobs


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that a node which had none was given."""
    given: list[str] = []

    @contextmanager
    def only_one(*, patient: bool) -> Iterator[None]:
        yield

    monkeypatch.setattr(up, "only_one", only_one)
    monkeypatch.setattr(images, "build_all", lambda _job, _images: None)
    monkeypatch.setattr(Cluster, "is_up", lambda _cluster: True)
    monkeypatch.setattr(Cluster, "images", lambda _cluster, _job: set())
    monkeypatch.setattr(Job, "pipe", lambda _job, saved, _loaded: given.extend(saved[2:]))
    return given


def test_nothing_but_references_is_on_the_output_also_when_some_were_loaded(
    loaded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    up.build_images(Knobs(), ["web", "content"])
    printed = capsys.readouterr()
    wanted = [image.reference for image in images.chosen(Knobs(), ["web", "content"])]
    assert printed.out.splitlines() == wanted == loaded
    assert f"loaded {', '.join(wanted)}" in printed.err
