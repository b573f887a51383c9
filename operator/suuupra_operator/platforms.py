"""Reconcile of the one SuuupraPlatform: point the clients at its servers, say whether they answer, guard its end."""

from __future__ import annotations

from dataclasses import dataclass

from suuupra_operator import conditions
from suuupra_operator.backends import Backends
from suuupra_operator.cluster import Object
from suuupra_operator.conditions import Finding
from suuupra_operator.deletion import RELEASE
from suuupra_operator.events import Recorder
from suuupra_operator.policies import PolicyProbe
from suuupra_operator.primaries import PLATFORM_KEY, InvalidSpec, Primaries, is_ready, platform_spec_of
from suuupra_operator.round import Outcome
from suuupra_operator.status import Condition, SuuupraPlatformStatus
from suuupra_operator.writer import Writer, now


@dataclass
class PlatformReconciler:
    """Reconciles the SuuupraPlatform."""

    primaries: Primaries
    backends: Backends
    writer: Writer
    recorder: Recorder
    policies: PolicyProbe
    _configured: tuple[str, int] | None = None

    async def reconcile(self) -> Outcome:
        """Bring the operator in line with the platform, and its status with what is so."""
        obj = self.primaries.get(PLATFORM_KEY)
        if obj is None:
            self._configured = None
            return Outcome()
        if obj["metadata"].get("deletionTimestamp"):
            return await self._leave(obj)
        try:
            spec = platform_spec_of(obj)
        except InvalidSpec as error:
            await self._say(obj, [Finding("Accepted", False, error.reason, str(error))])
            return Outcome()
        obj = await self.writer.add_finalizer(obj)
        incarnation = obj["metadata"]["uid"], obj["metadata"]["generation"]
        if incarnation != self._configured:
            await self.backends.configure(spec)
            await self.backends.refresh()
            self._configured = incarnation
            self.primaries.enqueue_all()
        await self._say(obj, self.backends.findings())
        return Outcome()

    async def reconfigure(self) -> None:
        """Read the admin Secrets again: a server that refuses us may have got a new password."""
        platform = self.primaries.platform()
        if platform is not None:
            await self.backends.configure(platform)

    async def _leave(self, obj: Object) -> Outcome:
        """The platform stays until the last service is gone: without it nothing could be reclaimed."""
        services = [item["metadata"]["name"] for item in self.primaries.services()]
        services += [item["metadata"]["name"] for item in self.primaries.rails()]
        released = obj["metadata"].get("annotations", {}).get(RELEASE) == "true"
        if not services or released:
            await self.writer.remove_finalizer(obj)
            return Outcome()
        names = ", ".join(sorted(services)[:10])
        text = f"waits until its services and rails are gone: {names}. To let go at once: annotate {RELEASE}=true"
        await self._say(obj, [Finding("Deleted", False, "InUse", text)])
        return Outcome()

    async def _say(self, obj: Object, findings: list[Finding]) -> None:
        previous = [Condition.model_validate(c) for c in obj.get("status", {}).get("conditions", [])]
        generation = obj["metadata"]["generation"]
        composed = conditions.compose(findings, previous, generation, now())
        enforced = conditions.compose([self.policies.finding()], previous, generation, now())[1]
        services = list(self.primaries.services())
        status = SuuupraPlatformStatus(
            observed_generation=generation,
            conditions=[*composed, enforced],
            services=len(services),
            ready_services=sum(map(is_ready, services)),
        )
        await self.writer.status(obj, status)
        known = {(c.type, c.status) for c in previous}
        for finding in findings:
            if not finding.ok and (finding.type, "False") not in known:
                await self.recorder.post(obj, "Warning", finding.reason, f"{finding.type}: {finding.message}")
