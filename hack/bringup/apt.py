"""Debian's packages on this machine: one apt at a time, mended after one that was cut off.

Needs root to install; to fetch a package and unpack it needs nobody's leave.
"""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from bringup import paths
from bringup.job import CommandFailed, Job

LOCK_SECONDS = 600
"""How long another apt, such as the nightly one, may take."""
LOOK_SECONDS = 2
APT = ("apt-get", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}")
QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
_ONE = threading.Lock()


def install(job: Job, packages: Sequence[str]) -> None:
    """Install packages and what they cannot do without.

    Raises:
        CommandFailed: apt said no; its words are in the message.
    """
    with _turn(job):
        job.waiting(f"apt-get to install {', '.join(packages)}")
        _run(job, [*APT, "update", "-qq"])
        _run(job, [*APT, "install", "-y", "-qq", "--no-install-recommends", *packages])


def unpack(job: Job, package: str, target: Path) -> None:
    """Fetch a package and lay its files out below `target`, without installing it or upgrading anything.

    Raises:
        CommandFailed: apt knows no such package, or could not fetch it.
    """
    folder = paths.WORK / "debs" / package
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job.waiting(f"apt-get to fetch {package}")
    job.run(["apt-get", "download", "-qq", package], cwd=folder)
    (archive,) = folder.glob("*.deb")
    target.mkdir(parents=True, exist_ok=True)
    job.run(["dpkg-deb", "-x", str(archive), str(target)])
    shutil.rmtree(folder)


def what_stopped(output: str) -> Literal["busy", "interrupted"] | None:
    """Why apt did not begin, where time or dpkg can mend it: another one holds a lock, or one was cut off."""
    if "dpkg was interrupted" in output:
        return "interrupted"
    return "busy" if "Could not get lock" in output or "Unable to lock" in output else None


def _run(job: Job, argv: Sequence[str]) -> None:
    deadline, mended = time.monotonic() + LOCK_SECONDS, False
    while True:
        try:
            job.run(argv, env=QUIET)
            return
        except CommandFailed as failure:
            match what_stopped(failure.output):
                case "interrupted" if not mended:
                    mended = True
                    job.say("        an earlier apt was cut off: dpkg goes on from there")
                    job.run(["dpkg", "--configure", "-a"], env=QUIET)
                case "busy" if time.monotonic() < deadline:
                    job.waiting("another apt on this machine to end")
                    job.pause(LOOK_SECONDS)
                case _:
                    raise


@contextmanager
def _turn(job: Job) -> Iterator[None]:
    """Steps run side by side, and apt waits for nobody of its own."""
    while not _ONE.acquire(timeout=0.5):
        job.waiting("another step's apt-get to end")
        job.go_on()
    try:
        yield
    finally:
        _ONE.release()
