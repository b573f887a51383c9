"""`make test`: every check there is, a plain summary, and what the cluster said where a test on it failed."""

import io
import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

from bringup import (
    apt,
    clusters,
    coverage,
    documents,
    images,
    machine,
    parts,
    paths,
    plan,
    resting,
    status,
    unchanged,
    up,
    verdicts,
)
from bringup.cluster import Cluster
from bringup.display import Display
from bringup.images import Image
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.plan import Run
from bringup.refusals import For
from bringup.steps import Step, StepFailed, run_all
from bringup.unchanged import Decision
from bringup.verdicts import Check, Verdict

PYTHON = ".".join(platform.python_version_tuple()[:2])
PLAIN = "not integration and not cluster and not journey"
UNIT = {
    "services": ("services",),
    "the kit": ("suuupra",),
    "all else": ("operator", "hack/tests", "images/tests", "charts/tests", "tests"),
}
"""Unit tests by what they are of: processes of their own, so that no core is idle while another has hundreds to do."""
CONFORMANCE, NOT_SLOW = "tests/conformance", " and not slow"
ON_THE_HOST = ("hack/tests", "charts/tests")
"""What is tested where it runs: bring-up and the charts need make, Docker and helm, which no image holds."""


INTEGRATION = ("suuupra", "services", "images/tests", "operator", "tests/alerts", "tests/cluster")
"""One heap that as many processes share as run at once: each takes the next file, so that none ends long before."""
UNITS, HEAP, IN_IMAGE = "unit", "integration", "unit, Python 3.13"
OPERATOR, CLUSTER, JOURNEY = "operator, on a cluster of its own", "cluster", "journey, Chromium"
"""Kinds of tests, as bringup.unchanged remembers them."""
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""Kept, whatever the caller's environment says: tests start a hundred processes, and to compile what one of them
imports takes longer than to run it."""
AT_ONCE = 1 + max(2, os.cpu_count() or 2)
"""Checks side by side: one more than cores, because integration tests wait for servers a good part of their time. With
more still, tests of what happens in time find a machine that has none."""
SHARE = "SUUUPRA_TEST_SHARE"
"""Names a process's part of the heap, for suuupra.testing.sharing."""
FAILED = paths.STATE / "failed"
"""Where each check remembers which of its tests failed."""


def test(knobs: Knobs, *, fast: bool, anew: bool) -> bool:
    """Run everything, without the cluster when `fast`; True when all is well.

    What passed before and did not change is left out, unless everything is to run `anew`.
    """
    began = time.monotonic()
    run = Run(knobs.for_tests(), clusters.of_tests(knobs))
    still = resting.standing_still(clusters.of_user(knobs), below_cores=knobs.pause_below_cores)
    with up.only_one(), still:
        up.check(run.knobs, [] if fast else [run.cluster, clusters.of_operator_tests(knobs)])
        _prepare(run, fast=fast)
        prepared = Verdict("preparation", passed=True, seconds=time.monotonic() - began)
        coverage.forget()
        shutil.rmtree(FAILED, ignore_errors=True)
        kinds = _kinds(fast=fast)
        inputs = unchanged.inputs(kinds, _words(run, fast=fast))
        keys = inputs.keys(kinds)
        decision = unchanged.decide(kinds, keys, {} if anew else unchanged.read(), fast=fast)
        if not decision.complete:
            print(f"\n{decision.told()}", flush=True)
        found = [prepared, *(_fast(knobs, decision) if fast else _whole(run, decision))]
        unchanged.remember(found, keys, inputs.keys(kinds), fast=fast)
    lines = [
        verdicts.summary(found, time.monotonic() - began),
        decision.told(),
        _covered(decision, fast=fast),
    ]
    print("\n" + "\n".join(filter(None, lines)))
    return all(verdict.passed for verdict in found)


def _covered(decision: Decision, *, fast: bool) -> str:
    if fast:
        return "coverage: the whole `make test` measures it"
    return (
        coverage.report()
        if decision.complete
        else "coverage: measured where everything runs: make test anew=1"
    )


def _kinds(*, fast: bool) -> dict[str, list[str]]:
    """Kind of tests → folders that are remembered each by itself."""
    units = parts.within([folder for folders in UNIT.values() for folder in folders], paths.ROOT)
    kinds = {UNITS: units, HEAP: parts.within(INTEGRATION, paths.ROOT, marked="integration")}
    if fast:
        return kinds
    in_image = [folder for folder in units if folder not in ON_THE_HOST]
    clusters_ = {
        OPERATOR: ["operator/tests/on_cluster"],
        CLUSTER: ["tests/cluster"],
        JOURNEY: ["tests/journeys"],
    }
    return {**kinds, IN_IMAGE: in_image, **clusters_}


def _words(run: Run, *, fast: bool) -> dict[str, list[str]]:
    """By kind of tests, what decides how they end besides files: the knobs, and images by name."""
    knobs = run.knobs
    always = [repr(knobs), _named(images.servers(knobs))]
    if fast:
        return {UNITS: always, HEAP: always}
    deployed = [*always, _named(images.platform(knobs)), run.node_image]
    in_image = [*always, images.tests(knobs).reference]
    return {
        UNITS: always,
        HEAP: always,
        IN_IMAGE: in_image,
        OPERATOR: deployed,
        CLUSTER: deployed,
        JOURNEY: deployed,
    }


def _fast(knobs: Knobs, decision: Decision) -> list[Verdict]:
    """What needs no cluster; it neither records what it covers nor waits for what is marked slow."""
    *shares, last = _integration(knobs, decision, fast=True)
    # The last begins when all that computes is done, and takes what the other shares have left.
    return _side_by_side([*shares, *_computing(knobs, decision, fast=True), last], AT_ONCE)


def _whole(run: Run, decision: Decision) -> list[Verdict]:
    """Three stages, each with no more at once than leaves tests of what happens in time a machine to find.

    Integration tests keep it busy by themselves. The operator's tests mostly wait for what they broke to be put right:
    what computes is done beside them, and gives way. Cluster tests and the journey have the platform to themselves.
    """
    found = _side_by_side(_integration(run.knobs, decision, fast=False), AT_ONCE)
    computing = _computing(run.knobs, decision, fast=False)
    giving_way = [
        replace(one, argv=("nice", "-n", "19", *one.argv)) if one.argv else one for one in computing
    ]
    found += _side_by_side([_operator(run, decision), *giving_way], 2)
    return found + _on_the_platform(run, decision)


def _prepare(run: Run, *, fast: bool) -> None:
    """What the checks need: Docker, the environment, images, programs that tests run, a book to import."""
    work: For = "fast test" if fast else "test"
    packages = Step(
        "packages",
        "Programs that tests run, and documents to import",
        lambda job: _install(job, work),
        ("docker",),
        lambda: _installed(work),
    )
    up.execute([*plan.for_tests(run, cluster=not fast), packages])


def _integration(knobs: Knobs, decision: Decision, *, fast: bool) -> list[Check]:
    """The shares of the heap of integration tests."""
    servers, claims, due = _named(images.servers(knobs)), _nothing_claimed(), decision.due[HEAP]
    if not due:
        return [Check(HEAP, ())]
    return [
        _due(
            f"{HEAP}, {number} of {AT_ONCE}",
            decision,
            (HEAP, due),
            *("-m", HEAP + NOT_SLOW * fast),
            fast=fast,
            SUUUPRA_TEST_IMAGES=servers,
            **{SHARE: f"{number}/{AT_ONCE}:{claims}"},
        )
        for number in range(1, AT_ONCE + 1)
    ]


def _computing(knobs: Knobs, decision: Decision, *, fast: bool) -> list[Check]:
    """What needs no server: unit tests, and what only reads, which is not worth remembering."""
    checks = [
        *(_unit(what, folders, decision, fast=fast) for what, folders in UNIT.items()),
        Check("types", (_venv("mypy"),), _environment()),
        Check("lint", (_venv("ruff"), "check", "."), _environment()),
        Check("format", (_venv("ruff"), "format", "--check", "."), _environment()),
        Check("import contracts", (_venv("lint-imports"),), _environment()),
        Check("conformance", _pytest(CONFORMANCE), _environment()),
    ]
    return checks if fast else [*checks, _in_image(knobs, decision)]


def _unit(what: str, folders: Sequence[str], decision: Decision, *, fast: bool) -> Check:
    name, ours = f"{UNITS}, {what}, Python {PYTHON}", parts.within(folders, paths.ROOT)
    due = [folder for folder in decision.due[UNITS] if folder in ours]
    marked = ("-m", PLAIN + NOT_SLOW * fast, f"--ignore={CONFORMANCE}")
    return _due(name, decision, (UNITS, due), *marked, fast=fast) if due else Check(name, ())


def _due(
    name: str, decision: Decision, of: tuple[str, Sequence[str]], *args: str, fast: bool, **env: str
) -> Check:
    """A pytest of parts that are due; of everything, and not in a hurry, it records what it covers."""
    made = _recorded if decision.complete and not fast else _tests
    kind, folders = of
    return replace(
        made(name, *args, *folders, **env),
        proves={unchanged.name(kind, folder): folder for folder in folders},
        may_be_empty=not decision.complete,
    )


def _nothing_claimed() -> Path:
    """The folder in which the integration tests' processes say what they took (suuupra.testing.sharing)."""
    folder = paths.STATE / "claims"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _operator(run: Run, decision: Decision) -> Check:
    """Told its cluster, and of what that is made: whatever else there is on this machine may be another run's."""
    knobs, due = run.knobs, decision.due[OPERATOR]
    if not due:
        return Check(OPERATOR, ())
    told = {
        "SUUUPRA_TEST_IMAGES": _named([*images.servers(knobs), *images.platform(knobs)]),
        "SUUUPRA_TEST_NODE_IMAGE": run.node_image,
        "UP_OPERATOR_TEST_CLUSTER": knobs.operator_test_cluster,
        "UP_OPERATOR_TEST_HTTP_PORT": str(knobs.operator_test_http_port),
        "UP_OPERATOR_TEST_METRICS_PORT": str(knobs.operator_test_metrics_port),
    }
    return _due(OPERATOR, decision, (OPERATOR, due), "-m", "cluster", fast=False, **told)


def _on_the_platform(run: Run, decision: Decision) -> list[Verdict]:
    """Cluster tests and the journey, one after the other, on a new cluster, which tells its state when one failed.

    There is none where neither is due.
    """
    checks = []
    for kind, mark in ((CLUSTER, "cluster"), (JOURNEY, "journey")):
        proves = {unchanged.name(kind, folder): folder for folder in decision.due[kind]}
        checks.append(
            replace(_tests(kind, "-m", mark, "tests"), proves=proves) if proves else Check(kind, ())
        )
    if not any(check.argv for check in checks):
        return _side_by_side(checks, 1)
    steps = plan.everything(run)
    with Display(len(steps) + len(checks)) as display, _fresh_cluster(run, steps, display) as verdict:
        found = [verdict]
        if verdict.passed:
            numbered = enumerate(checks, start=len(steps) + 1)
            found += [verdicts.run(number, check, display) for number, check in numbered]
        if not all(each.passed for each in found):
            display.say(_state_of(run.cluster))
    return found


def _side_by_side(checks: Sequence[Check], at_once: int) -> list[Verdict]:
    with Display(len(checks)) as display, ThreadPoolExecutor(max_workers=at_once) as pool:
        numbered = list(enumerate(checks, start=1))
        return list(pool.map(lambda each: verdicts.run(each[0], each[1], display), numbered))


@contextmanager
def _fresh_cluster(run: Run, steps: Sequence[Step], display: Display) -> Iterator[Verdict]:
    """Bring a new cluster up, whatever an earlier run left; delete it in the end, whatever happened."""
    job, began = Job("test-cluster"), time.monotonic()
    run.cluster.delete(job)
    try:
        try:
            run_all(steps, display)
            verdict = Verdict("cluster is up", passed=True, seconds=time.monotonic() - began)
        except StepFailed as failure:
            taken = time.monotonic() - began
            verdict = Verdict("cluster is up", passed=False, seconds=taken, words=str(failure))
        yield verdict
    finally:
        run.cluster.delete(job)


def _state_of(cluster: Cluster) -> str:
    told = io.StringIO()
    with redirect_stdout(told):
        status.show(cluster)
    return f"\nThe cluster when it failed:\n{told.getvalue()}"


def _named(wanted: Sequence[Image]) -> str:
    """The images of this very tree, as the fixtures take them: another checkout may have built newer ones."""
    return ",".join(f"{image.name}={image.reference}" for image in wanted)


def _pytest(*args: str) -> tuple[str, ...]:
    return (_venv("pytest"), "-q", "--no-header", "--durations=10", *args)


def _tests(name: str, *args: str, **env: str) -> Check:
    """A pytest, and one of what failed in it, whoever of those that share the heap took it."""
    first = Check(name, _pytest(*args), {**_environment(), **env})
    remembers = ("-o", f"cache_dir={FAILED / first.slug}")
    argv = (*first.argv, *remembers, "--last-failed", "--last-failed-no-failures=none")
    alone = {key: value for key, value in first.env.items() if key != SHARE}
    again = Check(f"{name}, once more", argv, alone)
    return replace(first, argv=(*first.argv, *remembers), again=again, failed=FAILED / first.slug)


def _recorded(name: str, *args: str, **env: str) -> Check:
    """A pytest that records what it covers."""
    check = _tests(name, *args, *coverage.recording(), **env)
    again = _recording(check.again) if check.again is not None else None
    return replace(_recording(check), again=again)


def _recording(check: Check) -> Check:
    return replace(check, env={**check.env, "COVERAGE_FILE": coverage.file(check.slug)})


def _in_image(knobs: Knobs, decision: Decision) -> Check:
    """The unit tests in the images' Python, the tree mounted so that they cannot write into it; they give way too."""
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
        "--cpu-shares",
        "64",
    )
    tests = ("python", "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-m", PLAIN)
    kept = (
        "--env",
        "HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis",
        "--env",
        "PYTHONPYCACHEPREFIX=/tmp/bytecode",
    )
    # Named, because pytest leaves out nothing that it was asked for, and without names it is asked for every folder.
    due = decision.due[IN_IMAGE]
    image = images.tests(knobs).reference
    argv = (*run, *kept, "--entrypoint", "", image, *tests, *due, "--ignore", CONFORMANCE)
    proves = {unchanged.name(IN_IMAGE, folder): folder for folder in due}
    return Check(IN_IMAGE, argv if due else (), proves=proves, may_be_empty=not decision.complete)


def _environment() -> dict[str, str]:
    path = f"{paths.BIN}:{paths.VENV / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    return {"PATH": path, **BYTECODE, "MYPY_CACHE_DIR": str(paths.CACHE / "mypy"), **documents.environment()}


def _install(job: Job, work: For) -> None:
    missing = machine.missing_for_tests(work)
    if missing:
        apt.install(job, list(missing))
    if not documents.are_there():
        documents.make(job)


def _installed(work: For) -> str | None:
    return "are here" if not machine.missing_for_tests(work) and documents.are_there() else None


def _venv(program: str) -> str:
    return str(paths.VENV / "bin" / program)
