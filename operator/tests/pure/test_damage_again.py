"""O1: what is changed by hand a second time, soon after it was put right, looks to two reads as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from suuupra_operator.app import Operator
from suuupra_operator.claims import Bid, Claim, Claims
from suuupra_operator.desired.topics import TopicState
from suuupra_operator.queue import Key
from suuupra_operator.round import Outcome
from suuupra_operator.settings import Settings
from suuupra_operator.writes import Gate, Write

from .test_liveness import NOWHERE
from .test_rail_reconcile import Free

SHOP = Key("SuuupraService", "suuupra", "shop")
TOPIC = "thing.made"


class World:
    """A Kafka with one topic, and an operator whose reconcile makes the topic if the last read does not show it."""

    def __init__(self, operator: Operator) -> None:
        self.topics = {TOPIC: TopicState(1, {})}
        self.operator, self._bus, self._gate = operator, operator.backends.bus, Gate(Free())
        self._claims = Claims()
        self._claims.put(SHOP, Bid("1", "2026-01-01T00:00:00Z", frozenset({Claim("topic", TOPIC)})))

    async def reconcile(self, _: Key) -> Outcome:
        if TOPIC not in self._bus.known():
            async with self._gate.external(Write.TOPICS_CREATED):
                self.topics[TOPIC] = TopicState(1, {})
            self._read()
        return Outcome()

    def named(self) -> set[Key]:
        """Who is looked at after the next bulk read."""
        self._read()
        return self.operator.backends.changed(self._claims, {})

    async def looked_at(self) -> None:
        await self.operator._settle(SHOP)

    def _read(self) -> None:
        self._bus.topics = dict(self.topics)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "config").write_text(yaml.safe_dump(NOWHERE))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    made = World(Operator(Settings()))
    monkeypatch.setattr(made.operator.services, "reconcile", made.reconcile)
    made.named()  # a server that answers for the first time
    return made


async def test_o1_what_is_damaged_again_right_after_every_repair_is_noticed_every_time(world: World) -> None:
    for _ in range(3):
        del world.topics[TOPIC]
        assert world.named() == {SHOP}
        await world.looked_at()
        assert TOPIC in world.topics


async def test_o3_what_was_put_right_and_is_left_alone_is_looked_at_once_more_and_then_no_longer(
    world: World,
) -> None:
    assert world.named() == set()
    del world.topics[TOPIC]
    assert world.named() == {SHOP}
    await world.looked_at()
    assert world.named() == {SHOP}
    await world.looked_at()
    assert [world.named(), world.named()] == [set(), set()]
