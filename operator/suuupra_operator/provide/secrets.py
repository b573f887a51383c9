"""A resource's place in the secret store: its policy and its role, put right when somebody changed them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from suuupra_operator import metrics
from suuupra_operator.conditions import Finding
from suuupra_operator.desired.access import name_of, policy, role, same_role
from suuupra_operator.desired.subject import Subject, digest
from suuupra_operator.errors import ServerMissing
from suuupra_operator.vault import Vault

TYPE = "SecretsReady"


@dataclass(frozen=True)
class Provided:
    """What was found, and what somebody had changed."""

    finding: Finding
    corrected: list[str]
    access: str
    """Digest of policy and role as they are wanted: what differs while this does not was changed by hand."""


class SecretsProvider:
    """Places of services in the secret store."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def plan(self, subject: Subject) -> str:
        """The name to claim; refused where the platform has no store."""
        if subject.platform.secret_store is None:
            text = "the platform names no secret store: set spec.secretStore of the platform"
            raise ServerMissing("SecretStore", text)
        self._vault.known()
        return subject.name

    async def provide(self, subject: Subject, granted: Iterable[str], before: str) -> Provided:
        """Policy first: a role without one would log pods in to nothing."""
        name, paths = name_of(subject.name), sorted(set(granted))
        text, wanted = policy(subject.name, paths), role(subject)
        corrected: list[str] = []
        if self._vault.known().policies.get(name) != text:
            corrected.append(f"policy {name}")
            await self._vault.put_policy(name, text)
        if not same_role(self._vault.known().roles.get(name), wanted):
            corrected.append(f"role {name}")
            await self._vault.put_role(name, wanted)
        access = digest(text, dict(wanted))
        corrected = corrected if access == before else []
        for what in corrected:
            metrics.DRIFT.labels(f"OpenBao{what.partition(' ')[0].capitalize()}").inc()
        return Provided(Finding(TYPE, True, "Provided", _told(subject.name, paths)), corrected, access)

    async def withdraw(self, name: str) -> None:
        """Nobody gets in any more. What is stored stays."""
        known = self._vault.known()
        if name_of(name) in known.roles:
            await self._vault.delete_role(name_of(name))
        if name_of(name) in known.policies:
            await self._vault.delete_policy(name_of(name))


def _told(name: str, granted: list[str]) -> str:
    others = f", and may read {', '.join(granted)}" if granted else ""
    return f"pods log in as {name_of(name)} and own {name}/{others}"
