"""The command line: what it prints, and the exit code a script can rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from suuupra import cli, discovery, logs
from suuupra.migrations import schema
from suuupra.testing.containers import free_port

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; its exit code and what it wrote to the two streams."""
    for stream in ("out", "err"):
        monkeypatch.setattr(getattr(cli, stream), "_file", None)
    # What `configure` sets would outlive the test, and the streams that pytest lends it.
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["python -m suuupra", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        return int(end.value.code or 0), written.out, written.err

    return command


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for command in ("serve", "work", "migrate", "openapi", "redrive", "new"):
        assert command in out


def test_misspelt_command_is_answered_with_the_right_one(run: Run) -> None:
    code, _, err = run("serv", "content")
    assert code == 2
    assert "Did you mean 'serve'" in err


def test_misspelt_service_is_answered_with_the_right_one(run: Run) -> None:
    code, _, err = run("openapi", "contant")
    assert (code, err) == (2, "error: there is no service 'contant'; did you mean content?\n")


def test_unknown_service_is_answered_with_those_there_are(run: Run) -> None:
    code, _, err = run("serve", "zzz")
    assert code == 2
    assert ", ".join(service.name for service in discovery.found()) in err


def test_wrong_settings_are_told_in_one_message_and_exit_78(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUUUPRA_OBJECTS_ENDPOINT", raising=False)
    code, _, err = run("serve", "content")
    assert code == cli.EX_CONFIG == 78
    assert "SUUUPRA_OBJECTS_ENDPOINT is not set. Set it to the object store" in err
    assert "Traceback" not in err


def test_a_database_that_is_not_there_is_told_in_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUUUPRA_DATABASE_URL", f"postgresql://shop:hunter2@127.0.0.1:{free_port()}/shop")
    monkeypatch.setattr(schema, "AWAY_LIMIT", timedelta())
    code, _, err = run("migrate", "content")
    assert code == 1
    assert "error: PostgreSQL at 127.0.0.1 is not connected: connection failed" in " ".join(err.split())
    assert "Traceback" not in err
    assert "hunter" not in err


def test_service_without_events_has_nothing_to_work_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ISSUER": "http://i", "AUDIENCE": "a", "JWKS": '{"keys": []}'}.items():
        monkeypatch.setenv(f"SUUUPRA_{name}", value)
    code, _, err = run("work", "api-gateway")
    assert code == 2
    assert "api-gateway neither publishes nor consumes events" in err


def test_openapi_needs_no_environment(run: Run) -> None:
    code, out, _ = run("openapi", "content")
    assert code == 0
    assert json.loads(out)["info"]["title"] == "content"


def test_every_service_is_found_by_its_folder() -> None:
    found = {service.name: service.folder for service in discovery.found()}
    assert found["api-gateway"] == "api_gateway"
    assert discovery.find("api-gateway").package == "services.api_gateway"
