"""Events as CloudEvents 1.0 in Kafka's binary mode: attributes in headers, data as JSON in the value.

The event type is the topic; the key is the aggregate's id. Besides the standard's attributes each message carries

- `ce_sequence`: counts the events of one aggregate, from 1, without gaps;
- `ce_after`: JSON, the last sequence of each type that this aggregate had emitted before. A consumer of some of the
  types can tell from it whether it misses one of *its* events, whatever happened on the topics it does not read;
- `traceparent` (W3C Trace Context, CloudEvents' distributed tracing extension).

The `cloudevents` package is not used: the relay publishes rows that were serialised when they were appended, so its
event object would be built and validated a second time for each message only to be taken apart again. What is left
to do is naming the headers, which is this file. Sources: CloudEvents 1.0.2 §3, Kafka Protocol Binding 1.0.2 §3.2.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

CONTENT_TYPE: Final = "application/json"
SCHEMA_URN: Final = "urn:suuupra:event"

Headers = Sequence[tuple[str, bytes]]


class Event(BaseModel):
    """Base of what a service publishes: a fact, past tense, in the publisher's contract.py.

    Unknown fields are ignored, so that a publisher may add optional ones (expand) while old consumers run. A change
    that old consumers cannot read is a new class with the same `type` and the next `version`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    version: ClassVar[int] = 1


class MalformedMessage(ValueError):
    """A Kafka message that is not one of our events; the text says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as Kafka delivered it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known about a delivered event besides its data."""

    id: UUID
    type: str
    version: int
    source: str
    subject: str
    """The aggregate's id."""
    sequence: int
    after: Mapping[str, int]
    time: datetime
    traceparent: str | None
    topic: str
    partition: int
    offset: int
    attempt: int = 1


def source_of(name: str) -> str:
    """The CloudEvents source of the resource `name`."""
    return f"/services/{name}"


def schema_urn(type_: str, version: int) -> str:
    """The CloudEvents dataschema: it names the type's version."""
    return f"{SCHEMA_URN}:{type_}:{version}"


_after = TypeAdapter(dict[str, int])


def parse(message: Message) -> Meta:
    """Read the attributes of a message, or raise MalformedMessage naming the header that is wrong."""
    found = dict(message.headers)
    try:
        type_ = _required(found, "ce_type")
        return Meta(
            id=UUID(_required(found, "ce_id")),
            type=type_,
            version=_version(type_, _required(found, "ce_dataschema")),
            source=_required(found, "ce_source"),
            subject=_required(found, "ce_subject"),
            sequence=int(_required(found, "ce_sequence")),
            after=_after.validate_json(found.get("ce_after", b"{}")),
            time=_time(_required(found, "ce_time")),
            traceparent=found["traceparent"].decode() if "traceparent" in found else None,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
        )
    except MalformedMessage:
        raise
    except ValueError as error:
        raise MalformedMessage(f"the headers are not those of an event: {error}") from error


def _required(headers: Mapping[str, bytes], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise MalformedMessage(f"the header {name} is missing")
    return value.decode()


def _time(text: str) -> datetime:
    """RFC 3339, with an offset."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise MalformedMessage(f"ce_time is {text!r}, which names no time zone")
    return time


@lru_cache(maxsize=1024)
def _version(type_: str, dataschema: str) -> int:
    prefix, _, version = dataschema.rpartition(":")
    if prefix != f"{SCHEMA_URN}:{type_}" or not version.isdecimal():
        raise MalformedMessage(
            f"ce_dataschema is {dataschema!r}, not {schema_urn(type_, 1)!r} or a later version"
        )
    return int(version)


class Registry:
    """The event classes that a service publishes or reads, by type and version."""

    def __init__(self, events: Iterable[type[Event]]) -> None:
        self._classes: dict[tuple[str, int], type[Event]] = {}
        for event in events:
            key = (event.type, event.version)
            if self._classes.setdefault(key, event) is not event:
                raise ValueError(f"two event classes claim {event.type} version {event.version}")

    @property
    def types(self) -> frozenset[str]:
        """Every type there is a class for."""
        return frozenset(type_ for type_, _ in self._classes)

    def versions(self, type_: str) -> list[int]:
        """The versions of a type that can be read, ascending."""
        return sorted(version for known, version in self._classes if known == type_)

    def find(self, type_: str, version: int) -> type[Event]:
        """The class of a type's version, or MalformedMessage saying which are known."""
        found = self._classes.get((type_, version))
        if found is None:
            known = ", ".join(map(str, self.versions(type_))) or "none"
            raise MalformedMessage(f"{type_} version {version} is not known here (known versions: {known})")
        return found

    def read(self, meta: Meta, data: bytes | None) -> Event:
        """The event in a message, or MalformedMessage naming the fields that are wrong (never their values)."""
        event = self.find(meta.type, meta.version)
        try:
            return event.model_validate_json(data or b"")
        except ValidationError as error:
            wrong = "; ".join(
                f"{_path(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False)
            )
            raise MalformedMessage(f"{meta.type} version {meta.version}: {wrong}") from error


def _path(location: Sequence[Any]) -> str:
    return ".".join(map(str, location)) or "data"
