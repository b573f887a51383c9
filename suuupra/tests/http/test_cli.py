"""The command line: what it prints, and the exit code a script can rely on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from joserfc import jwt
from joserfc.jwk import KeySet

from suuupra import cli, discovery, local_issuer, logs
from suuupra.clock import FakeClock

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
    for command in ("serve", "work", "migrate", "openapi", "redrive", "new", "token"):
        assert command in out


def test_misspelt_command_is_answered_with_the_right_one(run: Run) -> None:
    code, _, err = run("serv", "web")
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
    monkeypatch.delenv("SUUUPRA_URL_CONTENT", raising=False)
    code, _, err = run("serve", "web")
    assert code == cli.EX_CONFIG == 78
    assert "SUUUPRA_URL_CONTENT is not set. Set it to the address of content" in err
    assert "Traceback" not in err


def test_service_without_events_has_nothing_to_work_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUUUPRA_URL_CONTENT", "http://content:8000")
    code, _, err = run("work", "web")
    assert code == 2
    assert "web neither publishes nor consumes events" in err


def test_openapi_needs_no_environment(run: Run) -> None:
    code, out, _ = run("openapi", "web")
    assert code == 0
    assert json.loads(out)["info"]["title"] == "web"


def test_every_service_is_found_by_its_folder() -> None:
    found = {service.name: service.folder for service in discovery.found()}
    assert found["api-gateway"] == "api_gateway"
    assert discovery.find("api-gateway").package == "services.api_gateway"


# --- the local issuer --------------------------------------------------------------------------------------------


def test_issuer_is_made_once_and_readable_by_its_owner_only(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state" / "issuer.json"
    assert run("token", "--init", "--state", str(state))[0] == 0
    first = state.read_text()
    assert run("token", "--init", "--state", str(state))[0] == 0
    assert state.read_text() == first
    assert state.stat().st_mode & 0o777 == 0o600


def test_token_is_verified_by_the_published_keys_and_nothing_else_is_printed(
    run: Run, tmp_path: Path
) -> None:
    state = str(tmp_path / "issuer.json")
    run("token", "--init", "--state", state, "--issuer", "http://i", "--audience", "a")
    _, keys, _ = run("token", "--jwks", "--state", state)
    code, minted, err = run("token", "--as", "creator", "--subject", "asha", "--ttl", "30m", "--state", state)
    token = jwt.decode(minted.strip(), KeySet.import_key_set(json.loads(keys)))
    assert (code, err) == (0, "")
    assert token.header["typ"] == "at+jwt"
    assert (token.claims["iss"], token.claims["aud"], token.claims["sub"]) == ("http://i", "a", "asha")
    assert (token.claims["scope"], token.claims["roles"]) == ("content:write", ["creator"])
    assert token.claims["exp"] - token.claims["iat"] == 1800
    assert '"d"' not in keys


def test_without_an_issuer_it_says_what_makes_one(run: Run, tmp_path: Path) -> None:
    code, _, err = run("token", "--as", "creator", "--state", str(tmp_path / "none.json"))
    assert code == 2
    assert "`make up` makes it" in err


def test_broken_issuer_file_is_named(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "issuer.json"
    broken.write_text("{}")
    code, _, err = run("token", "--jwks", "--state", str(broken))
    assert code == 2
    assert "is not a local issuer" in err


@pytest.mark.parametrize("words", [[], ["--init", "--jwks"], ["--as", "creator", "--init"], ["--as", "boss"]])
def test_token_wants_one_thing_at_a_time(run: Run, tmp_path: Path, words: list[str]) -> None:
    assert run("token", *words, "--state", str(tmp_path / "issuer.json"))[0] == 2


@pytest.mark.parametrize("ttl", ["0s", "2d", "1", "-1h", "1w", "x", "99999d"])
def test_token_lives_for_a_day_at_most(run: Run, tmp_path: Path, ttl: str) -> None:
    state = str(tmp_path / "issuer.json")
    run("token", "--init", "--state", state)
    code, out, _ = run("token", "--as", "creator", "--ttl", ttl, "--state", state)
    assert (code, out) == (2, "")


def test_each_role_has_its_scopes(tmp_path: Path, clock: FakeClock) -> None:
    issuer = local_issuer.ensure(tmp_path / "issuer.json")
    for role, scopes in local_issuer.SCOPES.items():
        claims = jwt.decode(issuer.mint(role, clock=clock), issuer.key).claims
        assert claims["scope"].split() == list(scopes)
    assert {role.value for role in cli.Role} == local_issuer.SCOPES.keys()


def test_durations_are_read_with_their_unit() -> None:
    assert cli.duration("90s") == timedelta(seconds=90)
    assert cli.duration("1d") == timedelta(days=1)
    with pytest.raises(typer.BadParameter, match="write for example 90s"):
        cli.duration("soon")
