"""Which elements a parser of HTML has open at most after each tag, and how much it opens again by itself.

It follows the parser (WHATWG HTML, 13.2.6) where that is simple, and is never below it where it is not: from the
first element of which it cannot be sure, only an end tag right behind what it closes takes anything away.
"""

from dataclasses import dataclass

from services.content.domain.documents import elements
from services.content.domain.documents.stack import Formatting, Stack


@dataclass(slots=True)
class Nesting(Stack):
    """What is open as tags are read."""

    quirks: bool | None = None
    """Whether a table goes into the paragraph before it; None: unknown."""
    repeated: int = 0
    """Characters of tags that the parser may have written a second time."""
    _form: bool | None = False
    _marked: bool = False
    """Whether a mark in `active` may be none of the parser's, or has been taken away there."""
    _zoned: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether `script` and its like may be elements as any other here."""
        return self._zoned and not elements.DOUBTED.isdisjoint(self.open)

    def text(self, text: str) -> None:
        """A text between two tags."""
        between_cells = self.certain and self.open and self.open[-1] in elements.BETWEEN_CELLS
        if self.active and text and not (between_cells and text.isspace()):
            self._reopen()

    def start(self, name: str, source: str, *, closes_itself: bool) -> None:
        """A start tag."""
        if self._zoned and self._maybe_foreign():
            if name in elements.BREAKING_OUT:
                self._break_out()
            else:
                self._start_foreign(name, source, closes_itself=closes_itself)
                return
        if name in elements.NEVER_PUSHED:
            return
        if name in elements.TABLE_PARTS:
            self._start_part(name)
        elif name in elements.FORMATTING:
            self._start_formatting(name, source)
        elif name in elements.VOID or name in elements.RAW:
            self._start_leaf(name)
        else:
            self._before(name)
            self._push(name)

    def _start_foreign(self, name: str, source: str, *, closes_itself: bool) -> None:
        """A start tag that is one of SVG's or MathML's own, if the parser is still in there."""
        if closes_itself and self._in_foreign():
            return
        if name in elements.FORMATTING:
            self.active.append(Formatting(name, source, len(self.open)))
        elif name in elements.CLOSING:
            self._doubt(0)  # in HTML it would close others, there it does not
        if name not in elements.FORMATTING:
            self._reopen()
        self._push(name)

    def end(self, name: str) -> None:
        """An end tag."""
        if self._zoned and self._maybe_foreign() and name in ("p", "br"):
            self._break_out()
        if name in elements.FORMATTING:
            self._end_formatting(name)
        elif name == "form":
            self._end_form()
        elif name in elements.FOREIGN or name == "select":
            self._end_zone(name)
        elif name in elements.TABLE_PARTS or name == "table":
            self._end_part(name)
        elif name in elements.MARKING:
            self._end_marking(name)
        elif name == "br":
            self._reopen()
        elif name in elements.NEVER_PUSHED or name in elements.VOID or name in elements.RAW:
            if self._zoned and self.open and self.open[-1] == name:
                self._cut(len(self.open) - 1)
        elif name == "p":
            self._close(elements.P, elements.BUTTON_SCOPE)
            self.repeated += len("<p></p>")
        elif name in elements.HEADINGS:
            self._close(elements.HEADINGS, elements.SCOPE)
        elif name == "li":
            self._close(elements.LI, elements.LIST_SCOPE)
        elif name in elements.SPECIAL:
            self._close(frozenset((name,)), elements.SCOPE)
        else:
            self._close(frozenset((name,)), elements.SPECIAL)

    def _before(self, name: str) -> None:
        """What the parser closes, or opens again, before it opens `name`."""
        if name in elements.BLOCKS or name in ("form", "plaintext", "xmp"):
            self._close(elements.P, elements.BUTTON_SCOPE)
            if name in elements.HEADINGS:
                self._close_top(elements.HEADINGS)
        elif name == "li":
            self._close(elements.LI, elements.ITEM_BARRIERS)
            self._close(elements.P, elements.BUTTON_SCOPE)
        elif name in ("dd", "dt"):
            self._close(elements.TERMS, elements.ITEM_BARRIERS)
            self._close(elements.P, elements.BUTTON_SCOPE)
        elif name == "table":
            self._before_table()
        elif name in elements.RUBY:
            self._before_ruby()
        else:
            if name == "button":
                self._close(elements.BUTTON, elements.SCOPE)
            if name in ("option", "optgroup"):
                self._close_top(elements.OPTION)
            self._reopen()

    def _push(self, name: str) -> None:
        if name == "form":
            if self._form and self.certain:
                return
            if not self.certain or self._form is None:
                self._doubt(len(self.open))
                self._form = None
            else:
                self._form = True
        if name == "select" and "select" in self.open:
            self._doubt(self.open.index("select"))
        certain = self.certain and name not in elements.DOUBTFUL and not (self._zoned and self._in_zone())
        self._zoned = self._zoned or name in elements.DOUBTED
        self.open.append(name)
        if name in elements.MARKING:
            self._marked = self._marked or not certain
            self.active.append(Formatting("", ""))
        if certain:
            self.sure = len(self.open)

    def _in_zone(self) -> bool:
        return "select" in self.open or "svg" in self.open or "math" in self.open

    def _maybe_foreign(self) -> bool:
        return not elements.ONCE_FOREIGN.isdisjoint(self.open)

    def _in_foreign(self) -> bool:
        for name in reversed(self.open):
            if name in elements.FOREIGN:
                return True
            if name in elements.INTEGRATION or name in elements.SPECIAL:
                return False
        return False

    def _break_out(self) -> None:
        for at, name in enumerate(self.open):
            if name in elements.FOREIGN:
                self._doubt(at)
                self.open[at] = f"{name}#"

    def _start_leaf(self, name: str) -> None:
        if name in ("hr", "xmp"):
            self._close(elements.P, elements.BUTTON_SCOPE)
        if name in ("input", "keygen", "textarea", "hr") and "select" in self.open:
            self._doubt(self.open.index("select"))
        if name in elements.REOPENING_VOID or name == "xmp":
            self._reopen()

    def _before_ruby(self) -> None:
        if not self.certain:
            if self.sure:  # what is on top of the sure ones may be closed, if it is implied
                at = self.sure
                while at and self.open[at - 1] in elements.IMPLIED:
                    at -= 1
                self._doubt(at)
        elif self._find(elements.RUBY_ROOT, elements.SCOPE, len(self.open)) >= 0:
            while self.open[-1] in elements.IMPLIED:
                self._cut(len(self.open) - 1)

    def _end_form(self) -> None:
        if not self.certain:
            self._form = None
            self._close(elements.FORM, frozenset())
            return
        known, self._form = self._form, False
        at = self._find(elements.FORM, elements.SCOPE, len(self.open))
        if known is None:
            if at >= 0:
                self._doubt(at)
        elif known and at >= 0:
            while self.open[-1] in elements.IMPLIED and len(self.open) > at + 1:
                self._cut(len(self.open) - 1)
            self._remove(at)

    def _end_zone(self, name: str) -> None:
        """The end of SVG, MathML or a choice: all of it, if nothing in it can have led out of it."""
        at = self._find(frozenset((name,)), frozenset(), len(self.open))
        if at < 0:
            return
        inside = self.open[at + 1 :]
        if name == "select":
            clean = all(it in ("option", "optgroup") for it in inside)
        else:
            clean = not any(
                it in elements.INTEGRATION or it in elements.SPECIAL or it in elements.FORMATTING
                for it in inside
            )
        if clean and at < self.sure:
            self._cut(at)
        else:
            self._close(frozenset((name,)), frozenset())

    def _before_table(self) -> None:
        if self.quirks is False:
            self._close(elements.P, elements.BUTTON_SCOPE)
        elif self.quirks is None:
            at = self._find(elements.P, elements.BUTTON_SCOPE, len(self.open))
            if at >= 0:
                self._doubt(at)
        at = self._find(elements.CELLS | elements.TABLE, frozenset(), len(self.open))
        if self.certain:
            if at >= 0 and self.open[at] == "table":
                self._cut(at)
        elif "table" in self.open:
            self._doubt(self.open.index("table"))

    def _table(self) -> int:
        return self._find(elements.TABLE, frozenset(), len(self.open))

    def _start_part(self, name: str) -> None:
        """A part of a table: the parser goes back to where one may stand, and adds what is left out around it."""
        table = self._table()
        if table < 0:
            return
        if not self.certain:
            self._doubt(table + 1)
            self.open.extend(("tbody", "tr") if name in ("td", "th") else ("tbody",) if name == "tr" else ())
            self._remember_cell(name)
            self.open.append(name)
            return
        keep, missing = table, [name]
        section = next(
            (at for at in range(table + 1, len(self.open)) if self.open[at] in elements.SECTIONS), -1
        )
        row = next((at for at in range(table + 1, len(self.open)) if self.open[at] == "tr"), -1)
        if name in ("td", "th"):
            keep = row if row >= 0 else section if section >= 0 else table
            missing = [name] if row >= 0 else ["tr", name] if section >= 0 else ["tbody", "tr", name]
        elif name == "tr":
            keep = section if section >= 0 else table
            missing = [name] if section >= 0 else ["tbody", name]
        self._forget_cell(keep + 1)
        self._cut(keep + 1)
        self.open.extend(missing)
        self.sure = len(self.open)
        self._remember_cell(name)

    def _remember_cell(self, name: str) -> None:
        if name in elements.CELLS:
            self.active.append(Formatting("", ""))

    def _forget_cell(self, cut: int) -> None:
        """Forget what was opened in a cell that is closed; unless other elements may have marked where it begins."""
        if not self._marked and any(name in elements.CELLS for name in self.open[cut:]):
            self._forget()

    def _forget(self) -> None:
        """Forget the formatting that was opened since the last mark, and the mark."""
        while self.active and self.active.pop().name:
            pass

    def _end_marking(self, name: str) -> None:
        """The end of an object or its like: formatting that was opened in it ends with it."""
        if not self.certain or self._marked:
            self._marked = True
            self._close(frozenset((name,)), elements.SCOPE)
            return
        at = self._find(frozenset((name,)), elements.SCOPE, len(self.open))
        if at >= 0:
            self._forget()
            self._cut(at)

    def _end_part(self, name: str) -> None:
        table = self._table()
        if table < 0:
            return
        if not self.certain:
            if self.open[-1] == name:
                self._cut(len(self.open) - 1)
            self._doubt(table if name == "table" else table + 1)
            return
        at = (
            table
            if name == "table"
            else self._find(frozenset((name,)), frozenset(elements.TABLE), len(self.open))
        )
        if at >= 0:
            self._forget_cell(at)
            self._cut(at)

    def _start_formatting(self, name: str, source: str) -> None:
        if name in ("a", "nobr") and self._newest(name):
            self._end_formatting(name)
        self._reopen()
        self._push(name)
        if self.certain and not self._marked:
            self._keep_three(source)
        self.active.append(Formatting(name, source, len(self.open) - 1))

    def _keep_three(self, source: str) -> None:
        """Of one tag the parser opens no more than three again; those before the last mark do not count."""
        since = next((at for at in range(len(self.active), 0, -1) if not self.active[at - 1].name), 0)
        same = [at for at in range(since, len(self.active)) if self.active[at].source == source]
        if len(same) >= 3:
            del self.active[same[0]]

    def _reopen(self) -> None:
        """What the parser opens again of the formatting that was closed by its surroundings only."""
        if not self.active:
            return
        certain = self.certain
        closed: list[Formatting] = []
        for one in reversed(self.active):
            if (not one.name and not self._marked) or (certain and one.at >= 0):
                break
            closed.append(one)
        for one in reversed(closed):
            self.repeated += len(one.source) + len(one.name) + 3
            if one.at < 0 and one.name:
                self._push(one.name)
                one.at = len(self.open) - 1

    def _end_formatting(self, name: str) -> None:
        """The adoption agency: formatting is closed around what stays open (13.2.6.4.7)."""
        mine = self._newest(name)
        if not self.certain:
            if self.open[-1] == name:
                self._cut(len(self.open) - 1)
                if mine:
                    self.active.remove(mine)
            self._doubt_from_lowest(name)
            self.repeated += 8 * sum(len(one.source) + len(one.name) + 3 for one in self.active)
        elif self._marked:
            self._doubt_from_lowest(name)
        elif mine is None:
            self._close(frozenset((name,)), elements.SPECIAL)
        elif mine.at < 0:
            self.active.remove(mine)
        elif not any(it in elements.SCOPE for it in self.open[mine.at :]):
            self._adopt(mine)

    def _newest(self, name: str) -> Formatting | None:
        """The last one of that name that is not hidden behind the beginning of a cell."""
        for one in reversed(self.active):
            if one.name == name:
                return one
            if not one.name and not self._marked:
                return None
        return None

    def _doubt_from_lowest(self, name: str) -> None:
        at = self.open.index(name) if name in self.open else -1
        if at >= 0:
            self._doubt(at)

    def _adopt(self, mine: Formatting) -> None:
        behind = self.open[mine.at + 1 :]
        blocks = [at for at, name in enumerate(behind, mine.at + 1) if name in elements.SPECIAL]
        if not blocks:
            self._cut(mine.at)
            self.active.remove(mine)
            return
        weight = sum(len(one.source) + len(one.name) + 3 for one in self.active)
        self.repeated += min(len(blocks) + 1, 8) * weight
        if len(blocks) > 6 or any(name in elements.FORMATTING for name in behind):
            self._doubt(mine.at)
            return
        at = mine.at
        self._cut(blocks[-1] + 1)
        for index in range(blocks[-1], at - 1, -1):
            if index not in blocks:
                self._remove(index)
        self.active.remove(mine)
