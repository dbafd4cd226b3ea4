"""Waking the loop from elsewhere: another thread, or a signal.

One socketpair serves both. Python's own C-level signal handler writes the signal's number into it
(`signal.set_wakeup_fd`), and a thread writes a zero byte; the loop acts on the bytes that it reads, because a
Python-level handler may run before or after the byte arrives (cpython issue 21645).
"""

from __future__ import annotations

import signal
import socket
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN_BYTES = 4096
"""Bytes read at once; a storm of ten thousand signals is a few reads."""

THREAD = 0
"""The byte that a thread writes. No signal has the number 0."""


class Wakeup:
    """The reading end is a reactor handler; `take` tells what woke it."""

    def __init__(self) -> None:
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self._callbacks: deque[Callable[[], None]] = deque()
        """Appended by threads, taken by the loop: both ends of a deque are atomic."""
        self._handlers: dict[int, Callable[[], None]] = {}
        self._old_handlers: dict[int, object] = {}
        self._old_fd: int | None = None

    def fileno(self) -> int:
        return self._reading.fileno()

    def call(self, callback: Callable[[], None]) -> None:
        """From any thread: have the loop run `callback`."""
        self._callbacks.append(callback)
        try:
            self._writing.send(bytes((THREAD,)))
        except OSError:
            # Full: then the loop is being woken anyway. Closed: then there is no loop to run it.
            return

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
        signums: dict[int, None] = {}
        while True:
            try:
                data = self._reading.recv(DRAIN_BYTES)
            except OSError:
                break
            if not data:
                break
            signums.update(dict.fromkeys(data))
        found = [self._handlers[signum] for signum in signums if signum in self._handlers]
        while self._callbacks:
            found.append(self._callbacks.popleft())
        return found

    def close(self) -> None:
        if self._old_fd is not None:
            signal.set_wakeup_fd(self._old_fd)
            for signum, old in self._old_handlers.items():
                signal.signal(signum, old)  # type: ignore[arg-type]  # what signal.signal returned
        self._reading.close()
        self._writing.close()


def _nothing(signum: int, frame: object) -> None:
    """A handler must be there, or the signal would do its default; the byte in the socketpair does the work."""
