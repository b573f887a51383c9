"""A resource's place in Valkey: its user and the Secret with its password, put right when somebody changed them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from suuupra_operator import metrics
from suuupra_operator.children import Children
from suuupra_operator.conditions import Finding
from suuupra_operator.desired import keyspace
from suuupra_operator.desired.environment import cache_secret
from suuupra_operator.desired.secrets import cache_login, kept
from suuupra_operator.desired.subject import Subject, digest
from suuupra_operator.errors import ServerMissing
from suuupra_operator.kinds import SECRET
from suuupra_operator.scram import new_password
from suuupra_operator.valkey import Valkey

TYPE = "CacheReady"


@dataclass(frozen=True)
class Provided:
    """What was found, and what somebody had changed."""

    finding: Finding
    corrected: list[str]
    user: str
    """Digest of the user as it is wanted: what differs while this does not was changed by hand."""


class CacheProvider:
    """Places of services in Valkey."""

    def __init__(self, valkey: Valkey, children: Children) -> None:
        self._valkey, self._children = valkey, children

    def plan(self, subject: Subject) -> str:
        """The user to claim; refused where the platform has no Valkey."""
        if subject.platform.valkey is None:
            raise ServerMissing("Valkey", "the platform names no Valkey: set spec.valkey of the platform")
        self._valkey.known()
        return keyspace.user_name(subject)

    async def provide(self, subject: Subject, before: str) -> Provided:
        """The Secret first: a password that nobody can read would be made anew for ever."""
        name, held = keyspace.user_name(subject), self._held(subject)
        password = held or new_password()
        url = _url(subject, name, password)
        corrected = await self._children.ensure(subject, [cache_login(subject, url, password)])
        wanted = keyspace.user(subject, password)
        said = digest(wanted.words())
        if self._valkey.known().get(name) != wanted:
            await self._valkey.put_user(name, wanted)
            if said == before:
                metrics.DRIFT.labels("ValkeyUser").inc()
                corrected = [*corrected, f"user {name} of Valkey"]
        text = f"pods log in as {name}, whose keys begin with {keyspace.prefix(subject)}"
        return Provided(Finding(TYPE, True, "Provided", text), corrected, said)

    def seen(self, subject: Subject) -> str | None:
        """Digest of what pods read from the Secret, whether Valkey answers or not; None where there is no Secret yet."""
        held = self._held(subject)
        return digest(_url(subject, keyspace.user_name(subject), held)) if held else None

    async def withdraw(self, name: str) -> None:
        """Nobody gets in any more, and what was kept below the prefix goes: nobody else could ever read it."""
        if name in self._valkey.known():
            await self._valkey.delete_user(name)
        await self._valkey.delete_below(f"{name}:")

    def _held(self, subject: Subject) -> str:
        live = self._children.cache.get(SECRET, subject.namespace, cache_secret(subject))
        return kept(live or {}).get("password", "")


def _url(subject: Subject, name: str, password: str) -> str:
    server = subject.platform.valkey
    address = f"{server.host}:{server.port}" if server is not None else ""
    return f"redis://{quote(name)}:{quote(password, safe='')}@{address}/0"
