"""What PostgreSQL refuses, in our words.

Never in its own: its DETAIL quotes rows (`Failing row contains (…)`, `Key (email)=(…) already exists`), and what an
error says ends up in answers, logs and dead letters. Kept are the SQLSTATE, the constraint's name, the statement
(its values are parameters) and, where it quotes no value, the first line of the message.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from psycopg import errors as psycopg_errors
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from suuupra import logs
from suuupra.errors import Conflict, FieldError, Invalid, Problem

NOT_NULL: Final = "23502"
"""No caller can leave out a column: a missing value is a fault of ours."""
STATEMENT_LIMIT: Final = 300
"""Characters of a statement that are told."""

_log = logs.get_logger(__name__)


class ValueRefused(Invalid):
    """A value that no column could hold: NUL in a text, a number beyond its type (SQLSTATE class 22)."""

    slug: ClassVar[str] = "value-refused"
    title: ClassVar[str] = "A value cannot be stored"

    def __init__(self, condition: str) -> None:
        rule = "must hold text without NUL and half characters, and numbers and times within their range"
        error = FieldError("request", rule, "correct the value and send it again")
        super().__init__(f"A value of the request cannot be stored ({condition}).", errors=[error])


class ConstraintBroken(Conflict):
    """What was to be stored contradicts what is there (SQLSTATE class 23); `constraint` says which rule."""

    slug: ClassVar[str] = "constraint-broken"

    def __init__(self, constraint: str) -> None:
        rule = f"must keep the rule {constraint}"
        error = FieldError("request", rule, "read what is there, and send what does not contradict it")
        super().__init__(f"What is there already forbids it ({constraint}).", errors=[error])
        self.constraint = constraint


class StatementFailed(Exception):
    """PostgreSQL refused a statement for a reason that no caller can mend."""


@contextmanager
def conflict(named: Mapping[str, Problem]) -> Iterator[None]:
    """Around a transaction: give the constraints that callers can run into a problem of their own.

    with db.conflict({"course_slug_key": SlugTaken("Choose another slug.")}):
        async with database.transaction() as tx: ...
    """
    try:
        yield
    except ConstraintBroken as error:
        if error.constraint in named:
            raise named[error.constraint] from None
        raise


def of(error: DBAPIError) -> Exception:
    """Ours for PostgreSQL's error, without a value from any row."""
    cause: Any = error.orig
    state = getattr(cause, "sqlstate", None)
    if isinstance(error, DataError):
        _log.warning("value refused by the database", sqlstate=state)
        return ValueRefused(_condition(state))
    if isinstance(error, IntegrityError) and state != NOT_NULL:
        constraint = cause.diag.constraint_name or _condition(state)
        _log.info("constraint broken", sqlstate=state, constraint=constraint)
        return ConstraintBroken(constraint)
    diagnosis = getattr(cause, "diag", None)
    primary = diagnosis.message_primary if diagnosis is not None else None
    statement = (error.statement or "")[:STATEMENT_LIMIT]
    return StatementFailed(f"{_condition(state)} ({state}): {primary or type(cause).__name__}: {statement}")


def _condition(state: str | None) -> str:
    """PostgreSQL's name of a SQLSTATE."""
    try:
        return psycopg_errors.lookup(state or "").__name__
    except KeyError:
        return "DataError"
