"""What a resource gets outside its own pods: database, topics, buckets, secrets, mail, cache.

First it is decided what it may have, and written down; then each part is made by itself, so that one server that is down
holds up only its own part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from suuupra_operator.backends import Backends
from suuupra_operator.children import Children
from suuupra_operator.claims import Claim
from suuupra_operator.conditions import Finding
from suuupra_operator.desired.access import grants
from suuupra_operator.desired.subject import Subject, digest
from suuupra_operator.desired.topics import published
from suuupra_operator.errors import Conflict
from suuupra_operator.events import Recorder
from suuupra_operator.primaries import InvalidSpec, Primaries, key_of, spec_of
from suuupra_operator.provide.cache import TYPE as CACHE
from suuupra_operator.provide.cache import CacheProvider
from suuupra_operator.provide.database import DatabaseProvider, refusal
from suuupra_operator.provide.database import Provided as ProvidedDatabase
from suuupra_operator.provide.objects import ObjectsProvider
from suuupra_operator.provide.objects import Provided as ProvidedObjects
from suuupra_operator.provide.secrets import SecretsProvider
from suuupra_operator.provide.topics import TYPE as TOPICS
from suuupra_operator.provide.topics import Plan, TopicProvider
from suuupra_operator.round import Round
from suuupra_operator.status import Claims
from suuupra_operator.writer import Writer


class Missing(NamedTuple):
    """A part that is not there yet, as a condition and as a sentence say it."""

    reason: str
    words: str


@dataclass
class Plans:
    """What the resource may have."""

    database: str = ""
    topics: Plan | None = None
    buckets: list[str] | None = None
    secrets: str = ""
    cache: str = ""


@dataclass
class Made:
    """What is there."""

    database: ProvidedDatabase | None = None
    objects: ProvidedObjects | None = None
    secrets: bool = False
    """The way to them is there, or was when it was last seen: pods keep what they have read."""
    cache: str | None = None
    """Digest of what pods read from their Secret."""

    def digest(self) -> str:
        """Changes when pods must start anew to read what they were given."""
        read = [self.database.secrets if self.database else "", self.objects.secrets if self.objects else ""]
        return digest(*read, *([self.cache] if self.cache else []))

    def missing(self, subject: Subject) -> Missing | None:
        """The first part that pods cannot do without."""
        spec = subject.spec
        if spec.database is not None and self.database is None:
            return Missing("Database", "database is")
        if spec.buckets and self.objects is None:
            return Missing("Buckets", "buckets are")
        if spec.secrets is not None and not self.secrets:
            return Missing("Secrets", "way to their secrets is")
        if spec.cache and self.cache is None:
            return Missing("Cache", "cache is")
        if spec.mail and subject.platform.mail is None:
            return Missing("Mail", "mail server is")
        return None


class Provision:
    """Provides for services."""

    def __init__(
        self,
        primaries: Primaries,
        children: Children,
        backends: Backends,
        writer: Writer,
        recorder: Recorder,
    ) -> None:
        self._primaries, self._children, self._backends = primaries, children, backends
        self._writer, self._recorder = writer, recorder
        self.databases = DatabaseProvider(backends.databases, children)
        self._topics = TopicProvider(backends.bus)
        self._objects = ObjectsProvider(backends.store, children)
        self._secrets = SecretsProvider(backends.vault)
        self._cache = CacheProvider(backends.valkey, children)

    async def run(self, run: Round) -> Made:
        """Claim, then make."""
        plans = await self._claims(run)
        made = Made()
        if plans.database:
            made.database = await self._database(run)
        if plans.topics is not None:
            await self._provide_topics(run, plans.topics)
        if plans.buckets is not None:
            made.objects = await self._buckets(run, plans.buckets)
        if plans.secrets:
            await self._provide_secrets(run)
        made.secrets = any(finding.type == "SecretsReady" and finding.ok for finding in run.findings)
        if plans.cache:
            await self._provide_cache(run)
        if any(finding.type == CACHE and finding.ok for finding in run.findings):
            made.cache = self._cache.seen(run.subject)
        if run.subject.spec.mail:
            run.found(_mail(run.subject))
        return made

    async def _claims(self, run: Round) -> Plans:
        """Decide what the resource may have, and write it down before anything is made."""
        plans, spec = Plans(), run.subject.spec
        for name, holder in run.lost.get("database", {}).items():
            text = refusal(name, f"belongs to resource {holder}")
            run.found(Finding("DatabaseReady", False, "ResourceConflict", text))
        if run.subject.database and not run.lost.get("database"):
            planned = await run.attempt("DatabaseReady", self.databases.plan(run.subject, run.status))
            plans.database = planned or ""
        if spec.events is not None or run.status.claims.topics:
            plans.topics = await run.attempt(TOPICS, self._plan_topics(run))
        if spec.buckets:
            plans.buckets = await run.attempt("BucketsReady", self._plan_buckets(run))
        if spec.secrets is not None:
            plans.secrets = await run.attempt("SecretsReady", self._plan_secrets(run)) or ""
        elif run.status.claims.secrets:
            await run.attempt("SecretsReady", self._withdraw(run))
        if spec.cache:
            plans.cache = await run.attempt(CACHE, self._plan_cache(run)) or ""
        elif run.status.claims.cache:
            await run.attempt(CACHE, self._withdraw_cache(run))
        await self._claim(run, plans)
        return plans

    async def _claim(self, run: Round, plans: Plans) -> None:
        """What was made stays claimed until it is dealt with, or another has it: then it is no longer this one's."""
        old, plan = run.status.claims, plans.topics
        forfeited = bool(old.database) and self.databases.forfeited(run.subject, old.database)
        claims = Claims(
            database=plans.database or ("" if forfeited else old.database),
            topics=sorted({*plan.claims, *plan.delete}) if plan is not None else old.topics,
            buckets=sorted({*self._still(run, "bucket", old.buckets), *(plans.buckets or [])}),
            secrets=plans.secrets or old.secrets,
            cache=plans.cache or old.cache,
        )
        if claims != old:
            run.status = run.status.model_copy(update={"claims": claims})
            run.obj = await self._writer.status(run.obj, run.status)

    async def _plan_topics(self, run: Round) -> Plan:
        claimed, bus = run.status.claims.topics, self._backends.bus
        if bus.topics is not None and any(t.name not in claimed for t in published(run.subject)):
            await bus.refresh()  # a first claim is decided on a fresh read
        lost, settled = run.lost.get("topic", {}), run.held("TopicsReady")
        moved = {*claimed} - {*self._still(run, "topic", claimed)}
        return self._topics.plan(run.subject, run.status, lost, settled=settled, moved=moved)

    def _still(self, run: Round, kind: str, names: list[str]) -> list[str]:
        """Of what the resource had, what no other holds by now."""
        key, claims = key_of(run.obj), self._primaries.claims
        return [name for name in names if claims.holder(Claim(kind, name)) in (None, key)]

    async def _plan_buckets(self, run: Round) -> list[str]:
        return self._objects.plan(run.subject, run.lost.get("bucket", {}))

    async def _plan_secrets(self, run: Round) -> str:
        for name, holder in run.lost.get("secrets", {}).items():
            text = f"the secrets below {name}/ belong to resource {holder}"
            raise Conflict(f"secrets: {text}: they go by the resource's name, so give this one another")
        return self._secrets.plan(run.subject)

    async def _withdraw(self, run: Round) -> None:
        """The resource no longer asks for secrets: nobody gets at them, and they stay. A namesake keeps its own way."""
        for name in self._still(run, "secrets", [run.status.claims.secrets]):
            await self._secrets.withdraw(name)
        claims = run.status.claims.model_copy(update={"secrets": ""})
        run.status = run.status.model_copy(update={"claims": claims, "access": ""})
        run.obj = await self._writer.status(run.obj, run.status)

    async def _database(self, run: Round) -> ProvidedDatabase | None:
        made = await run.attempt("DatabaseReady", self.databases.provide(run.subject, run.status))
        if made is not None:
            run.found(made.finding)
            run.corrected += made.corrected
            if made.rotated:
                text = f"pods move to login {made.login}; the old one stays until all have"
                await self._recorder.post(run.obj, "Normal", "PasswordRotated", text)
        return made

    async def _provide_topics(self, run: Round, plan: Plan) -> None:
        finding = await run.attempt(TOPICS, self._topics.provide(run.subject, plan))
        if finding is not None:
            run.found(finding)
            run.corrected += [f"topic {name}" for name in plan.drifted]

    async def _buckets(self, run: Round, names: list[str]) -> ProvidedObjects | None:
        lost = run.lost.get("bucket", {})
        made = await run.attempt("BucketsReady", self._objects.provide(run.subject, names, lost))
        if made is not None:
            run.found(made.finding)
        return made

    async def _provide_secrets(self, run: Round) -> None:
        provide = self._secrets.provide(run.subject, self._granted(run), run.status.access)
        made = await run.attempt("SecretsReady", provide)
        if made is not None:
            run.found(made.finding)
            run.corrected += made.corrected
            run.status = run.status.model_copy(update={"access": made.access})

    def _granted(self, run: Round) -> list[str]:
        """What others let this resource read: only those whose secrets are their own."""
        found: list[str] = []
        for obj in self._primaries.services():
            key = key_of(obj)
            if key.namespace != run.subject.namespace or key.name == run.subject.name:
                continue
            if self._primaries.claims.holder(Claim("secrets", key.name)) != key:
                continue
            try:
                found += grants(key.name, spec_of(obj), run.subject.name)
            except InvalidSpec:
                continue
        return found

    async def _plan_cache(self, run: Round) -> str:
        return self._cache.plan(run.subject)

    async def _provide_cache(self, run: Round) -> None:
        made = await run.attempt(CACHE, self._cache.provide(run.subject, run.status.cache))
        if made is not None:
            run.found(made.finding)
            run.corrected += made.corrected
            run.status = run.status.model_copy(update={"cache": made.user})

    async def _withdraw_cache(self, run: Round) -> None:
        """The resource no longer asks for Valkey: its user and what it kept there go."""
        await self._cache.withdraw(run.status.claims.cache)
        claims = run.status.claims.model_copy(update={"cache": ""})
        run.status = run.status.model_copy(update={"claims": claims, "cache": ""})
        run.obj = await self._writer.status(run.obj, run.status)


def _mail(subject: Subject) -> Finding:
    server = subject.platform.mail
    if server is None:
        text = "the platform names no mail server: set spec.mail of the platform"
        return Finding("MailReady", False, "MailServerMissing", text)
    return Finding("MailReady", True, "Provided", f"mail goes to {server.host}:{server.port}")
