"""What a person presses → the line, and what the program is asked to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client.editor import Editor, EndOfInput, Input, Interrupt, Paste, Submit, Suspend
from chatcore.client.line_buffer import MAX_LINE_BYTES
from chatcore.client.width import snap

UP, DOWN, LEFT, WORD_LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[1;5D"


def pasted(text: str) -> bytes:
    return b"\x1b[200~" + text.encode() + b"\x1b[201~"


def same(inputs: list[Input], expected: list[Input]) -> bool:
    """Empty named tuples are equal to each other: the types are compared, too."""
    return inputs == expected and list(map(type, inputs)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (b"abc\x01x", "xabc", 1),  # Ctrl-A
        (b"abc\x01\x05x", "abcx", 4),  # Ctrl-E
        (b"abc\x02\x02x", "axbc", 2),  # Ctrl-B
        (b"abc\x01\x06x", "axbc", 2),  # Ctrl-F
        (b"abc" + LEFT + b"\x0b", "ab", 2),  # Ctrl-K
        (b"abc" + LEFT + b"\x15", "c", 0),  # Ctrl-U
        (b"one two-x\x17", "one ", 4),  # Ctrl-W
        (b"one two-x\x1b\x7f", "one two-", 8),  # Alt-Backspace
        (b"one two\x17\x01\x19", "twoone ", 3),  # Ctrl-Y
        (b"abc\x14", "acb", 3),  # Ctrl-T
        (b"one two\x1bb\x1bbx", "xone two", 1),  # Alt-B
        (b"one two\x01\x1bfx", "onex two", 4),  # Alt-F
        (b"one two\x01\x1bd", " two", 0),  # Alt-D
        (b"one two" + WORD_LEFT + b"x", "one xtwo", 5),  # Ctrl-Left
        (b"one two\x1b[H\x1b[1;5Cx", "onex two", 4),  # Home, Ctrl-Right
        (b"one two\x1b[H\x1b[Fx", "one twox", 8),  # End
        (b"abc\x08\x7f", "a", 1),  # Ctrl-H, Backspace
        (b"abc\x01\x1b[3~", "bc", 0),  # Delete
        (b"abc\x01\x04", "bc", 0),  # Ctrl-D
        (b"a\x04\x01\x04b", "b", 1),  # Ctrl-D at the end; and on the last character
        (b"one two\x1f", "one ", 4),  # Ctrl-_
        (b"abc\x03\x1f", "abc", 3),  # Ctrl-C, undone
        (b"a\x1b\rb", "a\nb", 3),  # Alt-Enter
        ("x👨‍👩‍👧".encode() + LEFT + b"y", "xy👨‍👩‍👧", 2),
        ("xe\u0301\x7f".encode(), "x", 1),
        (b"a\xff\xc3b", "a\ufffd\ufffdb", 4),
        (b"\x7f\x1b[3~\x02\x06\x14\x17\x0b\x15\x1bb\x1bf", "", 0),
    ],
)
def test_keys_edit_as_in_readline(keys: bytes, text: str, cursor: int) -> None:
    editor = Editor()
    assert editor.feed(keys) == []
    assert (editor.text, editor.cursor) == (text, cursor)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (b"hi\r", [Submit("hi")]),
        (b"\r\n\r", []),
        (b"a\rb\n", [Submit("a"), Submit("b")]),
        (b"a\x1b\rb\r", [Submit("a\nb")]),
        (b"\x03", [Interrupt()]),
        (b"a\x03\x03", [Interrupt()]),
        (b"\x04", [EndOfInput()]),
        (b"a\x01\x04\x04", [EndOfInput()]),
        (b"a\x1a", [Suspend()]),
    ],
)
def test_some_keys_ask_the_program(keys: bytes, expected: list[Input]) -> None:
    assert same(Editor().feed(keys), expected)


def test_a_short_paste_goes_into_the_line_and_never_sends() -> None:
    editor = Editor()
    assert editor.feed(b"say: " + pasted("one\r\ntwo\rthree\n\n")) == []
    assert (editor.text, editor.rang) == ("say: one\ntwo\nthree", False)
    assert editor.feed(b"\r") == [Submit("say: one\ntwo\nthree")]


def test_a_long_paste_is_handed_over_for_review_and_the_line_stays() -> None:
    editor = Editor()
    editor.feed(b"half")
    text = "\n".join(str(number) for number in range(12))
    assert editor.feed(pasted(text + "\r\n")) == [Paste(text)]
    assert editor.text == "half"


def test_keys_in_a_paste_are_text() -> None:
    editor = Editor()
    assert editor.feed(pasted("\x03\x04\x1a\x1b[A\t")) == []
    assert editor.text == "\x03\x04\x1a\x1b[A\t"


@pytest.mark.parametrize("size", [MAX_LINE_BYTES + 1, 1_000_000, 5_000_000])
def test_a_paste_that_does_not_fit_is_refused_whole(size: int) -> None:
    editor = Editor()
    editor.feed(b"x")
    assert editor.feed(pasted("a" * size)) == []
    assert (editor.text, editor.rang) == ("x", True)


def test_a_megabyte_is_taken_in_linear_time() -> None:
    # counted, not timed: quadratic work over 8,000 reads would run into the test's time limit by far
    text = "line of a log\n" * 75_000
    data = pasted(text)
    editor = Editor()
    inputs = [each for at in range(0, len(data), 128) for each in editor.feed(data[at : at + 128])]
    assert inputs == [Paste(text.rstrip("\n"))]
    typed = "é".encode() * 500_000
    for at in range(0, len(typed), 4096):
        editor.feed(typed[at : at + 4096])
    assert editor.text == "é" * (MAX_LINE_BYTES // 2)


def test_typing_beyond_the_limit_rings() -> None:
    editor = Editor()
    editor.feed(b"a" * MAX_LINE_BYTES)
    assert not editor.rang
    editor.feed(b"b")
    assert editor.rang
    editor.feed(b"\x02")
    assert not editor.rang
    assert editor.text == "a" * MAX_LINE_BYTES


def test_history_keeps_the_unsent_line() -> None:
    editor = Editor()
    editor.feed(b"one\rtwo\rtwo\rhalf")
    seen = []
    for key in (UP, b"\x10", UP, DOWN, b"\x0e"):
        editor.feed(key)
        seen.append((editor.text, editor.rang))
    assert seen == [("two", False), ("one", False), ("one", True), ("two", False), ("half", False)]


def test_a_line_called_back_and_sent_is_the_newest() -> None:
    editor = Editor()
    editor.feed(b"one\rtwo\r" + UP + UP)
    assert editor.feed(b"!\r") == [Submit("one!")]
    editor.feed(UP)
    assert editor.text == "one!"


def test_take_and_restore_move_the_unsent_line() -> None:
    editor = Editor("> ")
    editor.feed("half é".encode() + LEFT)
    assert editor.take() == "half é"
    assert (editor.text, editor.cursor) == ("", 0)
    editor.restore("half é")
    assert (editor.text, editor.cursor) == ("half é", 6)
    editor.restore("漢" * MAX_LINE_BYTES)
    assert len(editor.text.encode()) <= MAX_LINE_BYTES
    editor.set_prompt("#dev> ")
    assert editor.prompt == "#dev> "


def test_tab_cycles_through_the_candidates_and_another_key_ends_it() -> None:
    asked = []

    def complete(text: str, cursor: int) -> list[str]:
        asked.append((text, cursor))
        return ["Ann: ", "Anton: ", "Anna: "]

    editor = Editor(complete=complete)
    editor.feed(b"hi an there" + WORD_LEFT + LEFT)
    seen = []
    for key in (b"\t", b"\t", b"\t", b"\t", b"\x1b[Z"):
        editor.feed(key)
        seen.append(editor.text)
    words = ["Ann: ", "Anton: ", "Anna: ", "Ann: ", "Anna: "]
    assert seen == [f"hi {word} there" for word in words]
    assert asked == [("hi an there", 5)]
    editor.feed(b"x\x1b[Z")
    assert asked[1:] == [("hi Anna: x there", 10)]
    assert editor.text == "hi Anna: Anna:  there"


@pytest.mark.parametrize("editor", [Editor(), Editor(complete=lambda text, cursor: [])])
def test_tab_without_candidates_rings(editor: Editor) -> None:
    editor.feed(b"a\t\t")
    assert (editor.text, editor.rang) == ("a", True)


def test_ctrl_l_asks_for_a_clear_screen() -> None:
    editor = Editor()
    editor.feed(b"a\x0c")
    assert (editor.text, editor.clear_asked) == ("a", True)


@given(
    st.lists(st.binary(max_size=8) | st.sampled_from([UP, DOWN, b"\t", b"\x1b[200~", b"\x1b[201~"]))
)
def test_any_bytes_leave_a_line_within_its_bounds(parts: list[bytes]) -> None:
    editor = Editor(complete=lambda text, cursor: ["漢", "e\u0301"])
    for part in parts:
        editor.feed(part)
        assert editor.cursor == snap(editor.text, editor.cursor)
        assert len(editor.text.encode()) <= MAX_LINE_BYTES
