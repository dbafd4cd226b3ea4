"""Where lines go and where typing comes from: an append-only stream, or a terminal with a line editor.

Both give the same inputs (`chatcore.client.editor`) and take the same lines, so the loop does not know which it has.
Invariant: a stream gets nothing but whole lines and, at a terminal, the bell; output that nobody takes any more is
told to the loop as `OutputLostError`.
"""

from __future__ import annotations

import errno
import os
import select
import termios
import tty
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Protocol

from chatcore.client.editor import EndOfInput, Submit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatcore.client.editor import Complete, Editor, Input
    from chatcore.client.terminal import Modes, Terminal, Writing

READ_BYTES = 16 * 1024
"""A read may hold this many empty-ish lines at most, beyond what the loop lets wait."""
MAX_KEPT_BYTES = 64 * 1024
"""Of a line without end: far more than may be sent, so that it is refused with its beginning, and no more memory."""
BELL = b"\a"
STDOUT, STDERR = 1, 2


class OutputLostError(Exception):
    """Nobody reads any more, or the disk is full: there is no point in going on."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(code, words)
        self.is_reader_gone = code in {errno.EPIPE, errno.EIO}
        self.words = words


class Console(Protocol):
    input_fd: int | None
    """None: there is nothing to read any more."""

    def show(self, lines: list[str]) -> None: ...
    def complain(self, lines: list[str]) -> None:
        """Show what is not part of the conversation."""

    def prompt(self, words: str, *, asks: bool, hidden: bool) -> None:
        """What stands before the line being typed. `asks`: it wants an answer, so nobody may miss it. `hidden`: the
        answer is a password, which nobody may see."""

    def completes(self, complete: Complete) -> None:
        """What Tab offers, where there is one."""

    def bell(self) -> None: ...
    def read(self) -> list[Input]: ...
    def resized(self) -> None: ...
    def suspend(self) -> None: ...
    def resumed(self) -> None: ...
    def take(self) -> str:
        """The unsent line, out of the way of a question."""

    def restore(self, text: str) -> None: ...


class StreamConsole:
    """Append-only: pipes, files, `--plain`. `bells`: the output is a terminal, and for a person.

    `asks_fd`: where questions are asked; not among what a program reads.
    """

    def __init__(
        self,
        input_fd: int | None,
        *,
        bells: bool,
        asks_fd: int = STDOUT,
        writing: Writing = nullcontext,
    ) -> None:
        self.input_fd = input_fd
        self._writing = writing
        self._bells = bells
        self._asks_fd = asks_fd
        self._modes: Modes | None = None
        """Of the terminal, as they were before what is typed was hidden; None: it is shown."""
        self._input = LineInput()

    def show(self, lines: list[str]) -> None:
        write_lines(STDOUT, lines, self._writing)

    def complain(self, lines: list[str]) -> None:
        write_lines(STDERR, lines, self._writing)

    def prompt(self, words: str, *, asks: bool, hidden: bool) -> None:
        self._echo(not hidden)  # before the question: who is asked may answer at once
        if asks:
            write_lines(self._asks_fd, [words.strip()], self._writing)
        self._input.keeps_empty = asks

    def completes(self, complete: Complete) -> None:
        pass

    def bell(self) -> None:
        if self._bells:
            write(STDOUT, BELL, self._writing)

    def read(self) -> list[Input]:
        if self.input_fd is None:
            return []
        try:
            data = os.read(self.input_fd, READ_BYTES)
        except OSError:  # the terminal is gone
            data = b""
        if data:
            return [Submit(line) for line in self._input.feed(data)]
        self.input_fd = None
        return [*(Submit(line) for line in self._input.end()), EndOfInput()]

    def resized(self) -> None:
        pass

    def suspend(self) -> None:
        pass

    def resumed(self) -> None:
        pass

    def take(self) -> str:
        """Nothing, but of an unseen line what the terminal has of it: there it would be shown, and sent, with the next."""
        data = b""
        if self._modes is not None and self.input_fd is not None:
            with suppress(termios.error, OSError):
                data = _take_typed(self.input_fd)
        return data.rpartition(b"\n")[2].decode("utf-8", "replace")

    def restore(self, text: str) -> None:
        pass

    def _echo(self, on: bool) -> None:
        """The terminal itself shows what is typed here; the modes are touched only for a password, and put back."""
        if self.input_fd is None or on is (self._modes is None):
            return
        with suppress(termios.error):  # nobody sees what no terminal shows
            if self._modes is None:
                self._modes = termios.tcgetattr(self.input_fd)
                hiding = [*self._modes]
                hiding[tty.LFLAG] &= ~termios.ECHO
                termios.tcsetattr(self.input_fd, termios.TCSADRAIN, hiding)
            else:
                termios.tcsetattr(self.input_fd, termios.TCSADRAIN, self._modes)
                self._modes = None


def _take_typed(fd: int) -> bytes:
    """What a terminal that gives whole lines has now, also of a line without its end; it waits for nothing."""
    modes = termios.tcgetattr(fd)
    by_byte = [*modes]
    by_byte[tty.LFLAG] &= ~termios.ICANON
    by_byte[tty.CC] = [*modes[tty.CC]]
    by_byte[tty.CC][termios.VMIN] = by_byte[tty.CC][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, by_byte)
    try:
        return os.read(fd, READ_BYTES)
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, modes)
        termios.tcflush(fd, termios.TCIFLUSH)


class TerminalConsole:
    """Lines appear above the one that is being typed."""

    def __init__(self, terminal: Terminal, editor: Editor, input_fd: int) -> None:
        self.input_fd: int | None = input_fd
        self._terminal, self._editor = terminal, editor
        self._prompt = ""

    def show(self, lines: list[str]) -> None:
        with told_as_lost():
            self._terminal.print_above(lines)

    complain = show

    def prompt(self, words: str, *, asks: bool, hidden: bool) -> None:
        if (words, hidden) != (self._prompt, self._editor.secret):
            self._prompt, self._editor.secret, self._editor.asks = words, hidden, asks
            self._editor.set_prompt(words)
            self._redraw()

    def completes(self, complete: Complete) -> None:
        self._editor.complete = complete

    def bell(self) -> None:
        with told_as_lost():
            self._terminal.bell()

    def read(self) -> list[Input]:
        try:
            data = self._terminal.read()
        except OSError:
            data = b""
        if not data:
            self.input_fd = None
            return [EndOfInput()]
        inputs = self._editor.feed(data)
        self._redraw()
        return inputs

    def resized(self) -> None:
        with told_as_lost():
            self._terminal.resized()

    def suspend(self) -> None:
        with told_as_lost():
            self._terminal.suspend()

    def resumed(self) -> None:
        with told_as_lost():
            self._terminal.resumed()

    def take(self) -> str:
        text = self._editor.take()
        self._redraw()
        return text

    def restore(self, text: str) -> None:
        self._editor.restore(text)
        self._redraw()

    def _redraw(self) -> None:
        with told_as_lost():
            self._terminal.redraw()


class LineInput:
    """Bytes, in any split → lines. Pure. Empty lines are nothing; of one without end only the beginning is kept."""

    def __init__(self) -> None:
        self.keeps_empty = False
        """A question stands: Enter alone is an answer, too."""
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[str]:
        *ended, rest = data.split(b"\n")
        lines: list[str] = []
        for part in ended:
            self._keep(part)
            lines += self.end() or ([""] if self.keeps_empty else [])
        self._keep(rest)
        return lines

    def end(self) -> list[str]:
        """Also a last line without its line end is a line."""
        text = self._kept.decode("utf-8", "replace").removesuffix("\r")
        self._kept.clear()
        return [text] if text else []

    def _keep(self, part: bytes) -> None:
        self._kept += part[: MAX_KEPT_BYTES - len(self._kept)]


def write_lines(fd: int, lines: list[str], writing: Writing = nullcontext) -> None:
    """At once: who reads a pipe is not kept waiting by a buffer."""
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    write(fd, data, writing)


def write(fd: int, data: bytes, writing: Writing) -> None:
    """All of it."""
    rest = memoryview(data)
    with told_as_lost():
        while rest:
            try:
                with writing(fd):
                    rest = rest[os.write(fd, rest) :]
            except BlockingIOError:  # somebody who shares the pipe made it so
                select.select([], [fd], [])


@contextmanager
def told_as_lost() -> Iterator[None]:
    """Whatever the output, and whatever is written to it: the terminal may be gone as well as a pipe's reader."""
    try:
        yield
    except OSError as fault:
        raise OutputLostError(fault.errno or 0, fault.strerror or "") from fault
