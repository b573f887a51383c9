"""Course art: a pattern drawn from a course's id, the same today and tomorrow, different from its neighbours.

A grid of quarter circles, leaves, discs and bars in one of a few chosen palettes. No gradients or clip paths, because
their ids would collide when several drawings share a page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from markupsafe import Markup

TILE = 40  # side of a tile in user units
COLUMNS = 8
ROWS = 4
# Background first; each was chosen by eye so that the shapes keep apart from it in light and in dark mode.
PALETTES = (
    ("#0b4f4a", "#0f766c", "#f2b84b", "#f6efe2", "#5cc4b0"),
    ("#1d3557", "#2f5d8a", "#f4a261", "#f1f1e8", "#8ecae6"),
    ("#5a2a4a", "#8a3f63", "#f7b267", "#fbeee6", "#e07a8b"),
    ("#27403a", "#44705f", "#e9c46a", "#f5f0e1", "#9bc59d"),
    ("#3b2f63", "#5c4b99", "#f28482", "#f4effa", "#a9a3e0"),
    ("#6b2d1f", "#a44a2f", "#f2c14e", "#fdf3e3", "#e88d67"),
    ("#14424f", "#1f6f82", "#ef8354", "#eef5f5", "#7cc6cf"),
    ("#2b2d42", "#4a4e69", "#ffb703", "#f2f1ef", "#8d99ae"),
    ("#0a3d62", "#1e6091", "#76c893", "#f1faee", "#f6bd60"),
    ("#4a1942", "#7b2d5e", "#ffb5a7", "#fcefe9", "#c77dba"),
    ("#31473a", "#5f7a61", "#f4d58d", "#f7f3e3", "#d58936"),
    ("#1b263b", "#415a77", "#e07a5f", "#f2e9e4", "#81b29a"),
)
_CORNERS = ((0, 0), (TILE, 0), (TILE, TILE), (0, TILE))


def art(seed: object) -> Markup:
    """An inline SVG, 320 × 160 user units, decorative; the same seed gives the same drawing."""
    numbers = _numbers(str(seed))
    background, *colours = PALETTES[next(numbers) % len(PALETTES)]
    tiles = "".join(_tile(row, column, colours, numbers) for row in range(ROWS) for column in range(COLUMNS))
    width, height = COLUMNS * TILE, ROWS * TILE
    return Markup(  # noqa: S704 (numbers and colours of our own)
        f'<svg class="art" viewBox="0 0 {width} {height}" preserveAspectRatio="xMidYMid slice" aria-hidden="true">'
        f'<rect width="{width}" height="{height}" fill="{background}"/>{tiles}</svg>'
    )


def _numbers(seed: str) -> Iterator[int]:
    """Endless bytes that depend on the seed alone."""
    block = hashlib.sha256(seed.encode()).digest()
    while True:
        yield from block
        block = hashlib.sha256(block).digest()


def _paint(colour: str) -> str:
    """Filled, with a hair of the same colour around it: neighbours would else show a seam where pixels are shared."""
    return f'fill="{colour}" stroke="{colour}" stroke-width=".7"'


def _tile(row: int, column: int, colours: list[str], numbers: Iterator[int]) -> str:
    x, y = column * TILE, row * TILE
    colour, corner, shape = (next(numbers) for _ in range(3))
    fill = colours[colour % len(colours)]
    match shape % 8:
        case 0 | 1 | 2:
            return _quarter(x, y, corner % 4, fill)
        case 3 | 4:
            return _leaf(x, y, corner % 2, fill)
        case 5:
            return f'<circle cx="{x + TILE // 2}" cy="{y + TILE // 2}" r="{TILE // 4}" {_paint(fill)}/>'
        case 6:
            return _half(x, y, corner % 2, fill)
        case _:
            return ""


def _quarter(x: int, y: int, corner: int, fill: str) -> str:
    """A quarter disc around one corner of the tile."""
    (cx, cy), (ax, ay), (bx, by) = (_CORNERS[(corner + turn) % 4] for turn in (0, 1, 3))
    return f'<path d="M{x + cx} {y + cy}L{x + ax} {y + ay}A{TILE} {TILE} 0 0 1 {x + bx} {y + by}Z" {_paint(fill)}/>'


def _leaf(x: int, y: int, corner: int, fill: str) -> str:
    """Two arcs between opposite corners."""
    (ax, ay), (bx, by) = _CORNERS[corner], _CORNERS[corner + 2]
    arc = f"A{TILE} {TILE} 0 0 1"
    return f'<path d="M{x + ax} {y + ay}{arc} {x + bx} {y + by}{arc} {x + ax} {y + ay}Z" {_paint(fill)}/>'


def _half(x: int, y: int, lying: int, fill: str) -> str:
    """A bar over half of the tile."""
    width, height = (TILE, TILE // 2) if lying else (TILE // 2, TILE)
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {_paint(fill)}/>'
