"""A page of documentation, taken apart: its title, what comes before the first section, its sections.

Understands `section` and `div.section` (Sphinx, docutils) and plain headings side by side (Markdown tools, others).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.content.domain import markup

_ROOTS: Final = ("[role=main]", "main", "article", "#content", "div.body", "div.document", "body")
_FURNITURE: Final = (
    "script, style, nav, header, footer, [role=navigation], [role=search], .sphinxsidebar, .related, "
    ".toctree-wrapper, .headerlink, .contents.local, .topic.contents, .footer"
)
_ASIDES: Final = "aside, figure, pre, table, .admonition, .sidebar, .topic"
_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a page. `html` is raw; `key` tells it from its siblings.

    `anchors` are the ids in it that a lesson keeps; `names` those that it loses with its heading or its listings,
    and that lead to its beginning.
    """

    key: str
    title: str
    html: str
    anchors: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def after(self, first: Part) -> Part:
        """This part with `first` put before it."""
        anchors, names = first.anchors | self.anchors, first.names | self.names
        return Part(self.key, self.title, first.html + self.html, anchors, names)

    @property
    def words(self) -> int:
        """Its length."""
        return len(markup.text_of(self.html).split())


@dataclass(frozen=True, slots=True)
class Page:
    """A parsed page. `intro` has the page's title and what stands before its sections."""

    path: str
    title: str
    language: str
    intro: Part
    sections: tuple[Part, ...]

    @property
    def about(self) -> str:
        """What the page says first, in plain words: without tips, notes and tables, which stand beside the text."""
        body = LexborHTMLParser(f"<body>{self.intro.html}").body
        for aside in body.css(_ASIDES) if body else ():
            aside.decompose()
        return markup.text_of(body.html or "") if body else ""

    @property
    def whole(self) -> Part:
        """The page as one part."""
        parts = (self.intro, *self.sections)
        html = self.intro.html + "".join(
            f"<h2>{escape(part.title)}</h2>{part.html}" for part in self.sections
        )
        return Part("", self.title, html, frozenset().union(*(part.anchors for part in parts)))


def parse(path: str, text: str) -> Page:
    """Take the page at `path` apart. Its text has passed `bounds`."""
    tree = LexborHTMLParser(text)
    html = tree.css_first("html")
    language = html.attrs.sget("lang") if html else ""
    named = tree.css_first("title")
    root = _content_root(tree)
    if root is None:
        return Page(path, path, language, Part("", path, ""), ())
    for node in root.css(_FURNITURE):
        node.decompose()
    heading = root.css_first("h1") or root.css_first("h2")
    title = _words(heading) if heading else (_words(named) if named else "")
    intro, sections = _split(root, heading)
    title = title or path
    return Page(path, title, language, replace(intro, title=title), sections)


def _content_root(tree: LexborHTMLParser) -> LexborNode | None:
    for selector in _ROOTS:
        found = tree.css_first(selector)
        if found is not None and found.text().strip():
            return found
    return None


def _words(node: LexborNode) -> str:
    return " ".join(node.text().split())


def _split(root: LexborNode, heading: LexborNode | None) -> tuple[Part, tuple[Part, ...]]:
    """Intro and sections: those of the element that holds the page's title, or of flat headings below it."""
    if heading is None:
        return _part("", "", [root]), ()
    holder = heading.parent or root
    level = int(str(heading.tag)[1])
    outer = [node.attrs.sget("id") for node in (holder, heading) if node.attrs.sget("id")]
    intro: list[LexborNode] = []
    sections: list[list[LexborNode]] = []
    for node in list(holder.iter(include_text=True)):
        if node.mem_id == heading.mem_id:
            continue
        if _begins_section(node, level):
            sections.append([node])
        elif sections:
            sections[-1].append(node)
        else:
            intro.append(node)
    found = _part("", "", intro)
    return replace(found, names=found.names | set(outer)), tuple(_titled(sections))


def _is_section(node: LexborNode) -> bool:
    return node.tag == "section" or (node.tag == "div" and "section" in node.attrs.sget("class").split())


def _begins_section(node: LexborNode, level: int) -> bool:
    if _is_section(node):
        return node.css_first(", ".join(_HEADINGS)) is not None
    return node.tag == f"h{level + 1}"


def _titled(sections: list[list[LexborNode]]) -> Iterator[Part]:
    taken: set[str] = set()
    for number, nodes in enumerate(sections, 1):
        heading = nodes[0] if nodes[0].tag in _HEADINGS else nodes[0].css_first(", ".join(_HEADINGS))
        if heading is None:
            continue
        title = _words(heading) or f"Section {number}"
        key = nodes[0].attrs.sget("id") or heading.attrs.sget("id") or f"section-{number}"
        key = key if key not in taken else f"{key}-{number}"
        taken.add(key)
        yield _without_heading(key, title, nodes, heading)


def _without_heading(key: str, title: str, nodes: list[LexborNode], heading: LexborNode) -> Part:
    """The lesson's page shows the title; what the heading was called leads to the lesson."""
    names = set(_anchors([heading]))
    if nodes[0].mem_id == heading.mem_id:
        nodes = nodes[1:]
    else:
        heading.decompose()
    found = _part(key, title, nodes)
    return replace(found, names=found.names | names)


def _part(key: str, title: str, nodes: list[LexborNode]) -> Part:
    elements = [node for node in nodes if node.is_element_node]
    # A listing is written anew from its text, so ids inside are lost.
    lost = set(_anchors([pre for node in elements for pre in node.css("pre")]))
    return Part(key, title, _html(nodes), frozenset(_anchors(elements)) - lost, frozenset(lost))


def _html(nodes: list[LexborNode]) -> str:
    return "".join(node.html or "" for node in nodes).strip()


def _anchors(elements: list[LexborNode]) -> Iterator[str]:
    for holder in elements:
        for element in [holder, *holder.css("[id], a[name]")]:
            name = element.attrs.sget("id") or element.attrs.sget("name")
            if name:
                yield name
