"""How a process lives and ends: probes, drain, and the death of what it cannot do without."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry, Histogram

from suuupra import running, serving
from suuupra.app import Now, resource
from suuupra.clock import FakeClock
from suuupra.health import CHECK_SECONDS, Health
from suuupra.ops import OpsApp
from suuupra.resources import Resources, opened
from suuupra.running import Crew, Signals
from suuupra.tests.http.conftest import Client, Settings, until_ready


class Recorder:
    """A resource that notes what is done with it."""

    def __init__(self, name: str, journal: list[str], fails: bool = False) -> None:
        self.name = name
        self.fails = fails
        self._journal = journal

    async def open(self) -> None:
        if self.fails:
            raise ConnectionError(f"{self.name} is away")
        self._journal.append(f"open {self.name}")

    async def close(self) -> None:
        self._journal.append(f"close {self.name}")

    async def check(self) -> None:
        if self.fails:
            raise ConnectionError("password=hunter2")


class Lone(Recorder):
    """The only resource of its type."""


class Task:
    """A runnable that runs until it is stopped, or told to end by itself."""

    def __init__(self, name: str = "task", *, stubborn: bool = False) -> None:
        self.name = name
        self.started = asyncio.Event()
        self.over = asyncio.Event()
        self.error: Exception | None = None
        self.reason: str | None = None
        self._stubborn = stubborn

    async def run(self) -> None:
        self.started.set()
        await self.over.wait()
        if self.error is not None:
            raise self.error

    async def stop(self) -> None:
        if not self._stubborn:
            self.over.set()

    def health(self) -> str | None:
        return self.reason


# --- resources ---------------------------------------------------------------------------------------------------


async def test_resources_are_opened_in_order_and_closed_in_reverse() -> None:
    journal: list[str] = []
    async with opened([Recorder("database", journal), Recorder("objects", journal)]):
        journal.append("serving")
    assert journal == ["open database", "open objects", "serving", "close objects", "close database"]


async def test_resource_that_cannot_open_closes_those_before_it() -> None:
    journal: list[str] = []
    with pytest.raises(ConnectionError, match="objects is away"):
        async with opened([Recorder("database", journal), Recorder("objects", journal, fails=True)]):
            pytest.fail("nothing may be served without objects")
    assert journal == ["open database", "close database"]


async def test_routes_reach_resources_by_type_and_name_and_the_clock(make_app: Any, client: Client) -> None:
    router = APIRouter()

    @router.get("/which")
    async def which(
        covers: Annotated[Recorder, Depends(resource(Recorder, "covers"))],
        task: Annotated[Lone, Depends(resource(Lone))],
        clock: Now,
    ) -> list[str]:
        return [covers.name, task.name, clock.now().isoformat()]

    resources = [Recorder("media", []), Recorder("covers", []), Lone("task", [])]
    async with client(make_app(router, resources=resources)) as http:
        assert (await http.get("/which")).json() == ["covers", "task", "2026-01-01T00:00:00+00:00"]


def test_resource_that_was_forgotten_or_is_ambiguous_is_named() -> None:
    media, covers = Recorder("media", []), Recorder("covers", [])
    with pytest.raises(
        LookupError, match="needs the resource Lone; the app was created with Recorder 'media'"
    ):
        Resources([media, covers]).get(Lone)
    with pytest.raises(LookupError, match="needs the resource Recorder;"):
        Resources([media, covers]).get(Recorder)
    assert Resources([media, covers]).find(Recorder, "covers") is covers


# --- probes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def health(clock: FakeClock) -> Health:
    health = Health(clock)
    health.started = True
    return health


def _ops(app: OpsApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ops.test")


async def test_process_is_ready_when_every_check_passes(health: Health) -> None:
    health.add("database", Recorder("database", []).check)
    async with _ops(OpsApp(health)) as ops:
        answer = await ops.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


async def test_failing_check_is_named_without_its_secrets_and_does_not_end_life(health: Health) -> None:
    health.add("database", Recorder("database", [], fails=True).check)
    async with _ops(OpsApp(health)) as ops:
        ready, alive = await ops.get("/readyz"), await ops.get("/livez")
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert ready.json()["checks"] == [
        {"name": "database", "reason": "ConnectionError: see the log", "required": True}
    ]


async def test_optional_resource_that_is_away_is_shown_but_work_goes_on(
    make_app: Any, client: Client
) -> None:
    app = make_app(APIRouter(), resources=[Recorder("database", [])], optional=[Lone("objects", [])])
    app.state.health.started = True
    async with client(app), _ops(OpsApp(app.state.health)) as ops:
        app.state.resources.get(Lone).fails = True
        answer = await ops.get("/readyz")
    assert answer.status_code == 200
    assert {"name": "objects", "reason": "ConnectionError: see the log", "required": False} in answer.json()[
        "checks"
    ]


async def test_check_that_hangs_counts_as_failing(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suuupra.health.CHECK_SECONDS", 0.01)
    health.add("database", asyncio.Event().wait)  # type: ignore[arg-type]
    async with _ops(OpsApp(health)) as ops:
        assert "no answer within" in (await ops.get("/readyz")).json()["checks"][0]["reason"]


async def test_probes_do_not_become_load_on_what_they_ask_after(health: Health, clock: FakeClock) -> None:
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1

    health.add("database", check)
    await asyncio.gather(*(health.readiness() for _ in range(20)))
    assert asked == 1
    clock.advance(CHECK_SECONDS)
    await health.readiness()
    assert asked == 2


async def test_process_is_not_ready_before_it_started_nor_while_it_drains(clock: FakeClock) -> None:
    health = Health(clock)
    async with _ops(OpsApp(health)) as ops:
        assert (await ops.get("/readyz")).json()["checks"][0]["reason"] == "starting"
        health.started = health.draining = True
        assert (await ops.get("/readyz")).json()["checks"][0]["reason"] == "shutting down"


async def test_unwell_task_is_told_in_its_own_words(health: Health) -> None:
    task = Task("relay")
    running.watch(health, [task])
    task.reason = "Kafka is away for 3 s"
    async with _ops(OpsApp(health)) as ops:
        assert (await ops.get("/readyz")).json()["checks"] == [
            {"name": "relay", "reason": task.reason, "required": True}
        ]


async def test_metrics_carry_exemplars_for_those_who_understand_them(health: Health) -> None:
    registry = CollectorRegistry()
    Histogram("seconds", "Time.", registry=registry).observe(0.1, {"trace_id": "abc"})
    async with _ops(OpsApp(health, registry=registry)) as ops:
        open_metrics = await ops.get(
            "/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"}
        )
        plain = await ops.get("/metrics")
    assert '# {trace_id="abc"} 0.1' in open_metrics.text
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert "trace_id" not in plain.text


async def test_metrics_of_another_process_are_added_and_missed_when_it_fails(health: Health) -> None:
    async def envoy() -> bytes:
        return b"envoy_up 1\n"

    async def broken() -> bytes:
        raise ConnectionError("away")

    async with _ops(OpsApp(health, expositions=[broken, envoy])) as ops:
        answer = await ops.get("/metrics")
    assert answer.status_code == 200
    assert answer.text.endswith("envoy_up 1\n")
    assert "suuupra_expositions_skipped_total" in answer.text


async def test_operations_port_has_three_paths(health: Health) -> None:
    async with _ops(OpsApp(health)) as ops:
        assert (await ops.get("/")).json() == {"paths": ["/livez", "/readyz", "/metrics"]}


# --- running and stopping ----------------------------------------------------------------------------------------


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


async def _run(tasks: list[Task], signals: Signals, health: Health, limit: float = 5.0) -> bool:
    return await running.run(tasks, inside=_nothing(), health=health, signals=signals, limit_seconds=limit)


async def test_sigterm_stops_every_task_and_the_end_is_in_order(health: Health) -> None:
    tasks, signals = [Task("a"), Task("b")], Signals()
    process = asyncio.create_task(_run(tasks, signals, health))
    await asyncio.gather(*(task.started.wait() for task in tasks))
    signals.received(signal.SIGTERM)
    assert await process
    assert health.draining


@pytest.mark.parametrize("error", [None, ValueError("broken")])
async def test_death_of_a_task_ends_the_process_out_of_order(health: Health, error: Exception | None) -> None:
    dies, lives = Task("dies"), Task("lives")
    dies.error = error
    process = asyncio.create_task(_run([dies, lives], Signals(), health))
    await lives.started.wait()
    dies.over.set()
    assert not await process
    assert lives.over.is_set()


async def test_task_that_does_not_stop_is_cancelled_at_the_limit(health: Health) -> None:
    signals = Signals()
    process = asyncio.create_task(_run([Task(stubborn=True)], signals, health, limit=0.01))
    signals.received(signal.SIGTERM)
    assert not await process


async def test_task_that_fails_while_stopping_is_not_in_order(health: Health) -> None:
    task, signals = Task(), Signals()
    task.error = ValueError("could not flush")
    process = asyncio.create_task(_run([task], signals, health))
    await task.started.wait()
    signals.received(signal.SIGTERM)
    assert not await process


async def test_second_signal_and_ctrl_c_hurry() -> None:
    patient, interrupted = Signals(), Signals()
    patient.received(signal.SIGTERM)
    assert (patient.stop.is_set(), patient.hurry.is_set()) == (True, False)
    patient.received(signal.SIGTERM)
    interrupted.received(signal.SIGINT)
    assert patient.hurry.is_set()
    assert interrupted.hurry.is_set()


async def test_stopping_twice_is_as_good_as_once() -> None:
    task = Task()
    crew = Crew([task])
    crew.start()
    await task.started.wait()
    assert await crew.stop(1)
    assert await crew.stop(1)


# --- the whole process, over real sockets ------------------------------------------------------------------------


class Slow:
    """A route that answers when it is told to."""

    def __init__(self) -> None:
        self.router = APIRouter()
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.router.add_api_route("/slow", self._slow)
        self.router.add_api_route("/quick", self._quick)

    async def _slow(self) -> str:
        self.asked.set()
        await self.answer.wait()
        return "done"

    async def _quick(self) -> str:
        return "done"


async def test_sigterm_drains_without_losing_a_request(
    ports: Settings, make_app: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, signals = Slow(), Signals()
    monkeypatch.setattr(serving, "Signals", lambda: signals)
    app = make_app(slow.router)
    app.state.settings = ports
    process = asyncio.create_task(serving.serve(app))
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.http_port}") as http,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.ops_port}") as ops,
    ):
        await until_ready(ops, process)
        in_flight = asyncio.create_task(http.get("/slow"))
        await slow.asked.wait()
        signals.received(signal.SIGTERM)
        await clock.until_sleeping()  # it waits for the gateway to notice
        clock.advance(CHECK_SECONDS / 2)
        assert (await ops.get("/readyz")).status_code == 503
        late = await http.get("/quick")
        assert (late.status_code, late.headers["connection"]) == (200, "close")
        clock.advance(ports.drain_seconds)
        slow.answer.set()
        assert (await in_flight).json() == "done"
    assert await process


def test_process_that_cannot_start_says_why_in_its_log_and_fails(
    ports: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not serving.run(serving.work(ports, [Recorder("database", [], fails=True)], []))
    assert "ConnectionError: database is away" in capsys.readouterr().out


async def test_port_that_is_taken_is_named(ports: Settings) -> None:
    taken = serving.listen("127.0.0.1", ports.http_port)
    with pytest.raises(serving.CannotListen, match=f"cannot listen on 127.0.0.1:{ports.http_port}"):
        serving.listen("127.0.0.1", ports.http_port)
    taken.close()


async def test_worker_whose_task_dies_ends_out_of_order_and_closes_its_resources(ports: Settings) -> None:
    journal: list[str] = []
    task = Task("consumer")
    process = asyncio.create_task(serving.work(ports, [Recorder("database", journal)], [task]))
    await task.started.wait()
    task.over.set()
    assert not await process
    assert journal == ["open database", "close database"]
