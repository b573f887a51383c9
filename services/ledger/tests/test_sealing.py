"""Canonical JSON, leaves, links, the tree and its proofs: against the RFCs' own words and against the plain way."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain import merkle, sealing
from services.ledger.domain.canonical import canonical, is_canonical
from services.ledger.domain.journals import Draft, Leg, Transfer
from services.ledger.domain.merkle import Address, Frontier
from suuupra.ids import new_id

NOW = datetime(2026, 1, 1, 12, 30, 0, 42, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def test_canonical_json_is_that_of_rfc_8785() -> None:
    """The strings of its section 3.2.2 and the order of its section 3.2.3, as far as our names are ASCII."""
    given_ = {
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
        "1": "One",
    }
    expected = '{"1":"One","literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical(given_) == expected.encode()


@pytest.mark.parametrize("value", [1.0, 2**53, -(2**53), {"é": 1}, {1: 2}, (1, 2), b"x", float("nan")])
def test_what_has_no_canonical_form_here_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        canonical("\ud800")


@given(
    st.dictionaries(st.text("abcxyz_09", max_size=8), texts | st.integers(-99, 99) | st.none(), max_size=6)
)
def test_canonical_json_is_json_and_stays_what_it_is(value: dict[str, Any]) -> None:
    assert json.loads(canonical(value)) == value
    assert is_canonical(canonical(value))
    assert not is_canonical(b" " + canonical(value))


@given(texts, texts, texts, st.integers(1, 2**63 - 1), st.booleans())
def test_a_record_put_together_by_hand_is_canonical_json(
    account: str, description: str, detail: str, amount: int, pending: bool
) -> None:
    transfer = Transfer("INR", (Leg(account, "debit", amount), Leg("b", "credit", amount)), pending)
    draft = Draft(
        new_id(), "transfer", NOW, description, (transfer,), detail or None, new_id(), {"note": detail}
    )
    entries = sealing.entries_of(draft)
    record = sealing.record_of(17, NOW, draft, entries)
    assert is_canonical(record)
    read = json.loads(record)
    assert [it["account"] for it in read["entries"]] == [account, "b"]
    assert (read["description"], read["details"], read["sequence"]) == (description, {"note": detail}, 17)
    assert all(is_canonical(entry.encode()) for entry in entries)


def test_a_time_is_written_in_one_way_whatever_zone_it_came_in() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert sealing.moment(NOW) == sealing.moment(elsewhere) == "2026-01-01T12:30:00.000042Z"


def test_the_genesis_is_the_one_that_the_migration_wrote() -> None:
    assert sealing.GENESIS.hex() == "8dc98e6caffbe0661143c9651580ee1068c1251bd9d7cf0d74b68af10cdbee94"


def test_a_records_form_never_changes() -> None:
    """What was sealed must verify for ever: a change of the form is a new FORMAT, beside the old."""
    transfer = Transfer("INR", (Leg("assets:cash:INR", "debit", 5), Leg("revenue:courses:INR", "credit", 5)))
    draft = Draft(UUID(int=7), "transfer", NOW, "x", (transfer,), "order:1", None, {"a": "b"})
    journal, entries = sealing.seal(1, NOW, draft, sealing.GENESIS)
    assert journal.leaf.hex() == "6634abec7a64d1754078cd717d31543a9b44f243e6562c34a0f1d8d57aa30e6e"
    assert journal.hash.hex() == "6e03748643faf50d0deec08ac0a881ba4344d4400ffc8d70ceac61b9dc34e509"
    assert sealing.seal_of(1, sealing.moment(NOW), entries[0]) == -2895421175469823116


# The tree

VECTORS = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    ("606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
]
"""Leaves and roots that Certificate Transparency's implementations test themselves with."""


def test_the_tree_is_that_of_certificate_transparency() -> None:
    tree = Frontier()
    assert tree.root() == hashlib.sha256(b"").digest()
    for leaf, root in VECTORS:
        tree.append(sealing.leaf_of(bytes.fromhex(leaf)))
        assert tree.root().hex() == root


def grown(size: int) -> tuple[list[bytes], Mapping[Address, bytes], Frontier]:
    """Leaves, the nodes that are kept of them, and the right edge."""
    leaves = [sealing.leaf_of(str(number).encode()) for number in range(size)]
    nodes: dict[Address, bytes] = {(0, index): leaf for index, leaf in enumerate(leaves)}
    tree = Frontier()
    for leaf in leaves:
        nodes.update({(level, index): node for level, index, node in tree.append(leaf)})
    return leaves, nodes, tree


def plain_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + plain_root(leaves[:split]) + plain_root(leaves[split:])).digest()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 511, 513, 1000])
def test_the_frontier_and_the_kept_nodes_make_the_plain_root(size: int) -> None:
    leaves, nodes, tree = grown(size)
    assert tree.root() == plain_root(leaves)
    assert Frontier.of(size, tree.packed()).root() == tree.root()
    assert merkle.hash_of(0, size, nodes) == tree.root()
    asked = merkle.needed([(0, size)])
    assert {address: nodes[address] for address in asked}.keys() == asked
    assert len(asked) <= size // 256 + 256


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="perfect subtrees"):
        Frontier.of(3, b"x" * 32)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 64, 300, 700])
def test_inclusion_of_every_leaf_is_proven_and_nothing_else_is(size: int) -> None:
    leaves, nodes, tree = grown(size)
    for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
        path = [merkle.hash_of(*part, nodes) for part in merkle.inclusion(index, size)]
        assert merkle.root_from_inclusion(index, size, leaves[index], path) == tree.root()
        assert merkle.root_from_inclusion(index, size, b"\x00" * 32, path) != tree.root()
        with pytest.raises(ValueError, match="too long"):
            merkle.root_from_inclusion(index, size, leaves[index], [*path, b"\x00" * 32])


@pytest.mark.parametrize("second", [1, 2, 3, 7, 8, 20, 300, 600])
def test_consistency_with_every_earlier_size_is_proven_and_nothing_else_is(second: int) -> None:
    leaves, nodes, tree = grown(second)
    for first in {1, 2, 3, 4, 7, 8, second // 2, second - 1, second} & set(range(1, second + 1)):
        old = plain_root(leaves[:first])
        path = [merkle.hash_of(*part, nodes) for part in merkle.consistency(first, second)]
        assert merkle.roots_from_consistency(first, second, old, path) == (old, tree.root())
        if path:
            forged = [b"\x00" * 32, *path[1:]]
            assert merkle.roots_from_consistency(first, second, old, forged) != (old, tree.root())


def test_sizes_that_cannot_be_are_refused() -> None:
    for call in (
        lambda: merkle.inclusion(3, 3),
        lambda: merkle.consistency(0, 3),
        lambda: merkle.consistency(4, 3),
        lambda: merkle.root_from_inclusion(0, 2, b"", []),
        lambda: merkle.roots_from_consistency(3, 5, b"", []),
    ):
        with pytest.raises(ValueError, match=r"size|tree|short"):
            call()
