"""Buckets of a service, and one user that may use them and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from suuupra_operator.buckets import Buckets, policy_of, same_policy, user_of
from suuupra_operator.children import Children
from suuupra_operator.conditions import Finding
from suuupra_operator.desired.environment import buckets, objects_secret
from suuupra_operator.desired.secrets import kept, objects_key
from suuupra_operator.desired.subject import Subject, digest
from suuupra_operator.kinds import SECRET

TYPE = "BucketsReady"


@dataclass(frozen=True)
class Provided:
    """Digest of what pods read from the Secret."""

    finding: Finding
    secrets: str


class ObjectsProvider:
    """Buckets of services."""

    def __init__(self, store: Buckets, children: Children) -> None:
        self._store, self._children = store, children

    def plan(self, subject: Subject, lost: dict[str, str]) -> list[str]:
        """The buckets to claim."""
        self._store.known()
        return sorted(name for name in buckets(subject).values() if name not in lost)

    async def provide(self, subject: Subject, names: list[str], lost: dict[str, str]) -> Provided:
        """Buckets, user, policy, key, Secret."""
        user = user_of(subject.namespace, subject.name)
        for name in names:
            if name not in self._store.known().buckets:
                await self._store.create_bucket(name)
        if user not in self._store.known().users:
            await self._store.create_user(user)
        policy = policy_of(names)
        if not same_policy(self._store.known().users[user].policy, policy):
            await self._store.put_policy(user, policy)
        access, secret = await self._key(subject, user)
        await self._children.ensure(subject, [objects_key(subject, access, secret)])
        stale = self._store.known().users[user].keys - {access}
        if stale:
            await self._store.delete_keys(user, sorted(stale))
        return Provided(_finding(subject, names, lost), digest(access))

    async def _key(self, subject: Subject, user: str) -> tuple[str, str]:
        """The key of the Secret while the store knows it, else a new one."""
        live = self._children.cache.get(SECRET, subject.namespace, objects_secret(subject))
        held = kept(live or {})
        if held.get("secretKey") and held.get("accessKey") in self._store.known().users[user].keys:
            return held["accessKey"], held["secretKey"]
        return await self._store.new_key(user)


def _finding(subject: Subject, names: list[str], lost: dict[str, str]) -> Finding:
    if lost:
        fields = {name: f"buckets[{index}].name" for index, name in enumerate(buckets(subject).values())}
        text = "; ".join(
            f"{fields.get(name, 'buckets')}: bucket {name} belongs to resource {holder}: choose another name"
            for name, holder in lost.items()
        )
        return Finding(TYPE, False, "ResourceConflict", text)
    return Finding(TYPE, True, "Provided", f"buckets {', '.join(names)}")
