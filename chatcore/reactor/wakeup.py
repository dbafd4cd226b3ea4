"""Waking the loop from elsewhere: another thread, or a signal.

One pipe serves both. Python's own C-level signal handler writes the signal's number into it
(`signal.set_wakeup_fd`), and a thread writes a zero byte; the loop acts on the bytes that it reads, because a
Python-level handler may run before or after the byte arrives (cpython issue 21645). A pipe, because it holds 65,536
such bytes where a socketpair refuses the 279th: a signal whose byte is refused is lost, SIGTERM too.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN_BYTES = 64 * 1024
"""Bytes read at once: all that a pipe holds on Linux."""

THREAD = 0
"""The byte that a thread writes. No signal has the number 0."""


class Wakeup:
    """The reading end is a reactor handler; `take` tells what woke it."""

    def __init__(self) -> None:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        # Files, not numbers: a thread that comes after `close` must not write into whatever got the number next.
        self._reading = open(read_fd, "rb", buffering=0)  # noqa: SIM115 (until `close`)
        self._writing = open(write_fd, "wb", buffering=0)  # noqa: SIM115
        self._callbacks: deque[Callable[[], None]] = deque()
        """Appended by threads, taken by the loop: both ends of a deque are atomic."""
        self._handlers: dict[int, Callable[[], None]] = {}
        self._old_handlers: dict[int, object] = {}
        self._old_fd: int | None = None

    def fileno(self) -> int:
        return -1 if self._reading.closed else self._reading.fileno()

    def call(self, callback: Callable[[], None]) -> None:
        """From any thread: have the loop run `callback`."""
        self._callbacks.append(callback)
        with suppress(ValueError):  # closed: then there is no loop to run it
            self._writing.write(
                bytes((THREAD,))
            )  # full: takes nothing, and the loop is being woken anyway

    def on_signal(self, signum: int, callback: Callable[[], None]) -> None:
        """From the main thread: have the loop run `callback` for this signal."""
        if self._old_fd is None:
            # A full buffer is no error: whatever fills it has woken the loop already.
            self._old_fd = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        self._handlers[signum] = callback
        old = signal.signal(signum, _nothing)
        self._old_handlers.setdefault(signum, old)
        # System calls go on after the signal; the loop learns of it from the byte.
        signal.siginterrupt(signum, False)

    def take(self) -> list[Callable[[], None]]:
        """What is to be run: threads' callbacks in order, and each signal's once however often it came."""
        signums = dict.fromkeys(self._reading.read(DRAIN_BYTES) or b"")
        found = [self._handlers[signum] for signum in signums if signum in self._handlers]
        while self._callbacks:
            found.append(self._callbacks.popleft())
        return found

    def close(self) -> None:
        if self._old_fd is not None:
            signal.set_wakeup_fd(self._old_fd)
            self._old_fd = None
            for signum, old in self._old_handlers.items():
                # None: it was not installed from Python, and cannot be put back from Python.
                signal.signal(signum, signal.SIG_DFL if old is None else old)  # type: ignore[arg-type]
        self._reading.close()
        self._writing.close()


def _nothing(signum: int, frame: object) -> None:
    """A handler must be there, or the signal would do its default; the byte in the pipe does the work."""
