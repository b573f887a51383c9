"""People, their choices, and the titles of courses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.notifications.contract import Category, Channel, Locale
from services.notifications.domain import locales
from services.notifications.domain.kinds import Chosen
from services.notifications.store.tables import CourseRow, PersonRow, PreferenceRow
from suuupra.db import Transaction


@dataclass(frozen=True, slots=True)
class Person:
    """Who is written to. Somebody whose user.created has not come yet has no address and no name."""

    user_id: UUID
    email: str | None = None
    name: str | None = None
    locale: Locale = locales.FALLBACK
    chosen_locale: Locale | None = None
    version: int = 0


_LEARN: Final = text("""
INSERT INTO person (user_id, email, name, locale, version) VALUES (:user_id, :email, :name, :locale, 1)
ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, name = excluded.name, locale = excluded.locale
""")
_KNOW: Final = text("INSERT INTO person (user_id, version) VALUES (:user_id, 0) ON CONFLICT DO NOTHING")
_CHOOSE: Final = text("""
INSERT INTO preference AS kept (user_id, category, channel, wanted) VALUES (:user_id, :category, :channel, :wanted)
ON CONFLICT (user_id, category, channel) DO UPDATE SET wanted = excluded.wanted
""")
_NAME_COURSE: Final = text("""
INSERT INTO course AS kept (course_id, title, slug, revision) VALUES (:course_id, :title, :slug, :revision)
ON CONFLICT (course_id) DO UPDATE SET title = excluded.title, slug = excluded.slug, revision = excluded.revision
    WHERE kept.revision < excluded.revision
""")


async def learn(tx: Transaction, user_id: UUID, email: str, name: str, locale: str) -> None:
    """Note somebody's address, name and language."""
    await tx.execute(_LEARN, {"user_id": user_id, "email": email, "name": name, "locale": locale})


async def find(tx: Transaction, user_id: UUID) -> Person:
    """What is known of somebody; little, when nothing was heard of them yet."""
    row = await tx.get(PersonRow, user_id)
    return _person(user_id, row)


async def lock(tx: Transaction, user_id: UUID) -> Person:
    """The same, to be changed."""
    await tx.execute(_KNOW, {"user_id": user_id})
    query = select(PersonRow).where(PersonRow.user_id == user_id).with_for_update()
    return _person(user_id, (await tx.exec(query)).one())


def _person(user_id: UUID, row: PersonRow | None) -> Person:
    if row is None:
        return Person(user_id)
    chosen = cast("Locale | None", row.chosen_locale)
    locale = locales.choose(row.chosen_locale, row.locale)
    return Person(user_id, row.email, row.name, locale, chosen, row.version)


async def choices(tx: Transaction, user_id: UUID) -> Chosen:
    """What somebody chose."""
    rows = (await tx.exec(select(PreferenceRow).where(PreferenceRow.user_id == user_id))).all()
    return {(cast("Category", it.category), cast("Channel", it.channel)): it.wanted for it in rows}


async def choose(tx: Transaction, user_id: UUID, changed: Chosen) -> None:
    """Keep choices, each in place of what was chosen before."""
    for (category, channel), wanted in sorted(changed.items()):
        values = {"user_id": user_id, "category": category, "channel": channel, "wanted": wanted}
        await tx.execute(_CHOOSE, values)


async def keep_locale(tx: Transaction, user_id: UUID, locale: Locale | None, version: int) -> None:
    """Keep the language that somebody chose, and count the change."""
    row = await tx.get_one(PersonRow, user_id)
    row.chosen_locale, row.version = locale, version
    await tx.flush()


async def name_course(tx: Transaction, course_id: UUID, title: str, slug: str, revision: int) -> None:
    """Note what a course is called; an older name that comes late changes nothing."""
    values = {"course_id": course_id, "title": title, "slug": slug, "revision": revision}
    await tx.execute(_NAME_COURSE, values)


async def courses(tx: Transaction, ids: Sequence[UUID]) -> Mapping[UUID, CourseRow]:
    """Courses by id, those whose names are known."""
    if not ids:
        return {}
    rows = (await tx.exec(select(CourseRow).where(col(CourseRow.course_id).in_(ids)))).all()
    return {row.course_id: row for row in rows}
