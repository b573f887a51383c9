"""A forked process is what a started one would be: its arguments, environment and output, its end and its death."""

import os
import signal
import subprocess
import sys

import pytest

from suuupra.testing import forking
from suuupra.testing.containers import free_port

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SUUUPRA_")}


@pytest.mark.parametrize("words", [("serve", "content"), ("openapi", "content")])
def test_it_says_and_returns_what_a_started_one_does(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "suuupra", *words]
    other = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    with forking.start("suuupra", *words, environment=ENVIRONMENT) as process:
        ended = process.wait(60)
    said = capfd.readouterr()
    assert (ended, said.out, said.err) == (other.returncode, other.stdout, other.stderr)


def test_it_has_the_environment_it_is_given_and_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    with forking.start("suuupra", "serve", "content", environment={"SUUUPRA_HTTP_PORT": "many"}) as process:
        assert process.wait(60) == 78
    assert "http_port" in capfd.readouterr().err.lower()


def test_it_lives_until_it_is_killed_and_says_by_what() -> None:
    with forking.start("http.server", str(free_port()), environment=ENVIRONMENT) as process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.kill()
        assert process.wait(60) == process.poll() == process.returncode == -signal.SIGKILL
        process.terminate()  # of one that has ended: nothing


def test_two_live_side_by_side_and_end_each_for_itself() -> None:
    one, other = (forking.start("http.server", str(free_port()), environment=ENVIRONMENT) for _ in range(2))
    with one, other:
        one.terminate()
        assert one.wait(60) == -signal.SIGTERM
        assert other.poll() is None
        os.kill(other.pid, signal.SIGKILL)
        assert other.wait(60) == -signal.SIGKILL
