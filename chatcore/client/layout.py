"""The line being typed → the rows it takes on a screen so many columns wide, and where the cursor stands. And a line
that arrived → the same, broken between words.

Invariants of the line being typed: no row is wider than the columns; no cluster is split over two rows; the cursor
stands on a cell of the screen, never beyond the last column, so a full row is followed by one for the cursor; whatever
was typed, nothing in a row can move the terminal's cursor in a way that was not counted.
Invariant of one that arrived: all but its first row are indented, and none is wider than the columns, except for an
address, of which the terminal puts the rest at the left edge, and nothing behind it. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from chatcore.client.safe import safe
from chatcore.client.width import Kind, cells, cluster_cells, clusters, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SGR = re.compile("(\x1b\\[[0-9;:]*m)")
"""Select graphic rendition (ECMA-48 8.3.117): colours, the only escape sequences that may stand in a prompt."""
SGR_RESETS = ("\x1b[m", "\x1b[0m")
TOO_WIDE = "?"
"""For a character of two cells on a screen of one column."""
DOTTED_CIRCLE = "\u25cc"
"""Stands for the missing base of a mark (Unicode 2.11): so that it is seen, and has a cell for the cursor."""
REPLACEMENT = "\ufffd"
"""Stands for what would not be seen at all, a zero width space."""
SPACE = " "
WIDE = 2
"""Cells of a character of those that are written without spaces: they are no words to be kept whole."""
INDENT = "  "
"""Of a row that goes on with a line: nobody can write a line whose end looks like the beginning of another one's."""
INDENTED_COLUMNS = 20
"""A narrower screen has no room for it."""
ADDRESS = re.compile(r"https?://[\w.~:/?#@!$&'()*+,;=%-]+(?<![-*:])", re.ASCII)
"""What stays in one piece to be copied: of RFC 3986, but without the brackets of a time, and without an end that could
be the beginning of a line: `Bob:`, `*`, `--`."""
TAB, TAB_PICTURE = "\t", "\u2409"
"""Readers see a blank; who types should see what it is."""
REMEMBERED = 4
"""Layouts: an arriving line draws the same input again."""


class Cell(NamedTuple):
    """A cluster as it is shown; every one has a column or two, so that the cursor can stand on it."""

    shown: str
    width: int
    style: str


class Row(NamedTuple):
    shown: str
    width: int


class Layout(NamedTuple):
    rows: tuple[Row, ...]
    row: int
    """Of the cursor."""
    before: Row
    """What stands before the cursor in its row: the width is the cursor's column."""


@lru_cache(maxsize=REMEMBERED)
def lay_out(prompt: str, text: str, cursor: int, columns: int) -> Layout:
    before = [*_prompt_cells(prompt), *_text_cells(text[:cursor])]
    grid: list[list[Cell]] = [[]]
    used = 0
    at = (0, 0)
    for index, cell in enumerate([*before, *_text_cells(text[cursor:])]):
        if cell.width > columns:
            cell = Cell(TOO_WIDE, 1, cell.style)
        if used + cell.width > columns:
            grid.append([])
            used = 0
        if index == len(before):
            at = (len(grid) - 1, len(grid[-1]))
        grid[-1].append(cell)
        used += cell.width
    if cursor >= len(text):
        if used >= columns:
            grid.append([])
        at = (len(grid) - 1, len(grid[-1]))
    row, place = at
    return Layout(tuple(_row(cells) for cells in grid), row, _row(grid[row][:place]))


def wrap(text: str, columns: int) -> list[str]:
    """Rows of a line that is safe to show and may hold colours, broken between words where that is possible.

    An address that is longer than a row is broken by the terminal, which gives it back in one piece when it is copied.
    """
    if cells(SGR.sub("", text)) <= columns:
        return [text]
    rows = _Rows(columns)
    for blanks, word in _words(text):
        rows.add(blanks, word)
    return rows.shown()


class _Rows:
    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._indent = INDENT if columns >= INDENTED_COLUMNS else ""
        self._rows: list[list[Cell]] = [[]]
        self._used = 0

    def add(self, blanks: list[Cell], word: list[Cell]) -> None:
        width = sum(cell.width for cell in word)
        is_narrow = all(cell.width < WIDE for cell in word)
        if self._used + len(blanks) + width <= self._columns:
            self._put([*blanks, *word])
        elif is_narrow and width <= self._columns - len(self._indent):
            self._begin()
            self._put(word)
        else:
            self._begin_within(blanks, word[0])
            if ADDRESS.fullmatch("".join(cell.shown for cell in word)):
                self._put(word)
                self._used = self._columns  # nothing else stands in a row that the terminal broke
            else:
                self._cut(word)

    def shown(self) -> list[str]:
        first, *others = (_row(row).shown for row in self._rows)
        return [first, *(self._indent + row for row in others)]

    def _begin_within(self, blanks: list[Cell], first: Cell) -> None:
        """In this row, if it has room for the first of a word; in the next, without the blanks, if it has not."""
        if self._used + len(blanks) + first.width <= self._columns:
            self._put(blanks)
        else:
            self._begin()

    def _cut(self, word: list[Cell]) -> None:
        for cell in word:
            if self._used + cell.width > self._columns:
                self._begin()
            self._put([cell])

    def _put(self, row: list[Cell]) -> None:
        self._rows[-1] += row
        self._used += sum(cell.width for cell in row)

    def _begin(self) -> None:
        if self._rows[-1]:  # an empty one is where a character wider than the screen goes, too
            self._rows.append([])
            self._used = len(self._indent)


def _words(text: str) -> Iterator[tuple[list[Cell], list[Cell]]]:
    """Each with the blanks before it."""
    blanks: list[Cell] = []
    for is_blank, group in groupby(_cells(text), key=lambda cell: cell.shown == SPACE):
        if is_blank:
            blanks = [*group]
        else:
            yield blanks, [*group]
            blanks = []


def _cells(text: str) -> Iterator[Cell]:
    for part, style in _styled(text):
        for cluster in clusters(part):
            yield Cell(cluster, cluster_cells(cluster), style)


def _row(row: list[Cell]) -> Row:
    """Complete in itself: no colour goes on into the next row."""
    shown = []
    for style, group in groupby(row, key=lambda cell: cell.style):
        part = "".join(cell.shown for cell in group)
        shown.append(f"{style}{part}{SGR_RESETS[0]}" if style else part)
    return Row("".join(shown), sum(cell.width for cell in row))


def _prompt_cells(prompt: str) -> Iterator[Cell]:
    for part, style in _styled(prompt):
        yield from _text_cells(part, style)


def _styled(text: str) -> Iterator[tuple[str, str]]:
    """Its parts, each with the colours that it has."""
    style = ""
    for part in SGR.split(text):
        if part in SGR_RESETS:
            style = ""
        elif SGR.fullmatch(part):
            style += part
        else:
            yield part, style


def _text_cells(text: str, style: str = "") -> Iterator[Cell]:
    for cluster in clusters(text):
        for part in clusters(_shown(cluster)):  # several, when some of it (tags) has stand-ins
            yield Cell(part, cluster_cells(part), style)


def _shown(cluster: str) -> str:
    if not cluster_cells(cluster):
        return DOTTED_CIRCLE + safe(cluster) if kind_of(cluster) is Kind.JOINS else REPLACEMENT
    return TAB_PICTURE if cluster == TAB else safe(cluster)
