"""A service that only tests know: its schema has the kit's tables and a table of effects, without constraints.

Nothing in that table stops an effect from happening twice; only the inbox does.
"""

from pathlib import Path

import pytest

from suuupra.migrations import Schema

_schema = Schema(Path(__file__).parent / "ledger" / "versions")


@pytest.fixture
def schema() -> Schema:
    return _schema
