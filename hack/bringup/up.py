"""`make up`: the plan, from a bare machine to a cluster on which everything is Ready."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bringup import debian, docker, images, machine, node, paths, pins, tools, way
from bringup.cluster import Cluster
from bringup.display import Display, table
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.refusals import Refusal, refusals
from bringup.steps import Outcome, Step, run_all


@dataclass
class Run:
    """What one run knows; steps fill it in for those after them."""

    knobs: Knobs
    cluster: Cluster
    choice: way.Choice | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def from_packages(self) -> bool:
        """Whether the packages' way was taken. Only after step `way`."""
        assert self.choice is not None
        return self.choice.way == "packages"

    @property
    def node_image(self) -> str:
        """The node image of the way taken."""
        return pins.local_node() if self.from_packages else pins.PUBLISHED_NODE


def user_cluster(knobs: Knobs) -> Cluster:
    """The cluster of `make up`."""
    return Cluster(knobs.cluster, knobs.http_port, knobs.metrics_port, announce=True)


def check(knobs: Knobs) -> None:
    """Refuse before any work, with every reason at once.

    Raises:
        Refusal: the machine lacks something.
    """
    ports = {knobs.http_port: "UP_HTTP_PORT", knobs.metrics_port: "UP_METRICS_PORT"}
    found = refusals(machine.look(knobs, ports), knobs)
    if found:
        raise Refusal("\n  ".join(str(refusal) for refusal in found[:-1]) or found[0].reason, found[-1].fix)


@contextmanager
def only_one(*, patient: bool = False) -> Iterator[None]:
    """Hold the lock of this checkout: two bring-ups at once would build the same things twice.

    A `patient` caller waits for its turn instead of being refused.

    Raises:
        Refusal: another one is at work.
    """
    paths.STATE.mkdir(exist_ok=True)
    with (paths.STATE / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
        except BlockingIOError:
            lock.seek(0)
            raise Refusal(
                f"Another make is at work here (process {lock.read().strip() or 'unknown'}).",
                "wait for it, or stop it.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def machine_steps(run: Run) -> list[Step]:
    """From a bare machine to a cluster that answers."""
    knobs = run.knobs

    def packages_only(built: bool, what: str) -> str | None:
        if not run.from_packages:
            return "published image, nothing to build"
        return what if built else None

    def pick_way(job: Job) -> None:
        run.choice = way.choose(job, knobs)
        job.say(f"        way: {run.choice.way}, because {run.choice.why}")
        if run.choice.way == "registry":
            way.pull_published(job)

    return [
        Step("docker", "Docker", lambda job: _docker(job), done=_docker_answers),
        Step("way", "Registry or packages", pick_way, ("docker",)),
        Step(
            "debian",
            "Debian base image",
            lambda job: debian.make(job, knobs, pins.DEBIAN_IMAGE, "trixie"),
            ("way",),
            lambda: "is here" if debian.is_made(pins.DEBIAN_IMAGE, "trixie") else None,
        ),
        Step(
            "kubernetes",
            "Kubernetes from source",
            lambda job: node.build_kubernetes(job, knobs),
            ("way",),
            lambda: packages_only(node.is_made() or node.kubernetes_is_built(), "is built"),
        ),
        Step(
            "tools",
            "kind, helm, kubectl, uv",
            lambda job: tools.build(job, knobs),
            ("way",),
            lambda: "are built" if tools.are_built() else None,
        ),
        Step(
            "python",
            "Python environment (uv.lock)",
            lambda job: tools.sync_venv(job, knobs),
            ("tools",),
        ),
        Step(
            "parts",
            "etcd, CoreDNS, volume provisioner",
            lambda job: node.build_parts(job, knobs),
            ("kubernetes",),
            lambda: packages_only(node.is_made() or node.parts_are_built(), "are built"),
        ),
        Step(
            "rootfs",
            "Debian for the node",
            lambda job: node.make_rootfs(job, knobs),
            ("debian",),
            lambda: packages_only(
                node.is_made() or debian.is_made(node.rootfs(), node.SUITE, node.PACKAGES), "is here"
            ),
        ),
        Step(
            "node",
            "Node image",
            lambda job: node.make(job, knobs),
            ("parts", "rootfs", "tools"),
            lambda: packages_only(node.is_made(), "is here"),
        ),
        Step(
            "cluster",
            f"Cluster {run.cluster.name}",
            lambda job: run.cluster.bring_up(job, run.node_image),
            ("node",),
            lambda: "is up" if run.cluster.is_up() else None,
        ),
    ]


def up(knobs: Knobs) -> None:
    """Bring everything up and say where it is."""
    run = Run(knobs, user_cluster(knobs))
    with only_one():
        check(knobs)
        execute(run, machine_steps(run))


def build_images(knobs: Knobs, names: Sequence[str]) -> None:
    """Build the images named (or all), give them to the user's cluster when it runs, print their names."""
    wanted = images.chosen(knobs, names)
    cluster = user_cluster(knobs)
    with only_one(patient=True):
        job = Job("images")
        for image in [images.base(knobs), *wanted]:
            images.build(job, image)
        if cluster.is_up():
            cluster.load(job, [image.reference for image in wanted])
    print("\n".join(image.reference for image in wanted))


def execute(run: Run, steps: Sequence[Step]) -> None:
    """Run the steps with a display, then print the table of times."""
    began = time.monotonic()
    with Display(len(steps)) as display:
        run.outcomes = run_all(steps, display)
    rows = [(outcome.step.title, outcome.what, outcome.seconds) for outcome in run.outcomes]
    print(f"\nTimes (steps overlap):\n{table(rows, time.monotonic() - began)}")


def _docker_answers() -> str | None:
    version = docker.server_version()
    return f"{'.'.join(map(str, version))} answers" if version else None


def _docker(job: Job) -> None:
    docker.install(job)
    docker.start(job)
