"""Row K4: every size of terminal, every kind of character: each cell of the input is where `wcwidth` puts it."""

from __future__ import annotations

import random

import pytest

from chatcore.client.editor import Editor, Paste
from chatcore.client.keys import PASTE_END
from chatcore.client.line_buffer import MAX_LINE_BYTES
from tests.client.glass import Room, text_of

SIZES = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 5), (7, 3), (20, 6), (80, 24), (133, 50), (500, 200)]
TEXTS = {
    "plain": "the quick brown fox jumps over the lazy dog, and then it sleeps. " * 2,
    "CJK": "漢字かな交じり文한국어中文" * 6,
    "emoji": "😀🎉🚀👍❤️1️⃣" * 8,
    "joined": "👨‍👩‍👧👩🏽‍🚀🏳️‍🌈🇫🇷🇯🇵👋🏿" * 6,
    "marks": "e\u0301a\u0308o\u0302n\u0303" * 12,
    "mixed": "a漢b👍c한é👨‍👩‍👧d" * 8,
    "escapes": "\u202e\u200f\u2066x" * 6,
}
MOVES = [b"\x1b[D", b"\x1b[C", b"\x01", b"\x05", b"\x7f", b"\x17", b"\x1bb", b"\x1bf"]


class Count:
    """Cells that were compared, and those that were not as they should be."""

    def __init__(self) -> None:
        self.drawn = self.misdrawn = 0

    def look(self, room: Room) -> None:
        expected, top, size = room.window()
        start = expected.row - (room.glass.cursor_row - top)
        for number in range(size):
            wanted = expected.rows[start + number]
            shown = text_of(room.glass.rows[top + number])
            self.drawn += room.glass.columns
            self.misdrawn += sum(a != b for a, b in zip(wanted, shown, strict=False))
            self.misdrawn += abs(len(wanted) - len(shown))
        self.misdrawn += room.glass.cursor.x != expected.column
        room.check()


@pytest.mark.parametrize(
    "storm", [150, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_no_cell_is_misdrawn(storm: int, capsys: pytest.CaptureFixture[str]) -> None:
    count = Count()
    for columns, rows in SIZES:
        for text in TEXTS.values():
            room = Room(columns, rows, prompt="#漢> ")
            room.press(text)
            count.look(room)
            for move in MOVES:
                room.press(move)
                count.look(room)
            room.arrive("Bob: 漢字 and more", "x" * 90)
            count.look(room)
    dice = random.Random(4)
    resized = 0
    for reflows in (False, True):
        room = Room(80, 24, prompt="#lobby> ", reflows=reflows)
        for _ in range(storm // 2):
            columns, rows = dice.choice(
                [dice.choice(SIZES), (dice.randint(1, 90), dice.randint(1, 40))]
            )
            room.resize(columns, rows)
            resized += 1
            count.look(room)
            room.press(dice.choice([*TEXTS.values()])[:9])
            room.press(dice.choice(MOVES))
            if dice.random() < 0.2:
                room.press(b"\x03")
            count.look(room)
    with capsys.disabled():
        print(
            f"\nK4: {len(SIZES) * len(TEXTS)} sizes and texts, {resized:,} changes of size,"
            f" {count.drawn:,} cells compared, {count.misdrawn} misdrawn"
        )
    assert count.misdrawn == 0


@pytest.mark.parametrize("piece", [1_000, 65_536])
@pytest.mark.parametrize(
    "unit", ["x", "漢字", "👨‍👩‍👧", "a line\n"], ids=["one", "wide", "joined", "lines"]
)
def test_a_megabyte_that_is_pasted_is_taken_whole_or_not_at_all(unit: str, piece: int) -> None:
    text = unit * (1_000_000 // len(unit.encode()))
    data = b"\x1b[200~" + text.encode() + PASTE_END
    room = Room(80, 24)
    room.press("before ")
    given: list[object] = []
    for start in range(0, len(data), piece):
        given += room.editor.feed(data[start : start + piece])
    room.show()
    room.check()
    assert room.editor.text == "before "
    assert given == ([Paste(text.rstrip("\n"))] if "\n" in text else [])
    assert room.editor.rang is ("\n" not in text)


def test_a_megabyte_that_is_typed_fills_the_line_and_no_more() -> None:
    editor = Editor("> ")
    for _ in range(250):
        editor.feed("漢字".encode() * 666)
    assert len(editor.text.encode()) <= MAX_LINE_BYTES
    assert editor.rang
