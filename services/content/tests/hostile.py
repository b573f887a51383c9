"""Texts that cost a parser of HTML far more than their length, and the rule by which each is refused."""

from typing import Final

from services.content.domain.documents.bounds import MAX_ATTRIBUTES, MAX_DEPTH, MAX_FORMATTING

_DEEP: Final = f"nests more than {MAX_DEPTH}"
_OPEN: Final = f"more than {MAX_FORMATTING} elements such as b"


def _numbered(tag: str, count: int) -> str:
    return "".join(tag.replace("#", str(number)) for number in range(count))


TEXTS: Final = {
    "closed by what closes nothing": (_numbered("<b id=#></x>", 800) + "<p>y" * 800, _OPEN),
    "so many that the parser gives up": (_numbered("<b id=#></x>", 20_000) + "<p>y" * 2000, _OPEN),
    "deep": ("<div></x>" * 60_000, _DEEP),
    "closed in comments": ("<div><!--</div>-->" * 20_000, _DEEP),
    "closed in quotes": ("<div title='</div>'>" * 20_000, _DEEP),
    "closed in scripts": ("<div><script></div></script>" * 20_000, _DEEP),
    "closed in titles": ("<div><title></div></title>" * 20_000, _DEEP),
    "closed behind an object": ("<div><object></div></object>" * 20_000, _DEEP),
    "closed behind a cell": ("<div><table><td></div></table>" * 20_000, _DEEP),
    "closed after it was closed": ("<table><table></table><div></table>" * 20_000, _DEEP),
    "a paragraph closed by a block": ("<p><div></p>" * 20_000, _DEEP),
    "items in terms": ("<li><dd>" * 20_000, _DEEP),
    "groups of choices": ("<optgroup>" * 20_000, _DEEP),
    "elements hidden in a style": ("<svg><style>" + "<g>" * 20_000, "only looks like text"),
    "what is no leaf in a drawing": ("<svg>" + "<input>" * 20_000, _DEEP),
    "buttons in formulas": ("</dt><math><button c=80>" * 20_000, _DEEP),
    "closed paragraphs": (_numbered("<p><b id=#></p>", 2000), _OPEN),
    "links and fonts": (_numbered("<p><font size=#>y</p>", 2000), _OPEN),
    "long tags": (f"<p><b title={'x' * 5000}></p>" + "<p>y</p>" * 5000, "too many elements open"),
    "breaks that reopen": (f"<p><b title={'x' * 500}></p>" + "<p></br></p>" * 5000, "too many elements open"),
    "put before the table": (_numbered("<table><b id=#><td></table>", 2000), _OPEN),
    "attributes": ("<p " + _numbered("a# ", 50_000) + ">", f"more than {MAX_ATTRIBUTES} attributes"),
    "attributes of the body": (_numbered("<body a#>", 50_000), f"more than {MAX_ATTRIBUTES} attributes"),
}
