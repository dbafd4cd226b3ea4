"""The ids that a session used last, so that a line which is sent again is stored once.

Invariant: the newest `ID_WINDOW` ids are known with their `seq`; older ones are forgotten, oldest first.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


ID_WINDOW = 256
"""Ids kept a session. The bundled client has at most 64 lines under way; four times that leaves room for others,
and costs an active session some 30 KiB."""


class IdWindow:
    __slots__ = ("_seqs",)

    def __init__(self) -> None:
        self._seqs: dict[str, int] = {}

    def seq_of(self, line_id: str) -> int | None:
        return self._seqs.get(line_id)

    def seqs(self) -> dict[str, int]:
        """Each id that is known and its `seq`, the oldest first. To be read only."""
        return self._seqs

    def put_back(self, seqs: dict[str, int]) -> None:
        """Fill a fresh window with what `seqs` gave."""
        self._seqs.update(seqs)

    def knows_any(self, ids: Sequence[str]) -> bool:
        return not self._seqs.keys().isdisjoint(ids)

    def add(self, ids: Sequence[str], first_seq: int) -> None:
        """Remember a run's ids: `ids[k]` got `first_seq + k`."""
        seqs = self._seqs
        seqs.update(zip(ids, range(first_seq, first_seq + len(ids)), strict=True))
        surplus = len(seqs) - ID_WINDOW
        if surplus > 0:
            for old in list(islice(seqs, surplus)):
                del seqs[old]
