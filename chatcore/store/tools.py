"""What can be done with the log from outside the server, also while it runs: copy it, and read it from end to end.

Invariants: nothing here can write to the log, because its connections cannot; and memory does not grow with history.
Reading is in short transactions, so that a slow reader keeps nothing from being written. Copying is one long
transaction: until it is over, the -wal beside the log grows by all that is said.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from chatcore.hub.names import fold
from chatcore.log.record import MODERATION, Act, Closed, Direct, Opened, streams_of
from chatcore.store.batches import Allowance, Batches, Span
from chatcore.store.log_name import new_log_name
from chatcore.store.schema import (
    FILE_MODE,
    LOG_FILE,
    StoreError,
    connect_reader,
    reason,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chatcore.log.record import Crowd, Joined, Left, Record, Renamed, Said, TopicSet


class Saved(NamedTuple):
    last_seq: int
    """The number of the last line in the copy; 0: there is none."""
    size: int
    """Bytes."""


def backup(folder: Path, target: Path) -> Saved:
    """Copy the log to a new file: everything up to some number, without a gap. The index is made anew from it.

    The copy is another log, with a name of its own. A server that goes on from it gives numbers a second time that
    clients of the first may have seen; by the name they know that their position means nothing here.
    Raises FileExistsError and leaves the file alone if there is one; OSError or StoreError if the copy cannot be
    written or the log not be read, and then nothing is left of the copy.
    """
    _refuse_existing(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    _begin(part)
    try:
        saved = _copy(folder / LOG_FILE, part)
        _sync(part)
        _refuse_existing(target)  # it was minutes ago that there was none
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    _sync(target.parent)
    return saved


def _begin(part: Path) -> None:
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    except OSError as error:
        # Nobody knows of the temporary name.
        raise StoreError(
            f"Nothing can be saved in {part.parent}: {reason(error)}. Name a FILE in a folder that is there and may be "
            "written."
        ) from error


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise FileExistsError(errno.EEXIST, "there is such a file, and it stays as it is", target)


def _copy(log: Path, part: Path) -> Saved:
    with closing(connect_reader(log)) as connection:
        # SQLite takes the copy for a write. What keeps this connection from the log itself is `mode=ro`.
        connection.execute("PRAGMA query_only = 0")
        try:
            connection.execute("VACUUM INTO ?", (str(part.absolute()),))
        except sqlite3.Error as error:
            raise StoreError(
                f"{log} could not be copied: {reason(error)}. Look whether there is room for the copy, "
                "and run chatcore check."
            ) from error
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("UPDATE meta SET value = ? WHERE key = 'log'", (new_log_name(),))
    with closing(Batches(part)) as copied:
        return Saved(copied.head_seq, part.stat().st_size)


def _sync(path: Path) -> None:
    """Through to the disk: a file's content, a folder's names."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def said_in_rooms(
    folder: Path, room: str | None = None
) -> Iterator[Said | Joined | Left | Renamed | TopicSet | Crowd | Act]:
    """What happened in the rooms, or in one of them however it is spelt, the oldest first; nothing that is private.

    Raises StoreError for what cannot be read.
    """
    wanted = None if room is None else fold(room)
    for record in _read(folder, _everything):
        if isinstance(record, Direct | Opened | Closed):
            continue
        if not record.room or record.room not in streams_of(record):
            continue
        if wanted is None or fold(record.room) == wanted:
            yield record


def acts(folder: Path) -> Iterator[Act]:
    """What moderators and operators did, the oldest first. Raises StoreError for what cannot be read."""
    yield from (record for record in _read(folder, _moderation) if type(record) is Act)


def _everything(batches: Batches) -> Iterator[Record]:
    for batch in batches.all_after(0):
        yield from batch.records


def _moderation(batches: Batches) -> Iterator[Record]:
    span = Span(MODERATION, 0, batches.head_seq + 1)
    return batches.records([span], Allowance(left=sys.maxsize))


def _read(folder: Path, records: Callable[[Batches], Iterator[Record]]) -> Iterator[Record]:
    """Those of the log in that folder. Raises StoreError."""
    with closing(Batches(folder / LOG_FILE)) as batches:
        try:
            yield from records(batches)
        except (ValueError, sqlite3.Error) as error:
            raise StoreError(
                f"The log cannot be read to its end: {error}. `chatcore check` names all that is damaged; "
                "a backup may have it whole."
            ) from error
