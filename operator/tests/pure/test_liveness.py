"""Liveness: the kubelet restarts an operator whose watches have gone deaf, since nothing else would tell (O1 is by watch)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from suuupra_operator.app import Operator
from suuupra_operator.primaries import key_of
from suuupra_operator.settings import Settings

from suuupra.testing.containers import free_port

NOWHERE = {
    "current-context": "nowhere",
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {}}],
}
SHOP: dict[str, Any] = {
    "kind": "SuuupraService",
    "metadata": {
        "namespace": "suuupra",
        "name": "shop",
        "uid": "1",
        "resourceVersion": "2",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
}


@pytest_asyncio.fixture
async def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operator]:
    """The whole of it, of which nothing runs but what answers the kubelet."""
    (tmp_path / "config").write_text(yaml.safe_dump(NOWHERE))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    made = Operator(Settings(port=free_port()))
    await made.server.open()
    yield made
    await made.server.close()


async def livez(operator: Operator) -> tuple[int, str]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{operator.settings.port}/livez")
    return answer.status_code, answer.text


async def test_o1_one_watch_that_has_heard_nothing_for_two_and_a_half_minutes_ends_liveness(
    operator: Operator,
) -> None:
    assert await livez(operator) == (200, "ok")
    deaf = operator.children._watchers[3]
    deaf.heard -= 145
    assert await livez(operator) == (200, "ok"), "bookmarks come every minute: one may be late"
    deaf.heard -= 10
    status, said = await livez(operator)
    assert status == 503
    assert said.startswith("a watch has heard nothing for 15")


async def test_o1_a_resource_that_a_list_shows_and_the_watch_does_not_bring_ends_liveness(
    operator: Operator,
) -> None:
    operator.primaries.replace("SuuupraService", [SHOP])
    assert await livez(operator) == (200, "ok"), "the list may have been the faster of the two"
    operator.primaries._missed[key_of(SHOP)] -= 61
    assert await livez(operator) == (503, "the watch of resources no longer delivers what lists show")
    operator.primaries.event("ADDED", SHOP)
    assert await livez(operator) == (200, "ok")
