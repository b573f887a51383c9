"""What the switch refuses, as problems with a name, and as codes of the rail."""

from services.upi_core.contract import Code
from suuupra.errors import Conflict, FieldError, Forbidden, NotFound, Problem, TooManyRequests


class Refused(Exception):
    """A message that cannot be taken: it is refused with this code and changes nothing."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


class SenderMismatch(Forbidden):
    """The message names another sender than the one that signed it."""

    slug, title = "sender-mismatch", "The message was signed by somebody else"


class AddressTaken(Conflict):
    """Another participant answers for that payment address, or for that handle."""

    slug, title = "address-taken", "The payment address belongs to another participant"


class ManyArePaying(TooManyRequests):
    """No further payment can begin now. Nothing was changed: the same may be sent again."""

    slug, title = "many-are-paying", "Many are paying at this moment"


class NothingToSettle(Conflict):
    """The transaction is not disputed, or that outcome does not end its dispute."""

    slug, title = "nothing-to-settle", "That does not settle the transaction"


def many_are_paying(seconds: int) -> Problem:
    return ManyArePaying(
        "Many are paying at this moment. Try again in a few seconds.", headers={"Retry-After": str(seconds)}
    )


def nothing_to_settle(txn_id: str, state: str, outcome: str) -> Problem:
    error = FieldError(
        "body.outcome",
        f"must end a dispute; the transaction is {state}, which {outcome} does not",
        "read the transaction's timeline and disputes, and say what its banks' statements show",
    )
    return NothingToSettle(f"{outcome} does not settle transaction {txn_id}.", errors=[error])


def sender_mismatch(named: str, signed: str) -> Problem:
    error = FieldError(
        "body.head.org_id", "must be the participant that signs", f"send {signed}, or sign as {named}"
    )
    return SenderMismatch(f"The message names {named} and is signed by {signed}.", errors=[error])


def address_taken(field: str, what: str) -> Problem:
    error = FieldError(field, "must be the participant's own", "leave it out, or have its owner give it up")
    return AddressTaken(f"{what} belongs to another participant.", errors=[error])


def not_found(what: str, key: object) -> Problem:
    error = FieldError("path", f"must lead to a {what} that is there", "take the id from a list or a message")
    return NotFound(f"There is no {what} {key}.", errors=[error])
