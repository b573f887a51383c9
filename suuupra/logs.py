"""Logs: one JSON object a line on standard output, tied to its trace and request, with secrets taken out."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import sys
import time
from collections.abc import Mapping, MutableMapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, TextIO, cast

import structlog
from opentelemetry.trace import SpanContext, format_span_id, format_trace_id
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from suuupra.settings import ServiceSettings
from suuupra.telemetry import current_span, request_id

REDACTED = "[redacted]"

_SECRET_WORDS = frozenset(
    (
        *(
            "password",
            "passwd",
            "passphrase",
            "secret",
            "secrets",
            "token",
            "tokens",
            "jwt",
            "private",
            "signature",
        ),
        *("authorization", "cookie", "cookies", "credential", "credentials", "apikey", "dsn"),
        *("otp", "pin", "cvv", "pan", "card"),
    )
)
_SECRET_PAIRS = frozenset(
    {("api", "key"), ("access", "key"), ("secret", "key"), ("database", "url"), ("valkey", "url")}
)
_SECRET_TEXT = re.compile(
    r"(?P<jwt>eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
    r"|(?P<bearer>(?<=[Bb]earer )\S+)"
    r"|(?P<userinfo>(?<=://)[^/\s:@]*:[^/\s@]+(?=@))"
)

# What a database says after its message quotes rows. A quoted value may have line breaks of its own, so the text goes
# up to what a traceback goes on with.
_QUOTED_ROWS = re.compile(
    r"^(?P<name>DETAIL|CONTEXT|QUERY|HINT):.*?"
    r"(?=^\[SQL|^\(Background|^The above exception|^During handling|^Traceback \(|\Z)",
    re.MULTILINE | re.DOTALL,
)


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines say they come from `name`; give it `__name__`."""
    return cast(FilteringBoundLogger, structlog.get_logger(source=name))


def configure(settings: ServiceSettings, stream: TextIO | None = None) -> None:
    """Send every log of the process, ours and the libraries', through the same processors to `stream`."""
    identity = {"service": settings.name, "version": settings.version}
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    access.to((stream or sys.stdout) if level <= logging.INFO else None, identity)
    structlog.configure(
        processors=[*_shared(identity), structlog.processors.format_exc_info, redact, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(_library_logging(identity, settings.log_level.upper(), stream or sys.stdout))
    logging.captureWarnings(capture=True)


class AccessLog:
    """One line for every request, in the form of all others but put together by hand.

    A request through structlog's processors costs 30 µs, a third of what FastAPI needs to answer it; this costs 4.
    """

    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._identity = ""

    def to(self, stream: TextIO | None, identity: Mapping[str, str]) -> None:
        """Write to `stream`, or nowhere."""
        self._stream = stream
        self._identity = _encode(identity)[1:-1]

    def write(
        self,
        *,
        method: str,
        route: str,
        path: str,
        status: int,
        seconds: float,
        span: SpanContext,
        request: str,
    ) -> None:
        """Say that a request was answered. Its query is left out: secrets travel in queries."""
        if self._stream is None:
            return
        self._stream.write(
            f'{{"event":"request","level":"info","time":"{_now()}",{self._identity},'
            f'"method":{_text(method)},"route":{_text(route)},"path":{_text(_clean_text(path))},"status":{status},'
            f'"duration_ms":{seconds * 1000:.2f},"request_id":"{request}",'
            f'"trace_id":"{span.trace_id:032x}","span_id":"{span.span_id:016x}"}}\n'
        )
        self._stream.flush()


def _now() -> str:
    """The time as all other lines have it; datetime takes six times as long to write it."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


access = AccessLog()
"""Silent until `configure` is called with a level that includes info."""


def _shared(identity: Mapping[str, str]) -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        _Identity(identity),
        add_context,
    ]


def _library_logging(identity: Mapping[str, str], level: str, stream: TextIO) -> dict[str, Any]:
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), _logger_name, *_shared(identity)],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": stream, "formatter": "json"}},
        "root": {"handlers": ["out"], "level": level},
        # Their INFO is a line for every connection or request; ours already says that once.
        "loggers": {name: {"level": "WARNING"} for name in ("uvicorn", "httpx", "httpcore", "aiokafka")},
    }


class _Identity:
    """Says on every line which resource and version wrote it."""

    def __init__(self, identity: Mapping[str, str]) -> None:
        self._identity = dict(identity)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.update(self._identity)
        return event


def add_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add trace_id, span_id and request_id of the present unit of work."""
    span = current_span()
    if span is not None:
        event["trace_id"] = format_trace_id(span.trace_id)
        event["span_id"] = format_span_id(span.span_id)
    current = request_id.get()
    if current is not None:
        event["request_id"] = current
    return event


def _logger_name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["source"] = record.name
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take out what looks like a secret, by key at any depth and by shape in any text."""
    return cast(EventDict, _clean_mapping(event))


def _clean_mapping(values: MutableMapping[str, Any] | Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: REDACTED if isinstance(key, str) and is_secret(key) else _clean(value)
        for key, value in values.items()
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, (int, float)) or value is None:
        return value
    if isinstance(value, Mapping):
        return _clean_mapping(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_clean(item) for item in value]
    return _clean_text(str(value))


def clean(text: str) -> str:
    """`text` without what looks like a secret, and without the rows that a database's error quotes."""
    return _clean_text(text)


def _clean_text(text: str) -> str:
    if "DETAIL:" in text or "CONTEXT:" in text or "QUERY:" in text or "HINT:" in text:
        text = _QUOTED_ROWS.sub(rf"\g<name>: {REDACTED}\n", text)
    # Every shape needs one of these, and looking for them is ten times cheaper than the expression.
    if "eyJ" in text or "earer " in text or "://" in text:
        return _SECRET_TEXT.sub(REDACTED, text)
    return text


@lru_cache(maxsize=1024)
def is_secret(key: str) -> bool:
    """Whether a field of this name is expected to hold a secret: `client_secret`, `Authorization`, `apiKey`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", key).replace("-", " ").replace("_", " ").lower().split()
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))


# ASCII: what a caller made up may hold half a surrogate pair, and a line that cannot be written would be lost.
_text = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """The event as one line of JSON."""
    return _encode(event)
