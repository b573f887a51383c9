"""`make test`: every check there is, a plain summary, and what the cluster said where a test on it failed."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bringup import images, paths, plan, status, up
from bringup.cluster import Cluster
from bringup.display import Display, clock
from bringup.job import CommandFailed, Job
from bringup.knobs import Knobs
from bringup.plan import Run
from bringup.refusals import Refusal
from bringup.steps import Step, StepFailed

PLAIN = "not integration and not cluster and not journey"
COVERAGE = paths.STATE / "coverage" / "data"
MEASURED = ("suuupra", "services", "operator/suuupra_operator", "hack/bringup")
PACKAGES = ("chromium", "curl", "python3-doc")
DOCUMENTS = Path("/usr/share/doc/python3/html")
CONFORMANCE = "tests/conformance"
_COUNTS = re.compile(r"(\d+ (?:passed|failed|skipped|error|deselected)[^\n]*?) in [\d.]+s")


@dataclass(frozen=True)
class Check:
    """A program whose exit code says whether all is well."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """How a check ended; `told` is its own count of things, `words` the end of its output when it failed."""

    name: str
    passed: bool
    seconds: float
    told: str = ""
    words: str = ""


def test(knobs: Knobs, *, fast: bool) -> bool:
    """Run everything, without the cluster when `fast`; True when all is well."""
    began = time.monotonic()
    tests = Cluster(knobs.test_cluster, knobs.test_http_port, knobs.test_metrics_port)
    run = Run(knobs.for_tests(), tests)
    with up.only_one():
        up.check(run.knobs, {} if fast else _ports(knobs))
        _prepare(run, fast=fast)
        verdicts = _without_cluster(knobs)
        if not fast:
            verdicts += _with_cluster(run)
    print(f"\n{summary(verdicts, time.monotonic() - began)}\n{coverage()}")
    return all(verdict.passed for verdict in verdicts)


def summary(verdicts: Sequence[Verdict], seconds: float) -> str:
    """The closing table; what failed comes last, with its own last words."""
    width = max(len(verdict.name) for verdict in verdicts)
    lines = [
        f"  {verdict.name:<{width}}  {'ok    ' if verdict.passed else 'FAILED'}  {clock(verdict.seconds):>6}"
        f"  {verdict.told}".rstrip()
        for verdict in verdicts
    ]
    failed = [verdict for verdict in verdicts if not verdict.passed]
    ends = [f"\n{verdict.name}:\n{verdict.words}" for verdict in failed]
    total = f"{len(verdicts) - len(failed)} of {len(verdicts)} checks passed in {clock(seconds)}"
    return "\n".join([*lines, *ends, f"\n{total}"])


def counts(output: str) -> str:
    """What pytest counted, from the last line that says so."""
    found = _COUNTS.findall(output)
    return str(found[-1]) if found else ""


def coverage() -> str:
    """Covered share of lines, per part and in all, from what the unit and integration tests recorded."""
    if not COVERAGE.exists():
        return "coverage: nothing recorded"
    job = Job("coverage")
    target = COVERAGE.with_name("coverage.json")
    job.output([_venv("coverage"), "json", "-q", "-o", str(target)], cwd=paths.ROOT, env=_environment())
    report = json.loads(target.read_text())
    parts = shares({name: file["summary"] for name, file in report["files"].items()})
    told = ", ".join(f"{part} {share:.0f} %" for part, share in parts.items())
    return f"coverage: {report['totals']['percent_covered']:.0f} % of lines ({told})"


def shares(files: dict[str, dict[str, int]]) -> dict[str, float]:
    """Percent of lines covered per part: the first folder, below services and operator the second."""
    covered: dict[str, list[int]] = {}
    for name, lines in files.items():
        first, second, *_ = (*Path(name).parts, "")
        part = second if first in ("services", "operator", "hack") else first
        total = covered.setdefault(part, [0, 0])
        total[0] += lines["covered_lines"]
        total[1] += lines["num_statements"]
    return {part: 100 * hit / max(1, all_) for part, (hit, all_) in sorted(covered.items())}


def _prepare(run: Run, *, fast: bool) -> None:
    """What the checks need: Docker, the environment, images, a browser, a book to import."""
    packages = Step("packages", "Chromium and documents to import", _install, ("docker",), _installed)
    up.execute([*plan.for_tests(run, cluster=not fast), packages])


def _without_cluster(knobs: Knobs) -> list[Verdict]:
    """Lint, types, contracts and unit tests two at a time; then the integration tests, which share servers."""
    shutil.rmtree(COVERAGE.parent, ignore_errors=True)
    COVERAGE.parent.mkdir(parents=True)
    image = images.tests(knobs)
    checks = [
        Check("unit, Python 3.11", _pytest("-m", PLAIN, "--ignore", CONFORMANCE, *_recording())),
        Check("lint", (_venv("ruff"), "check", ".")),
        Check("format", (_venv("ruff"), "format", "--check", ".")),
        Check("import contracts", (_venv("lint-imports"),)),
        Check("types", (_venv("mypy"),)),
        Check("conformance", _pytest(CONFORMANCE)),
        Check("unit, Python 3.13", _in_image(image.reference)),
    ]
    integration = Check(
        "integration, real servers", _pytest("-m", "integration", "--cov-append", *_recording())
    )
    with Display(len(checks) + 1) as display, ThreadPoolExecutor(max_workers=2) as pool:
        numbered = list(enumerate(checks, start=1))
        verdicts = list(pool.map(lambda each: _run(each[0], each[1], display), numbered))
        return [*verdicts, _run(len(checks) + 1, integration, display)]


def _with_cluster(run: Run) -> list[Verdict]:
    """The cluster tests and the journey, on a cluster of their own that is gone afterwards."""
    with _fresh_cluster(run) as verdict:
        if not verdict.passed:
            return [verdict]
        checks = [
            Check("cluster", _pytest("-m", "cluster", "tests")),
            Check("journey, Chromium", _pytest("-m", "journey", "tests")),
        ]
        with Display(len(checks)) as display:
            verdicts = [_run(number, check, display) for number, check in enumerate(checks, start=1)]
        if not all(each.passed for each in verdicts):
            _show(run.cluster)
        return [verdict, *verdicts]


@contextmanager
def _fresh_cluster(run: Run) -> Iterator[Verdict]:
    """Bring a new cluster up, whatever an earlier run left; delete it in the end, whatever happened."""
    job, began = Job("test-cluster"), time.monotonic()
    run.cluster.delete(job)
    try:
        try:
            up.execute(plan.everything(run))
            yield Verdict("cluster is up", passed=True, seconds=time.monotonic() - began)
        except StepFailed as failure:
            _show(run.cluster)
            yield Verdict("cluster is up", passed=False, seconds=time.monotonic() - began, words=str(failure))
    finally:
        run.cluster.delete(job)


def _run(number: int, check: Check, display: Display) -> Verdict:
    job, began = Job(f"check-{_slug(check.name)}", display.say), time.monotonic()
    display.start(number, check.name, job)
    passed, words = True, ""
    try:
        job.run(check.argv, cwd=paths.ROOT, env=_environment())
    except CommandFailed as failure:
        passed, words = False, f"{failure}\n    the whole log: {job.log}"
    seconds = time.monotonic() - began
    told = counts(job.log.read_text(errors="replace"))
    display.finish(number, "✓" if passed else "✗", f"{check.name}  {told}".rstrip(), seconds)
    return Verdict(check.name, passed, seconds, told, words)


def _show(cluster: Cluster) -> None:
    print("\nThe cluster when it failed:")
    status.show(cluster)


def _pytest(*args: str) -> tuple[str, ...]:
    return (_venv("pytest"), "-q", "--no-header", *args)


def _recording() -> tuple[str, ...]:
    return (*(f"--cov={part}" for part in MEASURED), "--cov-report=")


def _in_image(image: str) -> tuple[str, ...]:
    """The unit tests in the image's Python, the tree mounted so that they cannot write into it."""
    run = (
        "docker",
        "run",
        "--rm",
        "--volume",
        f"{paths.ROOT}:/app:ro",
        "--workdir",
        "/app",
        "--tmpfs",
        "/tmp:exec",
    )
    tests = ("python", "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-m", PLAIN)
    quiet = ("--env", "HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis", "--env", "PYTHONDONTWRITEBYTECODE=1")
    return (*run, *quiet, "--entrypoint", "", image, *tests, "--ignore", CONFORMANCE)


def _environment() -> dict[str, str]:
    path = f"{paths.BIN}:{paths.VENV / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    return {"COVERAGE_FILE": str(COVERAGE), "PATH": path}


def _install(job: Job) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Refusal(
            "The tests need Chromium, curl and Python's documentation.", f"install {' '.join(PACKAGES)}."
        )
    job.waiting(f"apt-get to install {' and '.join(PACKAGES)}")
    job.run(["apt-get", "update", "-qq"])
    job.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )


def _installed() -> str | None:
    programs = all(shutil.which(name) for name in ("chromium", "curl"))
    return "are here" if programs and DOCUMENTS.exists() else None


def _ports(knobs: Knobs) -> dict[int, str]:
    return {knobs.test_http_port: "UP_TEST_HTTP_PORT", knobs.test_metrics_port: "UP_TEST_METRICS_PORT"}


def _venv(program: str) -> str:
    return str(paths.VENV / "bin" / program)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
