"""The data folder: what a start finds in it, and what a running server writes to.

A start takes the snapshot (`entities`) and folds the records after it (`records_after`) over it, so it takes as
long as the snapshot is old, not as the log is long. Invariant: what is read is checked; numbers without a gap, in
order, each batch what it says it is. A batch that is not ends the start with its number: state made from half a log
would be served, and then saved, as if it were whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from chatcore.log.record import Said, from_line, last_seq
from chatcore.store.codec import decode, verify
from chatcore.store.journal import SqliteJournal
from chatcore.store.lock import FolderLock
from chatcore.store.schema import DAMAGED, LOG_FILE, StoreError, connect_writer, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatcore.log.journal import Change
    from chatcore.log.record import Record

FOLDER_MODE = 0o700
"""What people say, direct messages among it, is for the server's own account."""


class Store:
    """One data folder, held until `close`. Read it first, then take the journal; not both."""

    @classmethod
    def open(cls, folder: Path | str, durability: str) -> Self:
        """Lock the folder, made if need be, and open its log. Raises StoreError. `durability`: `full` or `fast`."""
        return cls(Path(folder), durability)

    def __init__(self, folder: Path, durability: str) -> None:
        with explained(folder):
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.path = folder / LOG_FILE
        self._lock = FolderLock(folder)
        self._handed_over = False
        try:
            self._connection = connect_writer(self.path, durability)
            self._read_facts()
        except BaseException:
            self._lock.close()
            raise

    def _read_facts(self) -> None:
        with explained(self.path):
            meta = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
            newest = self._connection.execute(
                "SELECT seq, last, body, crc FROM batches ORDER BY seq DESC LIMIT 1"
            ).fetchall()
        self.log_name: str = meta["log"]
        self.state_seq: int = meta["state_seq"]
        """The snapshot is the state as of this number; 0: there is none."""
        self.kept_from: int = meta["kept_from"]
        """The first number that is still kept; 1: all are."""
        self.head_seq = 0
        """The last number that was given; 0: the log is empty."""
        self.head_time_ms = 0
        for seq, last, body, crc in newest:
            self.head_seq = last
            self.head_time_ms = records_of(self.path, seq, last, body, crc)[-1].time_ms

    def entities(self) -> Iterator[Change]:
        """The pieces of the snapshot: kind, key, JSON. Raises StoreError."""
        with explained(self.path):
            for kind, key, body in self._connection.execute("SELECT kind, key, body FROM state"):
                if not type(kind) is type(key) is type(body) is str:
                    raise StoreError(
                        f"{self.path}: the snapshot's {kind} {key} is damaged. {DAMAGED}"
                    )
                yield kind, key, body

    def records_after(self, seq: int) -> Iterator[Record]:
        """The records with lines after `seq`, in order; the first is cut when `seq` stands inside it.

        Holds one batch at a time, however many there are. Raises StoreError, naming the batch, when one is missing
        or not what it says.
        """
        due = max(seq + 1, self.kept_from)
        with explained(self.path):
            rows = self._connection.execute(
                "SELECT seq, last, body, crc FROM batches"
                " WHERE seq >= (SELECT max(seq) FROM batches WHERE seq <= ?) ORDER BY seq",
                (due,),
            )
            begin = 0
            for first, last, body, crc in rows:
                if begin and first != begin:
                    raise StoreError(f"{self.path} lacks the lines from {begin} on. {DAMAGED}")
                for record in records_of(self.path, first, last, body, crc):
                    if type(record) is Said and record.seq < due <= last_seq(record):
                        record = from_line(record, due - record.seq)
                    if record.seq >= due:
                        yield record
                begin = last + 1
        if due <= self.head_seq != begin - 1:
            raise StoreError(f"{self.path} lacks the lines from {begin or due} on. {DAMAGED}")

    def journal(self, wake: Callable[[], None]) -> SqliteJournal:
        """The journal that goes on where the log ends; see there for `wake`. From now on the connection is its own."""
        with explained(self.path):
            journal = SqliteJournal(self._connection, wake)
        self._handed_over = True
        return journal

    def close(self) -> None:
        """Let go of the folder; after the journal's own `close`, if there is one."""
        if not self._handed_over:
            self._connection.close()
        self._lock.close()


def records_of(path: Path, seq: int, last: int, body: str, crc: object) -> list[Record]:
    """The records of one row of the table `batches`. Raises StoreError when they are not what it says."""
    try:
        # SQLite keeps any type in any column, so damage can change that too.
        if type(last) is not int or type(body) is not str:
            raise ValueError("its columns are not what they were")
        records = decode(body)
        due = seq
        for record in records:
            if record.seq != due:
                raise ValueError(f"it holds the number {record.seq} where {due} is due")
            due = last_seq(record) + 1
        if due != last + 1 or not records:
            raise ValueError(f"it ends at {due - 1}, not at {last}")
        verify(body, crc)
    except ValueError as error:
        raise StoreError(
            f"{path}: the batch of lines {seq} to {last} is damaged: {error}. {DAMAGED}"
        ) from error
    return records
