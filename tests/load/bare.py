"""The bare hops that a way through services is made of: a round through Kafka, a durable commit, a round trip by HTTP.

Needs nothing of ours, so that it also runs inside a pod: `python - < bare.py` reads where the servers are from the
pod's own environment, and prints what it took.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

ROUNDS = 200
WARM = 20
MESSAGE = b'{"head":"as long as a message of the rail","text":"' + b"x" * 1200 + b'"}'
TOPIC = "bench.bare"

SERVER = """
import sys
import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/{path:path}", status_code=202)
async def take(path: str, request: Request) -> dict[str, int]:
    return {"taken": len(await request.body())}


uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""
"""A bare FastAPI route that takes a message and acknowledges it."""


async def timed(step: Callable[[], Awaitable[Any]]) -> list[float]:
    """Seconds of each of ROUNDS steps, one after the other; the first WARM ones make connections and are left out."""
    samples = []
    for _ in range(WARM + ROUNDS):
        began = time.perf_counter()
        await step()
        samples.append(time.perf_counter() - began)
    return samples[WARM:]


async def round_trips() -> list[float]:
    """Seconds of one message to a bare FastAPI route and its acknowledgement, over a connection that stays."""
    import httpx

    with _serving() as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            return await timed(lambda: client.post("/message", content=MESSAGE))


async def commits(url: str) -> list[float]:
    """Seconds of one durable commit of one small record of the write-ahead log, which asks for no table."""
    import psycopg

    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        return await timed(
            lambda: connection.execute("SELECT pg_logical_emit_message(true, 'bench', 'a row')")
        )


async def kafka_rounds(bootstrap: str) -> list[float]:
    """Seconds from producing one message, acknowledged by all replicas, to having consumed it."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if TOPIC not in await admin.list_topics():  # one that was cut off may have left it
            await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="latest")
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await consumer.start()
        await producer.start()
        place = TopicPartition(TOPIC, 0)
        consumer.assign([place])
        await consumer.seek_to_end(place)

        async def step() -> None:
            await producer.send_and_wait(TOPIC, MESSAGE, partition=0)
            await consumer.getone()

        try:
            return await timed(step)
        finally:
            await producer.stop()
            await consumer.stop()
    finally:
        await admin.delete_topics([TOPIC])
        await admin.close()


@contextmanager
def _serving() -> Iterator[int]:
    """The bare route as a process of its own; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with subprocess.Popen([sys.executable, "-c", SERVER, str(port)]) as process:
        try:
            _await(process, port)
            yield port
        finally:
            process.terminate()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the bare server did not start")


async def _main() -> None:
    url, bootstrap = os.environ["SUUUPRA_DATABASE_URL"], os.environ["SUUUPRA_KAFKA_BOOTSTRAP"]
    print(
        json.dumps(
            {
                "http": await round_trips(),
                "commit": await commits(url),
                "kafka": await kafka_rounds(bootstrap),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(_main())
