"""The Journal: where a tick's records are made durable before anything about them leaves the process.

The port that the tick talks to, and its form that keeps nothing. Invariant of every form: batches become
durable whole and in the order in which they were handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

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

    def save(self, seq: int, changes: Sequence[Change]) -> None:
        """Keep a snapshot of the state as of `seq`: what has changed since the one before. Does not wait."""

    @property
    def trouble(self) -> str:
        """Why nothing can be written for now (disk full, locked), for people; empty when all is well.

        What was handed over is kept and tried again; nothing new should be taken until it is empty again. The loop is
        woken when it changes.
        """

    @property
    def failure(self) -> str:
        """Why nothing will ever be written again; empty when all is well. The process is to end."""

    def close(self, patience_s: float = ...) -> None:
        """Write what was handed over, and let go. Waits, but not for a disk that hangs: `failure` says so then."""


CLOSE_S = 2.0
"""How long the end of the process waits for all threads that work with the disk; healthy ones need a tenth of it."""

Change: TypeAlias = tuple[str, str, str | None]
"""A piece of the snapshot: kind (`session`, `room`), key, and its JSON; None: there is no such piece any more."""


class MemoryJournal:
    """Commits at once and keeps nothing: what `--ephemeral` means."""

    __slots__ = ("_durable_seq",)

    def __init__(self) -> None:
        self._durable_seq = 0

    def commit(self, batch: Sequence[Record]) -> None:
        self._durable_seq = last_seq(batch[-1])

    def durable_seq(self, patience_s: float) -> int:
        return self._durable_seq

    def save(self, seq: int, changes: Sequence[Change]) -> None:
        """Memory needs no snapshot of itself."""

    @property
    def trouble(self) -> str:
        return ""

    @property
    def failure(self) -> str:
        return ""

    def close(self, patience_s: float = CLOSE_S) -> None:
        """There is nothing to let go of."""
