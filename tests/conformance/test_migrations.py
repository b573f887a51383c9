"""Every version of a schema after its first passes the lint that the operator judges it by, beside pods of the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
from suuupra_operator import lint

from suuupra.migrations import alembic_run

from .tree import ROOT

FOLDERS = {path.parts[-3]: path for path in ROOT.glob("services/*/migrations/versions")}


@pytest.mark.parametrize("service", sorted(FOLDERS))
def test_o6_every_migration_of_ours_passes_the_lint(service: str, tmp_path: Path) -> None:
    first, *later = alembic_run.between(FOLDERS[service], None)
    file = tmp_path / "migration.sql"
    file.write_text(alembic_run.sql(FOLDERS[service], first) if later else "")
    assert lint.judge(file) == []


def test_o6_there_are_migrations_to_judge() -> None:
    assert any(len(alembic_run.between(folder, None)) > 1 for folder in FOLDERS.values())
