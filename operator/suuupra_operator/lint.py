"""Judges the SQL of a migration before it is run: may it run while pods of the version before still serve?

squawk knows what each statement does; here is which of its findings mean that old pods break. What only takes a lock
for a while is not refused: small tables are the rule, and a lock timeout in the migration is the better guard.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from suuupra_operator.desired.jobs import LINT_REFUSED as REFUSED

__all__ = ["BREAKING", "REFUSED", "judge"]

#: squawk's rules (https://squawkhq.com/docs/rules) whose violation breaks code that was written for the old schema.
BREAKING = frozenset(
    {
        "adding-not-nullable-field",
        "adding-required-field",
        "ban-drop-column",
        "ban-drop-database",
        "ban-drop-table",
        "ban-truncate-cascade",
        "changing-column-type",
        "renaming-column",
        "renaming-table",
    }
)


def judge(file: Path) -> list[str]:
    """What old pods would not survive: a line per finding. Empty SQL is fine."""
    if not file.read_text(encoding="utf-8").strip():
        return []
    command = [
        str(Path(sys.executable).with_name("squawk")),
        "--reporter=json",
        "--pg-version=17.0",
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"squawk ended with {done.returncode}: {done.stderr.strip()[:300]}")
    return [_words(item) for item in json.loads(done.stdout) if item["rule_name"] in BREAKING]


def _words(item: dict[str, object]) -> str:
    line = int(str(item["line"])) + 1
    return f"line {line}: {item['message']} ({item['rule_name']}) {item.get('help') or ''}".strip()
