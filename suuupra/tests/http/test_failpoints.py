"""Points that kill or freeze a process, and files that were reviewed."""

import os
import signal
import subprocess
import sys

import pytest

from suuupra import failpoints

PASSES = """
from suuupra import failpoints
for _ in range(3):
    failpoints.hit("here")
    print("passed", flush=True)
"""


def _armed(text: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, failpoints.VARIABLE: text}
    return subprocess.Popen(
        [sys.executable, "-c", PASSES], env=environment, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("text", "passed", "code"),
    [
        ("", 3, 0),
        ("there", 3, 0),
        ("here", 0, -signal.SIGKILL),
        ("there,here:3", 2, -signal.SIGKILL),
        ("here:2=SIGTERM", 1, -signal.SIGTERM),
    ],
)
def test_a_process_is_killed_at_the_hit_that_is_due(text: str, passed: int, code: int) -> None:
    with _armed(text) as process:
        said, _ = process.communicate(timeout=30)
    assert (said.count("passed"), process.returncode) == (passed, code)


def test_a_frozen_process_goes_on_where_it_stopped() -> None:
    with _armed("here:2=SIGSTOP") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=30)
    assert (said.count("passed"), process.returncode) == (3, 0)


def test_a_signal_that_does_not_exist_is_no_silent_nothing() -> None:
    with _armed("here=SIGNOTHING") as process:
        process.communicate(timeout=30)
    assert process.returncode == 1
