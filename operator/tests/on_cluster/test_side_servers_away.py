"""OpenBao and Valkey stand beside what a pod serves: while they are away what runs goes on, and what is new waits."""

from __future__ import annotations

from typing import Any

from .api import EVERY_PART, NO_PODS, Api
from .outage import away
from .process import OperatorProcess

PLATFORM = {"kind": "SuuupraPlatform", "namespace": ""}
ASKS: dict[str, dict[str, Any]] = {"Secrets": {"secrets": {}}, "Cache": {"cache": True}}
"""What asks for a server, by the name that conditions have for it."""
SAID = {
    "Secrets": "when the way to their secrets is there",
    "Cache": "when the cache is there",
}


async def test_without_secret_store_and_valkey_what_runs_goes_on_and_what_is_new_waits(
    api: Api, operator: OperatorProcess
) -> None:
    """Both at once: a part of a resource answers for itself, whatever becomes of the others."""
    steady = EVERY_PART | {"replicas": {"min": 1}} | ASKS["Secrets"] | ASKS["Cache"]
    await api.service("steady", steady)
    await api.ready("steady", 90)
    before = await api.must("Deployment", "steady")
    with away(api.servers.secrets.container, api.servers.valkey.container):
        await api.until("suuupra", "SecretStoreReachable", 60, PLATFORM, status="False")
        unseen = {part: await api.until("steady", f"{part}Ready", 60, status="Unknown") for part in ASKS}
        assert "pods do without what is kept there" in unseen["Cache"]["message"]
        assert (await api.condition("steady"))["status"] == "True"
        assert (await api.must("Deployment", "steady"))["spec"] == before["spec"]
        for part, asks in ASKS.items():
            await api.service(f"young-{part.lower()}", NO_PODS | asks)
        for part in ASKS:
            waits = await api.until(f"young-{part.lower()}", "RolloutReady", 30, reason=f"WaitingFor{part}")
            assert SAID[part] in waits["message"]
    for part in ASKS:
        await api.ready(f"young-{part.lower()}", 60)
