"""The log: one total order of records, appended and never changed; nothing above `durable_seq` leaves the process.

It holds the streams' windows in memory and knows how far the journal has come. It does not decide, number or store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.log.record import Said, last_seq, streams_of
from chatcore.log.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.log.record import Record

TOTAL_WINDOW_BYTES = 64 * 1024 * 1024
"""Memory for the windows of all streams together: 10,000 rooms with a full window each would be 80 GiB."""


class Log:
    """`name` is random and made with the log, so that a client knows another one."""

    __slots__ = (
        "_base_seq",
        "_batch",
        "_size",
        "_under_way",
        "archived",
        "durable_seq",
        "head_seq",
        "name",
        "streams",
        "unsaved_chars",
    )

    def __init__(self, name: str, head_seq: int = 0, *, archived: bool = False) -> None:
        self.name = name
        self.head_seq = head_seq
        """The last number given; all up to the one that the log began with are durable, and in no window."""
        self.durable_seq = head_seq
        self._base_seq = head_seq
        """A stream that memory does not have has no line after this."""
        self.archived = archived
        """What the windows let go of can be read elsewhere (`chatcore.log.archive`)."""
        self.unsaved_chars = 0
        """Characters of what was said and is not durable yet."""
        self.streams: dict[str, Stream] = {}
        self._batch: list[Record] = []
        self._under_way: list[Record] = []
        """Appended, not yet durable; the batch of this tick is their tail."""
        self._size = 0

    def append(self, record: Record) -> None:
        self._batch.append(record)
        if type(record) is Said:
            # Nearly every record: one stream, no questions.
            stream = self.streams.get(record.room) or self.stream(record.room)
            self.head_seq = record.seq + record.lines - 1
            self.unsaved_chars += len(record.text)
            self._size += stream.append(record)
        else:
            for name in streams_of(record):
                self._size += self.stream(name).append(record)
            self.head_seq = record.seq
        if self._size > TOTAL_WINDOW_BYTES:
            self._trim()

    def recall(self, records: Iterable[Record]) -> None:
        """At a start: take into memory the end of what the archive has, all that follows `head_seq`."""
        for record in records:
            self.append(record)
        self._batch = []
        self.unsaved_chars = 0
        self.durable_seq = self.head_seq

    def stream(self, name: str) -> Stream:
        """The stream of that name, which from now on memory has."""
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = self.peek(name)
        return stream

    def peek(self, name: str) -> Stream:
        """The stream of that name, as far as memory has it: one that it does not have may have a past in the archive."""
        stream = self.streams.get(name)
        return stream or Stream(name, self._base_seq, archived=self.archived)

    def drop_stream(self, name: str) -> None:
        """Nobody can read this stream any more."""
        stream = self.streams.pop(name, None)
        if stream is not None:
            self._size -= stream.size
            if self.archived:
                self._base_seq = self.head_seq

    def _trim(self) -> None:
        """Halve every window of more than half the average: it frees a quarter at least, so that it is rare."""
        share = TOTAL_WINDOW_BYTES // (2 * len(self.streams))
        for stream in self.streams.values():
            before = stream.size
            if before > share:
                stream.trim(max(share, before // 2), len(stream.records))
                self._size -= before - stream.size

    def forget(self, seq: int) -> None:
        """What stands before this `seq` was deleted from the archive, so memory must not show it either."""
        for stream in self.streams.values():
            before = stream.size
            stream.forget(seq)
            self._size -= before - stream.size

    @property
    def has_batch(self) -> bool:
        """There are records that the journal has not been given yet."""
        return bool(self._batch)

    @property
    def under_way(self) -> bool:
        """There are records that are not durable yet."""
        return bool(self._under_way)

    def take_batch(self) -> list[Record]:
        """The records appended since the last call: what the journal is to commit."""
        batch, self._batch = self._batch, []
        self._under_way += batch
        return batch

    def durable(self, seq: int) -> list[Record]:
        """Move `durable_seq` up to `seq`; the records that this lets out, in order."""
        fresh = self._under_way
        if not fresh or seq <= self.durable_seq:
            return []
        self.durable_seq = seq
        if last_seq(fresh[-1]) <= seq:
            self._under_way = []
            self.unsaved_chars = 0
            return fresh
        keep = next(index for index, record in enumerate(fresh) if last_seq(record) > seq)
        self._under_way = fresh[keep:]
        self.unsaved_chars = sum(
            len(record.text) for record in self._under_way if type(record) is Said
        )
        return fresh[:keep]
