"""Bytes of terminals → keys, typed text and pastes, whatever the split and whatever the bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client.keys import MAX_PASTE_BYTES, MAX_SEQUENCE_BYTES, Key, KeyReader, Pasted, Typed

TABLE = [
    (b"\r", Key.ENTER),
    (b"\n", Key.ENTER),
    (b"\x1bOM", Key.ENTER),
    (b"\x1b\r", Key.NEWLINE),
    (b"\t", Key.TAB),
    (b"\x1b[Z", Key.SHIFT_TAB),
    (b"\x03", Key.INTERRUPT),
    (b"\x04", Key.DELETE_OR_END),
    (b"\x1a", Key.SUSPEND),
    (b"\x01", Key.HOME),
    (b"\x1b[H", Key.HOME),
    (b"\x1bOH", Key.HOME),
    (b"\x1b[1~", Key.HOME),
    (b"\x1b[7~", Key.HOME),
    (b"\x05", Key.END),
    (b"\x1b[F", Key.END),
    (b"\x1bOF", Key.END),
    (b"\x1b[4~", Key.END),
    (b"\x02", Key.LEFT),
    (b"\x1b[D", Key.LEFT),
    (b"\x1bOD", Key.LEFT),
    (b"\x06", Key.RIGHT),
    (b"\x1b[C", Key.RIGHT),
    (b"\x1bb", Key.WORD_LEFT),
    (b"\x1b[1;5D", Key.WORD_LEFT),
    (b"\x1bOd", Key.WORD_LEFT),
    (b"\x1bf", Key.WORD_RIGHT),
    (b"\x1b[1;5C", Key.WORD_RIGHT),
    (b"\x10", Key.UP),
    (b"\x1b[A", Key.UP),
    (b"\x1b\x1b[A", Key.UP),
    (b"\x0e", Key.DOWN),
    (b"\x1bOB", Key.DOWN),
    (b"\x7f", Key.BACKSPACE),
    (b"\x08", Key.BACKSPACE),
    (b"\x1b[3~", Key.DELETE),
    (b"\x0b", Key.KILL_TO_END),
    (b"\x15", Key.KILL_TO_START),
    (b"\x17", Key.KILL_WHITE_WORD_LEFT),
    (b"\x1b\x7f", Key.KILL_WORD_LEFT),
    (b"\x1bd", Key.KILL_WORD_RIGHT),
    (b"\x19", Key.YANK),
    (b"\x14", Key.TRANSPOSE),
    (b"\x1f", Key.UNDO),
    (b"\x0c", Key.CLEAR_SCREEN),
    (b"\x12", Key.RECALL),
]
UNKNOWN = [
    b"\x1b[5~",  # page up
    b"\x1b[15;2~",  # Shift-F5
    b"\x1b[[A",  # F1 of the Linux console
    b"\x1bOP",  # F1
    b"\x1bO5c",
    b"\x1b[<0;12;7M",  # a mouse
    b"\x1b[?62;22c",  # an answer of the terminal
    b"\x1b[24;80R",
    b"\x1b[I",  # focus
    b"\x1b[97;5u",
    b"\x1bz",
    b"\x1b[201~",  # the end of a paste that was none
    b"\x1b[" + b"1;" * 500 + b"m",
    b"\x00\x07\x11\x13\x16\x18\x1c\x1d\x1e\x0f",  # keys without a meaning here
]


def read(*parts: bytes) -> list[object]:
    """The strokes, with neighbouring typed text joined."""
    reader = KeyReader()
    strokes: list[object] = []
    for part in parts:
        for stroke in reader.feed(part):
            if isinstance(stroke, Typed) and strokes and isinstance(strokes[-1], Typed):
                strokes[-1] = Typed(strokes[-1].text + stroke.text)
            else:
                strokes.append(stroke)
    return strokes


@pytest.mark.parametrize(("data", "key"), TABLE)
def test_keys_are_known_in_any_split(data: bytes, key: Key) -> None:
    assert read(b"a" + data + b"b") == [Typed("a"), key, Typed("b")]
    assert read(*(data[at : at + 1] for at in range(len(data)))) == [key]


def test_every_key_can_be_pressed() -> None:
    assert {key for _, key in TABLE} == set(Key)


@pytest.mark.parametrize("data", UNKNOWN)
def test_unknown_sequences_are_swallowed_whole(data: bytes) -> None:
    assert read(b"a" + data + b"b") == [Typed("ab")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1b", []),  # a lone ESC
        (b"\x1b\x03", [Key.INTERRUPT]),  # an idle ESC does not hide Ctrl-C
        (b"\x1b[1;\x03", [Key.INTERRUPT]),  # nor does half a sequence
        (b"\x1b[1;\x1b[A", [Key.UP]),
        ("\x1bé".encode(), [Typed("é")]),
        ("\x1b[1é".encode(), [Typed("é")]),
        (b"\xff\xc3", [Typed("\ufffd")]),  # the second may still become a letter
        (b"\xc3a\xe2\x82\r", [Typed("\ufffda\ufffd"), Key.ENTER]),
        (b"\xed\xa0\x80a", [Typed("\ufffd\ufffd\ufffda")]),  # a surrogate
        ("\x9b31m".encode(), [Typed("\x9b31m")]),  # C1 as a character: the layout shows a stand-in
    ],
)
def test_bytes_that_make_no_sense_do_no_harm(data: bytes, expected: list[object]) -> None:
    assert read(data) == expected


def test_keys_inside_a_paste_do_not_act() -> None:
    text = "x\r\n\x03\x04\x1a\x1b[A\x1b[200~\té\x1b"
    wrapped = b"\x1b[200~" + text.encode() + b"\x1b[201~"
    assert read(b"a" + wrapped + b"\x03") == [Typed("a"), Pasted(text, True), Key.INTERRUPT]


def test_an_endless_paste_takes_bounded_memory_and_is_not_taken_for_whole() -> None:
    reader = KeyReader()
    chunk = b"x" * 65536
    assert list(reader.feed(b"\x1b[200~")) == []
    for _ in range(2 * MAX_PASTE_BYTES // len(chunk)):
        assert list(reader.feed(chunk)) == []
        assert len(reader._paste or b"") <= MAX_PASTE_BYTES + len(chunk)
    assert list(reader.feed(b"\x1b[201~a")) == [Pasted("", False), Typed("a")]


def test_an_endless_sequence_takes_bounded_memory() -> None:
    reader = KeyReader()
    assert list(reader.feed(b"\x1b[" + b"1;" * 100_000)) == []
    assert len(reader._sequence or b"") <= MAX_SEQUENCE_BYTES
    assert list(reader.feed(b"ma")) == [Typed("a")]


PIECES = [data for data, _ in TABLE] + UNKNOWN
PIECES += [
    b"\x1b[200~",
    b"\x1b[201~",
    b"\x1b",
    b"[",
    b"200",
    b"~",
    "é漢😀".encode(),
    b"\xe2\x82",
    b"\xff",
    b"abc",
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6)).map(b"".join), st.data())
def test_any_bytes_in_any_split_give_the_same(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    assert read(*(data[a:b] for a, b in itertools.pairwise(edges))) == read(data)
    assert read(*(data[at : at + 1] for at in range(len(data)))) == read(data)
