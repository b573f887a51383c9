"""Programs started as groups of their own: ended with all that they started, found again after a SIGKILL.

A group of its own also keeps the terminal's Ctrl-C to us: we decide who hears of it, and in which order.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bringup import paths

RECORDS = paths.WORK / "running"
"""One file for each program under way, so that the next run can end what a killed one left."""
PROC = Path("/proc")
INSISTENCE = ((0.0, signal.SIGINT), (1.5, signal.SIGTERM), (10.0, signal.SIGKILL))
"""Seconds after the decision, and what is sent then: the first lets a program clean up after itself."""
LOOK_SECONDS = 0.1


def end(child: "subprocess.Popen[bytes]") -> None:
    """Ask the group of `child` to end, and insist from a thread of its own; returns at once."""
    _send(child.pid, INSISTENCE[0][1])
    threading.Thread(target=_insist, args=(child,), daemon=True).start()


def wait_for_group(child: "subprocess.Popen[bytes]") -> None:
    """Return when a group that `end` was called for is gone, or was killed."""
    deadline = time.monotonic() + INSISTENCE[-1][0] + 1
    child.wait()
    while list(_members(child.pid)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def remember(child: "subprocess.Popen[bytes]", records: Path = RECORDS) -> Path:
    """Note down that this process started `child`; the caller removes the file once the child has ended."""
    records.mkdir(parents=True, exist_ok=True)
    record = records / str(child.pid)
    part = records / f".{child.pid}"
    part.write_text(f"{os.getpid()} {started(os.getpid())} {started(child.pid)}")
    part.rename(record)  # whole or not at all: others read it
    return record


def end_leftovers(records: Path = RECORDS) -> list[int]:
    """End the groups whose starter is gone, killed before it could do so itself; returns their numbers."""
    ended = []
    for record in sorted(records.glob("[0-9]*")):
        match record.read_text().split():
            case [starter, starter_began, began] if started(int(starter)) != starter_began:
                group = int(record.name)
                if members := [pid for pid in _members(group) if _is_ours(pid, group, began)]:
                    _end_all(members, group)
                    ended.append(group)
            case [_, _, _]:
                continue  # its starter is at work
        record.unlink(missing_ok=True)
    return ended


def started(pid: int) -> str:
    """When a process began, in the kernel's ticks since boot; empty where it is gone, or the system has no /proc."""
    fields = _fields(PROC / str(pid) / "stat")
    return fields[19] if fields else ""


def _insist(child: "subprocess.Popen[bytes]") -> None:
    began = time.monotonic()
    for after, word in INSISTENCE[1:]:
        while time.monotonic() - began < after:
            if child.returncode is not None and not list(_members(child.pid)):
                return
            time.sleep(LOOK_SECONDS)
        _send(child.pid, word)


def _end_all(members: list[int], group: int) -> None:
    """Wait for strangers' children: nobody of ours can reap them, so they are looked at."""
    began = time.monotonic()
    for after, word in INSISTENCE:
        while time.monotonic() - began < after:
            if not any((PROC / str(pid)).exists() for pid in members):
                return
            time.sleep(LOOK_SECONDS)
        _send(group, word)


def _is_ours(pid: int, group: int, began: str) -> bool:
    """A number may be given again; the leader's start tells whether it was."""
    return pid != group or started(pid) == began


def _members(group: int) -> Iterator[int]:
    for stat in PROC.glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields and int(fields[2]) == group and fields[0] != "Z":
            yield int(stat.parent.name)


def _fields(stat: Path) -> list[str]:
    """Fields of a `stat` from the state on; the name before may itself hold blanks and brackets."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _send(group: int, word: signal.Signals) -> None:
    try:
        os.killpg(group, word)
    except ProcessLookupError:
        return  # it has ended by itself
