"""A database, its roles and its logins; rotation of the login that pods use."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from suuupra_operator import catalog, metrics, scram
from suuupra_operator.catalog import Catalog, Names
from suuupra_operator.children import Children
from suuupra_operator.claims import ADOPT, adopted
from suuupra_operator.cluster import Object
from suuupra_operator.conditions import Finding
from suuupra_operator.databases import Databases
from suuupra_operator.desired.environment import database_secret, migration_secret
from suuupra_operator.desired.secrets import database_login, kept, migration_login
from suuupra_operator.desired.subject import Subject, digest
from suuupra_operator.errors import Conflict
from suuupra_operator.kinds import SECRET
from suuupra_operator.status import SuuupraServiceStatus
from suuupra_operator.writes import Write

TYPE = "DatabaseReady"
ROTATE = "suuupra.io/rotate"
ROTATED = "suuupra.io/rotated"
"""On the Secret: the value of ROTATE that its login answers. Written with the login, so no rotation is done twice."""


@dataclass(frozen=True)
class Login:
    """A login and its password; ``fresh`` when PostgreSQL does not know it yet."""

    name: str
    password: str
    fresh: bool


@dataclass(frozen=True)
class Provided:
    """What the pods are to use."""

    finding: Finding
    login: str = ""
    rotation: str = ""
    secrets: str = ""
    """Digest of what pods read from the Secret."""
    oid: int = 0
    corrected: list[str] = field(default_factory=list)
    rotated: bool = False


def choose(names: Names, secret: dict[str, str], rotate: bool, last: str, in_use: frozenset[str]) -> Login:
    """Which login the pods use now. ``last`` is the login they were told to use when the Secret was last seen.

    A lost Secret is a rotation, too: pods that still run know the last login's password and nobody else does.
    A rotation that is asked for leaves alone a login of ``in_use``, with which pods of before a rollout may log in.
    """
    current, password = secret.get("username", ""), secret.get("password", "")
    if current in names.logins and password:
        if not rotate or names.other(current) in in_use:
            return Login(current, password, fresh=False)
        return Login(names.other(current), scram.new_password(), fresh=True)
    return Login(names.other(last) if last else names.logins[0], scram.new_password(), fresh=True)


def refusal(database: str, whose: str) -> str:
    """Why a database cannot be had, and both ways out: its name is fixed once the resource is there."""
    return (
        f"database {database} {whose}: make this resource anew with another database.name, "
        f"or annotate {ADOPT}={database} to take it over"
    )


class DatabaseProvider:
    """Databases of services."""

    def __init__(self, databases: Databases, children: Children) -> None:
        self._databases, self._children = databases, children

    async def plan(self, subject: Subject, status: SuuupraServiceStatus) -> str:
        """The database to claim; refuses one that is somebody else's. A first claim is decided on a fresh read."""
        if subject.database is None:
            return ""
        if status.claims.database != subject.database and self._databases.catalog is not None:
            await self._databases.refresh()
        live = self._databases.known().databases.get(subject.database)
        claimed = status.claims.database == subject.database
        if live is None or (claimed and not live.anothers(_me(subject))):
            return subject.database
        owner, names = live.note().get("resource"), adopted(subject.annotations)
        if owner != _me(subject) and subject.database not in names and "*" not in names:
            whose = f"exists and belongs to {owner}" if owner else "exists and was not made by the operator"
            raise Conflict(refusal(subject.database, whose))
        return subject.database

    def forfeited(self, subject: Subject, database: str) -> bool:
        """Whether its note says that another resource has taken over what this one had."""
        known = self._databases.catalog
        live = known.databases.get(database) if known is not None else None
        return live is not None and live.anothers(_me(subject))

    async def provide(self, subject: Subject, status: SuuupraServiceStatus) -> Provided:
        """Roles, database, extensions, Secrets."""
        names = Names(subject.database or "")
        before = self._databases.known()
        settled = status.database is not None and status.database.login != ""
        login, migrate, rotation = self._logins(subject, names, status)
        passwords = {login.name: login.password, names.migrate: migrate.password}
        corrected = await self._roles(names, passwords, fresh=login.fresh or migrate.fresh, settled=settled)
        corrected += await self._database(subject, names, settled=settled)
        await self._prepare(subject, names)
        corrected += await self._children.ensure(subject, self._secrets(subject, login, migrate, rotation))
        for what in corrected:
            if not what.startswith("Secret"):
                metrics.DRIFT.labels(f"Postgres{what.partition(' ')[0].capitalize()}").inc()
        database = self._databases.known().databases[names.database]
        return Provided(
            Finding(
                TYPE,
                True,
                "Provided",
                f"database {names.database}, login {login.name}{_put_off(subject, rotation)}",
            ),
            login=login.name,
            rotation=rotation,
            secrets=digest(
                login.name, login.password, subject.platform.postgres.host, subject.platform.postgres.port
            ),
            oid=database.oid,
            corrected=corrected,
            rotated=login.fresh and settled and bool(before.roles),
        )

    def retirable(self, subject: Subject, login: str) -> bool:
        """Whether an old login can still be used."""
        return bool(self._retiring(Names(subject.database or ""), login))

    async def retire(self, subject: Subject, login: str) -> None:
        """Nobody uses the old login any more: take it away."""
        await self._databases.run(Write.LOGIN_RETIRED, self._retiring(Names(subject.database or ""), login))

    def _retiring(self, names: Names, login: str) -> list[catalog.Statement]:
        return catalog.retire_statements(self._databases.known(), names, frozenset({login, names.migrate}))

    def _logins(
        self, subject: Subject, names: Names, status: SuuupraServiceStatus
    ) -> tuple[Login, Login, str]:
        """The pods' login and the migration's, and which rotation the first answers."""
        secret = self._children.cache.get(SECRET, subject.namespace, database_secret(subject))
        last = status.database.login if status.database is not None else ""
        handled = (secret or {}).get("metadata", {}).get("annotations", {}).get(ROTATED, "")
        wanted, roles = subject.annotations.get(ROTATE, ""), self._databases.known().roles
        in_use = frozenset(name for name in names.logins if name in roles and roles[name].login)
        login = choose(names, kept(secret or {}), bool(wanted) and wanted != handled, last, in_use)
        owner = kept(self._children.cache.get(SECRET, subject.namespace, migration_secret(subject)) or {})
        known = owner.get("username") == names.migrate and owner.get("password")
        rotation = wanted if login.fresh or not wanted else handled
        return login, Login(names.migrate, known or scram.new_password(), fresh=not known), rotation

    async def _roles(
        self, names: Names, passwords: dict[str, str], *, fresh: bool, settled: bool
    ) -> list[str]:
        known = self._databases.known()
        statements = catalog.role_statements(
            await self._probed(known, names, passwords, fresh), names, passwords
        )
        await self._databases.run(Write.LOGIN if fresh and settled else Write.ROLES, statements)
        return [f"role of {names.database}"] if statements and settled and not fresh else []

    async def _probed(self, known: Catalog, names: Names, passwords: dict[str, str], fresh: bool) -> Catalog:
        """Where verifiers cannot be read, a login that is refused counts as one whose password was changed."""
        roles = dict(known.roles)
        for name, password in passwords.items():
            role = roles.get(name)
            if fresh or role is None or not role.login or role.verifier is not None:
                continue
            if names.database not in known.databases:
                continue
            if not await self._databases.may_log_in(names.database, name, password):
                roles[name] = replace(role, login=False)
        if fresh:  # a new password is always set, also where the old one cannot be seen
            for name in passwords:
                role = roles.get(name)
                if role is not None and role.verifier is None:
                    roles[name] = replace(role, login=False)
        return Catalog(roles, known.databases)

    async def _database(self, subject: Subject, names: Names, *, settled: bool) -> list[str]:
        corrected: list[str] = []
        if names.database not in self._databases.known().databases:
            await self._databases.create_database(names.database, names)
            if settled:
                corrected.append(f"database {names.database}")
        live = self._databases.known().databases[names.database]
        statements = catalog.access_statements(live, names.database, names)
        await self._databases.run(Write.DATABASE_PREPARED, statements)
        prepared = live.note().get("privileges") is not None
        return [*corrected, *([f"database {names.database}"] if statements and settled and prepared else [])]

    async def _prepare(self, subject: Subject, names: Names) -> None:
        """Extensions and privileges inside the database; its comment says what was done."""
        live = self._databases.known().databases[names.database]
        extensions = list(subject.spec.database.extensions) if subject.spec.database else []
        wanted = catalog.note(_me(subject), extensions)
        wanted["extensions"] = sorted({*wanted["extensions"], *live.note().get("extensions", [])})
        if live.note() != wanted:
            statements = catalog.prepare_statements(names.database, names, live.note(), wanted)
            await self._databases.run(Write.DATABASE_PREPARED, statements, database=names.database)

    def _secrets(self, subject: Subject, login: Login, migrate: Login, rotation: str) -> list[Object]:
        pods = database_login(subject, login.name, login.password)
        pods["metadata"]["annotations"] = {ROTATED: rotation}
        return [pods, migration_login(subject, migrate.name, migrate.password)]


def pending(subject: Subject, rotation: str) -> bool:
    """Whether another rotation than that one has been asked for."""
    return subject.annotations.get(ROTATE, "") not in ("", rotation)


def _put_off(subject: Subject, rotation: str) -> str:
    if not pending(subject, rotation):
        return ""
    return (
        f"; rotation {subject.annotations[ROTATE]} waits until no pod uses the login of before the last one"
    )


def _me(subject: Subject) -> str:
    return f"{subject.namespace}/{subject.name}"
