"""The log: one total order of records, appended and never changed; nothing above `durable_seq` leaves the process.

It holds the streams' windows in memory and knows how far the journal has come. It does not decide, number or store.

What a tick appends is put into its streams together, at the tick's end or when somebody asks for a stream: a busy
room then pays for its bookkeeping once a tick and not once a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chatcore.log.record import Said, last_seq, streams_of
from chatcore.log.shelf import Shelf
from chatcore.log.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.log.record import Record

TOTAL_WINDOW_BYTES = 64 * 1024 * 1024
"""Memory for the windows of all streams together: 10,000 rooms with a full window each would be 80 GiB."""


class News(NamedTuple):
    """What has become durable together. To be read only."""

    records: list[Record]
    """In order."""
    streams: dict[str, list[Record]]
    """The same by stream; a record that is shown to nobody stands in none."""
    lines: int
    """Lines that people said in them."""


class Log:
    """`name` is random and made with the log, so that a client knows another one."""

    __slots__ = (
        "_base_seq",
        "_batch",
        "_counted",
        "_counted_chars",
        "_events",
        "_news",
        "_settled",
        "_shelf",
        "_size",
        "_taken_seq",
        "_under_way",
        "archived",
        "durable_seq",
        "name",
        "streams",
    )

    def __init__(self, name: str, head_seq: int = 0, *, archived: bool = False) -> None:
        self.name = name
        self._taken_seq = head_seq
        """The last number that was taken with a batch."""
        self.durable_seq = head_seq
        """All up to the one that the log began with are durable, and in no window."""
        self._base_seq = head_seq
        """A stream that memory does not have has no line after this."""
        self.archived = archived
        """What the windows let go of can be read elsewhere (`chatcore.log.archive`)."""
        self.streams: dict[str, Stream] = {}
        self._shelf = Shelf()
        self._batch: list[Record] = []
        self._settled = 0
        """Records of the batch that their streams have been given."""
        self._under_way: list[Record] = []
        """Taken, not yet durable; the batch of this tick is their tail."""
        self._news: dict[str, list[Record]] = {}
        """The same by stream, and what the streams have of the batch."""
        self._events = 0
        """Records among them that are no runs of lines."""
        self._counted = self._counted_chars = 0
        """How many of `_under_way` have been counted, and their characters; see `unsaved_chars`."""
        self._size = 0

    def append(self, record: Record) -> None:
        self._batch.append(record)

    @property
    def head_seq(self) -> int:
        """The last number given."""
        return last_seq(self._batch[-1]) if self._batch else self._taken_seq

    def _settle(self) -> None:
        """Give the streams what was appended since the last time."""
        batch, news = self._batch, self._news
        fresh, events = _sorted_out(batch[self._settled :] if self._settled else batch)
        self._settled = len(batch)
        self._events += events
        for name, records in fresh.items():
            stream = self.streams.get(name) or self._make(name)
            self._size += stream.extend(records)
            if name in news:
                news[name] += records
            else:
                news[name] = records
        if self._size > TOTAL_WINDOW_BYTES:
            self._trim()

    def recall(self, records: Iterable[Record]) -> None:
        """At a start: take into memory the end of what the archive has, all that follows `head_seq`."""
        for record in records:
            self.append(record)
            # One by one: a window is bounded while it is filled, too.
            self._settle()
        self.take_batch()
        self.durable(self.head_seq)

    def stream(self, name: str) -> Stream:
        """The stream of that name, which from now on memory has."""
        if self._settled < len(self._batch):
            self._settle()
        return self.streams.get(name) or self._make(name)

    def _make(self, name: str) -> Stream:
        stream = self.streams[name] = self._stream(name)
        return stream

    def _stream(self, name: str) -> Stream:
        return Stream(name, self._base_seq, archived=self.archived, shelf=self._shelf)

    def peek(self, name: str) -> Stream:
        """The stream of that name, as far as memory has it: one that it does not have may have a past in the archive."""
        if self._settled < len(self._batch):
            self._settle()
        stream = self.streams.get(name)
        return stream or self._stream(name)

    def drop_stream(self, name: str) -> None:
        """Nobody can read this stream any more."""
        if self._settled < len(self._batch):
            self._settle()
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
        if self._settled < len(self._batch):
            self._settle()
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

    @property
    def unsaved_chars(self) -> int:
        """Characters of what was said, was taken, and is not durable yet. Cheap: each record is counted once."""
        if self._counted < len(self._under_way):
            self._counted_chars += sum(
                len(record.text)
                for record in self._under_way[self._counted :]
                if type(record) is Said
            )
            self._counted = len(self._under_way)
        return self._counted_chars

    def take_batch(self) -> list[Record]:
        """The records appended since the last call: what the journal is to commit."""
        if self._settled < len(self._batch):
            self._settle()
        batch, self._batch, self._settled = self._batch, [], 0
        if batch:
            self._taken_seq = last_seq(batch[-1])
            self._under_way += batch
        return batch

    def durable(self, seq: int) -> News:
        """Move `durable_seq` up to `seq`; what this lets out of what was taken. To be called with no batch to take."""
        fresh, news, events = self._under_way, self._news, self._events
        if not fresh or seq <= self.durable_seq:
            return NO_NEWS
        seqs = seq - self.durable_seq
        self.durable_seq = seq
        self._under_way, self._news, self._events = [], {}, 0
        self._counted = self._counted_chars = 0
        if last_seq(fresh[-1]) > seq:
            keep = next(index for index, record in enumerate(fresh) if last_seq(record) > seq)
            fresh, self._under_way = fresh[:keep], fresh[keep:]
            news, events = _sorted_out(fresh)
            self._news, self._events = _sorted_out(self._under_way)
        return News(fresh, news, seqs - events)


NO_NEWS = News([], {}, 0)


def _sorted_out(records: list[Record]) -> tuple[dict[str, list[Record]], int]:
    """The records by stream, and how many of them are no runs of lines."""
    streams: dict[str, list[Record]] = {}
    same: list[Record] = []
    events, room = 0, ""
    for record in records:
        if type(record) is Said:
            # Nearly every record: one stream, and most often the one of the record before.
            if record.room != room:
                room = record.room
                same = streams.setdefault(room, [])
            same.append(record)
        else:
            events += 1
            for name in streams_of(record):
                streams.setdefault(name, []).append(record)
    return streams, events
