"""Streams as a console: any split of the input, and output that nobody takes any more."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client import console
from chatcore.client.console import LineInput, OutputLostError, StreamConsole, write_lines
from chatcore.client.editor import EndOfInput, Submit

DEADLINE_S = 30.0
DATA = "one\r\n\nzwei: ünf 漢字\nlast without end".encode()


@given(cuts=st.lists(st.integers(0, len(DATA))))
def test_any_split_gives_the_same_lines(cuts):
    lines, reader = [], LineInput()
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(DATA)], strict=True):
        lines += reader.feed(DATA[begin:end])
    assert lines + reader.end() == ["one", "zwei: ünf 漢字", "last without end"]


def test_bytes_that_are_not_utf8_are_replaced():
    assert LineInput().feed(b"a\xffb\n") == ["a\ufffdb"]


def test_of_a_line_without_end_only_the_beginning_is_kept():
    reader = LineInput()
    for _ in range(100):
        assert reader.feed(b"x" * 10_000) == []
    assert reader.feed(b"\nnext\n") == ["x" * console.MAX_KEPT_BYTES, "next"]


def test_the_end_of_the_input_is_told_after_its_last_line():
    reader, writer = os.pipe()
    os.write(writer, b"one\ntwo")
    os.close(writer)
    stream = StreamConsole(reader, bells=False)
    assert stream.read() == [Submit("one")]
    assert stream.read() == [Submit("two"), EndOfInput()]
    assert stream.input_fd is None
    assert stream.read() == []
    os.close(reader)


def test_an_input_that_fails_has_ended():
    reader, writer = os.pipe()
    os.close(writer)
    os.close(reader)
    assert StreamConsole(reader, bells=False).read() == [EndOfInput()]


@pytest.mark.parametrize(
    ("code", "gone"), [(errno.EPIPE, True), (errno.EIO, True), (errno.ENOSPC, False)]
)
def test_lost_output_knows_whether_its_reader_left(code, gone):
    assert OutputLostError(code, "words").is_reader_gone is gone


def test_a_reader_that_left_is_told():
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(OutputLostError) as lost:
        write_lines(writer, ["one"])
    assert lost.value.is_reader_gone
    os.close(writer)


@pytest.mark.parametrize(
    ("typed", "rest"),
    [(b"", ""), (b"open", "open"), (b"one\nopen", "open"), (b"one\n", "")],
    ids=["nothing", "half", "a line and a half", "a line"],
)
def test_of_an_unseen_line_the_terminal_keeps_nothing(typed, rest):
    person, terminal = os.openpty()
    asks, answers = os.pipe()
    stream = StreamConsole(terminal, bells=False, asks_fd=answers)
    before = termios.tcgetattr(terminal)
    assert stream.take() == "", "what can be seen stays"
    stream.prompt("Password:", asks=True, hidden=True)
    hidden = termios.tcgetattr(terminal)
    os.write(person, typed)
    assert stream.take() == rest
    assert termios.tcgetattr(terminal) == hidden
    os.write(person, b"next\n")
    assert stream.read() == [Submit("next")]
    stream.prompt("", asks=False, hidden=False)
    assert termios.tcgetattr(terminal) == before
    for fd in (person, terminal, asks, answers):
        os.close(fd)


def test_output_that_somebody_made_non_blocking_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    count = "import sys; sys.exit(len(sys.stdin.buffer.read()) != 300_000)"
    with subprocess.Popen([sys.executable, "-c", count], stdin=reader) as child:
        os.close(reader)
        write_lines(writer, ["x" * 299_999])  # more than a pipe holds
        os.close(writer)
        assert child.wait(DEADLINE_S) == 0
