"""In which order pages follow each other: read from an entry page's table of contents.

Looked for, the first found wins: Sphinx' toctrees, navigation elements, links in lists of the page's own text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

_PLACES: Final = (
    ".toctree-wrapper",
    "nav",
    "[role=navigation], .sphinxsidebar, .toc",
    "main ul, main ol, article ul, article ol, body ul, body ol",
)
_PAGES: Final = (".html", ".htm", ".xhtml")
_FURNITURE: Final = "footer, .related, .this-page-menu, .footer, .breadcrumbs"
_INDEXES: Final = frozenset({"genindex.html", "py-modindex.html", "modindex.html", "search.html"})
"""Pages that Sphinx makes of the others."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in a table of contents, with the pages below it."""

    path: str
    below: tuple[str, ...] = ()


def entries(path: str, text: str) -> list[Entry]:
    """The pages that the page at `path` lists, in order, each once; the page itself left out."""
    tree = LexborHTMLParser(text)
    for node in tree.css(_FURNITURE):
        node.decompose()
    for place in _PLACES:
        found = _distinct(path, [_target(path, node) for node in _top_items(tree, place)])
        if found:
            return found
    return []


def listed_below(path: str, text: str) -> list[str]:
    """The pages in the toctrees of a page that is not the entry: its own children."""
    tree = LexborHTMLParser(text)
    links = (link for wrapper in tree.css(".toctree-wrapper") for link in wrapper.css("a[href]"))
    targets = (resolve(path, link.attrs.sget("href")) for link in links)
    return list(dict.fromkeys(target for target in targets if target and target != path))


def _top_items(tree: LexborHTMLParser, place: str) -> Iterator[LexborNode]:
    """The outermost list items of each place that is not inside another; links stand for themselves without lists."""
    seen: set[int] = set()
    for holder in tree.css(place):
        if _inside(holder, seen):
            continue
        seen.add(holder.mem_id)
        items = [node for node in holder.css("li") if not _inside_item(node, holder)]
        yield from items or holder.css("a[href]")


def _inside(node: LexborNode, seen: set[int]) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.mem_id in seen:
            return True
        parent = parent.parent
    return False


def _inside_item(node: LexborNode, holder: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and parent.mem_id != holder.mem_id:
        if parent.tag == "li":
            return True
        parent = parent.parent
    return False


def _target(path: str, item: LexborNode) -> list[str]:
    """The pages that an item links to, its own first."""
    links = [item] if item.tag == "a" else item.css("a[href]")
    targets = (resolve(path, link.attrs.sget("href")) for link in links)
    return list(dict.fromkeys(target for target in targets if target))


def _distinct(path: str, items: Sequence[list[str]]) -> list[Entry]:
    taken = {path}
    found: list[Entry] = []
    for targets in items:
        fresh = [target for target in targets if target not in taken]
        if fresh:
            taken.update(fresh)
            found.append(Entry(fresh[0], tuple(fresh[1:])))
    return found


def resolve(path: str, href: str) -> str | None:
    """The page that `href` on the page at `path` names, relative to the folder; None when it is none of ours.

    A path that climbs out of the folder stays as it is (`../x.html`): whoever reads files refuses it by name.
    """
    split = urlsplit_or_none(href)
    if split is None or split[0] or split[1]:
        return None
    target = join(path, unquote(split[2]))
    generated = target.rpartition("/")[2] in _INDEXES
    return target if target.lower().endswith(_PAGES) and not generated else None


def urlsplit_or_none(href: str) -> tuple[str, str, str, str] | None:
    """Scheme, host, path and fragment, or None for what is no address at all."""
    try:
        split = urlsplit(href.strip())
    except ValueError:
        return None
    return split.scheme.lower(), split.netloc, split.path, split.fragment


def join(path: str, relative: str) -> str:
    """`relative` as seen from the page at `path`, both in the folder's terms; climbing out is kept visible."""
    if not relative:
        return path
    parts: list[str] = [] if relative.startswith("/") else path.split("/")[:-1]
    for part in relative.replace("\\", "/").split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
