"""What `make up` waits for before it says that all is up."""

from typing import Any

import pytest
from bringup import ready


def pod(namespace: str, owner: str = "ReplicaSet") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "ownerReferences": [{"kind": owner}]}}


@pytest.mark.parametrize("namespace", ["kube-system", "suuupra", "suuupra-infra", "suuupra-system"])
def test_pods_of_the_platform_and_of_kubernetes_are_waited_for(namespace: str) -> None:
    assert ready._ours(pod(namespace))


@pytest.mark.parametrize(
    ("namespace", "owner"),
    [("default", "ReplicaSet"), ("suuupra", "Job")],
    ids=["somebody else's", "a Job's"],
)
def test_others_pods_and_failed_tries_of_jobs_hold_nothing_up(namespace: str, owner: str) -> None:
    assert not ready._ours(pod(namespace, owner))
