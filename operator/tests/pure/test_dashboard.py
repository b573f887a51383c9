"""Dashboards: one for each resource, whatever their names have in common."""

from __future__ import annotations

import json
from dataclasses import replace

from suuupra_operator.desired.dashboard import dashboard

from .samples import subject

LONGEST = 40
"""Characters that Grafana takes as a dashboard's id."""


def id_of(namespace: str, name: str) -> str:
    (document,) = dashboard(replace(subject(), namespace=namespace, name=name))["data"].values()
    found: str = json.loads(document)["uid"]
    return found


def test_long_names_that_begin_alike_have_dashboards_of_their_own() -> None:
    names = [f"the-reports-of-the-finance-department-{which}" for which in ("daily", "monthly")]
    ids = [id_of("suuupra", name) for name in names]
    assert len(set(ids)) == len(names)
    assert {len(one) for one in ids} == {LONGEST}
    assert ids == [id_of("suuupra", name) for name in names], "an id is an address, which must stay"


def test_a_name_that_has_room_is_the_id_as_it_stands() -> None:
    assert id_of("suuupra", "shop") == "suuupra-suuupra-shop"
    assert id_of("suuupra", "a" * 24) == f"suuupra-suuupra-{'a' * 24}"
