"""A route as the gateway understands it, read from ``status.routes`` of a SuuupraService."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

_DURATION: Final = re.compile(r"(\d{1,6})(ms|s|m|h)")
_RATE: Final = re.compile(r"([1-9]\d{0,8})/(s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")  # RFC 6749, 3.3: scope-token

MOST_LIMITS: Final = 4
DEFAULT_TIMEOUT: Final = 15.0
"""Seconds a response may take when the route names no timeout."""


class Match(StrEnum):
    PREFIX = "prefix"
    EXACT = "exact"


class Auth(StrEnum):
    NONE = "none"
    OPTIONAL = "optional"
    USER = "user"


class LimitBy(StrEnum):
    """What tells callers apart. Whoever shows no token has neither of the first two, and is told apart by address.

    SUBJECT: the verified token's `sub`. CLIENT: its `client_id` (RFC 9068, 2.2), the OAuth client it was issued to.
    ADDRESS: the peer of the connection or, behind `trusted_hops` declared proxies, what the outermost of them wrote into
    X-Forwarded-For; what stands before that, a client's own claim, is never read. IPv6 by /64 (RFC 6177).
    """

    SUBJECT = "subject"
    CLIENT = "client"
    ADDRESS = "address"


class Priority(StrEnum):
    CRITICAL = "critical"
    NORMAL = "normal"
    BULK = "bulk"


@dataclass(frozen=True)
class Rate:
    """``requests`` per ``seconds``."""

    requests: int
    seconds: int

    @property
    def unit(self) -> str:
        return {1: "s", 60: "m", 3600: "h"}[self.seconds]

    def __str__(self) -> str:
        return f"{self.requests}/{self.unit}"


def parse_duration(value: Any) -> Any:
    """Seconds of ``15s``, ``500ms``, ``2m`` or ``1h``; ``0s`` means without end. Numbers pass unchanged."""
    if not isinstance(value, str):
        return value
    if not (found := _DURATION.fullmatch(value)):
        raise ValueError("a duration is written like 500ms, 15s, 2m or 1h; 0s means no timeout")
    return int(found[1]) * _SECONDS[found[2]]


def parse_rate(value: Any) -> Any:
    """The rate behind ``20/s``, ``100/m`` or ``1000/h``."""
    if not isinstance(value, str):
        return value
    if not (found := _RATE.fullmatch(value)):
        raise ValueError("a rate is written like 20/s, 100/m or 1000/h")
    return Rate(int(found[1]), int(_SECONDS[found[2]]))


def _checked_path(value: str) -> str:
    if not _PATH.fullmatch(value) or len(value) > 512:
        raise ValueError("a path starts with / and has only unescaped URL characters (RFC 3986), at most 512")
    if "//" in value or any(part in {".", ".."} for part in value.split("/")):
        raise ValueError("a path has no empty and no dot segments: requests are normalised before they match")
    return value


def _checked_all(pattern: re.Pattern[str], what: str, values: Sequence[str]) -> tuple[str, ...]:
    wrong = [value for value in values if not pattern.fullmatch(value)]
    if wrong:
        raise ValueError(f"not a {what}: {', '.join(wrong)}")
    return tuple(sorted(set(values)))


class Limit(BaseModel):
    """How often one caller may call: ``rate`` on average, ``burst`` at once (default: one period of the rate)."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    rate: Annotated[Rate, BeforeValidator(parse_rate)]
    burst: int | None = Field(default=None, ge=1, le=1_000_000_000)
    by: LimitBy = LimitBy.ADDRESS

    @property
    def bucket(self) -> int:
        """Tokens a full bucket holds."""
        return self.burst or self.rate.requests

    @property
    def name(self) -> str:
        """Names the limit among those of its route, as ``client/m``; callers read it in the RateLimit fields."""
        return f"{self.by.value}/{self.rate.unit}"


class Route(BaseModel):
    """One accepted entry of ``status.routes``, checked again: the gateway trusts no one's validation but its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Annotated[str, BeforeValidator(lambda value: _checked_path(str(value)))]
    match: Match = Match.PREFIX
    methods: Annotated[
        tuple[str, ...], BeforeValidator(lambda v: _checked_all(_METHOD, "method", v or ()))
    ] = ()
    auth: Auth = Auth.NONE
    scopes: Annotated[tuple[str, ...], BeforeValidator(lambda v: _checked_all(_SCOPE, "scope", v or ()))] = ()
    roles: Annotated[tuple[str, ...], BeforeValidator(lambda v: _checked_all(_SCOPE, "role", v or ()))] = ()
    limits: Annotated[tuple[Limit, ...], Field(max_length=MOST_LIMITS)] = ()
    """All must allow a request; one that any of them refuses takes from none."""
    priority: Priority = Priority.NORMAL
    timeout: Annotated[float | None, BeforeValidator(parse_duration)] = None

    @field_validator("limits")
    @classmethod
    def _distinct(cls, limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
        names = [limit.name for limit in limits]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"two limits {twice[0]}: keep one, or count the other by something else or over another time"
            )
        return limits

    @property
    def key(self) -> tuple[str, Match]:
        return self.path, self.match

    @property
    def served_methods(self) -> tuple[str, ...]:
        """Methods that pass; empty means all. GET brings HEAD with it (RFC 9110, 9.1)."""
        extra = ("HEAD",) if "GET" in self.methods else ()
        return tuple(sorted({*self.methods, *extra}))

    @property
    def response_seconds(self) -> float:
        """Longest response in seconds; 0 means a stream without end."""
        return DEFAULT_TIMEOUT if self.timeout is None else self.timeout


@dataclass(frozen=True)
class Claimed:
    """A route as a resource states it: the operator's verdict, and the raw fields for the page."""

    fields: dict[str, Any]
    accepted: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Service:
    """A SuuupraService: its name is also its Service's and its cluster's."""

    name: str
    created: datetime
    routes: tuple[Claimed, ...]
    leaving: bool = False
    """Being deleted: its pods end and no others come, though the resource may have to wait for a backing server."""


@dataclass(frozen=True, order=True)
class Endpoint:
    """Address and port of a ready pod."""

    address: str
    port: int


@dataclass(frozen=True)
class Snapshot:
    """Everything the gateway follows, at one moment."""

    services: tuple[Service, ...]
    endpoints: dict[str, tuple[Endpoint, ...]]

    def ready(self, service: str) -> tuple[Endpoint, ...]:
        return self.endpoints.get(service, ())


def parse_route(claimed: Claimed) -> Route:
    """The route behind the fields. Raises ValueError with a sentence that names the field."""
    try:
        return Route.model_validate(claimed.fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{field}: {first['msg']}") from error
