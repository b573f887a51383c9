"""Every text colour on every ground it is used on holds WCAG 2.2 AA, in light and in dark mode."""

from __future__ import annotations

import re

import pytest

from suuupra.ui.assets import assets_of
from suuupra.ui.guide import colours

TEXT, GRAPHIC = 4.5, 3.0  # least contrast of text (1.4.3) and of what marks a control (1.4.11)
GROUNDS = ("canvas", "surface", "raised")
PAIRS = [
    *((text, ground, TEXT) for text in ("ink", "muted", "accent", "accent-strong") for ground in GROUNDS),
    *((text, ground, TEXT) for text in ("danger",) for ground in GROUNDS),
    *((tone, f"{tone}-wash", TEXT) for tone in ("accent", "note", "warning", "danger")),
    *(("ink", f"{tone}-wash", TEXT) for tone in ("accent", "note", "warning", "danger")),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    *(("control", ground, GRAPHIC) for ground in GROUNDS),
]
CODE_COLOURS = ("comment", "keyword", "string", "number", "name", "type", "prompt", "error")


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2, glossary)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_measured_as_the_standard_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_colours_keep_apart(text: str, ground: str, least: float, mode: str) -> None:
    tokens = {colour.name: getattr(colour, mode) for colour in colours()}
    assert contrast(tokens[text], tokens[ground]) >= least


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", CODE_COLOURS)
def test_code_can_be_read(name: str, mode: str) -> None:
    tokens = {colour.name: getattr(colour, mode) for colour in colours("reading.css")}
    assert contrast(tokens[f"hl-{name}"], tokens["code-surface"]) >= TEXT


def test_every_variable_that_is_used_is_defined() -> None:
    sheets = [assets_of().text(name) for name in ("tokens.css", "suuupra.css", "reading.css", "guide.css")]
    defined = {name for sheet in sheets for name in re.findall(r"(--[a-z0-9-]+):", sheet)}
    used = {name for sheet in sheets for name in re.findall(r"var\((--[a-z0-9-]+)\)", sheet)}
    assert used - defined == set()
