"""What the books refuse, and why: each says which field breaks which rule, and what to send instead."""


class Refusal(Exception):
    """A posting that is not made. Nothing was changed.

    `field` is a path into what was asked, such as `transfers[0].legs[1].account`; empty for the whole.
    """

    slug = "refused"
    title = "The books refuse this"

    def __init__(self, field: str, rule: str, fix: str) -> None:
        super().__init__(f"{field or 'it'} {rule}")
        self.field = field
        self.rule = rule
        self.fix = fix


class Malformed(Refusal):
    """It could never be posted, whatever the balances are."""

    slug, title = "invalid", "Some of what was sent does not follow the rules"


class Unbalanced(Malformed):
    """Debits and credits differ."""

    slug, title = "unbalanced", "Debits and credits differ"


class CurrencyMixed(Malformed):
    """A transfer touches accounts of different currencies."""

    slug, title = "currency-mixed", "A transfer has one currency"


class UnknownAccount(Malformed):
    """No account has that code."""

    slug, title = "unknown-account", "There is no such account"


class Overflow(Malformed):
    """A balance would not fit into 64 bits."""

    slug, title = "balance-overflow", "The balance would be too large"


class Contradiction(Refusal):
    """It cannot be posted as things stand."""

    slug, title = "contradiction", "The books, as they stand, forbid this"


class BoundBroken(Contradiction):
    """A balance would leave its bounds."""

    slug, title = "bound-broken", "A balance would leave its bounds"


class AccountClosed(Contradiction):
    """The account takes nothing any more."""

    slug, title = "account-closed", "The account is closed"


class AccountInUse(Contradiction):
    """Something is left on the account."""

    slug, title = "account-in-use", "The account cannot be closed yet"


class CodeTaken(Contradiction):
    """There is an account with that code."""

    slug, title = "code-taken", "There is an account with this code"


class IdReused(Contradiction):
    """The id belongs to a journal with other content."""

    slug, title = "id-reused", "This id belongs to another journal"


class HoldResolved(Contradiction):
    """The hold was posted, voided or has expired."""

    slug, title = "hold-resolved", "The hold is resolved already"


class AlreadyReversed(Contradiction):
    """A journal is reversed once."""

    slug, title = "already-reversed", "The journal is reversed already"
