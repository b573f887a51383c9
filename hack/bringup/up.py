"""`make up`: refuse or run the plan, then say where everything is and what to try."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from bringup import clusters, images, locks, machine, plan, processes, ready, status, world
from bringup.cluster import Cluster
from bringup.display import Display, table
from bringup.job import Job
from bringup.knobs import Knobs
from bringup.plan import Run
from bringup.refusals import Refusal, refusals
from bringup.steps import Step, run_all


def up(knobs: Knobs) -> None:
    """Bring everything up, or back up, and say where it is.

    Raises:
        Refusal: the machine lacks something, or another run is at work.
        StepFailed: a step ended badly; running again goes on from there.
    """
    run = Run(knobs, clusters.of_user(knobs))
    with only_one():
        check(knobs, [run.cluster])
        execute(plan.everything(run))
    _say_what_to_try(run)


def build_images(knobs: Knobs, names: Sequence[str]) -> None:
    """Build the images named (or all), give them to the user's cluster when it runs, print their names.

    The output is names and nothing else, because programs read it: Tilt, and whoever pushes images. The rest is told
    beside it.
    """
    wanted = images.chosen(knobs, names)
    cluster = clusters.of_user(knobs)
    with only_one(patient=True):
        job = Job("images", say=partial(print, file=sys.stderr))
        images.build_all(job, [images.base(knobs), *wanted])
        if cluster.is_up():
            cluster.load(job, [image.reference for image in wanted])
    print("\n".join(image.reference for image in wanted))


def check(knobs: Knobs, wanted: Sequence[Cluster]) -> None:
    """Refuse before any work, with every reason at once; then the clusters `wanted` are ours to work on.

    Raises:
        Refusal: the machine lacks something, or another checkout is at work on one of them.
    """
    for cluster in wanted:
        locks.keep(locks.cluster(cluster.name))
    found = refusals(machine.look(knobs, wanted), knobs)
    if found:
        raise Refusal.several(found)


@contextmanager
def only_one(*, patient: bool = False, alone: bool = False) -> Iterator[None]:
    """Hold this checkout, and share the cache with others; `alone`, nobody else may use the cache.

    What an earlier run left running, because it was killed, is ended first.

    Raises:
        Refusal: another one is at work, and the caller is not `patient`.
    """
    with (
        locks.held(locks.CHECKOUT, patient=patient),
        locks.held(locks.CACHE, shared=not alone, patient=patient),
    ):
        processes.end_leftovers()
        yield


def execute(steps: Sequence[Step]) -> None:
    """Run the steps with a display, then print how long each took."""
    began = time.monotonic()
    with Display(len(steps)) as display:
        outcomes = run_all(steps, display)
    rows = [(outcome.step.title, outcome.what, outcome.seconds) for outcome in outcomes]
    print(f"\nTimes (steps overlap):\n{table(rows, time.monotonic() - began)}")


def _say_what_to_try(run: Run) -> None:
    print("\nSuuupra is up.")
    print("\n".join(status.urls(run.cluster)))
    if not ready.network_policy_is_enforced(Job("policy"), run.cluster):
        print("\nNetworkPolicies are made but not enforced here: the pod network built from packages cannot.")
    print(what_to_try(run.knobs))


def what_to_try(knobs: Knobs) -> str:
    """Commands that work as they stand, typed in this folder; with the small world's people where it is made."""
    url = knobs.public_url
    lines = [
        (f"open {url}", "a course, a cart, a lesson, your progress"),
        *(_with_the_world(url) if knobs.profile == world.LOCAL else ()),
        ('eval "$(make -s env)"', "puts kubectl, helm, kind and the kit on PATH"),
        ("kubectl get suuupra -A", "what the operator made, and how it is"),
        ("kubectl -n suuupra delete deployment content", "watch it come back"),
        ("make status", "what is not ready, and why"),
    ]
    return "\n".join(["", "Try next:", *(f"  {what:<51} {why}" for what, why in lines)])


def _with_the_world(url: str) -> Iterator[tuple[str, str]]:
    """What takes people whose password is known, all mail in one place, and accounts at simulated banks."""
    yield (
        "sign in as asha@suuupra.example",
        "or kabir, leela, noor, omar (learners); ira (creator, who wrote",
    )
    yield "", "the course on UPI that noor has bought), sam (support),"
    yield "", "farah (finance), omkar (operator): password learn-by-heart-7"
    yield f"open {url}/mail", "every letter that was sent"
    yield f"open {url}/phone", "the payer's phone: approve what you buy (PIN 1234 for asha@asha)"
    yield f"open {url}/support", "as sam: any order's whole story, over all services, in one picture"
