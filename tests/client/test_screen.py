"""Lines appear above the one being typed: judged by pyte, which is made into a terminal that people have.

The oracle is the terminal's own view, scrollback included: what was printed above is there, each line whole (as the
terminal wrapped it) and in order; then the rows of the input as a layout of its own, made with `wcwidth`, has them;
below there is nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pyte
import pyte.modes
import pytest
import wcwidth
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatcore.client.editor import Editor
from chatcore.client.safe import safe
from chatcore.client.screen import Line, Screen

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
        SGR.sub("", part)
        .replace("\n", "␊")
        .replace("\x1b", "␛")
        .replace("\x07", "␇")
        .replace("\U000e0067", "\ufffd")
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


CLUSTERS = [
    "a",
    "Z",
    " ",
    "b" * 9,
    "漢",
    "한",
    "é",
    "e\u0301",
    "😀",
    "👨‍👩‍👧",
    "🏳️‍🌈",
    "🇫🇷",
    "❤️",
    "1️⃣",
    "🏴\U000e0067",
    "\x1b\x1b\r",
    "ｱ",
]
KEYS = [
    b"\x1b[D",
    b"\x1b[C",
    b"\x01",
    b"\x05",
    b"\x7f",
    b"\x04",
    b"\x17",
    b"\x0b",
    b"\x14",
    b"\x1bb",
    b"\x1f",
    b"\r",
]
COLUMNS = st.integers(1, 12) | st.integers(1, 500)
ROWS = st.integers(1, 6) | st.integers(1, 200)
WORDS = st.lists(st.sampled_from([each for each in CLUSTERS if each == safe(each)]), max_size=30)
ARRIVING = WORDS.map("".join) | WORDS.map(lambda words: f"\x1b[1;31m{''.join(words)}\x1b[0m: x")
STEPS = st.lists(
    st.tuples(st.just(Room.press), st.lists(st.sampled_from(CLUSTERS), max_size=20).map("".join))
    | st.tuples(st.just(Room.press), st.sampled_from(KEYS))
    | st.tuples(st.just(Room.arrive), ARRIVING)
    | st.tuples(st.just(Room.arrive), ARRIVING, ARRIVING)
    | st.tuples(st.just(Room.resize), COLUMNS, ROWS),
    max_size=25,
)
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""pyte needs its time for 500 × 200 cells, more of it on a busy machine; time is not what is promised here."""
PROMPTS = st.sampled_from(["> ", "", "#漢字> ", "\x1b[32m#lobby\x1b[0m> ", "\x1b[1m\x1b[7mx\x1b[m"])


@UNTIMED
@given(COLUMNS, ROWS, PROMPTS, st.booleans(), STEPS)
def test_no_line_is_torn_whatever_is_typed_arrives_and_is_resized(
    columns: int, rows: int, prompt: str, reflows: bool, steps: list[tuple]
) -> None:
    room = Room(columns, rows, prompt=prompt, reflows=reflows)
    room.check()
    for act, *arguments in steps:
        act(room, *arguments)
        room.check()


@UNTIMED
@given(COLUMNS, ROWS, STEPS)
@example(
    6,
    5,
    [
        (Room.press, "👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧"),
        (Room.arrive, "x"),
        (Room.press, b"\x7f"),
        (Room.arrive, "y"),
    ],
)
def test_a_terminal_that_knows_no_clusters_tears_no_line_either(
    columns: int, rows: int, steps: list[tuple]
) -> None:
    room = Room(columns, rows, knows_clusters=False)
    for act, *arguments in steps:
        act(room, *arguments)
        room.check()


@UNTIMED
@given(COLUMNS, ROWS, st.booleans(), st.lists(st.tuples(COLUMNS, ROWS, STEPS), max_size=3))
def test_a_size_that_is_told_late_costs_no_printed_line(
    columns: int, rows: int, reflows: bool, changes: list[tuple]
) -> None:
    room = Room(columns, rows, reflows=reflows)
    for new_columns, new_rows, steps in changes:
        room.glass.become(new_columns, new_rows)
        for act, *arguments in steps:
            if act is not Room.resize:
                act(room, *arguments)
        room.glass.feed(room.screen.resize(new_columns, new_rows, room.line))
    there = iter(room.glass.paragraphs(0, room.glass.cursor_row))
    assert all(line in there for line in room.printed)


@pytest.mark.parametrize("length", range(12))
def test_the_last_column_is_no_trap(length: int) -> None:
    # 4 columns: rows that are exactly full, and the wrap that is pending then
    room = Room(4, 6, prompt="")
    for each in "abcdefghijkl"[:length]:
        room.press(each)
        room.arrive("1234", "", "12345", "漢字", "a漢字")
        room.check()
    for key in (b"\x02", b"\x02", b"\x05", b"\x7f", b"\x01", b"\x04"):
        room.press(key)
        room.check()
        room.arrive("1234")
        room.check()


def test_a_wide_character_does_not_stand_across_the_margin() -> None:
    room = Room(5, 8, prompt="> ")
    room.press("漢字かな")
    assert room.glass.display[:3] == ["> 漢 ", "字か ", "な   "]
    assert (room.glass.cursor.y, room.glass.cursor.x) == (2, 2)
    room.arrive("x")
    assert room.glass.display[:4] == ["x    ", "> 漢 ", "字か ", "な   "]


def test_the_cursor_is_at_the_right_character_also_where_a_terminal_draws_it_wider() -> None:
    room = Room(40, 5, knows_clusters=False)
    room.press("👨‍👩‍👧ab\x02")
    assert room.glass.cursor.x == len("> ") + 3 * 2 + len("a")
    room.press(b"\x01")
    assert room.glass.cursor.x == len("> ")


@pytest.mark.parametrize("reflows", [False, True])
@pytest.mark.parametrize("columns", [7, 9, 15, 24, 31, 60])
def test_resizing_leaves_nothing_behind_of_plain_typing(reflows: bool, columns: int) -> None:
    room = Room(30, 40, reflows=reflows)
    room.arrive("hello " * 9)
    room.press("abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrs-xyz")
    assert room.resize(columns, 40) == 0
    room.check()
    assert room.resize(30, 40) == 0
    room.check()


def test_a_terminal_that_reflows_unexpectedly_loses_no_printed_line() -> None:
    room = Room(30, 20)
    room.glass.reflows = True
    room.arrive("hello " * 9)
    room.press("abcdefghijklmnopqrstuvwxyz")
    assert room.resize(10, 20) > 0
    room.check()


def test_an_input_taller_than_the_screen_is_a_window_around_the_cursor() -> None:
    room = Room(10, 4, prompt="")
    room.arrive("seen")
    room.press("".join(str(number % 10) * 10 for number in range(8)))
    assert room.glass.display == ["seen      ", "6" * 10, "7" * 10, " " * 10]
    room.press(b"\x02" * 25)
    assert room.glass.display == ["seen      ", "5" * 10, "6" * 10, "7" * 10]
    room.press(b"\x02" * 10)
    assert room.glass.display == ["seen      ", "4" * 10, "5" * 10, "6" * 10]
    room.press(b"\x01")
    assert room.glass.display == ["seen      ", "0" * 10, "1" * 10, "2" * 10]
    room.check()


def test_only_what_differs_is_sent() -> None:
    screen = Screen(20, 10)
    screen.show(Line("> ", "x" * 50, 50))
    assert screen.show(Line("> ", "x" * 50, 50)) == b""
    assert len(screen.show(Line("> ", "x" * 50 + "y", 51))) < 40
    assert len(screen.show(Line("> ", "x" * 50 + "y", 30))) < 40


def test_a_colour_does_not_run_out_of_its_line() -> None:
    room = Room(20, 5)
    room.arrive("\x1b[31mred")
    assert room.glass.buffer[0][0].fg == "red"
    assert room.glass.buffer[1][0].fg == "default"


def test_the_prompt_may_be_coloured_over_several_rows() -> None:
    room = Room(4, 6, prompt="\x1b[32m#lobby\x1b[m> ")
    room.press("abc")
    assert [row.rstrip() for row in room.glass.display[:3]] == ["#lob", "by>", "abc"]
    assert [room.glass.buffer[y][0].fg for y in range(3)] == ["green", "green", "default"]
    assert room.glass.buffer[1][2].fg == "default"


def test_clear_keeps_the_line_being_typed() -> None:
    room = Room(20, 5)
    room.arrive("a", "b")
    room.press("half")
    room.glass.feed(room.screen.clear(room.line))
    assert [row.rstrip() for row in room.glass.display] == ["> half", "", "", "", ""]
    room.printed.clear()
    room.arrive("c")
    room.check()


def test_erase_leaves_the_cursor_where_the_input_began() -> None:
    room = Room(6, 5)
    room.arrive("a")
    room.press("long enough\x01")
    room.glass.feed(room.screen.erase())
    assert [row.rstrip() for row in room.glass.display] == ["a", "", "", "", ""]
    assert (room.glass.cursor.y, room.glass.cursor.x) == (1, 0)
    assert room.screen.erase() == b""


def test_a_lone_surrogate_ends_nothing() -> None:
    room = Room(20, 5)
    room.glass.feed(room.screen.above(["a\ud800b"], room.line))
    assert room.glass.display[0].rstrip() == "a?b"
