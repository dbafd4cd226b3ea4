"""The log: one total order of records, appended and never changed; nothing above `durable_seq` leaves the process.

It holds the streams' windows in memory and knows how far the journal has come. It does not decide, number or store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.log.record import Said, last_seq, streams_of
from chatcore.log.stream import Stream

if TYPE_CHECKING:
    from chatcore.log.record import Record

TOTAL_WINDOW_BYTES = 64 * 1024 * 1024
"""Memory for the windows of all streams together: 10,000 rooms with a full window each would be 80 GiB."""


class Log:
    """Records of this server's life; `name` is random and made with the log, so that a client knows another one."""

    __slots__ = ("_batch", "_size", "_under_way", "durable_seq", "head_seq", "name", "streams")

    def __init__(self, name: str) -> None:
        self.name = name
        self.head_seq = 0
        self.durable_seq = 0
        self.streams: dict[str, Stream] = {}
        self._batch: list[Record] = []
        self._under_way: list[Record] = []
        """Appended, not yet durable; the batch of this tick is their tail."""
        self._size = 0

    def append(self, record: Record) -> None:
        self._batch.append(record)
        if type(record) is Said:
            # Nearly every record: one stream, no questions.
            self.head_seq = record.seq + record.lines - 1
            stream = self.streams.get(record.room) or self.stream(record.room)
            self._size += stream.append(record)
        else:
            self.head_seq = record.seq
            for name in streams_of(record):
                self._size += self.stream(name).append(record)
        if self._size > TOTAL_WINDOW_BYTES:
            self._trim_largest()

    def stream(self, name: str) -> Stream:
        stream = self.streams.get(name)
        if stream is None:
            stream = self.streams[name] = Stream(name)
        return stream

    def drop_stream(self, name: str) -> None:
        """Nobody can read this stream any more."""
        stream = self.streams.pop(name, None)
        if stream is not None:
            self._size -= stream.size

    def _trim_largest(self) -> None:
        largest = max(self.streams.values(), key=lambda stream: stream.size)
        before = largest.size
        largest.trim(before // 2, len(largest.records))
        self._size -= before - largest.size

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
            return fresh
        keep = next(index for index, record in enumerate(fresh) if last_seq(record) > seq)
        self._under_way = fresh[keep:]
        return fresh[:keep]
