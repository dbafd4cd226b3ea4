"""The journal on disk: one thread that writes the log, and the hand-over between it and the loop.

The tables are the ones of `schema`. A tick's records are one row of `batches` (`rows_of`); a row becomes durable by
one INSERT, which is a transaction by itself. What was handed over while a commit ran becomes durable together in
the next one: a group commit that needs no timer. `upkeep` does the rest between commits.

Invariants: rows are committed in the order in which they were handed over; `durable_seq` never passes one that is
not committed; and after an error that is not known to pass, nothing is written any more. The last one because of
what a kernel does with a failed fsync: it drops the pages and reports success the next time, and a later commit
would then stand on lines that are not there.

The hand-over. Each field has one writer, the loop or the thread, and is one reference or int, so that the
interpreter's lock makes each read and write whole and puts all of them in one order. Nobody waits for a lock but
the loop for `_committed`, a semaphore of one: the loop empties it before it hands work to an idle thread, and the
thread fills it after it has published a commit. So it cannot be full of an older commit when the loop begins to
wait. And no wake-up is lost: the loop sets `_late` *before* it reads `_durable_seq`, and the thread publishes
`_durable_seq` *before* it reads `_late`. Whichever comes second sees what the other did; if both do, the loop turns
once for nothing. Should the thread clear a `_late` that was just set again, the loop is woken after that and asks
again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias, final

from chatcore.log.journal import CLOSE_S
from chatcore.log.record import Said, last_seq, streams_of
from chatcore.store.codec import checksum, encode
from chatcore.store.measured import Measured
from chatcore.store.schema import PRIMARY_CODE, reason, transaction
from chatcore.store.upkeep import Row, Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatcore.log.journal import Change
    from chatcore.log.record import Record

BATCH_BYTES = 64 * 1024
"""A batch whose body is larger is cut into several rows: whoever reads a page decodes whole rows, and 64 KiB are a
millisecond of that. A usual tick has 6 KB."""

FIELDS_CHARS = 160
"""About what a record takes beside its text: numbers, names, ids of a short run."""

RETRY_S = 0.25
"""Between tries while the disk is full or the file locked: soon enough for people, and no load."""

AT_UPKEEP = -1
"""Instead of the count of finished work: the thread is idle in name only, and nobody should wait for it."""

PASSING = {
    sqlite3.SQLITE_FULL: "The disk is full: nothing can be stored until somebody makes room.",
    sqlite3.SQLITE_BUSY: "The log is locked by another program: nothing can be stored until it lets go.",
    sqlite3.SQLITE_LOCKED: "The log is locked by another program: nothing can be stored until it lets go.",
}
"""Errors that changed nothing and pass by themselves, or when somebody acts; all others are for good."""

INSERT = "INSERT INTO batches(seq, last, time_ms, streams, body, crc) VALUES(?, ?, ?, ?, ?, ?)"
UPSERT = (
    "INSERT INTO state VALUES(?, ?, ?) ON CONFLICT(kind, key) DO UPDATE SET body = excluded.body"
)


@final
@dataclass(frozen=True, slots=True)
class Snapshot:
    """What `save` was given."""

    seq: int
    changes: Sequence[Change]


@final
@dataclass(frozen=True, slots=True)
class Retention:
    """What `keep` was given."""

    days: float
    records: int


@final
@dataclass(frozen=True, slots=True)
class End:
    """There is no more work after this."""


Work: TypeAlias = "Sequence[Record] | Snapshot | Retention | End"


class SqliteJournal:
    """See the module, and `chatcore.log.journal.Journal` for what the loop calls."""

    def __init__(self, connection: sqlite3.Connection, wake: Callable[[], None]) -> None:
        """The connection (`schema.connect_writer`) is the journal's from now on. `wake` is called from its thread."""
        self.measured = Measured()
        self._connection = connection
        self._upkeep = Upkeep(connection)
        self._wake = wake
        self._queue: SimpleQueue[Work] = SimpleQueue()
        self._committed = threading.Lock()
        self._committed.acquire()
        self._closing = threading.Event()
        self._ended = threading.Event()
        # The loop writes these.
        self._handed_seq = self._upkeep.head_seq()
        self._handed = 0
        """Pieces of work."""
        self._may_wait = False
        # The thread writes these.
        self._durable_seq = self._handed_seq
        self._taken = 0
        self._finished = 0
        self._trouble = ""
        self._failure = ""
        # Both write this one; see the module.
        self._late = False
        # A daemon, because it may be stuck in a write to a dead disk when the process has to end.
        threading.Thread(target=self._run, name="journal", daemon=True).start()

    def commit(self, batch: Sequence[Record]) -> None:
        self._may_wait = self._finished == self._handed
        if self._may_wait:
            self._committed.acquire(blocking=False)
        self._handed_seq = last_seq(batch[-1])
        self._hand_over(batch)

    def durable_seq(self, patience_s: float) -> int:
        """See `Journal`. Waits only for a batch that found the thread idle, and once for each."""
        if self._may_wait:
            self._may_wait = False
            if self._durable_seq < self._handed_seq:
                self._committed.acquire(timeout=patience_s)
        if self._durable_seq < self._handed_seq:
            self._late = True
        return self._durable_seq

    def save(self, seq: int, changes: Sequence[Change]) -> None:
        """See `Journal`. Everything up to `seq` must have been handed over: a snapshot never runs ahead of the log."""
        if seq > self._handed_seq:
            raise ValueError(f"a snapshot as of {seq}, but the log ends at {self._handed_seq}")
        self._hand_over(Snapshot(seq, changes))

    def keep(self, days: float, records: int) -> None:
        """From now on keep only what is younger than `days`, and only the last `records` numbers; 0: no limit.

        What the snapshot does not cover, and the newest batch, stay. Does not wait.
        """
        self._hand_over(Retention(days, records))

    @property
    def kept_from(self) -> int:
        """The first number that is still kept."""
        return self._upkeep.kept_from

    @property
    def trouble(self) -> str:
        return self._trouble

    @property
    def failure(self) -> str:
        return self._failure

    def close(self, patience_s: float = CLOSE_S) -> None:
        """See `Journal`. What can still not be written when this is called is tried once more and then given up;
        `trouble` or `failure` say so afterwards."""
        if not self._closing.is_set():
            self._hand_over(End())
            self._closing.set()
        if not self._ended.wait(patience_s):
            self._failure = f"The disk did not answer for {patience_s:.1g} s."

    def _hand_over(self, work: Work) -> None:
        self._handed += 1
        self._queue.put(work)

    # From here on: the thread.

    def _run(self) -> None:
        words = "The thread that writes the log ended by a fault of its own."
        try:
            while self._turn():
                pass
            self._connection.close()
            words = ""
        except (sqlite3.Error, OSError) as error:
            words = f"The log cannot be written: {reason(error)}."
            self._hold(words)
        finally:
            self._end(words)

    def _end(self, failure: str) -> None:
        self._failure = failure
        self._ended.set()
        if failure:
            self._wake()

    def _hold(self, failure: str) -> None:
        """After an error of the disk: write nothing any more, not even by closing the connection.

        Closing it copies the -wal back and removes it, trusting what the disk says. This thread keeps it open from
        here, whoever else lets go of it, until the process ends and the next one reads what is really there.
        """
        self._end(failure)
        while True:
            threading.Event().wait()

    def _turn(self) -> bool:
        """Take what was handed over, write it, see to the upkeep. False: that was the end."""
        work = self._take()
        rows: list[Row] = []
        others: list[Snapshot | Retention | End] = []
        for each in work:
            if isinstance(each, Snapshot | Retention | End):
                others.append(each)
            else:
                rows += rows_of(each)
                self.measured.records += len(each)
        # All the rows first, each group at once: a snapshot of an earlier number is as good after later lines.
        if rows and not self._commit_rows(rows):
            return False
        for other in others:
            match other:
                case Snapshot():
                    if not self._persist(partial(self._write_state, other)):
                        return False
                case Retention():
                    self._upkeep.keep(other.days, other.records)
                case End():
                    self._tend(self._upkeep.finish)
                    return False
        self._tend(partial(self._upkeep.step, idle=not work))
        self._finished = self._taken
        return True

    def _take(self) -> list[Work]:
        """All that is there, waiting for the first; nothing if the time for upkeep comes before."""
        try:
            work = [self._queue.get(timeout=self._upkeep.patience_s)]
        except Empty:
            self._finished = AT_UPKEEP
            return []
        while not self._queue.empty():
            work.append(self._queue.get_nowait())
        self._taken += len(work)
        return work

    def _commit_rows(self, rows: list[Row]) -> bool:
        if not self._persist(partial(self._insert, rows)):
            return False
        self._durable_seq = rows[-1].last
        if self._committed.locked():
            self._committed.release()
        if self._late:
            self._late = False
            self._wake()
        self._upkeep.wrote(rows)
        return True

    def _persist(self, write: Callable[[], None]) -> bool:
        """Write, as often as it takes. False: it was not possible before the end. Raises for an error that stays."""
        while True:
            last_try = self._closing.is_set()
            began_s = time.monotonic()
            try:
                write()
            except sqlite3.Error as error:
                self._tell(passing(error))
            else:
                self.measured.committed(time.monotonic() - began_s)
                self._tell("")
                return True
            if last_try:
                return False
            self._closing.wait(RETRY_S)

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._wake()

    def _insert(self, rows: list[Row]) -> None:
        if len(rows) == 1:
            self._connection.execute(INSERT, rows[0])  # nearly always: no BEGIN, no COMMIT
        else:
            with transaction(self._connection):
                self._connection.executemany(INSERT, rows)

    def _write_state(self, snapshot: Snapshot) -> None:
        kept = [change for change in snapshot.changes if change[2] is not None]
        gone = [change[:2] for change in snapshot.changes if change[2] is None]
        with transaction(self._connection):
            self._connection.executemany(UPSERT, kept)
            self._connection.executemany("DELETE FROM state WHERE kind = ? AND key = ?", gone)
            self._connection.execute(
                "UPDATE meta SET value = ? WHERE key = 'state_seq'", (snapshot.seq,)
            )
        self._upkeep.wrote_state(snapshot.changes)

    def _tend(self, upkeep: Callable[[], None]) -> None:
        """Upkeep that cannot be done now is due again, and not worth a word: a commit will say what the matter is."""
        try:
            upkeep()
        except sqlite3.Error as error:
            passing(error)
            self._closing.wait(RETRY_S)


def passing(error: sqlite3.Error) -> str:
    """Words for an error that passes. Raises the error if it is none of those."""
    words = PASSING.get(getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE)
    if words is None:
        raise error
    return words


def rows_of(records: Sequence[Record]) -> list[Row]:
    """The records as rows, each of at most `BATCH_BYTES` unless a single record is larger."""
    rows: list[Row] = []
    begin = room = 0
    for index, record in enumerate(records):
        # Cut by a guess first: a large tick is not to be encoded whole, then in halves, and so on.
        size = len(record.text) + FIELDS_CHARS if type(record) is Said else FIELDS_CHARS
        if size > room and index > begin:
            rows += _rows(records[begin:index])
            begin, room = index, BATCH_BYTES
        elif index == begin:
            room = BATCH_BYTES
        room -= size
    return rows + _rows(records[begin:])


def _rows(records: Sequence[Record]) -> list[Row]:
    """One row, or more if they turn out to be larger than they looked."""
    body = encode(records)
    if len(records) > 1 and size_of(body) > BATCH_BYTES:
        half = len(records) // 2
        return _rows(records[:half]) + _rows(records[half:])
    streams = {stream for record in records for stream in streams_of(record)}
    first, names = records[0], ",".join(sorted(streams))
    return [
        Row(first.seq, last_seq(records[-1]), first.time_ms, names, body, checksum(body)),
    ]


def size_of(body: str) -> int:
    return len(body) if body.isascii() else len(body.encode())
