"""Pages of history: so many lines of one stream, from either end, with a bound on their text.

It does not matter where the records come from: the window in memory and the archive on disk answer the same
question in the same way, because both ask here. Invariant: `more` is true exactly when a record is left over that
the page would have held, had it been longer.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from chatcore.log.record import Said, first_lines, from_line, last_seq, lines_of, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.log.record import Record

PAGE_TEXT_BYTES = 256 * 1024
"""Text of one page of history. 500 lines of the longest kind would be megabytes, made by one request."""

SCANNED_ON_JOIN = 1_024
"""Records looked through for the last lines said, so that a room full of comings and goings stays cheap to join."""


def last_page(
    records: Iterable[Record], lines: int, *, talk_only: bool = False
) -> tuple[tuple[Record, ...], bool]:
    """The last lines of what comes newest first; oldest first, and whether there are older ones."""
    found: list[Record] = []
    room = PAGE_TEXT_BYTES
    for record in islice(records, SCANNED_ON_JOIN if talk_only else None):
        if talk_only and type(record) is not Said:
            continue
        if lines == 0 or room <= 0:
            return tuple(reversed(found)), True
        room -= size_of(record)
        surplus = lines_of(record) - lines
        if surplus > 0 and type(record) is Said:
            found.append(from_line(record, surplus))
            return tuple(reversed(found)), True
        found.append(record)
        lines -= lines_of(record)
    return tuple(reversed(found)), False


def first_page(records: Iterable[Record], lines: int) -> tuple[tuple[Record, ...], bool]:
    """The first lines of what comes, in its order, and whether there are others after them."""
    found: list[Record] = []
    room = PAGE_TEXT_BYTES
    for record in records:
        if lines == 0 or room <= 0:
            return tuple(found), True
        room -= size_of(record)
        if lines_of(record) > lines and type(record) is Said:
            return (*found, first_lines(record, lines)), True
        found.append(record)
        lines -= lines_of(record)
    return tuple(found), False


def between(record: Record, after: int, before: int) -> Record | None:
    """The record's lines with `after` < `seq` < `before`; None if it has none there."""
    last = last_seq(record)
    if max(record.seq, after + 1) >= min(last + 1, before):
        return None
    if type(record) is Said:
        if last >= before:
            record = first_lines(record, before - record.seq)
        if record.seq <= after:
            record = from_line(record, after - record.seq + 1)
    return record
