"""The log's rows, read: which batches hold a stream, and what of their records was asked for.

Invariants: nothing is written, and every statement is read to its end at once, so that no reader ever holds up the
writer's checkpoint. Between two statements the writer may place batches and retention may remove some. Neither
disturbs: which batches are in `places` is asked once and only grows, and a batch that is gone is passed over.

One thread uses a `Batches` at a time. It knows nothing of pages or of words; `library` and `indexer` ask it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from chatcore.log.paging import between
from chatcore.log.record import size_of, streams_of
from chatcore.store.codec import decode, verify
from chatcore.store.schema import connect_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from chatcore.log.record import Record

QUESTION_BYTES = 2 * 1024 * 1024
"""Bodies that one question may have decoded (a busy room's 20,000 lines, 30 ms): a filter that matches nothing
would otherwise read the whole log, and everybody else's pages would wait behind it."""

ROW_BYTES = 1024
"""What a batch counts beside its body: finding and decoding even the shortest takes as long as a KiB of text does."""

KEPT_BYTES = 1024 * 1024
"""Memory for decoded batches: some 16 pages, for those who read the same ones in another wire form, or are about to. Who
reads them in the same form gets the rendered pages (`chatcore.log.shelf`)."""

CHUNK_ROWS = 128
"""Rows that one statement brings. A page is rarely more than that, and a statement costs as much as ten rows."""


class Batch(NamedTuple):
    """A row of the log: what happened in one tick, or a part of that."""

    seq: int
    last: int
    records: tuple[Record, ...]
    body_bytes: int
    memory_bytes: int


class Span(NamedTuple):
    """The lines of one stream with `after` < `seq` < `before`."""

    stream: str
    after: int
    before: int


@dataclass(slots=True)
class Allowance:
    """What one question may still read, and how far it came."""

    left: int = QUESTION_BYTES
    spent: bool = False
    """Reading ended because nothing was left, and not because there was no more."""
    reached: int = 0
    """The last `seq` of the batch that was read last."""


class Batches:
    """See the module. `path` is that of the log; raises StoreError if it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_reader(path)
        self._kept: OrderedDict[int, Batch] = OrderedDict()
        self._kept_bytes = 0

    def close(self) -> None:
        self._connection.close()

    @property
    def name(self) -> str:
        """The log's name."""
        return str(self._meta("log", ""))

    @property
    def kept_from(self) -> int:
        """The first `seq` that retention has left."""
        return int(self._meta("kept_from", 1))

    @property
    def head_seq(self) -> int:
        """The last `seq` that is stored; 0 if none is."""
        rows = self._rows("SELECT last FROM batches ORDER BY seq DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    def records(
        self, spans: Sequence[Span], allowance: Allowance, *, newest_first: bool = False
    ) -> Iterator[Record]:
        """The records in any of the spans, each once and cut to its span, in the log's order or against it."""
        by_stream: dict[str, list[Span]] = {}
        for span in spans:
            by_stream.setdefault(span.stream, []).append(span)
        for seq in self._seqs_back(spans) if newest_first else self._seqs(spans):
            if allowance.left <= 0:
                allowance.spent = True
                return
            batch = self._read(seq)
            if batch is None:
                continue
            allowance.left -= batch.body_bytes + ROW_BYTES
            for record in reversed(batch.records) if newest_first else batch.records:
                if (part := _part(record, by_stream)) is not None:
                    yield part
            allowance.reached = batch.last

    def all_after(self, after: int) -> Iterator[Batch]:
        """The batches with lines after that `seq`, up to the end of the log as it is when it is reached."""
        first = self._start(after + 1)
        while rows := self._rows(
            "SELECT seq FROM batches WHERE seq >= ? ORDER BY seq LIMIT ?", first, CHUNK_ROWS
        ):
            for (seq,) in rows:
                # Not remembered: who reads all of it reads each batch once.
                if batch := self._load(seq):
                    yield batch
            first = rows[-1][0] + 1

    def seq_at(self, time_ms: int) -> int:
        """The `seq` of the first record at or after that time, or the next to be given if there is none.

        Times never decrease along the log (`chatcore.log.order`), so it is a search by halves, over the numbers.
        """
        ends = self._rows("SELECT (SELECT min(seq) FROM batches), (SELECT max(seq) FROM batches)")
        low, high = ends[0]
        if low is None or self._begin(low)[1] >= time_ms:
            return low or 1
        # The batch at `low` begins before the time; the batches after the one at `high` do not.
        while low < high:
            middle = (low + high + 1) // 2
            seq, begin_ms = self._begin(middle)
            if begin_ms < time_ms:
                low = middle
            else:
                high = seq - 1
        batch = self._read(self._begin(low)[0])
        if batch is None:  # retention took it just now: all that is left is later
            return self.kept_from
        late = (record.seq for record in batch.records if record.time_ms >= time_ms)
        return next(late, batch.last + 1)

    # Which batches

    def _seqs(self, spans: Sequence[Span]) -> Iterator[int]:
        """Of the batches that hold any of the spans' lines, in order."""
        placed = self._placed_seq()
        holding = [
            self._places(stream, self._start(after + 1), min(before - 1, placed))
            for stream, after, before in spans
        ]
        return _once(chain(merge(*holding), self._tail(spans, placed)))

    def _seqs_back(self, spans: Sequence[Span]) -> Iterator[int]:
        """The same, against the order."""
        placed = self._placed_seq()
        holding = [
            self._places_back(stream, self._start(after + 1), min(before - 1, placed))
            for stream, after, before in spans
        ]
        tail = reversed([*self._tail(spans, placed)])
        return _once(chain(tail, merge(*holding, reverse=True)))

    def _start(self, seq: int) -> int:
        """The `seq` of the batch that holds this one, or of where it would stand."""
        rows = self._rows("SELECT seq FROM batches WHERE seq <= ? ORDER BY seq DESC LIMIT 1", seq)
        return int(rows[0][0]) if rows else seq

    def _begin(self, seq: int) -> tuple[int, int]:
        """`seq` and time of the batch that holds this `seq`."""
        rows = self._rows(
            "SELECT seq, time_ms FROM batches WHERE seq <= ? ORDER BY seq DESC LIMIT 1", seq
        )
        return rows[0] if rows else (seq, 0)

    def _placed_seq(self) -> int:
        return int(self._meta("placed_seq", 0))

    def _places(self, stream: str, first: int, last: int) -> Iterator[int]:
        while rows := self._rows(
            "SELECT seq FROM places WHERE stream = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            stream,
            first,
            last,
            CHUNK_ROWS,
        ):
            yield from (seq for (seq,) in rows)
            first = rows[-1][0] + 1

    def _places_back(self, stream: str, first: int, last: int) -> Iterator[int]:
        while rows := self._rows(
            "SELECT seq FROM places WHERE stream = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?",
            stream,
            first,
            last,
            CHUNK_ROWS,
        ):
            yield from (seq for (seq,) in rows)
            last = rows[-1][0] - 1

    def _tail(self, spans: Sequence[Span], placed: int) -> Iterator[int]:
        """Those beyond `placed_seq`, by their own column: a second of the log at most."""
        if not spans:
            return
        streams = {span.stream for span in spans}
        first = max(self._start(min(span.after for span in spans) + 1), placed + 1)
        last = max(span.before for span in spans) - 1
        while rows := self._rows(
            "SELECT seq, streams FROM batches WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            first,
            last,
            CHUNK_ROWS,
        ):
            yield from (seq for seq, names in rows if not streams.isdisjoint(names.split(",")))
            first = rows[-1][0] + 1

    # What is in them

    def _read(self, seq: int) -> Batch | None:
        """The batch, decoded or remembered; None if retention has removed it."""
        batch = self._kept.get(seq)
        if batch is not None:
            self._kept.move_to_end(seq)
        elif batch := self._load(seq):
            self._keep(batch)
        return batch

    def _load(self, seq: int) -> Batch | None:
        rows = self._rows("SELECT last, body, crc FROM batches WHERE seq = ?", seq)
        if not rows:
            return None
        last, body, crc = rows[0]
        try:
            records = tuple(decode(body))
            verify(body, crc)
        except ValueError as error:
            raise ValueError(f"the batch {seq} is damaged: {error}") from error
        return Batch(seq, last, records, len(body), sum(map(size_of, records)))

    def _keep(self, batch: Batch) -> None:
        self._kept[batch.seq] = batch
        self._kept_bytes += batch.memory_bytes
        while self._kept_bytes > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.memory_bytes

    def _meta(self, key: str, default: object) -> Any:
        rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else default

    def _rows(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


def _part(record: Record, by_stream: dict[str, list[Span]]) -> Record | None:
    """What of the record lies in a span; spans of one stream do not overlap."""
    for name in streams_of(record):
        for span in by_stream.get(name, ()):
            if (part := between(record, span.after, span.before)) is not None:
                return part
    return None


def _once(seqs: Iterator[int]) -> Iterator[int]:
    """Without repetition: a batch may hold several of the streams."""
    previous = 0
    for seq in seqs:
        if seq != previous:
            yield seq
            previous = seq
