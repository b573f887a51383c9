"""Traces and metrics: who caused this (W3C trace context), how often and how fast (RED).

The trace context lives where OpenTelemetry keeps it, so any library that speaks its API joins in. No span is
exported yet; ids travel through HTTP, Kafka, logs and exemplars, which is what ties them together.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Final

import httpx
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Gauge, Histogram

from suuupra.trust import authorities

CONNECT_SECONDS = 1.0

request_id: ContextVar[str | None] = ContextVar("suuupra_request_id", default=None)
"""The id of the request being answered: on every log line, and on every call made because of it."""

_ids = RandomIdGenerator()
_w3c = TraceContextTextMapPropagator()
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)

LATENCY_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2),
    *(0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds in seconds. An SLO's latency should be one of them, or its alert reads the next one up."""

HTTP_DURATION = Histogram(
    "suuupra_http_request_duration_seconds",
    "Time from the request's first byte to the response's last, by route template and status class.",
    ["route", "method", "status"],
    buckets=LATENCY_BUCKETS,
)
EXEMPLAR_SECONDS: Final = 0.1
"""How long a bucket keeps its exemplar: making one costs five times what counting does, and a scrape sees the last."""


class Latency:
    """One series of a latency histogram: counts everything, and points from each bucket to a recent trace."""

    def __init__(self, series: Histogram) -> None:
        self._series = series
        self._due = [0.0] * (len(LATENCY_BUCKETS) + 1)

    def observe(self, seconds: float, span: SpanContext, now: float) -> None:
        """Count a duration; `now` is in seconds of any clock that only goes forward."""
        bucket = bisect_left(LATENCY_BUCKETS, seconds)
        if now < self._due[bucket]:
            self._series.observe(seconds)
            return
        self._due[bucket] = now + EXEMPLAR_SECONDS
        self._series.observe(seconds, {"trace_id": format_trace_id(span.trace_id)})


HTTP_IN_FLIGHT = Gauge("suuupra_http_requests_in_flight", "Requests being answered right now.")
HTTP_STREAMS = Gauge("suuupra_http_streams", "Event streams and WebSockets open right now.")
READY = Gauge("suuupra_ready", "1 when the check passes, 0 when it fails.", ["check"])
BUILD = Gauge("suuupra_build_info", "Always 1; its labels say what runs.", ["service", "name", "version"])


_TRACEPARENT: Final = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def enter(headers: Mapping[str, str]) -> tuple[SpanContext, Token[Context]]:
    """Begin a unit of work: a child of the `traceparent` in `headers`, or of nobody. Give the token to `leave`."""
    current = _span(headers)
    return current, context.attach(trace.set_span_in_context(NonRecordingSpan(current)))


def _span(headers: Mapping[str, str]) -> SpanContext:
    """The common header is read here at a fifth of the cost, every other by the library."""
    if not headers:
        return _root()
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    if match is None or "tracestate" in headers:
        parent = trace.get_current_span(_w3c.extract(headers, Context())).get_span_context()
        return _child(parent.trace_id, parent.trace_flags, parent.trace_state) if parent.is_valid else _root()
    trace_id, span_id, flags = (int(part, 16) for part in match.groups())
    return _child(trace_id, TraceFlags(flags)) if trace_id and span_id else _root()


def leave(token: Token[Context]) -> None:
    """End what `enter` began."""
    context.detach(token)


@contextmanager
def continued(headers: Mapping[str, str]) -> Iterator[SpanContext]:
    """Work inside as a child of the `traceparent` in `headers`: for consumers of messages."""
    current, token = enter(headers)
    try:
        yield current
    finally:
        leave(token)


def inject(headers: MutableMapping[str, str]) -> None:
    """Write the present trace context into `headers`, if there is one."""
    _w3c.inject(headers)


def current_traceparent() -> str | None:
    """The present trace context in W3C form, to be stored with an event."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers.get("traceparent")


def current_span() -> SpanContext | None:
    """The ids of the present unit of work, or None outside any."""
    span = trace.get_current_span().get_span_context()
    return span if span.is_valid else None


def exemplar() -> dict[str, str] | None:
    """Labels of an exemplar that leads from a metric to this trace."""
    span = current_span()
    return {"trace_id": format_trace_id(span.trace_id)} if span else None


def _root() -> SpanContext:
    return SpanContext(
        _ids.generate_trace_id(), _ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED
    )


def _child(trace_id: int, flags: TraceFlags, state: TraceState | None = None) -> SpanContext:
    return SpanContext(
        trace_id, _ids.generate_span_id(), is_remote=False, trace_flags=flags, trace_state=state
    )


def http_client(
    base_url: str, *, timeout: float = 5.0, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """A client for another service that carries the trace and the request id on. `timeout` is in seconds."""
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        verify=authorities(),
        transport=transport,
        event_hooks={"request": [_carry_on]},
    )


async def _carry_on(request: httpx.Request) -> None:
    inject(request.headers)
    current = request_id.get()
    if current is not None:
        request.headers["x-request-id"] = current
