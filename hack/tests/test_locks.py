"""Locks: one at a time, and the other one is named."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bringup import locks
from bringup.locks import Lock
from bringup.refusals import Refusal

HACK = Path(__file__).parents[1]
HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from bringup.locks import Lock, held
with held(Lock(Path(sys.argv[2]), "it"), shared=sys.argv[3] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "locks" / "it", "cluster it")


@contextmanager
def somebody(lock: Lock, mode: str = "alone") -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that holds the lock until the block ends."""
    argv = [sys.executable, "-c", HOLD, str(HACK), str(lock.file), mode]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other


def test_a_lock_is_given_back(lock: Lock) -> None:
    for _ in range(2):
        with locks.held(lock):
            pass


def test_the_refusal_names_who_holds_it(lock: Lock) -> None:
    with somebody(lock) as other, pytest.raises(Refusal) as refusal, locks.held(lock):
        pass
    assert f"at work on cluster it: process {other.pid} make" in refusal.value.reason


def test_the_patient_wait_and_say_for_whom(lock: Lock, capsys: pytest.CaptureFixture[str]) -> None:
    with somebody(lock) as other:
        assert other.stdin is not None
        threading.Timer(0.3, other.stdin.close).start()
        with locks.held(lock, patient=True):
            assert f"process {other.pid}" in capsys.readouterr().err


def test_those_who_share_do_not_wait_for_each_other(lock: Lock) -> None:
    with somebody(lock, "shared"), locks.held(lock, shared=True):
        pass
    with somebody(lock, "shared") as other, pytest.raises(Refusal, match=str(other.pid)), locks.held(lock):
        pass


def test_a_killed_process_holds_nothing(lock: Lock) -> None:
    with somebody(lock) as other:
        other.kill()
    with locks.held(lock):
        assert str(other.pid) not in lock.file.read_text()


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(lock: Lock) -> None:
    with somebody(lock) as other:
        assert other.stdin is not None
        stdin = other.stdin

        def remove_and_give_back() -> None:
            lock.file.unlink()
            stdin.close()

        threading.Timer(0.3, remove_and_give_back).start()
        with locks.held(lock, patient=True), lock.file.open() as again, pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
