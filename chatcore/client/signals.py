"""Signals as readable bytes, so that the loop meets them between two events and never inside of one.

Only a write, which may wait for as long as nobody takes it, is broken off by a signal that wants the end (`writing`).
Also the wake-up for other threads. While it is entered, the signals do nothing by themselves. One that was ignored
before stays ignored: `nohup`, and jobs that a shell started in the background, mean it so.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

WAKE = b"\0"
"""No signal has the number 0."""
READ_BYTES = 4096


class Signals:
    """`ending`: those of them after which nobody waits for an output any more."""

    def __init__(self, numbers: Iterable[int], ending: frozenset[int] = frozenset()) -> None:
        self._numbers, self._ending = tuple(numbers), ending
        self._is_writing = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def __enter__(self) -> Self:
        heeded = [each for each in self._numbers if signal.getsignal(each) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._on_signal) for number in heeded}
        self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """A handler in Python, so that the wake-up byte is written and waiting is interrupted. What it raises comes out
        of the write, which otherwise would be begun again."""
        if self._is_writing and number in self._ending:
            raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

    def fileno(self) -> int:
        return self._reader.fileno()

    def wake(self) -> None:
        """From any thread. A full buffer wakes as well; a closed one has nobody to wake."""
        with suppress(OSError):
            self._writer.send(WAKE)

    def take(self) -> set[int]:
        """The signals since the last time."""
        return self._read(0)

    @contextmanager
    def writing(self, fd: int) -> Iterator[None]:
        """Raises InterruptedError when one of the `ending` comes meanwhile; it can still be taken."""
        self._is_writing = True
        try:
            if self._ending & self._read(socket.MSG_PEEK) and not _takes(fd):
                raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
            yield
        finally:
            self._is_writing = False

    def _read(self, flags: int) -> set[int]:
        with suppress(BlockingIOError):
            return {number for number in self._reader.recv(READ_BYTES, flags) if number}
        return set()


def _takes(fd: int) -> bool:
    """For certain: a terminal with room for a single byte says so, too, and waits with a line end."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return not os.isatty(fd) and bool(poll.poll(0))
