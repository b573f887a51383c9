"""How web asks another service: one pool each, limits in time, a few attempts, and refusals in words for people."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx
import stamina
from prometheus_client import Counter
from pydantic import BaseModel

from suuupra import errors
from suuupra.telemetry import http_client

FAULTS = Counter(
    "suuupra_web_call_faults_total",
    "Requests to another service that got no answer or a fault of its own.",
    ["callee", "method"],
)
M = TypeVar("M", bound=BaseModel)
ANSWER_SECONDS = 3.0  # what one answer may take, and after which nothing is asked again
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 0.4
STREAM_SILENCE_SECONDS = 45.0  # a stream that says nothing for longer, not even a comment, is dead
RETRIED_STATUSES = frozenset({502, 503, 504})
RETRY_AFTER_SECONDS = 5  # what a person is told to wait when a service is away
STILL_RUNNING = "still-running"


class Away(errors.Unavailable):
    """The service does not answer, or answers that it cannot."""

    about: ClassVar[str] = "This cannot be shown right now. Nothing is lost; try again in a few seconds."

    def __init__(self) -> None:
        super().__init__(self.about, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class SignInNeeded(errors.Unauthenticated):
    """Nobody is signed in, or the session has ended; the pages lead to the sign-in and back."""

    slug = "sign-in-needed"
    title = "Please sign in"

    def __init__(self) -> None:
        super().__init__("Sign in, and you come back to where you were.")


class Refused(errors.Conflict):
    """The service understood and will not: in its own words, which are written for whoever asked."""

    slug = "refused"
    title = "That did not work"

    def __init__(self, answer: Refusal) -> None:
        super().__init__(answer.words, errors=answer.errors)
        self.answer = answer


@dataclass(frozen=True)
class Refusal:
    """The problem document of an answer from 400 to 499."""

    status: int
    slug: str
    detail: str
    errors: tuple[errors.FieldError, ...] = ()
    order_id: UUID | None = None
    """The order to go on with, where the answer names one."""

    @property
    def words(self) -> str:
        """The detail as a person can read it: a field's path, where it begins with one, becomes its name."""
        if self.errors and self.detail.startswith(self.errors[0].field):
            return f"{_NAMES.get(self.errors[0].field, 'It')} {self.errors[0].rule}."
        return self.detail or "The service did not say why. Look at the page again."

    @classmethod
    def of(cls, response: httpx.Response) -> Refusal:
        """What the answer says, and nothing where it is no problem document."""
        try:
            told = json.loads(response.content)
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {}
        slug = str(told.get("type", "")).removeprefix(errors.TYPE_PREFIX)
        return cls(response.status_code, slug, str(told.get("detail", "")), _field_errors(told), _order(told))


def _order(told: Mapping[str, Any]) -> UUID | None:
    try:
        return UUID(str(told["order_id"]))
    except (KeyError, ValueError):
        return None


def _field_errors(told: Mapping[str, Any]) -> tuple[errors.FieldError, ...]:
    listed = told.get("errors", ())
    return tuple(
        errors.FieldError(str(one.get("field", "")), str(one.get("rule", "")), str(one.get("fix", "")))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    )


_NAMES: Final[Mapping[str, str]] = {
    "body.code": "The coupon",
    "cart.coupon": "The coupon",
    "body.total": "The total",
    "body.cart_id": "The cart",
    "body.total.currency": "The currency",
    "body.currency": "The currency",
    "body.quantity": "The number of seats",
}
"""What people call the fields that our own forms send."""


def unusable(field: str, rule: str, fix: str) -> errors.Problem:
    """A field of a form of ours that holds what cannot be meant, told as what a service refuses."""
    return errors.Invalid(f"{_NAMES[field]} {rule}.", errors=[errors.FieldError(field, rule, fix)])


class _PassingFault(Exception):
    """A fault that a repeated request may not meet again."""


@dataclass(frozen=True)
class Call:
    """One request. `key` makes an unsafe one repeatable: the service answers it once (Idempotency-Key)."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    json: object = None
    bearer: str | None = None
    key: str | None = None
    headers: Mapping[str, str] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether asking twice is asking once."""
        return self.method in ("GET", "PUT", "DELETE") or self.key is not None

    @property
    def sent(self) -> dict[str, str]:
        """Its headers."""
        bearer = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        key = {"Idempotency-Key": self.key} if self.key else {}
        return {**bearer, **key, **(self.headers or {})}


class Service:
    """A resource of the application: opened and closed with it."""

    name: ClassVar[str]
    away: ClassVar[type[Away]] = Away
    seconds: ClassVar[float] = ANSWER_SECONDS

    def __init__(self, address: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._address = address
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the pool; nothing is connected before the first request."""
        self._client = http_client(self._address, timeout=self.seconds, transport=self._transport)

    async def close(self) -> None:
        """Close the pool."""
        if self._client:
            await self._client.aclose()

    async def check(self) -> None:
        """Always well: while the service is away, web is still there to say so on a page of its own."""

    @property
    def client(self) -> httpx.AsyncClient:
        """The open pool."""
        if self._client is None:
            raise RuntimeError(f"{type(self).__name__}.open() was not awaited")
        return self._client

    async def get(
        self, model: type[M], path: str, params: Mapping[str, str] | None = None, *, bearer: str | None = None
    ) -> M:
        """What is found at `path`."""
        answer = await self.ask(Call("GET", path, params=params, bearer=bearer))
        return model.model_validate_json(answer.content)

    async def ask(self, call: Call) -> httpx.Response:
        """An answer below 400. What may be repeated is asked for up to ATTEMPTS times."""
        retries = stamina.retry_context(
            on=_PassingFault,
            attempts=ATTEMPTS if call.repeatable else 1,
            timeout=self.seconds,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=FIRST_WAIT_SECONDS,
        )
        try:
            async for attempt in retries:
                with attempt:
                    return await self._ask_once(call)
        except _PassingFault as fault:
            raise self.away from fault
        raise AssertionError("a retry context ends by an answer or an error")

    async def _ask_once(self, call: Call) -> httpx.Response:
        try:
            response = await self.client.request(
                call.method, call.path, params=call.params, json=call.json, headers=call.sent
            )
        except httpx.TransportError as error:
            FAULTS.labels(self.name, call.method).inc()
            raise _PassingFault(str(error)) from error
        self._judge(call.method, response)
        return response

    def _judge(self, method: str, response: httpx.Response) -> None:
        """Raise unless the answer is below 400."""
        if response.status_code < 400:
            return
        if response.status_code >= 500:
            FAULTS.labels(self.name, method).inc()
        if response.status_code in RETRIED_STATUSES:
            raise _PassingFault(f"{self.name} answered {response.status_code}")
        if response.status_code >= 500:
            raise self.away
        refusal = Refusal.of(response)
        if refusal.slug == STILL_RUNNING:
            raise _PassingFault("the first request with this key is still running")
        raise self.refusal(refusal, response)

    def refusal(self, refusal: Refusal, response: httpx.Response) -> errors.Problem:
        """The refusal as a problem of ours."""
        match refusal.status:
            case 401:
                return SignInNeeded()
            case 403:
                return errors.Forbidden(refusal.detail or "This is not yours to see.")
            case 404 | 410:
                return errors.NotFound("There is nothing here, or it is not yours.")
            case 429:
                wait = {"Retry-After": response.headers.get("Retry-After", "1")}
                return errors.TooManyRequests("Too many requests.", headers=wait)
            case _:
                return Refused(refusal)

    @asynccontextmanager
    async def events(self, path: str, bearer: str) -> AsyncIterator[AsyncIterator[str]]:
        """The data of each event of a stream (text/event-stream) while it lasts; Away when it cannot be had."""
        limits = httpx.Timeout(self.seconds, read=STREAM_SILENCE_SECONDS)
        headers = {"Authorization": f"Bearer {bearer}", "Accept": "text/event-stream"}
        try:
            async with self.client.stream("GET", path, headers=headers, timeout=limits) as response:
                if response.status_code >= 400:
                    await response.aread()
                    self._judge("GET", response)
                yield _data_of(response)
        except (httpx.TransportError, _PassingFault) as error:
            FAULTS.labels(self.name, "GET").inc()
            raise self.away from error


async def _data_of(response: httpx.Response) -> AsyncIterator[str]:
    """Each event's data lines, joined (HTML, 9.2.6); comments keep the connection and say nothing."""
    data: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def segment(value: object) -> str:
    """One path segment, so that a slug cannot lead to another resource; dots would be resolved on the way."""
    text = str(value)
    if text in (".", ".."):
        raise errors.NotFound("There is nothing here.")
    return quote(text, safe="")
