"""The Journal: where a tick's records are made durable before anything about them leaves the process.

The port that the tick talks to, and its form that keeps nothing. Invariant of every form: batches become
durable whole and in the order in which they were handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from chatcore.log.record import last_seq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatcore.log.record import Record


class Journal(Protocol):
    def commit(self, batch: Sequence[Record]) -> None:
        """Take over a tick's records (never empty). Does not wait."""

    def durable_seq(self, patience_s: float) -> int:
        """The last `seq` that would survive a power cut, after waiting at most `patience_s` for what was handed over.

        A form that is slower than that wakes the loop when it gets there.
        """


class MemoryJournal:
    """Commits at once and keeps nothing: what `--ephemeral` means."""

    __slots__ = ("_durable_seq",)

    def __init__(self) -> None:
        self._durable_seq = 0

    def commit(self, batch: Sequence[Record]) -> None:
        self._durable_seq = last_seq(batch[-1])

    def durable_seq(self, patience_s: float) -> int:
        return self._durable_seq
