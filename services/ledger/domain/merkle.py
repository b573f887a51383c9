"""The Merkle tree over the journals (RFC 6962, section 2), and what is kept of it.

The writer keeps the frontier: the roots of the perfect subtrees that the present leaves make, at most 63 hashes. Of
the inner nodes only each eighth level is kept (a node over 256 leaves, one over 65,536, …): one row in 256 journals.
A proof reads a few hundred hashes then, instead of all.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

STEP: Final = 8
"""Each how many levels nodes are kept."""
EMPTY: Final = hashlib.sha256(b"").digest()
SIZE: Final = 32

Range = tuple[int, int]
"""Leaves from the first index up to and without the second, counted from 0."""
Address = tuple[int, int]
"""Level (0: leaves) and index of a node."""


def parent(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The right edge of the tree."""

    size: int = 0
    roots: list[bytes] = field(default_factory=list)
    """Of the perfect subtrees, the largest first."""

    @classmethod
    def of(cls, size: int, packed: bytes) -> "Frontier":
        """As it was kept. Raises ValueError when the two do not fit together."""
        if len(packed) != SIZE * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} perfect subtrees")
        return cls(size, [packed[at : at + SIZE] for at in range(0, len(packed), SIZE)])

    def packed(self) -> bytes:
        """To be kept."""
        return b"".join(self.roots)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf; the nodes to be kept that are complete now, as level, index and hash."""
        complete = []
        node, rest, level = leaf, self.size, 0
        while rest & 1:
            node, rest, level = parent(self.roots.pop(), node), rest >> 1, level + 1
            if level % STEP == 0:
                complete.append((level, self.size >> level, node))
        self.roots.append(node)
        self.size += 1
        return complete

    def root(self) -> bytes:
        """The tree's hash."""
        if not self.roots:
            return EMPTY
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = parent(left, node)
        return node


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion(index: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that a leaf is in a tree, from the leaf up (2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in a tree of that size")
    return _path(index, 0, size)


def _path(index: int, low: int, high: int) -> list[Range]:
    if high - low == 1:
        return []
    middle = low + _split(high - low)
    if index < middle:
        return [*_path(index, low, middle), (middle, high)]
    return [*_path(index, middle, high), (low, middle)]


def consistency(first: int, second: int) -> list[Range]:
    """The ranges whose hashes prove that a tree is a later one's beginning (2.1.2)."""
    if not 0 < first <= second:
        raise ValueError("the first size is 1 to the second")
    return [] if first == second else _subproof(first, 0, second, whole=True)


def _subproof(first: int, low: int, high: int, *, whole: bool) -> list[Range]:
    if first == high:
        return [] if whole else [(low, high)]
    middle = low + _split(high - low)
    if first <= middle:
        return [*_subproof(first, low, middle, whole=whole), (middle, high)]
    return [*_subproof(first, middle, high, whole=False), (low, middle)]


def needed(ranges: Sequence[Range]) -> set[Address]:
    """The kept nodes from which the hashes of some ranges can be computed."""
    return {address for low, high in ranges for address in _kept(low, high)}


def _kept(low: int, high: int) -> Iterator[Address]:
    count = high - low
    if count & (count - 1) == 0 and low % count == 0:
        level = count.bit_length() - 1
        base = level - level % STEP
        yield from ((base, index) for index in range(low >> base, high >> base))
    else:
        middle = low + _split(count)
        yield from _kept(low, middle)
        yield from _kept(middle, high)


def hash_of(low: int, high: int, nodes: Mapping[Address, bytes]) -> bytes:
    """The hash of a range, from the nodes that `needed` named; of no leaves the empty tree's."""
    count = high - low
    if count == 0:
        return EMPTY
    if count & (count - 1) == 0 and low % count == 0:
        level = count.bit_length() - 1
        base = level - level % STEP
        layer = [nodes[base, index] for index in range(low >> base, high >> base)]
        while len(layer) > 1:
            layer = [parent(layer[at], layer[at + 1]) for at in range(0, len(layer), 2)]
        return layer[0]
    middle = low + _split(count)
    return parent(hash_of(low, middle, nodes), hash_of(middle, high, nodes))


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162, 2.1.3.2). Raises ValueError for a path of another length."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in a tree of that size")
    at, last, node = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ValueError("the path is too long")
        if at & 1 or at == last:
            node = parent(step, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = parent(node, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return node


def roots_from_consistency(
    first: int, second: int, first_root: bytes, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The two roots that a consistency path leads to (RFC 9162, 2.1.4.2). Raises ValueError."""
    if not 0 < first <= second:
        raise ValueError("the first size is 1 to the second")
    if first == second:
        if path:
            raise ValueError("the path is too long")
        return first_root, first_root
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        raise ValueError("the path is too short")
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ValueError("the path is too long")
        if at & 1 or at == last:
            old, new = parent(step, old), parent(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = parent(new, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return old, new
