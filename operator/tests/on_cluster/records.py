"""What the backing servers themselves remember of having been written to."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator

from suuupra.testing.containers import docker

from .machines import Servers

READING = ("select", "show", "set", "begin", "commit", "deallocate")
STATEMENT = re.compile(r" LOG:  (?:statement|execute [^:]*):\s*(.*)")

METADATA = "/data/log/__cluster_metadata-0"
NOTHING = 20
"""The API key of Kafka's NoOpRecord, which a controller at rest writes twice a second."""
HEAD = struct.Struct(">qiibIhiqqqhii")
"""Of a record batch: base offset, length, …, attributes (the sixth), …, number of records (the last)."""
BEFORE_LENGTH_ENDS = 12
CONTROL = 0x20


def statements(servers: Servers) -> list[str]:
    """Everything that PostgreSQL was told, first lines, in lower case."""
    found = (match[1].strip().lower() for match in STATEMENT.finditer(servers.postgres_log()))
    return [text for text in found if text]


def written(servers: Servers) -> list[str]:
    """What PostgreSQL was told to change."""
    return [text for text in statements(servers) if not text.startswith(READING)]


def decreed(servers: Servers) -> list[bytes]:
    """Every change of topics, partitions and configurations that Kafka's controller has written down, in their order."""
    log = docker("exec", servers.kafka.id, "bash", "-c", f"cat {METADATA}/*.log | base64 --wrap=0")
    return [value for value in _values(base64.b64decode(log)) if _api_key(value) != NOTHING]


def _values(log: bytes) -> Iterator[bytes]:
    """Values of the records of a log (https://kafka.apache.org/documentation/#recordbatch), control records left out."""
    place = 0
    while place + HEAD.size <= len(log):
        head = HEAD.unpack_from(log, place)
        length, attributes, count = head[1], head[5], head[-1]
        end = place + BEFORE_LENGTH_ENDS + length
        if end > len(log):
            return  # being written
        if not attributes & CONTROL:
            yield from _records(log[place + HEAD.size : end], count)
        place = end


def _records(batch: bytes, count: int) -> Iterator[bytes]:
    place = 0
    for _ in range(count):
        size, begin = _varint(batch, place)
        inner = begin + 1  # attributes
        for _ in range(2):  # deltas of time and offset
            _, inner = _varint(batch, inner)
        key, inner = _varint(batch, inner)
        value, inner = _varint(batch, inner + max(0, key))
        yield batch[inner : inner + value]
        place = begin + size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A signed number of variable length, and where it ends."""
    number, place = _unsigned(data, place)
    return (number >> 1) ^ -(number & 1), place


def _unsigned(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place


def _api_key(value: bytes) -> int:
    """What a metadata record is about: it begins with the frame's version, and then the key."""
    _, place = _unsigned(value, 0)
    return _unsigned(value, place)[0]
