"""A resource's place in Valkey: a user that reaches the keys and channels below its own prefix and nothing else. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suuupra_operator.desired.subject import Subject

COMMANDS = (
    "-@all",
    *("+@read", "+@write", "+@connection", "+@transaction", "+@scripting", "+@pubsub", "+time"),
    # What reaches beyond a key that is named: everybody's keys, scripts, functions and channels.
    *(
        "-@dangerous",
        "-scan",
        "-randomkey",
        "-dbsize",
        "-function",
        "-script|flush",
        "-script|kill",
        "-pubsub",
    ),
)


@dataclass(frozen=True)
class User:
    """What a user may do, in the words of Valkey's own `ACL LIST`."""

    rules: frozenset[str]
    """Flags, passwords (`#` and their SHA-256), keys and channels: their order says nothing."""
    commands: tuple[str, ...]
    """The later one wins."""

    @classmethod
    def of(cls, words: Iterable[str]) -> User:
        given = tuple(words)
        commands = tuple(word for word in given if word[:1] in ("+", "-"))
        return cls(frozenset(given) - set(commands), commands)

    def words(self) -> list[str]:
        """As `ACL SETUSER` takes them, in an order in which none takes another back."""
        return [*sorted(self.rules, key=lambda word: (word != "resetchannels", word)), *self.commands]


def user_name(subject: Subject) -> str:
    """NAMESPACE.NAME, which no two resources share."""
    return f"{subject.namespace}.{subject.name}"


def prefix(subject: Subject) -> str:
    """What every key and channel of the resource begins with."""
    return f"{user_name(subject)}:"


def user(subject: Subject, password: str) -> User:
    """The user as it should be."""
    own = prefix(subject)
    return User.of(
        (
            *("on", "sanitize-payload", f"#{hashlib.sha256(password.encode()).hexdigest()}"),
            *(f"~{own}*", "resetchannels", f"&{own}*"),
            *COMMANDS,
        )
    )


def users(lines: Iterable[str]) -> Mapping[str, User]:
    """Users by name, from the lines of `ACL LIST`: ``user NAME rule…``."""
    split = (line.split(" ") for line in lines)
    return {name: User.of(words) for _, name, *words in split}
