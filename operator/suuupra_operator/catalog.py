"""What PostgreSQL holds, in one bulk read, and what must be said to it so that a service has its database: pure.

Per database D: D_owner (NOLOGIN, owns), D_app (NOLOGIN, holds the grants), D_app_a and D_app_b (logins of the pods,
one in use, the other for the next rotation), D_migrate (login of the migration Job; its sessions act as D_owner).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from suuupra_operator import scram

Statement = sql.Composed
CONNECT, EVERYTHING = "CONNECT", "CONNECT CREATE TEMPORARY"
"""Rights to a database, as the bulk read tells them."""

READ = """
select json_build_object(
  'roles', (select coalesce(json_agg(json_build_object(
      'name', r.rolname, 'login', r.rolcanlogin,
      'plain', not (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls),
      'unlimited', r.rolconnlimit = -1 and coalesce(r.rolvaliduntil, 'infinity') = 'infinity',
      'config', coalesce(r.rolconfig, '{{}}'), 'verifier', {verifier},
      'member_of', (select coalesce(json_agg(g.rolname order by g.rolname), '[]')
                    from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid))), '[]')
    from pg_roles r {join} where r.rolname !~ '^pg_'),
  'databases', (select coalesce(json_agg(json_build_object(
      'name', d.datname, 'oid', d.oid::bigint, 'owner', pg_get_userbyid(d.datdba),
      'admits', d.datallowconn and d.datconnlimit = -1 and not d.datistemplate,
      'granted', (select coalesce(json_object_agg(coalesce(g.rolname::text, ''), a.rights), '{{}}')
                  from (select grantee, string_agg(distinct privilege_type, ' ' order by privilege_type)
                               || case when bool_or(is_grantable) then ' *' else '' end as rights
                        from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) group by grantee) a
                  left join pg_roles g on g.oid = a.grantee),
      'comment', coalesce(shobj_description(d.oid, 'pg_database'), ''))), '[]')
    from pg_database d where d.datname not in ('template0', 'template1')))
"""


@dataclass(frozen=True)
class Role:
    login: bool
    plain: bool
    """Without any of the attributes that lead to more rights."""
    config: tuple[str, ...]
    verifier: str | None
    """None when this account may not read verifiers; "" when there is none."""
    member_of: frozenset[str]
    unlimited: bool = True
    """No day on which its password ends, no number of connections that it may have."""


@dataclass(frozen=True)
class Database:
    oid: int
    owner: str
    granted: Mapping[str, str]
    """Rights by role, in the order of the alphabet, then a star if any may be passed on; PUBLIC's under ""."""
    comment: str
    admits: bool = True
    """Lets in whoever has the right, however many, and is nobody's template."""

    def anothers(self, resource: str) -> bool:
        """Whether the note names another resource: then a status that claims the database is out of date."""
        return bool(self.note().get("resource", resource) != resource)

    def note(self) -> dict[str, Any]:
        """What the operator wrote into the comment; empty when the database is not its own."""
        try:
            found = json.loads(self.comment)
        except ValueError:
            return {}
        note = found.get("suuupra.io") if isinstance(found, dict) else None
        return note if isinstance(note, dict) else {}


@dataclass(frozen=True)
class Catalog:
    """All roles and databases of the server."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    databases: Mapping[str, Database] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Catalog:
        roles = {
            item["name"]: Role(
                item["login"],
                item["plain"],
                tuple(item["config"]),
                item["verifier"],
                frozenset(item["member_of"]),
                item["unlimited"],
            )
            for item in row["roles"]
        }
        databases = {
            item["name"]: Database(
                item["oid"], item["owner"], item["granted"], item["comment"], item["admits"]
            )
            for item in row["databases"]
        }
        return cls(roles, databases)


@dataclass(frozen=True)
class Names:
    """The roles of one database."""

    database: str

    @property
    def owner(self) -> str:
        return f"{self.database}_owner"

    @property
    def app(self) -> str:
        return f"{self.database}_app"

    @property
    def logins(self) -> tuple[str, str]:
        return f"{self.database}_app_a", f"{self.database}_app_b"

    @property
    def migrate(self) -> str:
        return f"{self.database}_migrate"

    @property
    def all(self) -> tuple[str, ...]:
        """Members before the roles they belong to, so that they can be dropped in this order."""
        return (*self.logins, self.migrate, self.app, self.owner)

    def other(self, login: str) -> str:
        """The login whose turn it is after ``login``."""
        a, b = self.logins
        return b if login == a else a

    def belongs_to(self, role: str) -> frozenset[str]:
        """The roles that ``role`` is a member of."""
        if role in self.logins:
            return frozenset({self.app})
        return frozenset({self.owner}) if role == self.migrate else frozenset()


def read(*, verifiers: bool) -> str:
    """The bulk read; ``verifiers`` only for an account that may read pg_authid."""
    if not verifiers:
        return READ.format(verifier="null", join="")
    return READ.format(verifier="coalesce(a.rolpassword, '')", join="join pg_authid a on a.oid = r.oid")


def role_statements(catalog: Catalog, names: Names, passwords: Mapping[str, str]) -> list[Statement]:
    """What brings the roles into shape; ``passwords`` by login that may be used. Empty when nothing differs.

    A login that is neither in ``passwords`` nor able to log in is left alone; one that still can is the old one of a
    rotation and is retired by `retire_statements` when nobody uses it any more.
    """
    found: list[Statement] = []
    for role in reversed(names.all):
        found += _role(catalog, names, role, passwords.get(role))
    return found


def _role(catalog: Catalog, names: Names, name: str, password: str | None) -> list[Statement]:
    live, ident = catalog.roles.get(name), sql.Identifier(name)
    wanted_groups = names.belongs_to(name)
    found: list[Statement] = []
    if live is None:
        attributes = sql.SQL("NOLOGIN") if password is None else _login(password)
        found.append(sql.SQL("CREATE ROLE {} {}").format(ident, attributes))
    else:
        found += _attributes(live, names, name, password)
    groups = live.member_of if live else frozenset[str]()
    found += [_membership("GRANT {} TO {}", group, name) for group in sorted(wanted_groups - groups)]
    found += [_membership("REVOKE {} FROM {}", group, name) for group in sorted(groups - wanted_groups)]
    return found + _settings(live, names, name)


def _settings(live: Role | None, names: Names, name: str) -> list[Statement]:
    """None but the migration's, whose sessions act as the owner: a setting can end a service as well as a limit can."""
    ident, wanted = sql.Identifier(name), (f"role={names.owner}",) if name == names.migrate else ()
    config = live.config if live else ()
    if config == wanted:
        return []
    found = [sql.SQL("ALTER ROLE {} RESET ALL").format(ident)] if config else []
    if wanted:
        found.append(sql.SQL("ALTER ROLE {} SET role = {}").format(ident, sql.Literal(names.owner)))
    return found


def _attributes(live: Role, names: Names, name: str, password: str | None) -> list[Statement]:
    ident = sql.Identifier(name)
    found: list[Statement] = []
    if not live.plain:
        found.append(
            sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS").format(
                ident
            )
        )
    if not live.unlimited:
        found.append(sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1 VALID UNTIL 'infinity'").format(ident))
    if password is not None and not (live.login and _known(live, password)):
        found.append(sql.SQL("ALTER ROLE {} {}").format(ident, _login(password)))
    if name in (names.owner, names.app) and live.login:
        found.append(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(ident))
    return found


def _known(live: Role, password: str) -> bool:
    """Whether the stored verifier is the password's; taken as true where verifiers cannot be read."""
    return live.verifier is None or scram.matches(live.verifier, password)


def _login(password: str) -> sql.Composed:
    return sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(scram.verifier(password)))


def _membership(form: str, group: str, member: str) -> Statement:
    return sql.SQL(form).format(sql.Identifier(group), sql.Identifier(member))


def retire_statements(catalog: Catalog, names: Names, keep: frozenset[str]) -> list[Statement]:
    """Take the right to log in from every login that is not in ``keep``."""
    gone = [name for name in (*names.logins, names.migrate) if name not in keep]
    return [
        sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(name))
        for name in gone
        if name in catalog.roles and catalog.roles[name].login
    ]


def access_statements(live: Database, database: str, names: Names) -> list[Statement]:
    """Owner and access of an existing database: open to its owner and, to CONNECT, the application; to nobody else."""
    ident, found = sql.Identifier(database), list[Statement]()
    if not live.admits:
        form = "ALTER DATABASE {} ALLOW_CONNECTIONS true CONNECTION LIMIT -1 IS_TEMPLATE false"
        found.append(sql.SQL(form).format(ident))
    if live.owner != names.owner:
        found.append(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(ident, sql.Identifier(names.owner)))
    revoke, grant = "REVOKE ALL ON DATABASE {} FROM {} CASCADE", "GRANT {} ON DATABASE {} TO {}"
    app = live.granted.get(names.app)
    for role in sorted(live.granted):
        # What a former owner had went over to the new one.
        if role not in (live.owner, names.owner) and not (role == names.app and app == CONNECT):
            whose = sql.Identifier(role) if role else sql.SQL("PUBLIC")
            found.append(sql.SQL(revoke).format(ident, whose))
    if not live.granted.get(names.owner, "").startswith(EVERYTHING):
        found.append(sql.SQL(grant).format(sql.SQL("ALL"), ident, sql.Identifier(names.owner)))
    if app != CONNECT:
        found.append(sql.SQL(grant).format(sql.SQL(CONNECT), ident, sql.Identifier(names.app)))
    return found


def note(owner: str, extensions: Iterable[str]) -> dict[str, Any]:
    """What the comment of a prepared database says. ``privileges`` counts up when the set of grants changes."""
    return {"resource": owner, "privileges": 1, "extensions": sorted(extensions)}


def prepare_statements(
    database: str, names: Names, live_note: Mapping[str, Any], wanted: Mapping[str, Any]
) -> list[Statement]:
    """What must be run inside the database, in one transaction, to get from one note to the other.

    Privileges are given once: what a migration revokes later stays revoked.
    """
    owner, app = sql.Identifier(names.owner), sql.Identifier(names.app)
    missing = [name for name in wanted["extensions"] if name not in live_note.get("extensions", [])]
    found = [
        sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(n)) for n in missing
    ]
    if live_note.get("privileges") != wanted["privileges"]:
        grant = "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT "
        found += [
            sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner),
            sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC").format(),
            sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(app),
            sql.SQL(grant + "SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}").format(owner, app),
            sql.SQL(grant + "USAGE, SELECT ON SEQUENCES TO {}").format(owner, app),
        ]
    comment = sql.Literal(json.dumps({"suuupra.io": wanted}, sort_keys=True))
    return [*found, sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), comment)]
