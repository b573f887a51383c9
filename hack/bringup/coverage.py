"""What the tests covered: each check records for itself, then all is brought together."""

import json
import shutil
from pathlib import Path

from bringup import paths
from bringup.job import Job

FOLDER = paths.STATE / "coverage"
MEASURED = ("suuupra", "services", "operator/suuupra_operator", "hack/bringup")


def forget() -> None:
    """Begin anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)


def recording() -> tuple[str, ...]:
    """Options of a pytest that records."""
    return (*(f"--cov={part}" for part in MEASURED), "--cov-report=")


def file(name: str) -> str:
    """Where the check of this name records: COVERAGE_FILE. `combine` finds it by the name it begins with."""
    return str(FOLDER / f"all.{name}")


def report() -> str:
    """Covered share of lines, per part and in all."""
    if not list(FOLDER.glob("all.*")):
        return "coverage: nothing recorded"
    job, target, together = Job("coverage"), FOLDER / "coverage.json", {"COVERAGE_FILE": str(FOLDER / "all")}
    program = str(paths.VENV / "bin" / "coverage")
    job.output([program, "combine", "-q", "--keep", str(FOLDER)], cwd=paths.ROOT, env=together)
    job.output([program, "json", "-q", "-o", str(target)], cwd=paths.ROOT, env=together)
    found = json.loads(target.read_text())
    parts = shares({name: each["summary"] for name, each in found["files"].items()})
    told = ", ".join(f"{part} {share:.0f} %" for part, share in parts.items())
    return f"coverage: {found['totals']['percent_covered']:.0f} % of lines ({told})"


def shares(files: dict[str, dict[str, int]]) -> dict[str, float]:
    """Percent of lines covered per part: the first folder, below services and operator the second."""
    covered: dict[str, list[int]] = {}
    for name, lines in files.items():
        first, second, *_ = (*Path(name).parts, "")
        part = second if first in ("services", "operator", "hack") and not second.endswith(".py") else first
        total = covered.setdefault(part, [0, 0])
        total[0] += lines["covered_lines"]
        total[1] += lines["num_statements"]
    return {part: 100 * hit / max(1, all_) for part, (hit, all_) in sorted(covered.items())}
