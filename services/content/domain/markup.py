"""From any HTML to the HTML that a lesson may hold.

Two steps. The first works on the tree: it highlights listings, prefixes ids, and asks a `Resolver` where links lead
and which pictures there are. The second, nh3, comes last and decides alone what may pass, so that nothing depends on
the first one being right. A text that went through once passes again unchanged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final, Protocol

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.content.domain import listings

ANCHOR_PREFIX: Final = "s-"
"""Ids of a lesson live in the page of a web app: prefixed, they cannot take the place of the page's own ids."""

LESSON_LINK = re.compile(r"^/v1/lessons/(?P<id>[0-9a-f-]{36})(?:#(?P<anchor>\S{1,200}))?$")
MEDIA_LINK = re.compile(r"^/v1/media/(?P<id>[0-9a-f-]{36})/(?P<name>[^/?#\s\"'<>]{1,300})$")
_ANCHOR = re.compile(rf"^{ANCHOR_PREFIX}[^\s\"'<>]{{1,200}}$")
_OUTSIDE = re.compile(r"^(https?://|mailto:)", re.IGNORECASE)
_HEADING = re.compile(r"<(/?)h([1-6])\b")

ACTIVE: Final = "script, iframe, object, embed, applet, form, canvas, audio, video, svg, math"
"""What a lesson cannot hold and a writer may miss."""
_REMOVED: Final = f"{ACTIVE}, style, input, button, select, textarea, noscript, template, link, meta, base, .headerlink, [hidden]"
_TAG_NAMES: Final = """
    p h1 h2 h3 h4 h5 h6 ul ol li dl dt dd pre code kbd samp var em strong b i u s sub sup small mark abbr cite q
    blockquote table caption colgroup col thead tbody tfoot tr th td figure figcaption img a span div section
    aside details summary br hr wbr dfn del ins time
"""
_TAGS: Final = frozenset(_TAG_NAMES.split())
_ATTRIBUTES: Final[Mapping[str, set[str]]] = {
    "*": {"id", "lang", "dir", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "col": {"span"},
    "ol": {"start", "reversed"},
    "li": {"value"},
    "time": {"datetime"},
    "details": {"open"},
    "pre": {"data-language"},
}
_SPHINX_CLASSES: Final = """
    highlight literal docutils pre guilabel menuselection kbd file program command option envvar
    admonition admonition-title note warning seealso tip hint important caution danger attention error
    versionadded versionchanged versionmodified deprecated deprecated-removed added changed
    sig sig-object sig-name sig-prename sig-paren sig-param sig-return descname descclassname optional
    default_value property function class method attribute data exception py c
    footnote footnote-reference footnote-list brackets label backrefs rubric caption caption-text topic sidebar
    section-number compound simple field-list table align-center align-left align-right align-default
    line-block line row-odd row-even head stub figure image reference internal external
"""
_CLASSES: Final = listings.CLASSES | set(_SPHINX_CLASSES.split())
"""What a style sheet may know: Pygments' tokens and the structure that Sphinx marks."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that may be shown: its address here, and its size in pixels when that is known."""

    url: str
    width: int | None = None
    height: int | None = None


class Resolver(Protocol):
    """Says where the links and pictures of a text lead; what it leaves out becomes plain text."""

    def link(self, href: str) -> str | None:
        """The address to write, or None for text without a link."""

    def picture(self, src: str) -> Picture | None:
        """The picture to show, or None for its alternative text."""


class AuthoredLinks:
    """The rules for HTML that comes through the API: outside addresses, this lesson, other lessons, own media."""

    def link(self, href: str) -> str | None:
        """Keep `https:`, `mailto:`, `/v1/lessons/ID#anchor`, `/v1/media/…` and `#anchor`."""
        if href.startswith("#"):
            return f"#{prefixed(href[1:])}"
        allowed = _OUTSIDE.match(href) or LESSON_LINK.match(href) or MEDIA_LINK.match(href)
        return href if allowed else None

    def picture(self, src: str) -> Picture | None:
        """Keep pictures of this platform only: a foreign one would tell its host who reads."""
        return Picture(src) if MEDIA_LINK.match(src) else None


def prefixed(anchor: str) -> str:
    """The id under which an element of a lesson is found."""
    return anchor if anchor.startswith(ANCHOR_PREFIX) else ANCHOR_PREFIX + anchor


def clean(html: str, resolver: Resolver) -> str:
    """`html` as a lesson may hold it. Never raises for any text; see `documents.bounds` for texts from outside."""
    body = LexborHTMLParser(f"<body>{html}").body
    if body is None:
        return ""
    _prepare(body, resolver)
    return _shift_headings(_cleaner.clean(body.inner_html or "")).strip()


def _prepare(body: LexborNode, resolver: Resolver) -> None:
    for node in body.css(_REMOVED):
        node.decompose()
    listings.highlight_all(body)
    for node in body.css("a[name]:not([id])"):
        node.attrs["id"] = node.attrs.sget("name")
    for node in body.css("[id]"):
        node.attrs["id"] = prefixed(node.attrs.sget("id"))
    for node in body.css("a[href]"):
        _settle_link(node, resolver)
    for node in body.css("img"):
        _settle_picture(node, resolver)


def _settle_link(node: LexborNode, resolver: Resolver) -> None:
    href = resolver.link(node.attrs.sget("href").strip())
    if href is not None:
        node.attrs["href"] = href
        if _OUTSIDE.match(href):
            node.attrs["rel"] = "noopener nofollow"
    elif "id" in node.attrs:
        del node.attrs["href"]
    else:
        node.unwrap()


def _settle_picture(node: LexborNode, resolver: Resolver) -> None:
    alt = _description(node)
    picture = resolver.picture(node.attrs.sget("src").strip())
    if picture is None:
        node.replace_with(alt)
        return
    node.attrs["src"] = picture.url
    node.attrs["alt"] = alt
    if picture.width and picture.height:
        node.attrs["width"], node.attrs["height"] = str(picture.width), str(picture.height)


def _description(node: LexborNode) -> str:
    """The text that stands for a picture. Sphinx writes the file's path when the author wrote none: that is no text."""
    alt = node.attrs.sget("alt").strip()
    return "" if alt and node.attrs.sget("src").strip().endswith(alt.removeprefix("./")) else alt


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    """nh3's last question for each attribute that is allowed at all."""
    match (tag, attribute):
        case (_, "id"):
            return value if _ANCHOR.match(value) else None
        case ("img", "src"):
            return value if MEDIA_LINK.match(value) else None
        case ("a", "href"):
            return value if _leads_somewhere_known(value) else None
        case _:
            return value


def _leads_somewhere_known(href: str) -> bool:
    inside = LESSON_LINK.match(href) or MEDIA_LINK.match(href)
    return bool(_OUTSIDE.match(href) or inside or (href.startswith("#") and _ANCHOR.match(href[1:])))


_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style"},
    attributes=dict(_ATTRIBUTES),
    attribute_filter=_allowed,
    allowed_classes={tag: set(_CLASSES) for tag in _TAGS},
    tag_attribute_values={"a": {"rel": {"noopener nofollow"}}},
    set_tag_attribute_values={"img": {"loading": "lazy"}},
    url_schemes={"http", "https", "mailto"},
    link_rel=None,
)


def _shift_headings(html: str) -> str:
    """Make the highest heading an h2: the page around a lesson has the h1. `html` is nh3's, so `<h` is a tag."""
    levels = [int(level) for _, level in _HEADING.findall(html)]
    shift = 2 - min(levels, default=2)
    return _HEADING.sub(lambda tag: f"<{tag[1]}h{min(int(tag[2]) + shift, 6)}", html) if shift else html


def text_of(html: str) -> str:
    """The words of an HTML text, blanks collapsed."""
    body = LexborHTMLParser(f"<body>{html}").body
    return " ".join(body.text(separator=" ").split()) if body else ""


def paragraph(text: str) -> str:
    """Plain text as HTML."""
    return f"<p>{escape(text)}</p>"
