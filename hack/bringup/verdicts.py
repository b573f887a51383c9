"""Checks of `make test` and how they ended: run one, keep what it said, tell it so that CI's last page suffices.

Where a few tests of many failed, they and no other are run once more. What passes then is flaky, not well: it is told
with what it said at first, and does not hold anybody up (docs/decisions/0013-flaky-is-told.md).
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bringup import paths
from bringup.display import Display, clock
from bringup.job import CommandFailed, Job

LINES = 400
"""Most lines of a failed check that are shown: pytest's first failures with the cluster's conditions and logs."""
FEW = 3
"""Most failed tests that are run once more: beyond, something is broken."""
SOME_FAILED, NO_TESTS = 1, 5
"""Exit codes of pytest: it ran to its end and some tests failed; it found none."""
_FAILED = re.compile(r"(\d+) (?:failed|errors?)\b")
_COUNTS = re.compile(r"(\d+ (?:passed|failed|skipped|error|deselected)[^\n]*?) in [\d.]+s")
_SECTION = re.compile(r"^=+ (?:FAILURES|ERRORS) =+$", re.MULTILINE)


@dataclass(frozen=True)
class Check:
    """A program whose exit code says whether all is well; without one there is nothing to run that did not pass before."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    again: "Check | None" = None
    """What to run where few tests failed: those, once more."""
    proves: Mapping[str, str] = field(default_factory=dict)
    """What its success proves (bringup.unchanged), and the folder in which the tests of each lie."""
    failed: Path | None = None
    """Where pytest writes down which tests failed."""
    may_be_empty: bool = False
    """Whether a pytest that finds no test is well: others of its kind, which have some, are left out."""

    @property
    def slug(self) -> str:
        """Its name as a file's."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True)
class Verdict:
    """How a check ended; `told` is its own count of things, `words` what it said when it failed, if only at first."""

    name: str
    passed: bool
    seconds: float
    told: str = ""
    words: str = ""
    unchanged: bool = False
    proved: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    """What it was to prove and did not, at the first try."""

    @property
    def flaky(self) -> bool:
        """Whether it passed after some of it had failed."""
        return self.passed and bool(self.words)

    @property
    def mark(self) -> str:
        """How it ended, in one word."""
        if self.unchanged:
            return "unchanged"
        return "flaky" if self.flaky else "ok" if self.passed else "FAILED"


def run(number: int, check: Check, display: Display) -> Verdict:
    """Run one check, and once more what failed of it where that is little; its output goes to its log."""
    if not check.argv:
        display.finish(number, "=", f"{check.name}  unchanged since it passed", 0.0)
        return Verdict(check.name, passed=True, seconds=0.0, unchanged=True)
    job, began = Job(f"check-{check.slug}", display.say), time.monotonic()
    display.start(number, check.name, job)
    code, said = _ended(job, check)
    doubted = in_doubt(check, code)
    passed = code == 0 or (code == NO_TESTS and check.may_be_empty)
    words = "" if passed else f"{complaint(said)}\n    the whole log: {job.log}"
    told = counts(said)
    if check.again is not None and not passed and 0 < failures(said) <= FEW:
        display.say(f"        {check.name}: {told}; what failed is run once more")
        second = Job(f"check-{check.again.slug}", display.say)
        passed = _ended(second, check.again)[0] == 0
        told += ", which passed when run once more" if passed else ", once more too"
    seconds = time.monotonic() - began
    display.finish(number, "✓" if passed else "✗", f"{check.name}  {told}".rstrip(), seconds)
    proved = frozenset(check.proves) - doubted
    return Verdict(check.name, passed, seconds, told, words, proved=proved, doubted=doubted)


def _ended(job: Job, check: Check) -> tuple[int, str]:
    """Its exit code, and what it said."""
    try:
        job.run(check.argv, cwd=paths.ROOT, env=check.env)
    except CommandFailed as failure:
        return failure.code, job.log.read_text(errors="replace")
    return 0, job.log.read_text(errors="replace")


def in_doubt(check: Check, code: int) -> frozenset[str]:
    """What a check that ended with this code does not prove: where it names what failed, that and no other."""
    if code == 0 or (code == NO_TESTS and check.may_be_empty):
        return frozenset()
    kept = check.failed / "v" / "cache" / "lastfailed" if check.failed else None
    if code != SOME_FAILED or kept is None or not kept.exists():
        return frozenset(check.proves)
    found = set[str]()
    for test in json.loads(kept.read_text()):
        parts = [part for part, folder in check.proves.items() if test.startswith(f"{folder}/")]
        found |= {*(parts or check.proves)}
    return frozenset(found or check.proves)


def summary(verdicts: Sequence[Verdict], seconds: float) -> str:
    """What failed, if only at first, in its own words; then the table, so that the end of a log says it all."""
    width = max(len(verdict.name) for verdict in verdicts)
    marks = max(len("FAILED"), *(len(verdict.mark) for verdict in verdicts))
    lines = [
        f"  {verdict.name:<{width}}  {verdict.mark:<{marks}}  {clock(verdict.seconds):>6}  {verdict.told}".rstrip()
        for verdict in verdicts
    ]
    passed = sum(one.passed for one in verdicts)
    flaky = sum(one.flaky for one in verdicts)
    words = [f"{one.name}{', flaky' * one.flaky}:\n{one.words}\n" for one in verdicts if one.words]
    unchanged = sum(one.unchanged for one in verdicts)
    total = f"{passed} of {len(verdicts)} checks passed in {clock(seconds)}"
    also = [f"{unchanged} unchanged"] * bool(unchanged) + [f"{flaky} flaky"] * bool(flaky)
    return "\n".join([*words, *lines, "", ", ".join([total, *also])])


def counts(output: str) -> str:
    """What pytest counted, from the last line that says so."""
    found = _COUNTS.findall(output)
    return str(found[-1]) if found else ""


def failures(output: str) -> int:
    """How many tests pytest counted as failed, those that could not begin among them; 0 when it did not come to count."""
    return sum(map(int, _FAILED.findall(counts(output))))


def complaint(output: str) -> str:
    """The part of a failed check's output that says why: pytest's failures, else the end."""
    lines = output.rstrip().splitlines()
    section = _SECTION.search(output)
    if section is None:
        return "\n".join(lines[-LINES // 4 :])
    said = output[section.start() :].rstrip().splitlines()
    if len(said) <= LINES:
        return "\n".join(said)
    left_out = len(said) - LINES
    return "\n".join([*said[: LINES - 40], f"… {left_out} lines are in the log only …", *said[-40:]])
