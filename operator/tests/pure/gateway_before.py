"""What the gateway of the release before read of status.routes, as it stood there: it knows one limit, and ignores the rest.

Recorded, not kept up: once no such gateway can be running any more it goes, with RouteStatus.limit.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_RATE: Final = re.compile(r"([1-9]\d{0,8})/(s|m|h)")


def _parse_rate(value: Any) -> Any:
    if not (found := _RATE.fullmatch(str(value))):
        raise ValueError("a rate is written like 20/s, 100/m or 1000/h")
    return found[0]


class Limit(BaseModel):
    """How often one caller may call."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rate: Annotated[str, BeforeValidator(_parse_rate)]
    burst: int | None = Field(default=None, ge=1, le=1_000_000_000)
    by: Literal["subject", "address", "client"] = "address"


class Route(BaseModel):
    """One accepted entry of ``status.routes``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    match: Literal["prefix", "exact"] = "prefix"
    methods: tuple[str, ...] = ()
    auth: Literal["none", "optional", "user"] = "none"
    scopes: tuple[str, ...] = ()
    limit: Limit | None = None
    priority: Literal["critical", "normal", "bulk"] = "normal"
    timeout: str | None = None
