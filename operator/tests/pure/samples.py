"""Subjects for the tests of pure functions."""

from __future__ import annotations

from typing import Any

from suuupra_operator.desired.subject import Subject
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.platform import SuuupraPlatformSpec

PLATFORM = {"images": {"pins": {"shop": "abc123"}}}
WHOLE: dict[str, Any] = {
    "replicas": {"min": 2, "max": 5},
    "database": {"extensions": ["vector"]},
    "buckets": [{"name": "media"}],
    "events": {"publishes": [{"topic": "order.created", "partitions": 4, "retention": "1d"}]},
    "routes": [{"path": "/v1/shop", "auth": "none"}],
    "calls": ["identity"],
    "env": {"SHOP_MODE": "open"},
    "slo": {"availability": 99.9, "latencyP99": "300ms"},
}


def subject(
    spec: dict[str, Any] | None = None, platform: dict[str, Any] | None = None, **more: Any
) -> Subject:
    """A resource `shop` in namespace suuupra."""
    return Subject(
        "suuupra",
        "shop",
        "uid-1",
        SuuupraServiceSpec.model_validate(WHOLE if spec is None else spec),
        SuuupraPlatformSpec.model_validate(platform or PLATFORM),
        **more,
    )
