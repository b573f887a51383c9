"""What the gateway reads of routes, this release's and the one's before: the operator is rolled out before it."""

from __future__ import annotations

from typing import Any

import pytest
from suuupra_operator.conditions import route_statuses
from suuupra_operator.primaries import spec_of
from suuupra_operator.status import RouteStatus

from .gateway_before import Limit as LimitBefore
from .gateway_before import Route as RouteBefore

CLIENT, SUBJECT = {"rate": "20/m", "by": "client"}, {"rate": "100/m", "by": "subject"}


def told(**fields: Any) -> RouteStatus:
    """Of one accepted route."""
    (status,) = route_statuses(spec_of({"spec": {"routes": [{"path": "/x"} | fields]}}).routes, {})
    return status


def read_before(status: RouteStatus) -> dict[str, Any] | None:
    limit = RouteBefore.model_validate(status.manifest()).limit
    return limit.model_dump(exclude_none=True) if limit else None


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"limit": SUBJECT}, SUBJECT),
        ({"limits": [SUBJECT]}, SUBJECT),
        ({"limits": [SUBJECT, CLIENT]}, CLIENT),
        ({"limits": [{"rate": "5/s"}, {"rate": "1000/h"}]}, {"rate": "1000/h", "by": "address"}),
        (
            {"limits": [SUBJECT, CLIENT | {"rate": "100/m", "burst": 7}]},
            CLIENT | {"rate": "100/m", "burst": 7},
        ),
        ({"limits": [SUBJECT | {"burst": 99}, CLIENT | {"rate": "100/m"}]}, SUBJECT | {"burst": 99}),
        ({}, None),
    ],
    ids=[
        "stored before",
        "one",
        "several",
        "over several times",
        "a smaller bucket",
        "bucket by rate",
        "none",
    ],
)
def test_a_gateway_of_the_release_before_keeps_the_strictest_limit(
    fields: dict[str, Any], read: dict[str, Any] | None
) -> None:
    assert read_before(told(**fields)) == read


def test_the_recorded_gateway_reads_one_limit_and_nothing_of_several() -> None:
    """So that the test above is about what the operator writes."""
    assert RouteBefore.model_validate({"path": "/x", "limits": [CLIENT]}).limit is None
    assert RouteBefore.model_validate({"path": "/x", "limit": CLIENT}).limit == LimitBefore(**CLIENT)


def test_a_status_is_read_in_both_shapes_and_kept_as_it_is() -> None:
    both = told(limits=[SUBJECT, CLIENT])
    assert both.manifest()["limits"] == [SUBJECT, CLIENT]
    assert both.manifest()["limit"] == CLIENT
    assert RouteStatus.model_validate(both.manifest()) == both
    earlier = RouteStatus.model_validate({"path": "/x", "accepted": True, "limit": SUBJECT})
    assert earlier.manifest()["limits"] == [SUBJECT]
