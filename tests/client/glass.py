"""pyte made into a terminal that people have, and a room of an editor, a screen and such a terminal.

The oracle is the terminal's own view, scrollback included: what was printed above is there, each line whole (as the
terminal wrapped it) and in order; then the rows of the input as a layout of its own, made with `wcwidth`, has them;
below there is nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pyte
import pyte.modes
import wcwidth

from chatcore.client.editor import Editor
from chatcore.client.screen import Line, Screen

UNSEEN = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0067]")
"""What has a stand-in, because it turns a text around or is not seen."""
SGR = re.compile("\x1b\\[[0-9;]*m")


class Glass(pyte.Screen):
    """pyte with what it lacks: clusters, wide characters at the margin, scrollback, rows that know that they go on,
    resizing without loss. `reflows`: as VTE, kitty, tmux do; else as xterm does."""

    def __init__(self, columns: int, rows: int, *, reflows: bool, knows_clusters: bool) -> None:
        self.scrollback: list = []
        self.reflows, self.knows_clusters = reflows, knows_clusters
        super().__init__(columns, rows)
        self._stream = pyte.ByteStream(self)

    def feed(self, data: bytes) -> None:
        self._stream.feed(data)

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.scrollback.append(self.buffer[0])
        super().index()

    def draw(self, data: str) -> None:
        for cluster in wcwidth.iter_graphemes(data) if self.knows_clusters else data:
            width = min(wcwidth.wcswidth(cluster), self.columns)
            if width == 0:
                self._attach(cluster)
                continue
            if self.cursor.x + width > self.columns:
                if pyte.modes.DECAWM in self.mode:
                    self.buffer[self.cursor.y].goes_on = True
                    self.carriage_return()
                    self.linefeed()
                else:
                    self.cursor.x = self.columns - width
            self._put(self.buffer[self.cursor.y], self.cursor.x, cluster, width)
            self.cursor.x += width

    def _put(self, row, x: int, cluster: str, width: int) -> None:
        row[x] = self.cursor.attrs._replace(data=cluster)
        if width == 2:
            row[x + 1] = self.cursor.attrs._replace(data="")

    def _attach(self, mark: str) -> None:
        row = self.buffer[self.cursor.y]
        x = max((x for x in row if x < self.cursor.x and row[x].data), default=None)
        if x is not None:
            row[x] = row[x]._replace(data=row[x].data + mark)

    def erase_in_display(self, how: int = 0, *args: object, **kwargs: object) -> None:
        if how == 2:
            self.buffer.clear()
            return
        assert self.columns == 1 or self.cursor.x > 0, (
            "tmux would copy a whole screen to its scrollback"
        )
        self.erase_in_line()
        for y in range(self.cursor.y + 1, self.lines):
            self.buffer.pop(y, None)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        row = self.buffer[self.cursor.y]
        for x in [x for x in row if x >= self.cursor.x]:
            del row[x]
        row.goes_on = False
        if self.cursor.x == 0 and self.cursor_row:
            self.rows[self.cursor_row - 1].goes_on = False

    # what a test looks at

    @property
    def rows(self) -> list:
        return self.scrollback + [self.buffer[y] for y in range(self.lines)]

    @property
    def cursor_row(self) -> int:
        return len(self.scrollback) + self.cursor.y

    def paragraphs(self, first: int, last: int) -> list[str]:
        """The text of the rows from first to before last, those that go on joined."""
        found, goes_on = [], False
        for row in self.rows[first:last]:
            if goes_on:
                found[-1] += text_of(row)
            else:
                found.append(text_of(row))
            goes_on = getattr(row, "goes_on", False)
        return found

    # resizing

    def become(self, columns: int, rows: int) -> None:
        if self.reflows:
            self._reflow(columns, rows)
        else:
            while self.cursor.y >= rows:
                self.scrollback.append(self.buffer[0])
                for y in range(self.lines - 1):
                    self.buffer[y] = self.buffer[y + 1]
                self.buffer.pop(self.lines - 1, None)
                self.cursor.y -= 1
            for y in [y for y in self.buffer if y >= rows]:
                del self.buffer[y]
        self.lines, self.columns = rows, columns
        self.cursor.x = min(self.cursor.x, columns - 1)

    def _reflow(self, columns: int, lines: int) -> None:
        rows, at = self.rows, self.cursor_row
        while len(rows) > at + 1 and not text_of(rows[-1]):
            rows.pop()
        new, cursor = [self.buffer.default_factory()], (0, 0)
        x = 0
        for number, row in enumerate(rows):
            for place in sorted(row):
                cell = row[place]
                width = min(max(wcwidth.wcswidth(cell.data), 0), columns)
                if cell.data and x + width > columns:
                    new[-1].goes_on = True
                    new.append(self.buffer.default_factory())
                    x = 0
                if (number, place) == (at, self.cursor.x):
                    cursor = (len(new) - 1, x)
                if cell.data:
                    self._put(new[-1], x, cell.data, width)
                    x += width
            if number == at and self.cursor.x not in row:
                cursor = (len(new) - 1, min(x, columns - 1))
            if not getattr(row, "goes_on", False):
                new.append(self.buffer.default_factory())
                x = 0
        new.pop()
        top = min(max(len(new) - lines, 0), cursor[0])
        self.scrollback = new[:top]
        self.buffer.clear()
        self.buffer.update(enumerate(new[top : top + lines]))
        self.cursor.y, self.cursor.x = cursor[0] - top, cursor[1]


def text_of(row) -> str:
    return "".join(row[x].data for x in sorted(row))


class Expected(NamedTuple):
    rows: list[str]
    row: int
    column: int


def reference(line: Line, columns: int) -> Expected:
    """The input as rows, by the judge's own clusters and widths."""
    shown = [
        UNSEEN.sub("\ufffd", SGR.sub("", part))
        .replace("\n", "␊")
        .replace("\x1b", "␛")
        .replace("\x07", "␇")
        for part in (line.prompt, line.text[: line.cursor], line.text[line.cursor :])
    ]
    before = [*wcwidth.iter_graphemes(shown[0]), *wcwidth.iter_graphemes(shown[1])]
    rows, used, at = [""], 0, None
    for index, cluster in enumerate([*before, *wcwidth.iter_graphemes(shown[2]), ""]):
        width = wcwidth.wcswidth(cluster)
        if width > columns:
            cluster, width = "?", 1
        # the end, too, needs a cell, when the cursor stands there
        if used + max(width, 1) > columns and (cluster or index == len(before)):
            rows.append("")
            used = 0
        if index == len(before):
            at = (len(rows) - 1, used)
        rows[-1] += cluster
        used += width
    assert at is not None
    return Expected(rows, *at)


class Room:
    """An editor, a screen and a terminal; `printed` is what must stand above the input."""

    def __init__(
        self,
        columns: int,
        rows: int,
        *,
        prompt: str = "> ",
        reflows: bool = False,
        knows_clusters: bool = True,
    ) -> None:
        self.glass = Glass(columns, rows, reflows=reflows, knows_clusters=knows_clusters)
        self.screen = Screen(columns, rows, reflows=reflows)
        self.editor = Editor(prompt)
        self.printed: list[str] = []
        self.show()

    @property
    def line(self) -> Line:
        return Line(self.editor.prompt, self.editor.text, self.editor.cursor)

    def show(self) -> None:
        self.glass.feed(self.screen.show(self.line))

    def press(self, keys: bytes | str) -> None:
        self.editor.feed(keys.encode() if isinstance(keys, str) else keys)
        self.show()

    def arrive(self, *lines: str) -> None:
        self.glass.feed(self.screen.above(list(lines), self.line))
        self.printed += [SGR.sub("", line) for line in lines]

    def resize(self, columns: int, rows: int) -> int:
        """How many rows of the old input could not be taken back."""
        top = self.top()
        above = len(self.glass.paragraphs(0, top))
        self.glass.become(columns, rows)
        data = self.screen.resize(columns, rows, self.line)
        up = re.match(rb"\r\x1b\[(\d+)A", data)
        # where the terminal's own doing has put the first row of the input, and where we take it to be
        true_top = self._row_of_paragraph(above)
        assumed = self.glass.cursor_row - (int(up[1]) if up else 0)
        erased_from = max(assumed, len(self.glass.scrollback))
        assert erased_from >= true_top, "something printed above was erased"
        self.printed += self.glass.paragraphs(true_top, erased_from)
        self.glass.feed(data)
        return erased_from - true_top

    def _row_of_paragraph(self, number: int) -> int:
        rows = self.glass.rows
        starts = [0] + [at + 1 for at, row in enumerate(rows) if not getattr(row, "goes_on", False)]
        return starts[number]

    def window(self) -> tuple[Expected, int, int]:
        """The expected input, where it begins on the screen, and its size there: at most all but one of the rows."""
        expected = reference(self.line, self.glass.columns)
        size = min(len(expected.rows), max(self.glass.lines - 1, 1))
        # which part of a tall input: any one with the cursor in it would do
        start = self.screen._top
        top = self.glass.cursor_row - (expected.row - start)
        assert start <= expected.row < start + size <= len(expected.rows)
        if self.glass.knows_clusters:
            shown = [text_of(row) for row in self.glass.rows[top : top + size]]
            assert shown == expected.rows[start : start + size]
        return expected, top, size

    def top(self) -> int:
        return self.window()[1]

    def check(self) -> None:
        expected, top, size = self.window()
        assert self.glass.paragraphs(0, top) == self.printed
        assert [text_of(row) for row in self.glass.rows[top + size :] if text_of(row)] == []
        assert pyte.modes.DECAWM in self.glass.mode
        if self.glass.knows_clusters:
            assert self.glass.cursor.x == expected.column
