"""Diagnostics: the console log on stderr, which never makes the loop wait.

Invariants: logging a line is an append to a bounded queue; a thread of its own writes, and while stderr takes
nothing (a full pipe, a stopped terminal) lines are dropped and counted, and the count is told when writing works
again. What a line looks like is said in `chatcore.diagnostics.forms`, and whose lines are left out in `chatcore.diagnostics.sieve`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from chatcore.diagnostics.forms import form
from chatcore.diagnostics.sieve import Sieve, notice

if TYPE_CHECKING:
    from typing import TextIO

QUEUED_LINES = 4_096
"""Lines that wait for a slow stderr: a burst of joins, some 400 KiB; beyond that a log is no longer read anyway."""

DROPPED = "%(lines)s lines were dropped here: nobody took them"

CLOSE_S = 1.0
"""How long the end of the program waits for stderr."""


class Console(logging.Handler):
    """The logging handler; see the module."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._sieve = Sieve()
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
        for each in self._sieve.sift(record):
            if len(self._lines) >= QUEUED_LINES:
                self._refused += 1
            else:
                self._lines.append(self.format(each))
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
                    lines = {"lines": f"{dropped - self._told:,}"}
                    text += "\n" + self.format(notice(DROPPED, lines))
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


def configure(level: str, stream: TextIO | None = None, log_format: str = "human") -> Console:
    """Send the program's log to `stream` (stderr). The caller closes what this returns."""
    # Not one of these is printed, and each costs a system call or a walk up the stack for every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as the Logging HOWTO says, under Optimization
    taken = sys.stderr if stream is None else stream
    console = Console(taken)
    console.setFormatter(form(log_format, taken, os.environ))
    logger = logging.getLogger("chatcore")
    logger.setLevel(level.upper())
    logger.handlers[:] = [console]
    logger.propagate = False
    return console
