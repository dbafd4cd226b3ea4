"""The orderer: gives drafts their number and time. On one node it is this counter; a cluster has another.

Invariant: `seq` rises by the number of lines, and time never goes back, whatever the clock does: readers may
rely on both orders being the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chatcore.log.record import Said

if TYPE_CHECKING:
    from chatcore.log.record import Record

R = TypeVar("R", bound="Record")


class LocalOrderer:
    """Numbers drafts at once, before the next command is decided."""

    __slots__ = ("head_seq", "time_ms")

    def __init__(self, head_seq: int = 0, time_ms: int = 0) -> None:
        self.head_seq = head_seq
        self.time_ms = time_ms

    def number(self, draft: R, now_ms: int) -> R:
        if now_ms > self.time_ms:
            self.time_ms = now_ms
        seq = self.head_seq + 1
        self.head_seq += draft.lines if isinstance(draft, Said) else 1
        # `tuple.__new__` and not `_replace`: the latter costs a microsecond, and this runs for every read.
        return _new(type(draft), (seq, self.time_ms, *draft[2:]))


_new = tuple.__new__
