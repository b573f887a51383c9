"""The letters that identity writes. Their links are the only place where a token is ever written out."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Why a letter is written."""

    CONFIRM = "confirm"
    """To whoever signs up: is the address theirs?"""
    KNOWN = "known"
    """To whoever signs up with an address that has an account: the page must not tell, the letter may."""
    RECOVER = "recover"
    CHANGED = "changed"
    """The password was changed."""
    NOBODY = "nobody"
    """To an address without an account, which asked to recover it: kept as any other, so that it takes as long, and
    not sent."""


LIFE: Final = {Kind.CONFIRM: timedelta(hours=24), Kind.RECOVER: timedelta(hours=1)}
"""How long a letter's link is good; others have none."""
LATEST: Final = timedelta(hours=24)
"""Age at which a letter that could not be sent is not sent any more."""
MOST_AN_HOUR: Final = 5
"""Letters of one kind to one address in an hour: forms must not become a way to flood a mailbox. Of one kind, so that
whoever signs up with somebody's address does not keep the letters from them by which they recover."""
UNLIMITED: Final = frozenset({Kind.CHANGED})
"""A warning: never left out. No form causes it but by the right link."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it is sent."""

    subject: str
    text: str


_FOOTER: Final = "\n\nSuuupra\n"
_IGNORE: Final = "If this was not you, do nothing: nothing changes without this link."


def write(kind: Kind, *, name: str, site: str, link: str) -> Letter:
    """The letter; there is none to NOBODY. `link` is the address to open; `site` the platform's."""
    match kind:
        case Kind.CONFIRM:
            subject = "Confirm your address"
            text = f"open this address to confirm that this mailbox is yours:\n\n{link}\n\nIt works for 24 hours, once. {_IGNORE}"
        case Kind.KNOWN:
            subject = "You already have an account"
            text = (
                f"somebody, probably you, signed up at {site} with this address. It has an account already: sign in,"
                f" or choose a new password here:\n\n{link}\n\nIf this was not you, do nothing: nothing has changed."
            )
        case Kind.RECOVER:
            subject = "Choose a new password"
            text = f"open this address to choose a new password:\n\n{link}\n\nIt works for an hour, once. {_IGNORE}"
        case Kind.CHANGED:
            subject = "Your password was changed"
            text = (
                f"the password of your account at {site} was just changed, and everybody signed in with it was signed"
                f" out. If this was not you, choose a new one at once:\n\n{link}"
            )
        case Kind.NOBODY:
            raise ValueError("nobody is written to")
    return Letter(subject, f"Hello {name},\n\n{text}{_FOOTER}")
