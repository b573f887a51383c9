"""A dump is stored whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from suuupra_operator.databases import Server
from suuupra_operator.snapshots import Dump, DumpFailed

SERVER = Server("postgres.test", 5432, "postgres", "of the administrator", "disable")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is searched before all others."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def _pg_dump(programs: Path, *lines: str) -> None:
    script = programs / "pg_dump"
    script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    script.chmod(0o755)


def _read_all(dump: Dump) -> bytes:
    found = b""
    while part := dump.read(4):
        found += part
    return found


def test_o8_a_dump_that_went_well_is_read_to_its_end(programs: Path) -> None:
    _pg_dump(programs, "printf 'the whole of it'")
    dump = Dump.of(SERVER, "shop")
    assert _read_all(dump) == b"the whole of it"
    dump.end()


def test_o8_a_dump_that_breaks_off_has_no_end_and_says_why(programs: Path) -> None:
    _pg_dump(programs, "printf 'half of'", "echo 'server closed the connection' >&2", "exit 1")
    dump = Dump.of(SERVER, "shop")
    with pytest.raises(DumpFailed, match="server closed the connection"):
        _read_all(dump)
    dump.end()


def test_o8_a_dump_that_was_stopped_has_no_end(programs: Path) -> None:
    _pg_dump(programs, "printf 'half of'", "exec sleep 60")
    dump = Dump.of(SERVER, "shop")
    assert dump.read(4) == b"half"
    dump.process.kill()
    with pytest.raises(DumpFailed):
        _read_all(dump)
    dump.end()


def test_o8_the_administrators_password_is_not_among_the_arguments(programs: Path) -> None:
    _pg_dump(programs, 'printf "%s" "$*"')
    dump = Dump.of(SERVER, "shop")
    arguments = _read_all(dump).decode()
    assert "dbname=shop" in arguments
    assert SERVER.password not in arguments
    dump.end()


def test_o8_without_pg_dump_the_deletion_says_so(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(DumpFailed, match="pg_dump does not start"):
        Dump.of(SERVER, "shop")
