"""Diagnostics: the console log on stderr, which never makes the loop wait.

Invariants: logging a line is an append to a bounded queue; a thread of its own writes, and while stderr takes
nothing (a full pipe, a stopped terminal) lines are dropped and counted, and the count is told when writing works
again. A line is one line: what peers sent cannot move a cursor or begin another.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

QUEUED_LINES = 4_096
"""Lines that wait for a slow stderr: a burst of joins, some 400 KiB; beyond that a log is no longer read anyway."""

CLOSE_S = 1.0
"""How long the end of the program waits for stderr."""

_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Console(logging.Handler):
    """The logging handler; see the module."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._ready = threading.Event()
        self._closing = False
        self._refused = 0
        """Lines for which the queue had no room; counted by who logs."""
        self._unwritten = 0
        """Lines that stderr did not take; counted by the writer, so that no count is lost between two threads."""
        self._told = 0
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that were lost since the beginning."""
        return self._refused + self._unwritten

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) >= QUEUED_LINES:
            self._refused += 1
            return
        self._lines.append(self.format(record))
        self._ready.set()

    def _write(self) -> None:
        while not self._closing or self._lines:
            self._ready.wait()
            self._ready.clear()
            while self._lines:
                text = self._lines.popleft()
                dropped = self.dropped
                tell = dropped > self._told and len(self._lines) < QUEUED_LINES // 2
                if tell:
                    text += f"\n{dropped - self._told:,} lines were dropped here: nobody took them"
                try:
                    self._stream.write(text + "\n")
                    self._stream.flush()
                    if tell:
                        self._told = dropped
                except (OSError, ValueError):
                    # Nobody reads it, or it is closed. There is nowhere left to say so.
                    self._unwritten += 1

    def close(self) -> None:
        """Write what is queued, for `CLOSE_S` at most."""
        self._closing = True
        self._ready.set()
        self._thread.join(CLOSE_S)
        super().close()


class OneLine(logging.Formatter):
    """`14:02:11 Alice connected from 127.0.0.1:51234`; the level only from warnings on."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        when = time.strftime("%H:%M:%S", time.localtime(record.created))
        message = _UNSAFE.sub(_escape, record.getMessage().replace("\n", "\\n"))
        text = f"{when} {level}{message}"
        if record.exc_info:
            # Indented, because an exception's own text may hold a line that looks like one of the log's.
            trace = self.formatException(record.exc_info).replace("\n", "\n  ")
            text += "\n  " + _UNSAFE.sub(_escape, trace)
        return text


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def configure(level: str, stream: TextIO | None = None) -> Console:
    """Send the program's log to `stream` (stderr). The caller closes what this returns."""
    # Not one of these is printed, and each costs a system call or a walk up the stack for every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    console = Console(sys.stderr if stream is None else stream)
    console.setFormatter(OneLine())
    logger = logging.getLogger("chatcore")
    logger.setLevel(level.upper())
    logger.handlers[:] = [console]
    logger.propagate = False
    return console
