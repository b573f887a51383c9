"""What a bank refuses, as problems with a name, and as codes of the rail."""

from services.upi_core.contract import Code
from suuupra.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Problem


class Refused(Exception):
    """A message that cannot be taken: it is refused with this code and changes nothing."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


class AccountTaken(Conflict):
    slug, title = "account-taken", "That account number or payment address belongs to another account"


class ReferenceReused(Invalid):
    slug, title = "reference-reused", "This reference belongs to another hold"


class NotCovered(Conflict):
    slug, title = "not-covered", "There is not enough money in the account"


class NotActive(Conflict):
    slug, title = "not-active", "The hold has ended"


class SenderMismatch(Forbidden):
    slug, title = "sender-mismatch", "The message was signed by somebody else"


def sender_mismatch(named: str, signed: str) -> Problem:
    error = FieldError(
        "body.head.org_id", "must be the participant that signs", f"send {signed}, or sign as {named}"
    )
    return SenderMismatch(f"The message names {named} and is signed by {signed}.", errors=[error])


def refused(kind: type[Problem], field: str, rule: str, fix: str) -> Problem:
    """One field that stands against what is there."""
    return kind(f"{field} {rule}.", errors=[FieldError(field, rule, fix)])


def not_found(what: str, key: object) -> Problem:
    error = FieldError("path", f"must lead to a {what} that is there", "take it from a list")
    return NotFound(f"There is no {what} {key}.", errors=[error])
