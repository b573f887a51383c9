"""Elements by what the parser of HTML does at their tags (WHATWG HTML, 13.2.4 and 13.2.6)."""

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FORMATTING: Final = _names("a b big code em font i nobr s small strike strong tt u")
"""Elements that are opened again in whatever follows, until an end tag of their own name."""
VOID: Final = _names(
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr"
)
REOPENING_VOID: Final = _names("area br embed image img input keygen wbr")
NEVER_PUSHED: Final = _names("html head body colgroup")
RAW: Final = _names("script style textarea title xmp iframe noembed noframes")
HEADINGS: Final = _names("h1 h2 h3 h4 h5 h6")
BLOCKS: Final = HEADINGS | _names("""
    address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header hgroup
    main menu nav ol p pre listing search section summary ul
""")
SCOPE: Final = _names("applet caption html table td th marquee object template select")
BUTTON_SCOPE: Final = SCOPE | {"button"}
LIST_SCOPE: Final = SCOPE | {"ol", "ul"}
SECTIONS: Final = _names("tbody thead tfoot")
CELLS: Final = _names("td th caption")
TABLE_PARTS: Final = SECTIONS | CELLS | {"tr"}
BETWEEN_CELLS: Final = SECTIONS | {"table", "tr"}
MARKING: Final = _names("applet marquee object template")
SPECIAL: Final = (
    BLOCKS
    | SCOPE
    | VOID
    | RAW
    | TABLE_PARTS
    | _names("""
    button colgroup dd dt form frameset head body li noscript plaintext
""")
)
ITEM_BARRIERS: Final = SPECIAL - {"address", "div", "p"}
P, LI, FORM, BUTTON, OPTION, RUBY_ROOT, TABLE = map(
    _names, ("p", "li", "form", "button", "option", "ruby", "table")
)
TERMS: Final = _names("dd dt")
IMPLIED: Final = _names("dd dt li optgroup option p rb rp rt rtc")
RUBY: Final = _names("rb rp rt rtc")
FOREIGN: Final = _names("svg math")
ONCE_FOREIGN: Final = _names("svg math svg# math#")
INTEGRATION: Final = _names("foreignobject desc title mi mo mn ms mtext annotation-xml")
BREAKING_OUT: Final = _names("""
    b big blockquote body br center code dd div dl dt em embed font h1 h2 h3 h4 h5 h6 head hr i img li listing menu
    meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var
""")
DOUBTED: Final = _names("svg math svg# math# select frameset")
DOUBTFUL: Final = _names("template frameset noscript")
CLOSING: Final = (
    BLOCKS
    | TABLE_PARTS
    | RUBY
    | _names("button dd dt form hr input keygen li optgroup option plaintext select table textarea xmp")
)
"""Elements whose start tag may close what is open."""
