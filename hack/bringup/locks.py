"""Who is at work: on this checkout, on a cluster of some name, on the cache that all checkouts of a user share.

A lock is held until its block is left, or for as long as the process lives: the kernel gives it back then.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bringup import paths
from bringup.refusals import Refusal

_KEPT = ExitStack()


@dataclass(frozen=True)
class Lock:
    """A file that is locked, and what it stands for in words."""

    file: Path
    what: str


CHECKOUT = Lock(paths.STATE / "lock", "this checkout")
CACHE = Lock(paths.CACHE / "locks" / "cache", f"the cache {paths.CACHE}")


def cluster(name: str) -> Lock:
    """The lock of a cluster, whichever checkout makes, uses or deletes it."""
    return Lock(paths.CACHE / "locks" / f"cluster-{name}", f"cluster {name}")


@contextmanager
def held(lock: Lock, *, shared: bool = False, patient: bool = False) -> Iterator[None]:
    """Hold the lock for a block, alone or with others that share it. A `patient` caller waits for its turn.

    Raises:
        Refusal: another process holds it; the reason names that.
    """
    with _open(lock, shared=shared, patient=patient) as file:
        _sign(file)
        yield


def keep(lock: Lock) -> None:
    """Hold the lock until this process ends.

    Raises:
        Refusal: another process holds it.
    """
    _KEPT.enter_context(held(lock))


@contextmanager
def _open(lock: Lock, *, shared: bool, patient: bool) -> Iterator[IO[str]]:
    """The locked file. One that `make down` removed before we had the lock is nobody's lock any more."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        lock.file.parent.mkdir(parents=True, exist_ok=True)
        with lock.file.open("a+") as file:
            _take(file, lock, mode, patient=patient)
            if _is_same(file, lock.file):
                yield file
                return


def _take(file: IO[str], lock: Lock, mode: int, *, patient: bool) -> None:
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        reason = f"Another make is at work on {lock.what}: {_holders(file) or 'it does not say which'}."
        if not patient:
            raise Refusal(reason, "wait for it, or stop it.") from None
        print(f"{reason} Waiting for it to end.", file=sys.stderr, flush=True)
        fcntl.flock(file, mode)


def _sign(file: IO[str]) -> None:
    """Write down who holds it; names of processes that are gone drop out."""
    others = _signed(file)
    file.truncate(0)
    own = f"{os.getpid()} make {' '.join(sys.argv[1:])} in {paths.ROOT} since {time.strftime('%H:%M')}"
    file.write("".join(f"{line}\n" for line in (*others, own)))
    file.flush()


def _holders(file: IO[str]) -> str:
    return "; ".join(f"process {line}" for line in _signed(file))


def _signed(file: IO[str]) -> list[str]:
    file.seek(0)
    return [line for line in file.read().splitlines() if _alive(line.partition(" ")[0])]


def _alive(pid: str) -> bool:
    if not pid.isdecimal() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_same(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
