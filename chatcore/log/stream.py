"""A stream: one room's records, or one person's private ones, as far as memory keeps them.

Invariants: records stand in the order of `seq`; what is dropped is dropped from the old end; and how many lines
stood between any two positions is known exactly, also for lines that are gone, so that a reader who comes too
late is told the true number.

The two arrays run alongside `records` and reach further back: entry *i* holds the last `seq` of a record and the
count of lines up to its end. Sixteen bytes a record are cheap enough to keep long after the record has gone. The newest
records are entered when somebody asks (`_count_up`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from chatcore.log.record import (
    RECORD_BYTES,
    Said,
    first_lines,
    from_line,
    last_seq,
    lines_of,
    size_of,
)
from chatcore.log.shelf import Pages, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chatcore.log.record import Record

WINDOW_BYTES = 8 * 1024 * 1024
"""Memory that one stream's records may take. 8 MiB hold some 30,000 lines of usual length: minutes of the busiest room."""

WINDOW_RECORDS = 32_768
"""Records that one stream keeps, so that a room of very short lines does not cost the collector more than it is worth."""

TRIM_SHARE = 8
"""A full window gives up an eighth at once: deleting from a list's front moves the rest, so it must be rare."""

COUNTED_RECORDS = 65_536
"""Records that are gone but still counted (1 MiB a stream at most). Readers further back are told a lower bound."""

PAGE_BYTES = 64 * 1024
"""Bytes of one page: what a socket with a bounded send buffer takes in one call, and all that a reader may hold."""


class Stream:
    """Records of one room or person; see the module."""

    __slots__ = (
        "_count",
        "_ends",
        "_gone",
        "_lasts",
        "_pages",
        "_uncounted",
        "archived",
        "floor_seq",
        "name",
        "records",
        "size",
    )

    def __init__(
        self,
        name: str,
        floor_seq: int = 0,
        *,
        archived: bool = False,
        shelf: Shelf | None = None,
    ) -> None:
        """`shelf`: where its pages are kept, with those of others."""
        self.name = name
        self.records: list[Record] = []
        self.size = 0
        self.floor_seq = floor_seq
        """The last `seq` that is no longer kept, or never was; 0 if all are."""
        self.archived = archived
        """What stood at or below the floor can be read from the archive."""
        self._lasts = array("Q")
        self._ends = array("Q")
        self._count = 0
        """Lines that ever stood in this stream, as far as the arrays have them."""
        self._gone = 0
        """Entries of the arrays whose records are gone."""
        self._uncounted = 0
        """Lines before the oldest entry of the arrays."""
        self._pages = Pages(shelf or Shelf())

    def extend(self, records: list[Record]) -> int:
        """Take the newest records, in order. Returns how many bytes the stream has grown by."""
        before = size = self.size
        for record in records:
            if type(record) is Said:  # as `size_of` would, without a call for nearly every record
                size += RECORD_BYTES + record.text.__sizeof__()
            else:
                size += size_of(record)
        self.records += records
        self.size = size
        if size > WINDOW_BYTES or len(self.records) > WINDOW_RECORDS:
            self.trim(
                WINDOW_BYTES - WINDOW_BYTES // TRIM_SHARE,
                WINDOW_RECORDS - WINDOW_RECORDS // TRIM_SHARE,
            )
        return self.size - before

    def _count_up(self) -> None:
        """Enter into the arrays what they do not have yet: at leisure, for nobody asks while all readers are live."""
        counted = len(self._lasts) - self._gone
        if counted == len(self.records):
            return
        count, add_last, add_end = self._count, self._lasts.append, self._ends.append
        for record in self.records[counted:]:
            lines = lines_of(record)
            count += lines
            add_last(record.seq + lines - 1)
            add_end(count)
        self._count = count

    def trim(self, most_bytes: int, most_records: int) -> None:
        """Drop the oldest records until at most that much is left."""
        size, surplus = self.size, len(self.records) - most_records
        drop = 0
        for record in self.records:
            if size <= most_bytes and drop >= surplus:
                break
            size -= size_of(record)
            drop += 1
        self.size = size
        if drop:
            self._drop(drop)

    def forget(self, seq: int) -> None:
        """Drop what stands wholly before this `seq`: nobody is to see it any more."""
        drop = self._index_after(seq - 1)
        if drop:
            self.size -= sum(map(size_of, self.records[:drop]))
            self._drop(drop)

    def _drop(self, drop: int) -> None:
        """Let go of the oldest records, whose size is accounted for."""
        self._count_up()
        self.floor_seq = last_seq(self.records[drop - 1])
        del self.records[:drop]
        self._gone += drop
        surplus = self._gone - COUNTED_RECORDS
        if surplus > COUNTED_RECORDS // TRIM_SHARE:
            self._uncounted = self._ends[surplus - 1]
            del self._lasts[:surplus]
            del self._ends[:surplus]
            self._gone -= surplus
        self._pages.drop(self.floor_seq)

    def lines_up_to(self, seq: int) -> int:
        """How many of the stream's lines, kept or gone, have a number up to `seq`.

        Too many for a `seq` before the oldest that is still counted: what was missed after it is then a lower bound.
        """
        self._count_up()
        index = bisect_right(self._lasts, seq)
        before = self._ends[index - 1] if index else self._uncounted
        if index == len(self._lasts):
            return before
        first = self._lasts[index] - (self._ends[index] - before) + 1
        return before + max(0, seq - first + 1)

    def missed_after(self, seq: int, until: int) -> int:
        """How many lines in `seq` < … ≤ `until` are no longer kept."""
        gone = min(self.floor_seq, until)
        return self.lines_up_to(gone) - self.lines_up_to(seq) if seq < gone else 0

    def next_kept(self) -> int:
        """The first `seq` that is kept, or the newest if none is."""
        return self.records[0].seq if self.records else self.newest_seq()

    def newest_seq(self) -> int:
        """The last `seq` of the stream, 0 when nothing ever stood in it."""
        if self.records:
            return last_seq(self.records[-1])
        return self._lasts[-1] if self._lasts else 0

    def after(self, seq: int, until: int) -> Iterator[Record]:
        """The kept records with lines in `seq` < … ≤ `until`; the first and the last are cut when those stand inside."""
        records = self.records
        for index in range(self._index_after(seq), len(records)):
            record = records[index]
            if record.seq > until:
                return
            # As `paging.between`, which takes half as long again for a page: nearly every record is whole.
            if type(record) is Said:
                if record.seq + record.lines - 1 > until:
                    record = first_lines(record, until - record.seq + 1)
                if record.seq <= seq:
                    record = from_line(record, seq - record.seq + 1)
            yield record

    def has_after(self, seq: int, until: int) -> bool:
        index = self._index_after(seq)
        return index < len(self.records) and self.records[index].seq <= until

    def before(self, seq: int) -> Iterator[Record]:
        """The kept records with lines < `seq`, newest first; the first is cut when `seq` stands inside it."""
        for index in range(min(self._index_after(seq - 1), len(self.records) - 1), -1, -1):
            record = self.records[index]
            if record.seq >= seq:
                continue
            if last_seq(record) >= seq and type(record) is Said:
                record = first_lines(record, seq - record.seq)
            yield record

    def _index_after(self, seq: int) -> int:
        """Index in `records` of the first that has a line after `seq`."""
        self._count_up()
        return max(0, bisect_right(self._lasts, seq, self._gone) - self._gone)

    def page(self, render: Callable[[Record], bytes], seq: int, until: int) -> tuple[bytes, int]:
        """The rendered lines after `seq`, up to `until` or a page's size, and the `seq` they end at.

        From the shelf, if somebody has asked for it before; see there.
        """
        return self._pages.page(
            render, seq, until, lambda end: fill_page(self.after(seq, end), render, end)
        )


def fill_page(
    records: Iterable[Record], render: Callable[[Record], bytes], until: int
) -> tuple[bytes, int]:
    """The first of the `pages`; nothing, up to `until`, if there is none."""
    return next(pages(records, render, until), (b"", until))


def pages(
    records: Iterable[Record], render: Callable[[Record], bytes], until: int
) -> Iterator[tuple[bytes, int]]:
    """The records rendered as pages of whole lines, each with the position after it; the last one's is `until`."""
    parts: list[bytes] = []
    room = PAGE_BYTES
    for record in records:
        data = render(record)
        if len(data) <= room:
            parts.append(data)
            room -= len(data)
            continue
        for piece in pieces(record, render):
            data = render(piece)
            if len(data) > room and parts:
                yield b"".join(parts), piece.seq - 1
                parts, room = [], PAGE_BYTES
            parts.append(data)
            room -= len(data)
    if data := b"".join(parts):
        yield data, until


def pieces(record: Record, render: Callable[[Record], bytes]) -> list[Record]:
    """The record, cut into runs that each render to at most a page (a single line always does, by the text limits)."""
    lines = lines_of(record)
    if lines == 1 or type(record) is not Said or len(render(record)) <= PAGE_BYTES:
        return [record]
    half = lines // 2
    return pieces(first_lines(record, half), render) + pieces(from_line(record, half), render)
