"""The bytes that keep a line being typed at the bottom while others appear above it.

It knows what of the input area is on the screen now, and gives the bytes that lead to what should be there.
Invariants: what was printed above is never erased or overwritten; the terminal's cursor rests in the input area,
never in the state "last column, wrap pending", where terminals differ; and the cursor is placed by drawing what
stands before it, so that it is at the right character also where a terminal takes one for wider than we do.

The size that we know may be an old one (tmux tells of a new one a quarter of a second later), and the terminal's idea
of a width is not always ours. Both may leave a piece of what was typed behind, above; neither erases what was printed.

What is above is the terminal's own text, wrapped by it, to select and to scroll. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from chatcore.client.layout import SGR, Row, lay_out
from chatcore.client.width import cells, clusters

ESC = "\x1b"
RESET_COLOR, WRAP_OFF, WRAP_ON = "\x1b[m", "\x1b[?7l", "\x1b[?7h"
ERASE_BELOW = "\x1b[K\x1b[C\x1b[J\r"
"""This row, then from its second column on: tmux takes "erase below" in the first cell of the screen for "clear", and
copies everything, the input too, to its scrollback."""
CLEAR = "\x1b[H\x1b[2J"
"""Everything, but not the scrollback."""
ROWS_LEFT_ABOVE = 1
"""What a long input leaves of the screen: something arriving can be seen."""
WIDEST = 2
"""Cells of a character."""


class Line(NamedTuple):
    prompt: str
    text: str
    cursor: int


class Area(NamedTuple):
    """What is drawn: a window of the rows of the input, and where in it the cursor is."""

    rows: tuple[Row, ...] = ()
    row: int = 0
    before: Row = Row("", 0)


class Screen:
    """`reflows`: the terminal breaks its rows anew when it becomes narrower; in doubt False.

    Then the input area is drawn with wrapping on: a row takes as many of a narrower screen whether that became
    narrower before or after the row was drawn. Otherwise with wrapping off: a row is always one row, whatever the
    terminal thinks of the widths in it.
    """

    def __init__(self, columns: int, rows: int, *, reflows: bool = False) -> None:
        self._columns, self._rows = columns, rows
        self._reflows = reflows
        self._area = Area()
        self._top = 0
        """The first row of the input that is in the window."""

    def show(self, line: Line) -> bytes:
        """The input area as it should be; only what differs is drawn."""
        old, new = self._area, self._new_area(line)
        self._area = new
        if not old.rows:
            return self._drawing(_draw(new, 0))
        if old == new:
            return b""
        if old.rows == new.rows:
            return self._drawing(_move(old.row, new.row) + new.before.shown)
        same = next(
            (at for at, (a, b) in enumerate(zip(old.rows, new.rows, strict=False)) if a != b),
            min(len(old.rows), len(new.rows)) - 1,
        )
        return self._drawing(_move(old.row, same) + ERASE_BELOW + _draw(new, same))

    def above(self, lines: list[str], line: Line) -> bytes:
        """`lines` are safe to show; they may hold colours, and wrap as the terminal wraps."""
        printed = "".join(
            f"{each}{RESET_COLOR}\r\n" if ESC in each else f"{each}\r\n" for each in lines
        )
        # a lone surrogate cannot be sent; whoever made the lines safe has seen to it
        return self.erase() + printed.encode("utf-8", "replace") + self.show(line)

    def erase(self) -> bytes:
        """Nothing is left of the input area, and the cursor is where it began."""
        old, self._area = self._area, Area()
        return (_move(old.row, 0) + ERASE_BELOW).encode() if old.rows else b""

    def clear(self, line: Line) -> bytes:
        # erased first: some terminals keep in their scrollback what is cleared
        return self.erase() + CLEAR.encode() + self.show(line)

    def resize(self, columns: int, rows: int, line: Line) -> bytes:
        """The terminal has already moved everything in its own way."""
        if self._reflows and columns < self._columns:
            self._area = self._area._replace(row=_reflowed_row(self._area, columns))
        self._columns, self._rows = columns, rows
        return self.erase() + self.show(line)

    def begin_again(self, columns: int, rows: int, line: Line) -> bytes:
        """Somebody else wrote to the terminal meanwhile: where the input area was is not known any more."""
        self._area = Area()
        self._columns, self._rows = columns, rows
        return f"\r{ERASE_BELOW}".encode() + self.show(line)

    def _drawing(self, text: str) -> bytes:
        return (text if self._reflows else f"{WRAP_OFF}{text}{WRAP_ON}").encode()

    def _new_area(self, line: Line) -> Area:
        layout = lay_out(*line, self._columns)
        height = max(self._rows - ROWS_LEFT_ABOVE, 1)
        # the window moves no more than it must
        top = min(self._top, max(len(layout.rows) - height, 0))
        self._top = min(max(top, layout.row - height + 1), layout.row)
        window = layout.rows[self._top : self._top + height]
        return Area(window, layout.row - self._top, layout.before)


def _draw(area: Area, first: int) -> str:
    """From the beginning of an empty row, the rows from `first` on; then the cursor."""
    rows = "\r\n".join(row.shown for row in area.rows[first:])
    last = len(area.rows) - 1
    if area.row == last and area.before == area.rows[last]:
        return rows
    return rows + _move(last, area.row) + area.before.shown


def _move(row: int, to: int) -> str:
    """To the beginning of another row of the input area."""
    if to == row:
        return "\r"
    return f"\r{ESC}[{abs(to - row)}{'A' if to < row else 'B'}"


def _reflowed_row(area: Area, columns: int) -> int:
    """How far below the beginning of the area the cursor is now, at the least.

    Where terminals differ (blanks, a wide character at the margin or in a single column, a cursor behind a full row)
    the smaller number is right: too few rows erased leave a piece of what was typed, too many take something from
    what was printed above.
    """
    per_row = max(columns, WIDEST)
    above = sum(max(-(-_inked(row) // per_row), 1) for row in area.rows[: area.row])
    return above + max(_inked(area.before) - 1, 0) // per_row


def _inked(row: Row) -> int:
    """The fewest cells that the row can have: blanks at its end may be forgotten, joined characters drawn as one."""
    shown = SGR.sub("", row.shown).rstrip(" ")
    return sum(cells(cluster[0]) for cluster in clusters(shown))
