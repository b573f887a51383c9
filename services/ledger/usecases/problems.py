"""What the ledger refuses, as problems with a name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from services.ledger.domain import refusals
from services.ledger.domain.refusals import Refusal
from suuupra.errors import Conflict, FieldError, Invalid, NotFound, Problem


class Unbalanced(Invalid):
    slug, title = refusals.Unbalanced.slug, refusals.Unbalanced.title


class CurrencyMixed(Invalid):
    slug, title = refusals.CurrencyMixed.slug, refusals.CurrencyMixed.title


class UnknownAccount(Invalid):
    slug, title = refusals.UnknownAccount.slug, refusals.UnknownAccount.title


class Overflow(Invalid):
    slug, title = refusals.Overflow.slug, refusals.Overflow.title


class BoundBroken(Conflict):
    slug, title = refusals.BoundBroken.slug, refusals.BoundBroken.title


class AccountClosed(Conflict):
    slug, title = refusals.AccountClosed.slug, refusals.AccountClosed.title


class AccountInUse(Conflict):
    slug, title = refusals.AccountInUse.slug, refusals.AccountInUse.title


class CodeTaken(Conflict):
    slug, title = refusals.CodeTaken.slug, refusals.CodeTaken.title


class IdReused(Conflict):
    slug, title = refusals.IdReused.slug, refusals.IdReused.title


class HoldResolved(Conflict):
    slug, title = refusals.HoldResolved.slug, refusals.HoldResolved.title


class AlreadyReversed(Conflict):
    slug, title = refusals.AlreadyReversed.slug, refusals.AlreadyReversed.title


class CheckpointContradicted(Conflict):
    """What the object store has under a checkpoint's name is not of these journals."""

    slug, title = "checkpoint-contradicted", "Another checkpoint was put away before"

    def __init__(self, place: str, rule: str) -> None:
        fix = "keep that object, it is evidence, and run `python -m suuupra ledger verify`"
        super().__init__(f"{place} {rule}.", errors=[FieldError(place, rule, fix)])


_PROBLEMS: Final[Mapping[type[Refusal], type[Problem]]] = {
    refusals.Malformed: Invalid,
    refusals.Unbalanced: Unbalanced,
    refusals.CurrencyMixed: CurrencyMixed,
    refusals.UnknownAccount: UnknownAccount,
    refusals.Overflow: Overflow,
    refusals.BoundBroken: BoundBroken,
    refusals.AccountClosed: AccountClosed,
    refusals.AccountInUse: AccountInUse,
    refusals.CodeTaken: CodeTaken,
    refusals.IdReused: IdReused,
    refusals.HoldResolved: HoldResolved,
    refusals.AlreadyReversed: AlreadyReversed,
}
"""How callers are told of each refusal of the domain."""


def of(refusal: Refusal, place: str = "body") -> Problem:
    """The problem that tells a refusal; its field is in `place`, or `place` itself."""
    field = f"{place}.{refusal.field}" if refusal.field else place
    kind = _PROBLEMS[type(refusal)]
    return kind(f"{field} {refusal.rule}.", errors=[FieldError(field, refusal.rule, refusal.fix)])


@contextmanager
def told(place: str = "body") -> Iterator[None]:
    """Turn what the domain refuses inside into problems."""
    try:
        yield
    except Refusal as refusal:
        raise of(refusal, place) from refusal


def not_found(what: str, field: str, key: UUID | str | int) -> Problem:
    """Nothing has that name."""
    error = FieldError(field, f"must be a {what} of the ledger", "take it from a list of them")
    return NotFound(f"There is no {what} {key}.", errors=[error])
