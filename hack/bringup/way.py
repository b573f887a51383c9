"""Which way the machine takes: published images from a registry, or everything from packages.

Found out by trying, once and briefly. The one seam between the two is which node image and which Debian image
exist locally under their usual names; nothing else in the project can tell them apart.
"""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, Queue
from typing import IO, Literal

from bringup import debian, docker, machine, node, paths, pins, processes, refusals
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.refusals import Refusal

Taken = Literal["registry", "packages"]


@dataclass(frozen=True)
class Choice:
    """The way taken and why, in words for the screen."""

    way: Taken
    why: str


def known(knobs: Knobs, *, node_built: bool, node_pulled: bool, debian_there: bool) -> Choice | None:
    """What can be said without asking anybody: the way is forced, or its images are already here."""
    if knobs.way != "auto":
        return Choice(knobs.way, f"forced by UP_WAY={knobs.way}")
    if node_built and debian_there:
        return Choice("packages", "the node image built from packages is here")
    if node_pulled and debian_there:
        return Choice("registry", "the published images are here")
    return None


def choose(job: Job, knobs: Knobs) -> Choice:
    """Decide, asking the registry only where nothing else tells.

    Raises:
        Refusal: no registry answered, and this machine cannot make images from packages.
    """
    choice = known(
        knobs,
        node_built=node.is_made(),
        node_pulled=docker.image_id(pins.PUBLISHED_NODE) is not None,
        debian_there=debian.is_made(pins.DEBIAN_IMAGE, "trixie"),
    )
    if choice is not None:
        return choice
    job.waiting(f"a registry to begin answering (at most {knobs.registry_wait} s)")
    if pull(job, pins.DEBIAN_IMAGE, knobs.registry_wait) and pull(
        job, pins.PUBLISHED_NODE, knobs.registry_wait
    ):
        return Choice("registry", "a registry answered")
    why = f"no registry answered within {knobs.registry_wait} s"
    if refusal := refusals.packages_way(
        root=os.geteuid() == 0,
        apt=shutil.which("apt-get") is not None,
        go=machine.go_version(),
        why=why.capitalize(),
    ):
        raise refusal
    return Choice("packages", why)


def pull(job: Job, reference: str, patience: float) -> bool:
    """Pull an image; False when the registry has not begun to answer after `patience` seconds.

    Docker prints a first line as soon as the registry has told it what the image consists of; from then on the
    download may take its time.
    """
    lines: Queue[str] = Queue()
    with job.child(["docker", "pull", reference], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        threading.Thread(target=_feed, args=(child.stdout, lines), daemon=True).start()
        answered = any(_is_answer(line) for line in _until(job, lines, time.monotonic() + patience, child))
        if answered:
            job.waiting(f"the download of {reference}")
        else:
            processes.end(child)
    while not lines.empty():
        job.note(lines.get())
    if answered and child.returncode == 0:
        _remember(reference)
        return True
    return False


def pull_published(job: Job) -> None:
    """Have the published images, or say why not; for the forced way, where nothing was tried yet."""
    for reference in (pins.DEBIAN_IMAGE, pins.PUBLISHED_NODE):
        if docker.image_id(reference) is None and not pull(job, reference, 120):
            raise Refusal(
                f"No registry gave {reference}.",
                "set UP_WAY=packages to build it, or Docker's registry-mirrors to reach one.",
            )


def _remember(reference: str) -> None:
    """`make down purge=1` removes what was pulled for us, and only that."""
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with (paths.CACHE / "pulled").open("a") as record:
        record.write(f"{reference}\n")


def _is_answer(line: str) -> bool:
    return "Pulling from" in line or line.startswith(("Status:", "Digest:"))


def _feed(stream: IO[bytes], lines: "Queue[str]") -> None:
    for line in stream:
        lines.put(line.decode(errors="replace").rstrip())


def _until(job: Job, lines: "Queue[str]", deadline: float, child: "subprocess.Popen[bytes]") -> Iterator[str]:
    while (left := deadline - time.monotonic()) > 0:
        job.go_on()
        try:
            yield lines.get(timeout=min(left, 0.5))
        except Empty:
            if child.poll() is not None:
                return
