"""Why something is not ready, from what the API server says."""

from typing import Any

from bringup.why import pod_waits, resource_waits, unready_containers


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "content-1", "namespace": "suuupra"},
        "status": {"phase": "Running", "containerStatuses": list(containers), **status},
    }


def crashing() -> dict[str, Any]:
    return {
        "name": "serve",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {
            "terminated": {"reason": "Error", "exitCode": 78, "finishedAt": "2026-01-01T00:00:00Z"}
        },
    }


def resource(generation: int, observed: int, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "content", "generation": generation},
        "status": {"observedGeneration": observed, "conditions": list(conditions)},
    }


def test_a_crashing_container_says_how_it_waits_and_how_it_ended() -> None:
    assert pod_waits(pod(crashing())) == [
        "serve waits: CrashLoopBackOff: back-off 40s",
        "serve ended before: Error (exit 78) at 2026-01-01T00:00:00Z, 4 restarts",
    ]


def test_its_last_words_are_those_of_the_run_before() -> None:
    assert unready_containers(pod(crashing())) == [("serve", True)]


def test_a_container_that_never_ran_has_no_last_words() -> None:
    pulling = {"name": "serve", "ready": False, "state": {"waiting": {"reason": "ErrImageNeverPull"}}}
    assert pod_waits(pod(pulling)) == ["serve waits: ErrImageNeverPull"]
    assert unready_containers(pod(pulling)) == []


def test_an_unplaced_pod_says_what_the_scheduler_said() -> None:
    unplaced = pod(
        phase="Pending",
        conditions=[{"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}],
    )
    assert pod_waits(unplaced) == ["not placed: Insufficient cpu"]


def test_ready_finished_and_leaving_pods_wait_for_nothing() -> None:
    assert pod_waits(pod(conditions=[{"type": "Ready", "status": "True"}])) == []
    assert pod_waits(pod(phase="Succeeded")) == []
    leaving = pod(crashing())
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_waits(leaving) == []


def test_a_running_container_that_is_not_ready_is_told() -> None:
    running = {"name": "serve", "ready": False, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    assert pod_waits(pod(running)) == ["serve runs since 2026-01-01T00:00:00Z and is not ready"]
    assert unready_containers(pod(running)) == [("serve", False)]


def test_a_ready_resource_waits_for_nothing() -> None:
    assert resource_waits(resource(2, 2, {"type": "Ready", "status": "True"})) is None


def test_ready_of_an_older_generation_does_not_count() -> None:
    assert resource_waits(resource(3, 2, {"type": "Ready", "status": "True"})) == (
        "the operator to see its last change"
    )


def test_what_blocks_is_told_rather_than_that_it_is_not_ready() -> None:
    waiting = resource(
        1,
        1,
        {"type": "Ready", "status": "False", "reason": "NotReady"},
        {"type": "DatabaseReady", "status": "True"},
        {"type": "MigrationsReady", "status": "False", "reason": "Running", "message": "job runs"},
    )
    assert resource_waits(waiting) == "MigrationsReady (Running): job runs"


def test_an_unseen_resource_waits_for_the_operator() -> None:
    assert resource_waits({"metadata": {"name": "content"}}) == "the operator to look at it"
