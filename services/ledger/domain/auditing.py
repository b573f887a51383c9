"""The verifier's judgement: recompute everything from the rows as they are, and name the row that is not as it was.

It trusts no stored hash: records are made anew of every row, leaves of records, links of leaves, nodes and roots of
leaves, balances of entries. What differs is a finding. It goes on after one, so that one bad row does not accuse
those behind it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from services.ledger.domain.checkpoints import Signed
from services.ledger.domain.journals import Draft, Leg, Transfer
from services.ledger.domain.merkle import Frontier
from services.ledger.domain.projections import HoldState, Projections
from services.ledger.domain.refusals import Refusal
from services.ledger.domain.sealing import GENESIS, entry, leaf_of, link, moment, record_of, seal_of

MOST_FINDINGS: Final = 1000
MOST_MISSING: Final = 1_000_000
"""Journals that may be missing in one place; beyond, roots are not computed any more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is not as it should be: its table, its key, and what is wrong with it."""

    table: str
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.what}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row of `journal` as it is, and the rows of its entries. Nothing of it is believed."""

    sequence: int
    posted_at: datetime
    draft: Draft
    leaf: bytes
    hash: bytes
    entries: Sequence[Any]
    """Rows of `entry`, in the order of their legs."""


@dataclass(slots=True)
class Audit:
    """One run over all journals in the order of the chain."""

    wanted: Collection[int] = ()
    """The sizes of checkpoints: there the head is remembered."""
    findings: list[Finding] = field(default_factory=list)
    journals: int = 0
    entries: int = 0
    derived: Projections = field(default_factory=Projections)
    heads: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    """Size → hash and root."""
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _tree: Frontier = field(default_factory=Frontier)
    _before: list[bytes] = field(default_factory=lambda: [GENESIS])
    """What the next journal may be linked to: the computed hash; where a stored one differs, also that."""
    _posted_at: datetime | None = None
    content_is_sound: bool = True
    """Whether every journal says what it said when it was sealed. If not, what follows from them is not judged: the
    rows that are to blame are named, and not a thousand others."""

    @property
    def size(self) -> int:
        """Journals looked at, missing ones included."""
        return self._tree.size

    def find(self, table: str, key: object, what: str) -> None:
        """Note something, unless there is plenty already."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(table, str(key), what))

    def add(self, claimed: Claimed) -> None:
        """Judge the next journal."""
        self._gap(claimed.sequence)
        entries = [_text(row) for row in claimed.entries]
        bad = self._bad_entries(claimed, entries)
        leaf = self._leaf(claimed, entries, named=bad > 0)
        for level, index, node in self._tree.append(leaf):
            self.nodes[level, index] = node
        self.journals += 1
        self.entries += len(claimed.entries)
        if self.content_is_sound:
            self._order(claimed)
            self._times(claimed)
            self._derive(claimed)
        if self._tree.size in self.wanted:
            self.heads[self._tree.size] = (self._before[0], self._tree.root())

    def _gap(self, sequence: int) -> None:
        missing = sequence - self._tree.size - 1
        if missing == 0:
            return
        first = self._tree.size + 1
        self.find("journal", first if missing == 1 else f"{first} to {sequence - 1}", "is missing")
        for _ in range(min(missing, MOST_MISSING)):
            self._tree.append(b"\x00" * 32)
        self._tree.size = sequence - 1 if missing > MOST_MISSING else self._tree.size
        self._before = []  # what it is linked to is gone
        self.content_is_sound = False

    def _bad_entries(self, claimed: Claimed, entries: Sequence[str]) -> int:
        bad = [
            row.leg
            for row, text in zip(claimed.entries, entries, strict=True)
            if seal_of(claimed.sequence, moment(row.effective_at), text) != row.seal
        ]
        for leg in bad:
            self._changed("entry", f"{claimed.sequence}/{leg}")
        return len(bad)

    def _changed(self, table: str, key: object) -> None:
        self.content_is_sound = False
        self.find(table, key, "is not as it was sealed")

    def _times(self, claimed: Claimed) -> None:
        for row in claimed.entries:
            if row.effective_at != claimed.draft.effective_at:
                self.find("entry", f"{claimed.sequence}/{row.leg}", "does not count when its journal does")

    def _leaf(self, claimed: Claimed, entries: list[str], *, named: bool) -> bytes:
        """The leaf that the chain vouches for; what differs from it is found."""
        made = self._made(claimed, entries)
        for before in self._before:
            if made is not None and link(before, made) == claimed.hash:
                if made != claimed.leaf:
                    self.find("journal", claimed.sequence, "its leaf was changed")
                self._before = [claimed.hash]
                return made
            if link(before, claimed.leaf) == claimed.hash:
                if not named:
                    self._changed("journal", claimed.sequence)
                self._before = [claimed.hash]
                return claimed.leaf
        return self._unlinked(claimed, made)

    def _made(self, claimed: Claimed, entries: list[str]) -> bytes | None:
        try:
            return leaf_of(record_of(claimed.sequence, claimed.posted_at, claimed.draft, entries))
        except (ValueError, TypeError):
            return None

    def _unlinked(self, claimed: Claimed, made: bytes | None) -> bytes:
        if made != claimed.leaf:
            self._changed("journal", claimed.sequence)
        if self._before:
            self.find("journal", claimed.sequence, "its hash does not follow from the journal before it")
        self._before = [*(link(before, claimed.leaf) for before in self._before[:1]), claimed.hash]
        return claimed.leaf

    def _order(self, claimed: Claimed) -> None:
        if self._posted_at is not None and claimed.posted_at < self._posted_at:
            self.find("journal", claimed.sequence, "was posted before the one it follows")
        self._posted_at = claimed.posted_at

    def _derive(self, claimed: Claimed) -> None:
        try:
            self.derived.apply(claimed.sequence, claimed.draft)
        except Refusal as refusal:
            self.find("journal", claimed.sequence, f"breaks a rule of the books: {refusal}")
        except (ValueError, KeyError, TypeError):
            self.find("journal", claimed.sequence, "is of a kind whose details it does not have")

    # What stands beside the chain

    def check_head(self, sequence: int, hash_: bytes, frontier: bytes, beyond: Iterable[int]) -> None:
        """The end of the chain as it is kept, and journals that lie behind it."""
        for found in beyond:
            self.find("journal", found, "lies behind the end of the chain")
        if sequence > self._tree.size:
            first = self._tree.size + 1
            missing = str(first) if first == sequence else f"{first} to {sequence}"
            self.find("journal", missing, "is missing: the end of the chain is farther")
        elif self._before and hash_ not in self._before:
            self.find("head", 1, "is not the hash of the last journal")
        elif frontier != self._tree.packed():
            self.find("head", 1, "its tree is not that of the journals")

    def check_nodes(self, rows: Iterable[Any]) -> None:
        """The kept nodes of the tree."""
        kept = {(row.level, row.index): bytes(row.hash) for row in rows}
        self._compare("tree_node", self.nodes, kept, "is not the hash of the journals below it")

    def check_derived(
        self,
        accounts: Mapping[str, object],
        days: Mapping[tuple[str, date], tuple[int, int]],
        holds: Mapping[UUID, HoldState],
    ) -> None:
        """The tables that are folds of the journals; when those are sound."""
        if not self.content_is_sound:
            return
        book = self.derived.book
        folded = {code: (account, book.totals[code]) for code, account in book.accounts.items()}
        self._compare("account", folded, accounts, "is not the sum of its journals")
        self._compare("balance_day", self.derived.days, days, "is not the sum of its entries")
        self._compare("hold", self.derived.holds, holds, "is not what its journals made of it")

    def check_signed(self, checkpoints: Iterable[Signed], origin: str | None) -> int:
        """Checkpoints from outside; how many of them the journals agree with."""
        agreed = 0
        for signed in checkpoints:
            head = self.heads.get(signed.size)
            if origin is not None and signed.origin != origin:
                self.find("checkpoint", signed.size, f"is of another ledger, {signed.origin}")
            elif head is None:
                self.find(
                    "journal",
                    f"{self._tree.size + 1} to {signed.size}",
                    f"is missing: a checkpoint of {signed.at.isoformat()} has {signed.size} journals",
                )
            elif head != (signed.hash, signed.root):
                self.find("checkpoint", signed.size, "the journals up to here are not those that were signed")
            else:
                agreed += 1
        return agreed

    def check_copies(self, rows: Iterable[Any], outside: Mapping[int, Signed] | None) -> None:
        """The rows of `checkpoint` beside the journals, and beside what the object store has."""
        for row in rows:
            head = self.heads.get(row.size)
            if head is None:
                missing = f"{self._tree.size + 1} to {row.size}"
                self.find("journal", missing, f"is missing: there is a checkpoint of {row.size} journals")
            elif head != (bytes(row.hash), bytes(row.root)):
                self.find("checkpoint", row.size, "the row is not the head of that size")
            if outside is None:
                continue
            signed = outside.get(row.size)
            if signed is None:
                self.find("checkpoint", row.size, "is not in the object store, or not signed by us")
            elif (signed.text, signed.key_id, signed.at) != (row.signed, row.key_id, row.at):
                self.find("checkpoint", row.size, "the row is not what the object store has")

    def _compare(
        self, table: str, right: Mapping[Any, object], kept: Mapping[Any, object], what: str
    ) -> None:
        for key in right.keys() | kept.keys():
            if key not in kept:
                self.find(table, _name(key), "is missing")
            elif key not in right:
                self.find(table, _name(key), "does not belong there")
            elif right[key] != kept[key]:
                self.find(table, _name(key), what)


def _text(row: Any) -> str:
    """An entry as the record has it, of nothing but its row."""
    transfer = Transfer(row.currency, (), row.pending)
    return entry(row.leg, row.transfer, transfer, Leg(row.account, row.side, row.amount))


def _name(key: object) -> str:
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
