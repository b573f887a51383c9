"""A resource's user in Valkey, as it is wanted and as the server tells of it."""

from __future__ import annotations

from suuupra_operator.desired import keyspace
from suuupra_operator.desired.keyspace import User

from .samples import subject

LINE = (
    "user suuupra.shop on sanitize-payload #9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 "
    "~suuupra.shop:* resetchannels &suuupra.shop:* -@all +@read +@write +@connection +@transaction +@scripting "
    "+@pubsub +time -@dangerous -scan -randomkey -dbsize -function -script|flush -script|kill -pubsub"
)


def test_what_the_server_tells_of_the_user_is_what_was_wanted() -> None:
    assert keyspace.users([LINE]) == {"suuupra.shop": keyspace.user(subject(), "test")}


def test_the_order_of_commands_counts_and_that_of_keys_does_not() -> None:
    assert User.of(["on", "~a*", "+get", "-get"]) == User.of(["~a*", "on", "+get", "-get"])
    assert User.of(["+get", "-get"]) != User.of(["-get", "+get"])


def test_what_takes_everything_back_is_said_first() -> None:
    words = keyspace.user(subject(), "test").words()
    assert words.index("resetchannels") < words.index("&suuupra.shop:*")
    assert words.index("-@all") < words.index("+@read") < words.index("-@dangerous")


def test_a_user_that_may_more_is_another_one() -> None:
    (other,) = keyspace.users([LINE.replace("~suuupra.shop:*", "~*")]).values()
    assert other != keyspace.user(subject(), "test")


def test_no_password_is_in_what_is_sent() -> None:
    assert "a-password" not in " ".join(keyspace.user(subject(), "a-password").words())
