"""Inline SVG icons: 24 × 24, one stroke, coloured by the text around them."""

from __future__ import annotations

from markupsafe import Markup

_SHAPES = {
    "alert": '<path d="M12 9v4m0 3.5v.01M10.3 3.9 2.4 17.5a2 2 0 0 0 1.7 3h15.8a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0Z"/>',
    "arrow-left": '<path d="M19 12H5m6-6-6 6 6 6"/>',
    "arrow-right": '<path d="M5 12h14m-6-6 6 6-6 6"/>',
    "bell": '<path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15Zm4 4h4"/>',
    "book": '<path d="M12 6.5C10 5 7 4.5 3 4.5v14c4 0 7 .5 9 2 2-1.5 5-2 9-2v-14c-4 0-7 .5-9 2Zm0 0v14"/>',
    "cart": '<path d="M3 4.5h2.5l2.2 10.5h10l2.3-8h-13"/><circle cx="9" cy="19.5" r="1.2"/><circle cx="17" cy="19.5" r="1.2"/>',
    "check": '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
    "check-circle": '<circle cx="12" cy="12" r="9"/><path d="m8 12.3 2.8 2.8L16 9.7"/>',
    "chevron": '<path d="m9 6 6 6-6 6"/>',
    "circle": '<circle cx="12" cy="12" r="9"/>',
    "clock": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>',
    "cloud-off": '<path d="M3 3l18 18M7.4 7.5A6 6 0 0 0 7 19h10.5m3-2.2A4.5 4.5 0 0 0 17.6 9 6 6 0 0 0 10 5.7"/>',
    "compass": '<circle cx="12" cy="12" r="9"/><path d="m15.5 8.5-2 5-5 2 2-5 5-2Z"/>',
    "file": '<path d="M14 3H6.5A1.5 1.5 0 0 0 5 4.5v15A1.5 1.5 0 0 0 6.5 21h11a1.5 1.5 0 0 0 1.5-1.5V8l-5-5Zm0 0v5h5"/>',
    "globe": '<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c2.5 2.5 3.8 5.600 3.8 9s-1.3 6.5-3.8 9c-2.5-2.5-3.8-5.600-3.8-9s1.3-6.5 3.8-9Z"/>',
    "half": '<circle cx="12" cy="12" r="9"/><path d="M12 7.5a4.5 4.5 0 0 1 0 9Z" fill="currentColor"/>',
    "info": '<circle cx="12" cy="12" r="9"/><path d="M12 11v5m0-8.5v.01"/>',
    "list": '<path d="M8.5 6H20M8.5 12H20M8.5 18H20M4 6h.01M4 12h.01M4 18h.01"/>',
    "lock": '<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
    "play": '<circle cx="12" cy="12" r="9"/><path d="m10 8.5 5.5 3.5L10 15.5Z"/>',
    "phone": '<rect x="7" y="2.5" width="10" height="19" rx="2"/><path d="M11 18.5h2"/>',
    "search": '<circle cx="11" cy="11" r="6.5"/><path d="m20 20-4.3-4.3"/>',
    "user": '<circle cx="12" cy="8" r="4"/><path d="M4 20.5a8 8 0 0 1 16 0"/>',
}  # fmt: skip


def icon(name: str) -> Markup:
    """The icon for a template; decorative, so hidden from assistive technology. KeyError names an unknown one."""
    return Markup(  # noqa: S704 (shapes of our own)
        f'<svg class="icon icon-{name}" viewBox="0 0 24 24" aria-hidden="true">{_SHAPES[name]}</svg>'
    )


def icon_names() -> tuple[str, ...]:
    """Every icon, for the style guide."""
    return tuple(_SHAPES)
