# ruff: noqa: RUF012 - the default of a Pydantic field is copied for each instance
"""A path of the public host that leads to a resource, and how often callers may take it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from suuupra_operator.schema import SET, TIMEOUT, Model, Scope, cel, rules

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
NEEDS_CALLER = "limits.by: subject and client need auth: user or optional; without a token count by address"
DISTINCT = (
    "limits: two of them count by the same over the same time (s, m or h): keep one, or give the other"
    " another by or time"
)
RESERVED = ("internal", "gateway")
"""First segments that are no service's: /internal is for pods only, /gateway is the gateway's own page."""
RATE = r"^[1-9][0-9]{0,5}/(s|m|h)$"
RATE_RULE = "rate is at least 1 request per second, minute or hour: write 20/s, 100/m or 1000/h"


class Limit(Model):
    """A token bucket in the gateway for each caller."""

    model_config = {
        "json_schema_extra": rules(cel(f"self.rate.matches('{RATE}')", RATE_RULE, fieldPath=".rate"))
    }

    rate: str = Field(max_length=8)
    """Requests per second, minute or hour: ``20/s``."""
    burst: int | None = Field(None, ge=1, le=100000)
    """Size of the bucket; default: what the rate gives in one unit of time."""
    by: Literal["subject", "client", "address"] = "address"
    """The verified token's subject; its client_id, the OAuth client it was issued to; or the address: of the connection,
    or what the outermost proxy that the gateway is told to trust wrote. Without a token it is always the address."""

    @field_validator("rate")
    @classmethod
    def _a_rate(cls, value: str) -> str:
        if not re.fullmatch(RATE, value):
            raise ValueError(RATE_RULE)
        return value

    @property
    def window(self) -> str:
        """The time over which it counts: s, m or h."""
        return self.rate[-1]


class Route(Model):
    """A path of the public host that leads to this service."""

    model_config = {
        "json_schema_extra": rules(
            cel(
                "self.path.startsWith('/') && !self.path.contains('//') && !self.path.contains('/../')",
                "path must start with / and hold neither // nor /../",
            ),
            cel("self.path == '/' || !self.path.endsWith('/')", "path must not end with /"),
            cel(
                "self.auth == 'user' || !has(self.scopes) || size(self.scopes) == 0",
                "scopes need auth: user",
            ),
            cel(
                f"!self.path.lowerAscii().matches('^/({'|'.join(RESERVED)})(/|$)')",
                "path: /internal is never routed, and /gateway is the gateway's own",
            ),
            cel(
                "self.auth != 'none' || !has(self.limits) || self.limits.all(one, one.by == 'address')",
                NEEDS_CALLER,
            ),
            cel(
                "!has(self.limits) || self.limits.all(one, self.limits.exists_one(other, other.by == one.by"
                " && other.rate.endsWith(one.rate.substring(size(one.rate) > 0 ? size(one.rate) - 1 : 0))))",
                DISTINCT,
                fieldPath=".limits",
            ),
        )
    }

    path: str = Field(pattern=r"^/[A-Za-z0-9/._~-]*$", max_length=200)
    match: Literal["prefix", "exact"] = "prefix"
    methods: Annotated[list[Method], Field(max_length=7, json_schema_extra=SET)] | None = None
    """Absent: every method."""
    auth: Literal["none", "optional", "user"] = "user"
    scopes: Annotated[list[Scope], Field(max_length=10, json_schema_extra=SET)] = []
    limits: Annotated[list[Limit], Field(max_length=4)] = []
    """All must allow a request, and one that any of them refuses takes from none."""
    priority: Literal["critical", "normal", "bulk"] = "normal"
    """Who is shed last, and who first, when the platform is over its capacity."""
    timeout: Annotated[str, Field(pattern=TIMEOUT, max_length=10)] = "15s"
    """Longest time to the end of the answer; 0s for a stream without end."""

    @model_validator(mode="after")
    def _consistent(self) -> Route:
        if self.path != "/" and self.path.endswith("/"):
            raise ValueError("path must not end with /")
        if "//" in self.path or "/../" in self.path:
            raise ValueError("path must hold neither // nor /../")
        if self.auth != "user" and self.scopes:
            raise ValueError("scopes need auth: user")
        if self.auth == "none" and any(limit.by != "address" for limit in self.limits):
            raise ValueError(NEEDS_CALLER)
        if len({(limit.by, limit.window) for limit in self.limits}) < len(self.limits):
            raise ValueError(DISTINCT)
        return self

    @property
    def reserved(self) -> bool:
        """Whether the path is the gateway's, whatever its case.

        The API server refuses it. Of a resource that was stored before that rule only the route is refused.
        """
        return self.path.lower().split("/")[1] in RESERVED
