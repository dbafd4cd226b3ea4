"""The orderer: gives drafts their number and time. On one node it is this counter; a cluster has another.

Invariant: `seq` rises by the number of lines, and time never goes back, whatever the clock does: readers may
rely on both orders being the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chatcore.log.record import lines_of

if TYPE_CHECKING:
    from chatcore.log.record import Record

R = TypeVar("R", bound="Record")


class LocalOrderer:
    """Numbers drafts at once, before the next command is decided."""

    __slots__ = ("head_seq", "time_ms")

    def __init__(self, head_seq: int = 0, time_ms: int = 0) -> None:
        self.head_seq = head_seq
        self.time_ms = time_ms

    def stamp(self, now_ms: int, lines: int) -> tuple[int, int]:
        """The number and the time of the next record, which takes so many numbers."""
        if now_ms > self.time_ms:
            self.time_ms = now_ms
        seq = self.head_seq + 1
        self.head_seq += lines
        return seq, self.time_ms

    def number(self, draft: R, now_ms: int) -> R:
        """The draft as a record."""
        # Not `_replace`: a type checker loses sight of which kind of record it is, and it is slow.
        return _new(type(draft), (*self.stamp(now_ms, lines_of(draft)), *draft[2:]))


_new = tuple.__new__
