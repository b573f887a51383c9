"""Logins, roles and databases: what PostgreSQL must be told, given what it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suuupra_operator import catalog, scram
from suuupra_operator.catalog import Catalog, Database, Names, Role
from suuupra_operator.provide.database import Login, choose

A, B = frozenset({"shop_app_a"}), frozenset({"shop_app_b"})
"""Logins that can still log in."""


def test_o5_rotation_alternates_and_is_done_once() -> None:
    names = Names("shop")
    first = choose(names, {}, False, "", frozenset())
    assert (first.name, first.fresh) == ("shop_app_a", True)
    held = {"username": "shop_app_a", "password": "secret"}
    assert choose(names, held, False, "shop_app_a", A).fresh is False
    assert choose(names, held, True, "shop_app_a", A).name == "shop_app_b"


def test_o5_a_lost_secret_does_not_touch_the_login_in_use() -> None:
    assert choose(Names("shop"), {}, False, "shop_app_a", A).name == "shop_app_b"
    made_before_its_secret = A | B
    assert choose(Names("shop"), {}, False, "shop_app_a", made_before_its_secret).name == "shop_app_b"


def test_o5_a_rotation_waits_for_the_rollout_of_the_last_whose_old_pods_still_log_in() -> None:
    names, held = Names("shop"), {"username": "shop_app_b", "password": "secret"}
    assert choose(names, held, True, "shop_app_b", A | B) == Login("shop_app_b", "secret", fresh=False)
    assert choose(names, held, True, "shop_app_b", B).name == "shop_app_a"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40))
def test_o5_a_verifier_matches_its_password_only(password: str) -> None:
    stored = scram.verifier(password)
    assert password not in stored or len(password) < 5
    assert scram.matches(stored, password)
    assert not scram.matches(stored, password + "x")


def _right(names: Names, passwords: dict[str, str]) -> Catalog:
    def role(name: str) -> Role:
        config = (f"role={names.owner}",) if name == names.migrate else ()
        known = scram.verifier(passwords[name]) if name in passwords else ""
        return Role(name in passwords, True, config, known, names.belongs_to(name))

    return Catalog({name: role(name) for name in names.all}, {})


def test_o3_roles_that_are_right_need_no_statement() -> None:
    names, passwords = Names("shop"), {"shop_app_a": "one", "shop_migrate": "two"}
    assert catalog.role_statements(_right(names, passwords), names, passwords) == []


def test_o1_every_change_to_a_role_is_answered() -> None:
    names, passwords = Names("shop"), {"shop_app_a": "one", "shop_migrate": "two"}
    right = _right(names, passwords)
    for name in names.all:
        role = right.roles[name]
        for wrong in (
            None,
            replace(role, plain=False),
            replace(role, unlimited=False),
            replace(role, config=(*role.config, "default_transaction_read_only=on")),
            replace(role, member_of=role.member_of | {"pg_read_all_data"}),
        ):
            roles = {key: value for key, value in right.roles.items() if key != name}
            changed = Catalog(roles | ({name: wrong} if wrong else {}), {})
            assert catalog.role_statements(changed, names, passwords), f"{name} {wrong}"


def test_o1_a_role_that_was_limited_or_set_is_as_it_was_made() -> None:
    names, right = Names("shop"), _right(Names("shop"), {})
    app, migrate = right.roles["shop_app"], right.roles["shop_migrate"]
    limited = {"shop_app": replace(app, unlimited=False, config=("search_path=elsewhere",))}
    readonly = {"shop_migrate": replace(migrate, config=("default_transaction_read_only=on",))}
    changed = Catalog({**right.roles, **limited, **readonly}, {})
    assert [statement.as_string(None) for statement in catalog.role_statements(changed, names, {})] == [
        """ALTER ROLE "shop_app" CONNECTION LIMIT -1 VALID UNTIL 'infinity'""",
        'ALTER ROLE "shop_app" RESET ALL',
        'ALTER ROLE "shop_migrate" RESET ALL',
        """ALTER ROLE "shop_migrate" SET role = 'shop_owner'""",
    ]


CLOSED = Database(1, "shop_owner", {"shop_owner": "CONNECT CREATE TEMPORARY", "shop_app": "CONNECT"}, "")


def _access(live: Database) -> list[str]:
    found = catalog.access_statements(live, "shop", Names("shop"))
    return [statement.as_string(None) for statement in found]


def test_o5_public_loses_its_rights_once() -> None:
    made = replace(CLOSED, granted={"": "CONNECT TEMPORARY", "shop_owner": "CONNECT CREATE TEMPORARY"})
    assert _access(made) == [
        'REVOKE ALL ON DATABASE "shop" FROM PUBLIC CASCADE',
        'GRANT CONNECT ON DATABASE "shop" TO "shop_app"',
    ]
    assert _access(CLOSED) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            replace(CLOSED, admits=False),
            ['ALTER DATABASE "shop" ALLOW_CONNECTIONS true CONNECTION LIMIT -1 IS_TEMPLATE false'],
        ),
        (
            replace(CLOSED, granted={**CLOSED.granted, "other_app": "CONNECT *"}),
            ['REVOKE ALL ON DATABASE "shop" FROM "other_app" CASCADE'],
        ),
        (
            replace(CLOSED, granted={**CLOSED.granted, "shop_app": "CONNECT CREATE"}),
            [
                'REVOKE ALL ON DATABASE "shop" FROM "shop_app" CASCADE',
                'GRANT CONNECT ON DATABASE "shop" TO "shop_app"',
            ],
        ),
        (
            replace(CLOSED, granted={"shop_app": "CONNECT"}),
            ['GRANT ALL ON DATABASE "shop" TO "shop_owner"'],
        ),
        (
            replace(CLOSED, owner="postgres", granted={"postgres": "CONNECT CREATE TEMPORARY"}),
            [
                'ALTER DATABASE "shop" OWNER TO "shop_owner"',
                'GRANT ALL ON DATABASE "shop" TO "shop_owner"',
                'GRANT CONNECT ON DATABASE "shop" TO "shop_app"',
            ],
        ),
    ],
)
def test_o1_every_change_to_who_gets_into_a_database_is_answered(changed: Database, said: list[str]) -> None:
    assert _access(changed) == said


def test_o1_an_owner_that_may_pass_its_rights_on_needs_no_statement() -> None:
    rights = {**CLOSED.granted, "shop_owner": "CONNECT CREATE TEMPORARY *"}
    assert _access(replace(CLOSED, granted=rights)) == []


def test_o5_privileges_are_never_given_again() -> None:
    names, wanted = Names("shop"), catalog.note("suuupra/shop", ["vector"])
    first = catalog.prepare_statements("shop", names, {}, wanted)
    later = catalog.prepare_statements("shop", names, catalog.note("suuupra/shop", []), wanted)
    assert sum("GRANT" in statement.as_string(None) for statement in first) == 3
    assert not any("GRANT" in statement.as_string(None) for statement in later)
