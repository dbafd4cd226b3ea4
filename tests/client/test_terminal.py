"""The terminal is given back as it was, whatever ends the visit: judged by `stty` in a shell around it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal
import sys
import termios
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pexpect
import pyte
import pytest

from chatcore.client.editor import Editor
from chatcore.client.terminal import Terminal, reflows

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPT = "tests/client/typing_room.py"
DEADLINE_S = 20
COLUMNS, ROWS = 60, 20
LINE_END = "\r\r\n"
"""What a cooked terminal makes of `\\r\\n`; the first is one too many, and does nothing."""
WAYS_OUT = {
    "exit": (b"exit\r", "left: exit"),
    "Ctrl-C": (b"half\x03\x03", "left: Interrupt"),
    "Ctrl-D": (b"\x04", "left: EndOfInput"),
    "exception": (b"raise\r", "as asked"),
}


class Shell:
    """A shell in a terminal, and what a person sees of it."""

    def __init__(self) -> None:
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-i"],
            cwd=ROOT,
            env={**os.environ, "PS1": "shell$ ", "PYTHONPATH": str(ROOT), "TERM": "xterm"},
            dimensions=(ROWS, COLUMNS),
            timeout=DEADLINE_S,
        )
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)
        self.wait("shell$ ")

    def wait(self, words: str) -> bytes:
        """Wait for words that come anew; what came until then goes to the screen."""
        self.child.expect_exact(words)
        data: bytes = self.child.before + self.child.after
        self.stream.feed(data)
        return data

    def do(self, command: str) -> bytes:
        self.child.sendline(command)
        return self.wait("shell$ ")

    def modes(self) -> bytes:
        found = re.search(rb"[0-9a-f]+(:[0-9a-f]+){10,}", self.do("stty -g"))
        assert found
        return found[0]

    def enter(self) -> None:
        self.child.sendline(f"{sys.executable} {SCRIPT}")
        self.wait("ready")
        self.wait("room> ")

    def room_pid(self) -> int:
        """The process in the foreground."""
        return os.tcgetpgrp(self.child.child_fd)

    def is_raw(self) -> bool:
        local = termios.tcgetattr(self.child.child_fd)[3]
        return not local & (termios.ICANON | termios.ECHO | termios.ISIG)

    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display if row.strip()]


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.child.close(force=True)


@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_gives_the_terminal_back(shell: Shell, way: str) -> None:
    before = shell.modes()
    shell.enter()
    assert shell.is_raw()
    keys, words = WAYS_OUT[way]
    shell.child.send(keys)
    shown = shell.wait(words) + shell.wait("shell$ ")
    assert shown.count(b"\x1b[?2004l") == 1
    assert shell.modes() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back_and_erases_the_unsent_line(
    shell: Shell, number: signal.Signals
) -> None:
    before = shell.modes()
    shell.enter()
    shell.child.send("half a line " * 10)
    shell.wait("line " + "half a line " * 2)
    os.kill(shell.room_pid(), number)
    shown = shell.wait("shell$ ")
    assert b"\x1b[?2004l" in shown
    rows = shell.rows()
    assert rows[-2:] == ["ready", "shell$"]  # on a row of its own; nothing of the line is left
    assert f"{128 + number}".encode() in shell.do("echo code $?")
    assert shell.modes() == before


def test_suspend_gives_the_terminal_back_until_it_goes_on(shell: Shell) -> None:
    before = shell.modes()
    shell.enter()
    for _ in range(2):
        shell.child.send("unsent")
        shell.wait("unsent")
        shell.child.send(b"\x1a")
        assert b"\x1b[?2004l" in shell.wait("shell$ ")
        assert shell.modes() == before
        shell.child.sendline("fg")
        assert b"\x1b[?2004h" in shell.wait("back")
        shell.wait("unsent")
        assert shell.is_raw()
        shell.child.send(b"\x15")
    shell.child.send("exit\r")
    shell.wait("shell$ ")
    assert shell.modes() == before


def test_stopped_and_terminated_it_leaves_the_terminal_to_the_shell(shell: Shell) -> None:
    before = shell.modes()
    shell.enter()
    shell.child.send(b"\x1a")
    shell.wait("shell$ ")
    shell.child.sendline("kill %1; fg; echo over")
    shell.wait("over\r\n")
    shell.wait("shell$ ")
    assert shell.modes() == before


def test_it_can_be_entered_again(shell: Shell) -> None:
    before = shell.modes()
    shell.enter()
    shell.child.send("again\r")
    shell.wait("ready")
    shell.wait("room> ")
    assert shell.is_raw()
    shell.child.send("hello\r")
    shell.wait("said 'hello'")
    shell.child.send(b"\x04")
    shell.wait("shell$ ")
    assert shell.modes() == before


def test_a_wrapped_line_is_not_torn_by_arriving_ones(shell: Shell) -> None:
    shell.enter()
    shell.child.send("tick\r")
    shell.wait("tick 1 ")
    typed = "".join(chr(ord("a") + number % 26) for number in range(150))
    for at in range(0, len(typed), 7):
        shell.child.send(typed[at : at + 7])
        shell.wait("tick ")
    text = f"room> {typed}"
    rows = [text[at : at + COLUMNS] for at in range(0, len(text), COLUMNS)]
    for _ in range(50):  # drawings: the last keys may not have been read yet
        if shell.rows()[-len(rows) :] == rows:
            break
        shell.wait("\x1b[?7h")
    assert shell.rows()[-len(rows) :] == rows
    numbers = [int(row.split()[1]) for row in shell.rows() if row.startswith("tick ")]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_what_arrives_is_broken_between_words_at_the_width_of_now(shell: Shell) -> None:
    shell.child.setwinsize(ROWS, 24)
    shell.screen.resize(ROWS, 24)
    shell.enter()
    shell.child.send("what did you say about the cake\r")
    shell.wait("said 'what")
    shell.wait("the cake'")
    assert shell.rows()[-2:] == ["said 'what did you say", "  about the cake'"]


def test_a_long_paste_is_taken_while_lines_arrive(shell: Shell) -> None:
    shell.enter()
    shell.child.send(b"\x1b[200~" + b"a line\r" * 2000 + b"\x1b[201~")
    shell.wait("pasted 2000 lines")
    shell.child.send("noise 5000\r")
    shell.wait("noise 4999")
    shell.wait("room> ")


def test_a_resize_draws_the_input_for_the_new_size(shell: Shell) -> None:
    shell.enter()
    shell.child.send("x" * 100)
    shell.wait("x" * 46)
    shell.child.setwinsize(ROWS, 30)
    shell.wait("room> " + "x" * 24 + LINE_END + "x" * 30 + LINE_END + "x" * 30)


def test_a_terminal_without_a_size_is_taken_for_80_by_24(shell: Shell) -> None:
    shell.do("stty cols 0 rows 0")
    shell.enter()
    shell.child.send("y" * 100)
    shell.wait("y" * 74 + LINE_END + "y" * 26)


def test_refused_keys_ring(shell: Shell) -> None:
    shell.enter()
    shell.child.send(b"\x1b[A")
    shell.wait("\a")
    shell.child.send(b"A\t")
    shell.wait("Anna")


class Pair:
    """A terminal without a process: both ends are ours."""

    def __init__(self) -> None:
        self.outside, self.inside = os.openpty()
        self.editor = Editor("> ")

    def close(self) -> None:
        for fd in (self.outside, self.inside):
            with contextlib.suppress(OSError):
                os.close(fd)


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


def test_an_exception_inside_gives_the_modes_back(pair: Pair) -> None:
    before = termios.tcgetattr(pair.inside)
    with suppress(ZeroDivisionError), Terminal(pair.inside, pair.inside, pair.editor):
        assert termios.tcgetattr(pair.inside) != before
        raise ZeroDivisionError
    assert termios.tcgetattr(pair.inside) == before


def test_output_stays_cooked_so_that_a_traceback_is_no_staircase(pair: Pair) -> None:
    with Terminal(pair.inside, pair.inside, pair.editor):
        assert termios.tcgetattr(pair.inside)[1] & termios.OPOST


def test_a_terminal_that_takes_nothing_is_left_all_the_same(pair: Pair) -> None:
    before = termios.tcgetattr(pair.inside)
    os.set_blocking(pair.inside, False)
    with Terminal(pair.inside, pair.inside, pair.editor):
        try:
            while True:
                os.write(pair.inside, b"x" * 4096)  # nobody reads at the other end
        except BlockingIOError:
            pass
    assert termios.tcgetattr(pair.inside) == before


def test_a_slow_terminal_gets_everything_in_pieces(pair: Pair) -> None:
    os.set_blocking(pair.inside, False)
    lines = [f"line {number} " + "x" * 50 for number in range(2000)]
    received = bytearray()

    def read_slowly() -> None:
        while b"line 1999 x" not in received:
            received.extend(os.read(pair.outside, 100))

    reader = threading.Thread(target=read_slowly)
    reader.start()
    with Terminal(pair.inside, pair.inside, pair.editor) as terminal:
        terminal.print_above(lines)
    reader.join(DEADLINE_S)
    found = re.findall(r"line \d+ x+", received.decode())
    assert found[:-1] == lines[:-1]  # of the last only the beginning was waited for


def test_read_waits_when_there_is_nothing_and_ends_when_the_terminal_is_gone(pair: Pair) -> None:
    os.set_blocking(pair.inside, False)
    with Terminal(pair.inside, pair.inside, pair.editor) as terminal:
        os.write(pair.outside, b"abc")
        assert terminal.read() == b"abc"
        os.close(pair.outside)
        assert terminal.read() == b""
        with pytest.raises(OSError, match=r"."):
            terminal.print_above(["nobody sees this"])


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({"TMUX": "/tmp/x"}, True), ({"VTE_VERSION": "7000"}, True), ({"TERM": "xterm"}, False)],
)
def test_only_terminals_known_to_reflow_are_taken_to(
    environ: dict[str, str], expected: bool
) -> None:
    assert reflows(environ) is expected
