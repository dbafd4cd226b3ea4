"""The line being typed → the rows it takes on a screen so many columns wide, and where the cursor stands.

Invariants: no row is wider than the columns; no cluster is split over two rows; the cursor stands on a cell of the
screen, never beyond the last column, so a full row is followed by one for the cursor; whatever was typed, nothing
in a row can move the terminal's cursor in a way that was not counted. Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from chatcore.client.safe import safe
from chatcore.client.width import Kind, cluster_cells, clusters, kind_of

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


def _row(cells: list[Cell]) -> Row:
    """Complete in itself: no colour goes on into the next row."""
    shown = []
    for style, group in groupby(cells, key=lambda cell: cell.style):
        part = "".join(cell.shown for cell in group)
        shown.append(f"{style}{part}{SGR_RESETS[0]}" if style else part)
    return Row("".join(shown), sum(cell.width for cell in cells))


def _prompt_cells(prompt: str) -> Iterator[Cell]:
    style = ""
    for part in SGR.split(prompt):
        if part in SGR_RESETS:
            style = ""
        elif SGR.fullmatch(part):
            style += part
        else:
            yield from _text_cells(part, style)


def _text_cells(text: str, style: str = "") -> Iterator[Cell]:
    for cluster in clusters(text):
        for part in clusters(_shown(cluster)):  # several, when some of it (tags) has stand-ins
            yield Cell(part, cluster_cells(part), style)


def _shown(cluster: str) -> str:
    if not cluster_cells(cluster):
        return DOTTED_CIRCLE + safe(cluster) if kind_of(cluster) is Kind.JOINS else REPLACEMENT
    return TAB_PICTURE if cluster == TAB else safe(cluster)
