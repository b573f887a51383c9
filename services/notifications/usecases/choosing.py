"""What people want to hear, and how."""

from uuid import UUID

from services.notifications import contract
from services.notifications.domain.kinds import choices, may_choose
from services.notifications.store import people
from services.notifications.store.people import Person
from suuupra.db import Transaction
from suuupra.errors import FieldError, Invalid
from suuupra.etags import Precondition


async def read(tx: Transaction, user_id: UUID) -> tuple[contract.Preferences, int]:
    """A user's preferences and their version."""
    return await _shown(tx, await people.find(tx, user_id))


async def change(
    tx: Transaction, user_id: UUID, wanted: contract.PreferencesChange, match: Precondition
) -> tuple[contract.Preferences, int]:
    """Change some. Raises Invalid, and changes nothing, when one of them cannot be switched off."""
    person = await people.lock(tx, user_id)
    match.require(person.version)
    _check(wanted)
    await people.choose(tx, user_id, {(it.category, it.channel): it.wanted for it in wanted.choices})
    locale = person.chosen_locale
    if wanted.locale is not None:
        locale = None if wanted.locale == "account" else wanted.locale
    await people.keep_locale(tx, user_id, locale, person.version + 1)
    return await _shown(tx, await people.find(tx, user_id))


def _check(wanted: contract.PreferencesChange) -> None:
    errors = [
        FieldError(
            f"body.choices[{number}].wanted",
            f"must be true: {it.category} by {it.channel} is owed to you",
            "leave it out",
        )
        for number, it in enumerate(wanted.choices)
        if not may_choose(it.category, it.channel, it.wanted)
    ]
    if errors:
        raise Invalid(f"{errors[0].field} {errors[0].rule}.", errors=errors)


async def _shown(tx: Transaction, person: Person) -> tuple[contract.Preferences, int]:
    chosen = await people.choices(tx, person.user_id)
    return contract.Preferences(locale=person.chosen_locale, choices=choices(chosen)), person.version
