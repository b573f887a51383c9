"""What `make test` need not run: parts of the tests that passed and of whose inputs nothing has changed since.

The record is this checkout's own and nowhere else, so a fresh clone runs everything. Why, and what it cannot see:
docs/decisions/0015-what-passed-and-did-not-change-is-not-run.md.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from bringup import parts, paths
from bringup.job import CommandFailed, Job
from bringup.verdicts import Verdict

RECORD = paths.STATE / "tests" / "green.json"
VARIABLES = "SUUUPRA_"
"""Begins the names of variables that tests read."""

Kinds = Mapping[str, Sequence[str]]
"""Kind of tests → the folders in which there are such."""


@dataclass(frozen=True)
class Past:
    """How a part passed: by which key, without the tests marked slow if `fast`, when, and at which commit."""

    key: str
    fast: bool
    date: str
    commit: str


@dataclass(frozen=True)
class Decision:
    """Of each kind the folders that are due, and those left out."""

    due: Kinds
    left_out: Mapping[str, Mapping[str, Past]]

    @property
    def complete(self) -> bool:
        """Whether everything is run."""
        return not any(self.left_out.values())

    def told(self) -> str:
        """What is left out, a line for each kind; nothing when that is nothing."""
        lines = [f"  {kind}: {_told(left, self.due[kind])}" for kind, left in self.left_out.items() if left]
        return "\n".join(["Not run (make test anew=1 runs it all the same):", *lines]) if lines else ""


def name(kind: str, folder: str) -> str:
    """What a part is called in the record."""
    return f"{kind}: {folder}"


def decide(kinds: Kinds, keys: Mapping[str, str], past: Mapping[str, Past], *, fast: bool) -> Decision:
    """What is due: each part that has no key, or has not passed by the key it has; a fast pass serves no whole run."""

    def left_out(kind: str, folder: str) -> bool:
        found = past.get(name(kind, folder))
        return found is not None and found.key == keys.get(name(kind, folder)) and (fast or not found.fast)

    left = {kind: [folder for folder in folders if left_out(kind, folder)] for kind, folders in kinds.items()}
    return Decision(
        {kind: [folder for folder in folders if folder not in left[kind]] for kind, folders in kinds.items()},
        {kind: {folder: past[name(kind, folder)] for folder in folders} for kind, folders in left.items()},
    )


def keep(
    past: Mapping[str, Past],
    verdicts: Sequence[Verdict],
    passed: Mapping[str, Past],
    after: Mapping[str, str],
) -> dict[str, Past]:
    """The record after a run: `passed` is how its parts are remembered if they passed, `after` their keys at its end.

    Of a part whose files changed meanwhile nobody knows which were tested. What did not pass is forgotten.
    """
    doubted = {part for one in verdicts for part in one.doubted}
    proved = {part for one in verdicts for part in one.proved} - doubted
    kept = {part: one for part, one in past.items() if part not in doubted}
    for part in proved & passed.keys():
        known = kept.get(part)
        more = known is not None and known.key == passed[part].key and not known.fast
        if passed[part].key == after.get(part) and not more:
            kept[part] = passed[part]
    return kept


@dataclass(frozen=True)
class Inputs:
    """What decides how the tests of each part end: besides files, words of their kind, and what their folder reaches."""

    words: Mapping[str, Sequence[str]]
    reached: Mapping[str, Sequence[str]]

    def keys(self, kinds: Kinds) -> dict[str, str]:
        """The key of each part as the files are now; none where it cannot be known."""
        files = parts.contents(paths.ROOT)
        return {
            name(kind, folder): parts.key(files, folder, self.reached[folder], *self.words[kind])
            for kind, folders in kinds.items()
            for folder in folders
            if files and folder in self.reached
        }


def inputs(kinds: Kinds, words: Mapping[str, Sequence[str]]) -> Inputs:
    """Ask .venv's Python what is reached. It cannot tell of a tree with a file that is no Python: checks have more to say."""
    asked = [str(paths.VENV / "bin" / "python"), "-m", "bringup.reach", *sorted(set().union(*kinds.values()))]
    environment = {"PYTHONPATH": f"{paths.HACK}:{paths.ROOT / 'operator'}"}
    try:
        told = json.loads(Job("reach").output(asked, cwd=paths.ROOT, env=environment))
    except CommandFailed:
        return Inputs({}, {})
    variables = sorted(f"{key}={value}" for key, value in os.environ.items() if key.startswith(VARIABLES))
    return Inputs({kind: [*words[kind], told["python"], *variables] for kind in kinds}, told["reached"])


def read() -> dict[str, Past]:
    """What is remembered; nothing where that cannot be read."""
    try:
        return {part: Past(**past) for part, past in json.loads(RECORD.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(
    verdicts: Sequence[Verdict], before: Mapping[str, str], after: Mapping[str, str], *, fast: bool
) -> None:
    """Write down how a run ended; `before` and `after` it the keys were these."""
    date = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    passed = {part: Past(key, fast, date, _commit()) for part, key in before.items()}
    kept = keep(read(), verdicts, passed, after)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    new = RECORD.with_suffix(".new")
    new.write_text(json.dumps({part: asdict(one) for part, one in sorted(kept.items())}, indent=1) + "\n")
    new.replace(RECORD)


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(asked, cwd=paths.ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _told(left: Mapping[str, Past], due: Sequence[str]) -> str:
    first = min(left.values(), key=lambda past: past.date)
    when = f"{first.date} at {first.commit}"
    if len(left) + len(due) == 1:
        return f"unchanged since it passed, {when}"
    named = ", ".join(folder.removeprefix("services/") for folder in left)
    return (
        f"{len(left)} of {len(left) + len(due)} parts unchanged since they passed, {when} or later: {named}"
    )
