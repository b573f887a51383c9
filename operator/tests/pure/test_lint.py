"""O6: the lint refuses what pods of the version before would not survive, and lets the rest through."""

from __future__ import annotations

from pathlib import Path

import pytest
from suuupra_operator import lint

REFUSED = {
    "alter table a add column b text not null": "adding-required-field",
    "alter table a alter column b set not null": "adding-not-nullable-field",
    "alter table a drop column b": "ban-drop-column",
    "alter table a rename column b to c": "renaming-column",
    "alter table a alter column b type bigint": "changing-column-type",
    "alter table a alter column b drop default": "ban-drop-default",
    "alter table a drop constraint b": "ban-drop-constraint",
    "alter table a set schema other": "ban-set-schema",
    "alter table a add constraint b check (c > 1) not valid": "ban-new-write-restriction",
    "alter table a add column b text, add unique (b)": "ban-new-write-restriction",
    "create unique index a_b on a (b)": "ban-new-write-restriction",
    "alter table a enable row level security": "ban-alter-row-level-security",
    "alter table a disable trigger b": "ban-disable-trigger",
    "alter view a rename to b": "renaming-object",
    "alter type a rename value 'b' to 'c'": "renaming-object",
    "drop table a": "ban-drop-table",
    "drop view a": "ban-drop-view",
    "drop materialized view a": "ban-drop-view",
    "drop schema a cascade": "ban-drop-schema",
    "drop type a": "ban-drop-type",
    "drop function a()": "ban-drop-function",
    "drop procedure a()": "ban-drop-function",
    "drop sequence a": "ban-drop-sequence",
    "drop index a": "ban-drop-index",
    "drop trigger a on b": "ban-drop-trigger",
    "drop extension a": "ban-drop-extension",
    "revoke select on a from b": "ban-revoke",
    "alter default privileges in schema a revoke select on tables from b": "ban-revoke",
    "do $$ begin drop table a; end $$": "unjudgeable",
    "DO language plpgsql $x$ begin execute 'drop table a'; end $x$": "unjudgeable",
    "call a()": "unjudgeable",
    "execute a": "unjudgeable",
}
PASSED = [
    "",
    "create table a (id bigint primary key, b text unique check (b <> ''))",
    "create table a (id bigint primary key); create unique index a_b on a (b); alter table a add check (id > 1)",
    "create index a_b on a (b)",
    "alter table a add column b text",
    "alter table a add column b text not null default 'drop table a; do $$'",
    "alter table a add column b text check (b <> '')",
    "alter table a alter column b drop not null",
    "alter table a alter column b set default 1",
    "alter type a add value 'b' after 'c'",
    "create function a() returns trigger language plpgsql as $$ begin; do; call b(); end $$",
    "insert into a values ('it''s'); -- it''s; do it",
    "insert into a values (1) on conflict do nothing",
    "comment on column a.b is E'it\\'s; do what you want'",
    "/* first;\ndo this */ update a set b = 1",
    "-- squawk-ignore ban-drop-index\ndrop index a",
    "-- plain, and no query names it\n-- squawk-ignore ban-drop-index, ban-drop-constraint\ndrop index a",
    "-- squawk-ignore unjudgeable\ndo $$ begin null; end $$",
]


def _judged(folder: Path, sql: str) -> list[str]:
    file = folder / "migration.sql"
    file.write_text(f"{sql};\n" if sql else "")
    return lint.judge(file)


@pytest.mark.parametrize("sql", REFUSED)
def test_o6_lint_refuses_what_breaks_old_pods_and_says_what_to_do(tmp_path: Path, sql: str) -> None:
    found = _judged(tmp_path, f"create table fresh (id bigint primary key);\n{sql}")
    fix = lint.BREAKING.get(REFUSED[sql], "Write its statements out.")
    assert any(line.startswith("line 2: ") and line.endswith(f"({REFUSED[sql]}) {fix}") for line in found)


@pytest.mark.parametrize("sql", PASSED)
def test_o6_lint_lets_through_what_old_pods_survive(tmp_path: Path, sql: str) -> None:
    assert _judged(tmp_path, sql) == []


def test_o6_what_is_known_to_be_safe_is_so_for_one_statement(tmp_path: Path) -> None:
    block = "do $$ begin null; end $$"
    found = _judged(tmp_path, f"-- squawk-ignore unjudgeable\n{block};\n{block}")
    assert [line[:6] for line in found] == ["line 3"]
