"""Signals as readable bytes, so that the loop meets them between two events and never inside of one.

Also the wake-up for other threads. While it is entered, the signals do nothing by themselves. One that was ignored
before stays ignored: `nohup`, and jobs that a shell started in the background, mean it so.
"""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

WAKE = b"\0"
"""No signal has the number 0."""
READ_BYTES = 4096


class Signals:
    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = tuple(numbers)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def __enter__(self) -> Self:
        heeded = [each for each in self._numbers if signal.getsignal(each) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, _ignore) for number in heeded}
        self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        return self._reader.fileno()

    def wake(self) -> None:
        """From any thread. A full buffer wakes as well; a closed one has nobody to wake."""
        with suppress(OSError):
            self._writer.send(WAKE)

    def take(self) -> set[int]:
        """The signals since the last time."""
        with suppress(BlockingIOError):
            return {number for number in self._reader.recv(READ_BYTES) if number}
        return set()


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler in Python, so that the wake-up byte is written and waiting is interrupted."""
