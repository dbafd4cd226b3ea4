"""The line being typed: clusters stay whole, kills come back, every change can be undone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client.line_buffer import MAX_LINE_BYTES, UNDO_STEPS, LineBuffer
from chatcore.client.width import snap


def line(marked: str) -> LineBuffer:
    """`ab|c`: the cursor is between b and c."""
    buffer = LineBuffer()
    buffer.reset(marked.replace("|", ""))
    buffer.move(marked.index("|"))
    return buffer


def marked(buffer: LineBuffer) -> str:
    return f"{buffer.text[: buffer.cursor]}|{buffer.text[buffer.cursor :]}"


@pytest.mark.parametrize(
    ("before", "after"),
    [("ab|", "ba|"), ("a|b", "ba|"), ("a|bc", "ba|c"), ("|ab", "|ab"), ("a|", "a|"), ("|", "|"), ("xé|", "éx|"), ("👍🏽|漢x", "漢👍🏽|x")],
)  # fmt: skip
def test_transpose_swaps_whole_characters(before: str, after: str) -> None:
    buffer = line(before)
    buffer.transpose()
    assert marked(buffer) == after


@pytest.mark.parametrize(
    ("text", "word", "white"),
    [("one two-three|", 8, 4), ("one  |", 0, 0), ("a.b, |c", 2, 0), ("|a", 0, 0), ("été|", 0, 0), ("漢字 かな|", 3, 3), ("x ́|", 0, 1), ("  |", 0, 0)],
)  # fmt: skip
def test_words_end_where_readline_ends_them(text: str, word: int, white: int) -> None:
    assert (line(text).word_left(), line(text).white_word_left()) == (word, white)


@pytest.mark.parametrize(("text", "end"), [("|one two", 3), ("one| two", 7), ("a|", 1), ("|--", 2)])
def test_the_next_word_ends_behind_its_letters(text: str, end: int) -> None:
    assert line(text).word_right() == end


def test_kills_in_a_row_come_back_as_one_text() -> None:
    buffer = line("one two| three")
    buffer.kill(buffer.word_left(), buffer.cursor)
    buffer.kill(buffer.cursor, len(buffer.text))
    buffer.kill(0, buffer.cursor)
    assert marked(buffer) == "|"
    buffer.yank()
    assert marked(buffer) == "one two three|"


def test_a_move_between_kills_begins_anew() -> None:
    buffer = line("one two|")
    buffer.kill(buffer.word_left(), buffer.cursor)
    buffer.move(0)
    buffer.kill(0, 3)
    buffer.kill(0, 0)  # nothing: changes nothing
    buffer.yank()
    assert marked(buffer) == "one| "


def test_typing_is_undone_by_words_and_the_rest_by_steps() -> None:
    buffer = LineBuffer()
    for character in "one two":
        buffer.type(character)
    buffer.delete(buffer.left(), buffer.cursor)
    seen = []
    while buffer.undo():
        seen.append(marked(buffer))
    assert seen == ["one two|", "one |", "|"]


def test_undo_is_bounded() -> None:
    buffer = LineBuffer()
    for _ in range(UNDO_STEPS + 50):
        buffer.insert("a")
    while buffer.undo():
        pass
    assert len(buffer.text) == 50


def test_typing_beyond_the_limit_keeps_what_fits_in_whole_characters() -> None:
    buffer = LineBuffer()
    assert not buffer.type("漢" * MAX_LINE_BYTES)
    assert buffer.text == "漢" * (MAX_LINE_BYTES // 3)
    assert buffer.type("a")
    assert not buffer.type("b")
    assert len(buffer.text.encode()) == MAX_LINE_BYTES


def test_an_insertion_that_does_not_fit_changes_nothing() -> None:
    buffer = line("abc|")
    assert not buffer.insert("x" * (MAX_LINE_BYTES - 2))
    assert not buffer.replace(0, 3, "x" * (MAX_LINE_BYTES + 1))
    assert marked(buffer) == "abc|"
    assert buffer.replace(0, 3, "x" * MAX_LINE_BYTES)
    assert buffer.undo()
    assert marked(buffer) == "abc|"


@pytest.mark.parametrize(
    ("start", "typed", "after"),
    [("🇫|🇷", "", "🇫🇷|"), ("🇫🇷|🇩🇪", "🇸", "🇫🇷🇸🇩|🇪"), ("👩\u200d|", "👧", "👩\u200d👧|"), ("a|", "\u0301", "a\u0301|")],
)  # fmt: skip
def test_the_cursor_leaves_what_has_become_one_character(
    start: str, typed: str, after: str
) -> None:
    buffer = line(start)
    buffer.type(typed)
    assert marked(buffer) == after


CLUSTERS = [
    "a",
    " ",
    "-",
    "é",
    "e\u0301",
    "\u0301",
    "漢",
    "👍",
    "🏽",
    "👩",
    "\u200d",
    "\ufe0f",
    "🇫",
    "🇷",
    "\n",
]
EDITS = [
    lambda b: b.move(b.left()),
    lambda b: b.move(b.right()),
    lambda b: b.move(b.word_left()),
    lambda b: b.move(b.word_right()),
    lambda b: b.delete(b.left(), b.cursor),
    lambda b: b.delete(b.cursor, b.right()),
    lambda b: b.kill(b.white_word_left(), b.cursor),
    lambda b: b.kill(b.cursor, b.word_right()),
    lambda b: b.replace(b.unfinished_word(), b.cursor, "word"),
    LineBuffer.yank,
    LineBuffer.transpose,
    LineBuffer.undo,
]


@given(st.lists(st.sampled_from(CLUSTERS) | st.sampled_from(EDITS), max_size=40))
def test_whatever_is_done_the_cursor_stands_between_characters_and_undo_leads_back(
    steps: list[object],
) -> None:
    buffer = LineBuffer()
    for step in steps:
        if isinstance(step, str):
            buffer.type(step)
        else:
            step(buffer)  # type: ignore[operator]
        assert 0 <= buffer.cursor <= len(buffer.text)
        assert buffer.cursor == snap(buffer.text, buffer.cursor)
    while buffer.undo():
        pass
    assert marked(buffer) == "|"
