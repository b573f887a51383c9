"""Judges the SQL of a migration before it is run: may it run while pods of the version before still serve?

squawk knows what each statement does; here is which of its findings mean that old pods break, and what to do instead.
What only takes a lock for a while is not refused: small tables are the rule, and a lock timeout in the migration is the
better guard. What squawk does not look into, blocks and procedures, is refused because nobody can say what it does.

A statement that is known to be safe says so with squawk's own comment in the line above it: `-- squawk-ignore RULE`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from suuupra_operator.desired.jobs import LINT_REFUSED as REFUSED

__all__ = ["BREAKING", "REFUSED", "UNJUDGEABLE", "judge"]

_GONE = "Do it in the release after the last one whose pods use it."
_UNSURE = "Nothing here says what relies on it, as ON CONFLICT does on what is unique. " + _GONE
_NARROWER = "Old pods may write what it refuses: do it in the release after the first one that writes none."
_DEFAULT = "Give it a default, or let it be null, until no pod runs that leaves it out."

BREAKING: Final = {
    "adding-not-nullable-field": _DEFAULT,
    "adding-required-field": _DEFAULT,
    "ban-alter-identity": _NARROWER,
    "ban-alter-row-level-security": _NARROWER,
    "ban-disable-trigger": _UNSURE,
    "ban-drop-column": _GONE,
    "ban-drop-constraint": _UNSURE,
    "ban-drop-database": _GONE,
    "ban-drop-default": _GONE,
    "ban-drop-domain": _GONE,
    "ban-drop-extension": _GONE,
    "ban-drop-function": _GONE,
    "ban-drop-generated-expression": _GONE,
    "ban-drop-index": _UNSURE,
    "ban-drop-policy": _UNSURE,
    "ban-drop-schema": _GONE,
    "ban-drop-sequence": _GONE,
    "ban-drop-table": _GONE,
    "ban-drop-trigger": _UNSURE,
    "ban-drop-type": _GONE,
    "ban-drop-view": _GONE,
    "ban-new-write-restriction": _NARROWER,
    "ban-revoke": _GONE,
    "ban-set-schema": _GONE,
    "ban-truncate-cascade": _GONE,
    "changing-column-type": "Add a column of the new type beside it, and drop this one when no pod uses it.",
    "renaming-column": _GONE,
    "renaming-object": _GONE,
    "renaming-table": _GONE,
}
"""squawk's rules (https://squawkhq.com/docs/rules) whose violation breaks code that was written for the old schema,
each with what to do instead. Some are off in squawk unless they are asked for."""

_NEW_COLUMN: Final = "A new column constraint"
"""What squawk says of one that binds only who writes the column: old pods do not, and leave it null or at its default."""

UNJUDGEABLE: Final = "unjudgeable"
"""A rule of our own: the statement runs code that cannot be seen into."""
_CODE: Final = re.compile(r"\s*(do|call|execute)\b", re.IGNORECASE)
_NO_STATEMENT: Final = re.compile(
    r"--[^\n]*|/\*.*?\*/|\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$"
    r"|\b[eE]'(?:[^'\\]|''|\\.)*'|'[^']*'|\"[^\"]*\"",
    re.DOTALL,
)
"""Comments, and what is quoted: what is written there is not run as a statement."""
_IGNORED: Final = re.compile(rf"^\s*--\s*squawk-ignore\b.*\b{UNJUDGEABLE}\b", re.MULTILINE)


def judge(file: Path) -> list[str]:
    """What old pods would not survive: a line per finding. Empty SQL is fine."""
    sql = file.read_text(encoding="utf-8")
    if not sql.strip():
        return []
    command = [
        str(Path(sys.executable).with_name("squawk")),
        "--reporter=json",
        "--pg-version=17.0",
        *(f"--include={rule}" for rule in BREAKING),
        str(file),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"squawk ended with {done.returncode}: {done.stderr.strip()[:300]}")
    found = [_words(item) for item in json.loads(done.stdout) if _breaks(item)]
    return [*found, *_unjudgeable(sql)]


def _breaks(item: dict[str, object]) -> bool:
    return item["rule_name"] in BREAKING and not str(item["message"]).startswith(_NEW_COLUMN)


def _words(item: dict[str, object]) -> str:
    line, rule = int(str(item["line"])) + 1, str(item["rule_name"])
    return f"line {line}: {item['message']} ({rule}) {BREAKING[rule]}"


def _unjudgeable(sql: str) -> Iterator[str]:
    """Statements that run code, which squawk passes over."""
    bare = _NO_STATEMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), sql)
    start = 0
    for statement in bare.split(";"):
        code, end = _CODE.match(statement), start + len(statement)
        if code and not _IGNORED.search(sql, start, end):
            line, word = sql.count("\n", 0, start + code.start(1)) + 1, code[1].upper()
            yield f"line {line}: What {word} runs cannot be judged. ({UNJUDGEABLE}) Write its statements out."
        start = end + 1
