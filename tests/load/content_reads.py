"""Published pages read per second of a core, beside a bare FastAPI route that sends the same bytes.

Both are servers of their own over real HTTP on keep-alive connections, with the headers that the gateway adds. What
counts is the server's own processor time, so that the client beside it on the same machine does not blur the figure;
of several rounds, in which all take turns, the best: whatever else the machine does only ever makes a read dearer.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from services.content import contract
from services.content.domain.authors import Author
from services.content.usecases import courses, lessons, publishing
from suuupra.clock import SystemClock
from suuupra.db import Database
from suuupra.etags import Precondition
from suuupra.migrations import Schema
from suuupra.testing.containers import free_port
from suuupra.testing.issuer import Issuer
from suuupra.testing.postgres import PostgresServer
from tests.load.processor import seconds_of
from tests.load.report import Figure, over, say

READS: Final = 2_000
"""In each round."""
ROUNDS: Final = 5
CONNECTIONS: Final = 8
PARAGRAPHS: Final = 60
"""A lesson of 8 kB, as the chapters of a manual have them."""

_GATEWAY: Final[dict[str, str]] = {
    "X-Request-Id": "0b2d3b6e-9f59-4f0e-8b43-0c8f5b1c6f0d",
    "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
}
_BARE: Final = """
import sys
import uvicorn
from fastapi import FastAPI, Response

app = FastAPI()
body = open(sys.argv[2], "rb").read()


@app.get("/{path:path}")
async def read(path: str) -> Response:
    return Response(body, media_type="application/json")


uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


@dataclass(frozen=True)
class _Server:
    process: subprocess.Popen[bytes]
    port: int

    def seconds(self) -> float:
        return seconds_of(self.process.pid)


@dataclass(frozen=True)
class _Reads:
    """What is asked of a server, many times."""

    name: str
    server: _Server
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def per_core(self) -> float:
        """Reads per second of the server's processor time."""
        before = self.server.seconds()
        asyncio.run(self._all())
        return READS / (self.server.seconds() - before)

    async def _all(self) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**_GATEWAY, **self.headers}.items())
        request = f"GET {self.path} HTTP/1.1\r\nHost: content\r\n{lines}\r\n".encode()
        connections = (
            _connection(self.server.port, request, READS // CONNECTIONS) for _ in range(CONNECTIONS)
        )
        await asyncio.gather(*connections)


def measure() -> Sequence[Figure]:
    """Lesson, lesson the reader has already, and catalogue, each beside the bare route."""
    server = PostgresServer.start()
    try:
        url = server.url(server.create(Schema.of("content")))
        lesson = asyncio.run(_publish(url))
        with _content(url) as content:
            return _figures(content, f"/v1/lessons/{lesson}")
    finally:
        server.stop()


def _figures(content: _Server, lesson: str) -> list[Figure]:
    page = httpx.get(f"http://127.0.0.1:{content.port}{lesson}")
    known = {"If-None-Match": page.headers["ETag"]}
    bound = (
        "FastAPI, and around it (kit) ids, trace, metrics and log line of every request; "
        "one statement a second and page"
    )
    with _bare(page.content) as bare:
        peer, *ours = _best(
            _Reads("bare", bare, lesson),
            _Reads("lesson", content, lesson),
            _Reads("lesson, unchanged (304)", content, lesson, known),
            _Reads("catalogue", content, "/v1/courses"),
        )
    return [
        Figure(
            f"content: {reads.name}",
            f"{rate:,.0f} reads/s/core",
            f"{peer[1]:,.0f} bare FastAPI",
            over(rate, peer[1]),
            bound,
        )
        for reads, rate in ours
    ]


def _best(*all_reads: _Reads) -> list[tuple[_Reads, float]]:
    """Each with the best of its rates."""
    for reads in all_reads:
        reads.per_core()  # warm: pools, plans, caches
    rounds = []
    for number in range(1, ROUNDS + 1):
        rounds.append([reads.per_core() for reads in all_reads])
        say(f"round {number} of {ROUNDS}")
    return list(zip(all_reads, map(max, zip(*rounds, strict=True)), strict=True))


async def _publish(url: str) -> str:
    """A published course of one lesson; the lesson's id."""
    database, clock, author = Database(url, application="bench"), SystemClock(), Author("bench")
    async with database.transaction() as tx:
        course = await courses.begin(tx, clock, author, contract.CourseFields(title="Bench"))
        module = await lessons.add_module(tx, clock, author, course.id, contract.NewModule(title="One"))
        html = (
            "<p>What a learner reads in a minute is about this long, give or take a word. It repeats.</p>"
            * PARAGRAPHS
        )
        body = contract.ArticleBody(kind="article", html=html)
        new, text = contract.NewLesson(title="A", body=body), await lessons.sanitised(body)
        lesson = await lessons.add_lesson(tx, clock, author, module.id, new, text)
        await publishing.publish(tx, clock, author, course.id, Precondition(None))
    await database.close()
    return str(lesson.id)


@contextmanager
def _content(url: str) -> Iterator[_Server]:
    issuer = Issuer.new()
    port, ops = free_port(), free_port()
    environment = {
        "SUUUPRA_HTTP_PORT": str(port),
        "SUUUPRA_OPS_PORT": str(ops),
        "SUUUPRA_DATABASE_URL": url,
        "SUUUPRA_KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "SUUUPRA_OBJECTS_ENDPOINT": "http://127.0.0.1:9",
        "SUUUPRA_OBJECTS_ACCESS_KEY": "unused",
        "SUUUPRA_OBJECTS_SECRET_KEY": "unused",
        "SUUUPRA_BUCKETS": '{"media": "unused"}',
        "SUUUPRA_ISSUER": issuer.issuer,
        "SUUUPRA_AUDIENCE": issuer.audience,
        "SUUUPRA_JWKS_URL": "http://127.0.0.1:9/jwks.json",
        "SUUUPRA_DRAIN_SECONDS": "0",
    }
    with _running([sys.executable, "-m", "suuupra", "serve", "content"], port, environment) as server:
        yield server


@contextmanager
def _bare(body: bytes) -> Iterator[_Server]:
    port = free_port()
    file = Path("/tmp", f"suuupra-bench-{os.getpid()}.json")
    file.write_bytes(body)
    try:
        with _running([sys.executable, "-c", _BARE, str(port), str(file)], port, {}) as server:
            yield server
    finally:
        file.unlink()


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[_Server]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _await(process, port)
        yield _Server(process, port)
    finally:
        process.terminate()
        process.wait(30)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    transport = httpx.HTTPTransport(retries=8)  # with growing pauses, up to a minute in all
    with httpx.Client(transport=transport, timeout=10) as client:
        answer = client.get(f"http://127.0.0.1:{port}/v1/courses")
    if process.poll() is not None or answer.status_code >= 500:
        raise RuntimeError(f"the server on port {port} did not start: {answer.status_code}")


async def _connection(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
    writer.close()
    await writer.wait_closed()
