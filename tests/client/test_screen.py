"""Lines appear above the one being typed: judged by a terminal's own view (`tests.client.glass`)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatcore.client.safe import safe
from chatcore.client.screen import Line, Screen
from tests.client.glass import Room

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
