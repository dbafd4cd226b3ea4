"""The terminal: raw while we are in it, as it was before whenever we are not.

Invariants: every way out (end, exception, SystemExit of a signal handler, Ctrl-Z, interpreter exit) restores the
modes and erases the unsent line; each change of the screen is one write, so that nothing else can come between.
What to write is decided in `chatcore.client.screen`. Signals are the caller's: it calls `resized`, `suspend` and
`resumed`.
"""

from __future__ import annotations

import atexit
import errno
import os
import select
import signal
import termios
import tty
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from chatcore.client.layout import wrap
from chatcore.client.screen import RESET_COLOR, WRAP_ON, Line, Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from chatcore.client.editor import Editor

READ_BYTES = 64 * 1024
ASSUMED_COLUMNS, ASSUMED_ROWS = 80, 24
"""Where the terminal says 0 (a serial line, `expect`): what a VT100 had."""
LAST_WRITE_MS = 500
"""For the last bytes to a terminal that takes none (Ctrl-S, a stalled connection): leaving matters more."""

JOB_SIGNALS = (signal.SIGTSTP, signal.SIGCONT)
"""Stop, unless somebody sent SIGSTOP, and go on."""

BELL = b"\a"
PASTE_BRACKETS_ON, PASTE_BRACKETS_OFF = b"\x1b[?2004h", b"\x1b[?2004l"
AS_IT_WAS = f"{RESET_COLOR}{WRAP_ON}".encode() + PASTE_BRACKETS_OFF
"""Colour and wrapping, too: an exception may have come in the middle of a write."""

REFLOWING = {
    "ALACRITTY_WINDOW_ID",
    "GHOSTTY_RESOURCES_DIR",
    "KITTY_WINDOW_ID",
    "KONSOLE_VERSION",
    "TMUX",
    "VTE_VERSION",
    "WEZTERM_PANE",
    "WT_SESSION",
}
"""Variables of terminals that break their rows anew when they become narrower. xterm, screen, the console do not."""

Writing: TypeAlias = "Callable[[int], AbstractContextManager[object]]"
"""In it a file descriptor is written to; it may break a write off, with an OSError."""
Modes: TypeAlias = "list[Any]"
"""What `termios.tcgetattr` returns: numbers, and a list of the control characters."""
INPUT_COOKING = (
    termios.BRKINT
    | termios.PARMRK
    | termios.INPCK
    | termios.ISTRIP
    | termios.INLCR
    | termios.IGNCR
    | termios.ICRNL
    | termios.IXON
)
LOCAL_COOKING = termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN


class Terminal:
    def __init__(
        self,
        stdin_fd: int,
        stdout_fd: int,
        editor: Editor,
        writing: Writing = nullcontext,
    ) -> None:
        self._stdin, self._stdout = stdin_fd, stdout_fd
        self._writing = writing
        self._editor = editor
        self._screen = Screen(*self._size(), reflows=reflows(os.environ))
        self._modes: Modes | None = None
        """As they were before; None: they are so now."""

    def __enter__(self) -> Self:
        atexit.register(self._leave)
        self._go_in()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        atexit.unregister(self._leave)

    def print_above(self, lines: list[str]) -> None:
        columns, _ = self._size()
        rows = [row for line in lines for row in wrap(line, columns)]
        self._write(self._screen.above(rows, self._line()))

    def redraw(self) -> None:
        """After `Editor.feed`: also what it asked for besides."""
        editor = self._editor
        draw = self._screen.clear if editor.clear_asked else self._screen.show
        bell = BELL if editor.rang else b""
        editor.rang = editor.clear_asked = False
        self._write(draw(self._line()) + bell)

    def resized(self) -> None:
        self._write(self._screen.resize(*self._size(), self._line()))

    def bell(self) -> None:
        self._write(BELL)

    def read(self) -> bytes:
        """What was typed; b"": nobody will type any more."""
        while True:
            try:
                return os.read(self._stdin, READ_BYTES)
            except BlockingIOError:  # somebody who shares the terminal made it so
                _wait(self._stdin, select.POLLIN)
            except OSError as fault:
                if fault.errno != errno.EIO:
                    raise
                return b""  # the terminal is gone

    def suspend(self) -> None:
        self._leave()
        # that we go on is no news here: nobody is to call `resumed`
        handlers = {each: signal.signal(each, signal.SIG_DFL) for each in JOB_SIGNALS}
        try:
            # the whole group, as the terminal itself does it: the shell waits for all of a pipeline
            os.kill(0, signal.SIGTSTP)
        finally:
            for each, handler in handlers.items():
                signal.signal(each, handler or signal.SIG_DFL)
        self._go_in()

    def resumed(self) -> None:
        """We were stopped without a word, and a shell has had the terminal: its modes, pastes and screen are new."""
        if self._modes is None:
            return
        self._set_modes(termios.TCSADRAIN, _raw(self._modes))
        self._write(PASTE_BRACKETS_ON + self._screen.begin_again(*self._size(), self._line()))

    def _go_in(self) -> None:
        modes = termios.tcgetattr(self._stdin)
        self._modes = modes
        self._set_modes(termios.TCSADRAIN, _raw(modes))
        # it may have become another size while we were not looking
        drawn = self._screen.resize(*self._size(), self._line())
        self._write(PASTE_BRACKETS_ON + drawn)

    def _leave(self) -> None:
        """May be called at any time, in any state; the terminal may be gone."""
        if self._modes is None:
            return
        try:
            with suppress(OSError):
                self._write_last(self._screen.erase() + AS_IT_WAS)
        finally:  # also when a second signal comes meanwhile
            with suppress(OSError):
                # TCSADRAIN would wait for a terminal that takes nothing
                self._set_modes(termios.TCSANOW, self._modes)
            self._modes = None

    def _set_modes(self, when: int, modes: Modes) -> None:
        """Who is in the background is stopped here, and tries again in the foreground. Raises OSError."""
        while True:
            try:
                return termios.tcsetattr(self._stdin, when, modes)
            except termios.error as fault:  # which is no OSError
                if fault.args[0] != errno.EINTR:
                    raise OSError(*fault.args) from fault

    def _line(self) -> Line:
        return Line(self._editor.shown_prompt, self._editor.shown, self._editor.cursor)

    def _size(self) -> tuple[int, int]:
        with suppress(OSError):
            columns, rows = os.get_terminal_size(self._stdout)
            return columns or ASSUMED_COLUMNS, rows or ASSUMED_ROWS
        return ASSUMED_COLUMNS, ASSUMED_ROWS

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                with self._writing(self._stdout):
                    rest = rest[os.write(self._stdout, rest) :]
            except BlockingIOError:
                _wait(self._stdout, select.POLLOUT)

    def _write_last(self, data: bytes) -> None:
        """What the terminal does not take in time is dropped."""
        rest = memoryview(data)
        blocks = os.get_blocking(self._stdout)
        # "Takes something" is no promise: with room for a single byte, a terminal waits with a line end.
        os.set_blocking(self._stdout, False)
        try:
            while rest and _wait(self._stdout, select.POLLOUT, LAST_WRITE_MS):
                rest = rest[os.write(self._stdout, rest) :]
        finally:
            os.set_blocking(self._stdout, blocks)


def reflows(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in REFLOWING)


def _wait(fd: int, event: int, patience_ms: int | None = None) -> bool:
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(patience_ms))


def _raw(modes: Modes) -> Modes:
    """Every key reaches us as it is, Ctrl-C too. Output stays cooked: a traceback, or what somebody else writes, must
    not run down the screen like a staircase."""
    raw = list(modes)
    raw[tty.IFLAG] &= ~INPUT_COOKING
    raw[tty.LFLAG] &= ~LOCAL_COOKING
    raw[tty.CC] = list(modes[tty.CC])
    raw[tty.CC][termios.VMIN], raw[tty.CC][termios.VTIME] = 1, 0
    return raw
