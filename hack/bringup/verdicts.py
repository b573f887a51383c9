"""Checks of `make test` and how they ended: run one, keep what it said, tell it so that CI's last page suffices."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bringup import paths
from bringup.display import Display, clock
from bringup.job import CommandFailed, Job

LINES = 400
"""Most lines of a failed check that are shown: pytest's first failures with the cluster's conditions and logs."""
_COUNTS = re.compile(r"(\d+ (?:passed|failed|skipped|error|deselected)[^\n]*?) in [\d.]+s")
_SECTION = re.compile(r"^=+ (?:FAILURES|ERRORS) =+$", re.MULTILINE)


@dataclass(frozen=True)
class Check:
    """A program whose exit code says whether all is well."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Its name as a file's."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True)
class Verdict:
    """How a check ended; `told` is its own count of things, `words` what it said when it failed."""

    name: str
    passed: bool
    seconds: float
    told: str = ""
    words: str = ""


def run(number: int, check: Check, display: Display) -> Verdict:
    """Run one check; its output goes to its log."""
    job, began = Job(f"check-{check.slug}", display.say), time.monotonic()
    display.start(number, check.name, job)
    passed = True
    try:
        job.run(check.argv, cwd=paths.ROOT, env=check.env)
    except CommandFailed:
        passed = False
    seconds, said = time.monotonic() - began, job.log.read_text(errors="replace")
    told = counts(said)
    display.finish(number, "✓" if passed else "✗", f"{check.name}  {told}".rstrip(), seconds)
    words = "" if passed else f"{complaint(said)}\n    the whole log: {job.log}"
    return Verdict(check.name, passed, seconds, told, words)


def summary(verdicts: Sequence[Verdict], seconds: float) -> str:
    """What failed, in its own words; then the table, so that the end of a log says it all."""
    width = max(len(verdict.name) for verdict in verdicts)
    lines = [
        f"  {verdict.name:<{width}}  {'ok    ' if verdict.passed else 'FAILED'}  {clock(verdict.seconds):>6}"
        f"  {verdict.told}".rstrip()
        for verdict in verdicts
    ]
    failed = [verdict for verdict in verdicts if not verdict.passed]
    words = [f"{verdict.name}:\n{verdict.words}\n" for verdict in failed]
    total = f"{len(verdicts) - len(failed)} of {len(verdicts)} checks passed in {clock(seconds)}"
    return "\n".join([*words, *lines, f"\n{total}"])


def counts(output: str) -> str:
    """What pytest counted, from the last line that says so."""
    found = _COUNTS.findall(output)
    return str(found[-1]) if found else ""


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
