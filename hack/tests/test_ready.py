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


def service(serving: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "bank-asha", "namespace": "suuupra"}
    return {"kind": "SuuupraService", "metadata": metadata, "spec": spec, "status": {"version": serving}}


@pytest.mark.parametrize(
    ("item", "waits"),
    [
        (service("old", service="bank-simulator"), True),
        (service("new", service="bank-simulator"), False),
        (service("old", service="another"), True),
        (service("1", service="another"), False),
        (service("old", service="bank-simulator", image="mine:old"), False),
        ({"kind": "PaymentRail", "metadata": {"name": "upi"}, "spec": {}}, False),
    ],
    ids=[
        "pinned",
        "pinned, new",
        "by the tag of all",
        "by the tag, new",
        "an image of its own",
        "no service",
    ],
)
def test_a_service_that_is_ready_with_another_version_than_the_platforms_is_waited_for(
    item: dict[str, Any], waits: bool
) -> None:
    told = ready.serves_another(item, {"pins": {"bank-simulator": "new"}, "tag": "1"})
    assert bool(told) == waits
