"""Published pages read per second of a core, beside a bare FastAPI route that sends the same bytes.

Both are servers of their own over real HTTP on keep-alive connections. What counts is the server's own processor
time, so that the client beside it on the same machine does not blur the figure.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from joserfc.jwk import ECKey

from services.content import contract
from services.content.usecases import courses, lessons, publishing
from suuupra.clock import SystemClock
from suuupra.db import Database
from suuupra.etags import Precondition
from suuupra.local_issuer import DEFAULT_AUDIENCE, DEFAULT_ISSUER, LocalIssuer
from suuupra.migrations import Schema
from suuupra.testing.containers import free_port
from suuupra.testing.postgres import PostgresServer
from tests.load.report import Figure, over

READS: Final = 8_000
CONNECTIONS: Final = 8
PARAGRAPHS: Final = 60
"""A lesson of 8 kB, as the chapters of a manual have them."""

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
        """Processor time so far, user and system (proc(5), fields 14 and 15)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure() -> Sequence[Figure]:
    """Lesson, lesson the reader has already, and catalogue, each beside the bare route."""
    server = PostgresServer.start()
    try:
        url = server.url(server.create(Schema.of("content")))
        lesson = asyncio.run(_publish(url))
        with _content(url) as content:
            return _figures(content, f"/v1/lessons/{lesson}")
    finally:
        server.container.remove()


def _figures(content: _Server, lesson: str) -> list[Figure]:
    page = httpx.get(f"http://127.0.0.1:{content.port}{lesson}")
    known = {"If-None-Match": page.headers["ETag"]}
    with _bare(page.content) as bare:
        peer = _reads_per_core(bare, lesson, {})
    bound = (
        "ids, trace, metrics and log line of every request in Python (kit); one statement a second and page"
    )
    measured = (
        ("lesson", _reads_per_core(content, lesson, {})),
        ("lesson, unchanged (304)", _reads_per_core(content, lesson, known)),
        ("catalogue", _reads_per_core(content, "/v1/courses", {})),
    )
    return [
        Figure(
            f"content: {name}",
            f"{ours:,.0f} reads/s/core",
            f"{peer:,.0f} bare FastAPI",
            over(ours, peer),
            bound,
        )
        for name, ours in measured
    ]


async def _publish(url: str) -> str:
    """A published course of one lesson; the lesson's id."""
    database, clock, owner = Database(url, application="bench"), SystemClock(), "bench"
    async with database.transaction() as tx:
        course = await courses.begin(tx, clock, owner, contract.CourseFields(title="Bench"))
        module = await lessons.add_module(tx, clock, owner, course.id, contract.NewModule(title="One"))
        html = (
            "<p>What a learner reads in a minute is about this long, give or take a word. It repeats.</p>"
            * PARAGRAPHS
        )
        body = contract.ArticleBody(kind="article", html=html)
        new, text = contract.NewLesson(title="A", body=body), await lessons.sanitised(body)
        lesson = await lessons.add_lesson(tx, clock, owner, module.id, new, text)
        await publishing.publish(tx, clock, owner, course.id, Precondition(None))
    await database.close()
    return str(lesson.id)


@contextmanager
def _content(url: str) -> Iterator[_Server]:
    issuer = LocalIssuer(DEFAULT_ISSUER, DEFAULT_AUDIENCE, ECKey.generate_key("P-256", auto_kid=True))
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


def _reads_per_core(server: _Server, path: str, headers: dict[str, str]) -> float:
    asyncio.run(_read(server.port, path, headers, READS // 8))  # warm: pools, plans, caches
    before = server.seconds()
    asyncio.run(_read(server.port, path, headers, READS))
    return READS / (server.seconds() - before)


async def _read(port: int, path: str, headers: dict[str, str], count: int) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nHost: content\r\n{lines}\r\n".encode()
    await asyncio.gather(*(_connection(port, request, count // CONNECTIONS) for _ in range(CONNECTIONS)))


async def _connection(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
    writer.close()
    await writer.wait_closed()
