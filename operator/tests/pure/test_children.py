"""What is known of live children: which of them somebody took away, and which went with their resource."""

from __future__ import annotations

from dataclasses import replace

import pytest
from suuupra_operator.children import Cache, _refuse_unless_owned, name_of
from suuupra_operator.cluster import Object
from suuupra_operator.desired.service import service
from suuupra_operator.desired.subject import Subject
from suuupra_operator.errors import Permanent
from suuupra_operator.queue import Key

from .samples import subject

SHOP = Key("SuuupraService", "suuupra", "shop")


@pytest.fixture
def cache() -> Cache:
    return Cache(changed=lambda key: None)


def live(of: Subject, uid: str = "child-1") -> Object:
    child = service(of)
    child["metadata"] |= {"uid": uid, "resourceVersion": "1"}
    return child


def test_o1_a_child_that_somebody_deleted_is_missed_until_it_is_back(cache: Cache) -> None:
    child = live(subject())
    cache.event("ADDED", child)
    cache.event("DELETED", child)
    assert cache.lost(subject(), name_of(child))
    cache.found(subject(), name_of(child))
    assert not cache.lost(subject(), name_of(child))


def test_o1_a_child_that_we_deleted_ourselves_is_not_missed(cache: Cache) -> None:
    child = live(subject())
    cache.event("ADDED", child)
    cache.deleting(child)
    cache.event("DELETED", child)
    assert not cache.lost(subject(), name_of(child))


def test_o1_what_was_collected_with_a_resource_is_no_drift_of_its_namesake(cache: Cache) -> None:
    child = live(subject())
    cache.event("ADDED", child)
    cache.event("DELETED", child)
    assert not cache.lost(replace(subject(), uid="uid-2"), name_of(child))


def nobodys(of: Subject, manager: str = "suuupra-operator") -> Object:
    """A child whose owner somebody has taken off, or that somebody has made in its place."""
    child = live(of)
    del child["metadata"]["ownerReferences"]
    child["metadata"]["managedFields"] = [{"manager": manager, "operation": "Apply"}]
    return child


def test_o1_a_child_whose_owner_was_taken_off_is_still_ours() -> None:
    _refuse_unless_owned(subject(), nobodys(subject()))


def test_o1_what_somebody_made_and_what_was_made_for_another_resource_is_not_ours() -> None:
    with pytest.raises(Permanent, match="was not made by the operator"):
        _refuse_unless_owned(subject(), nobodys(subject(), manager="kubectl"))
    with pytest.raises(Permanent, match="was not made by the operator"):
        _refuse_unless_owned(replace(subject(), name="other"), nobodys(subject()))


def test_nothing_is_remembered_of_a_resource_that_is_gone(cache: Cache) -> None:
    child = live(subject())
    empty = cache_size(cache)
    cache.event("ADDED", child)
    cache.event("DELETED", child)
    cache.forget(SHOP)
    assert cache_size(cache) == empty


def cache_size(cache: Cache) -> int:
    """Entries in everything the cache keeps."""
    return sum(len(kept) for kept in vars(cache).values() if isinstance(kept, dict | set))
