"""The indexer: a thread that follows the log and keeps the search index.

It works in bursts of a few hundred lines, each one transaction that also notes how far it came; a kill between
two loses nothing, and the next start goes on from there. While the server is busy it keeps to a small share of
the time and falls behind; when there is peace it catches up.

Invariants: it only reads the log; it is the only writer of the index; and an index that is missing, damaged, of
another form, of another log, or ahead of its log is deleted and made anew, because everything in it can be derived.
Nothing but `index.db` and the two files that SQLite keeps beside it is ever deleted.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from chatcore.log.journal import CLOSE_S
from chatcore.store.batches import Batches
from chatcore.store.schema import FILE_MODE, StoreError
from chatcore.store.search import (
    INDEX_APPLICATION_ID,
    INDEX_VERSION,
    NO_FTS5,
    SCHEMA,
    add_lines,
    connect_index,
    has_fts5,
    indexed_seq,
    is_damage,
    lines_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from chatcore.log.record import Direct, Said

    Chunk = tuple[int, list[Said | Direct]]

logger = logging.getLogger("chatcore.store")

BURST_LINES = 200
"""Lines of a transaction: 3 to 5 ms, in which the interpreter is held only to hand each line over."""

BURST_CHUNKS = 400
"""Pieces of batches read for a transaction, lines or not: a storm of joins holds none."""

BUSY_SHARE = 0.01
"""The part of the time that the indexer may work while the server is busy."""

LOOK_S = 0.25
"""How often a resting indexer asks whether the server is still busy."""

IDLE_S = 1.0
"""How often a resting indexer looks, also for what retention has removed: a quiet talk costs one transaction a second and
not one a line. A look costs 0.1 ms. Nobody waits for it: a search looks at the newest lines itself."""

RETRY_S = 5.0
"""How long it waits when the disk or the log failed it."""


class Indexer:
    """See the module. Begins at once; `busy` tells whether the server has better things to do, and must be cheap."""

    def __init__(self, path_log: Path, path_index: Path, busy: Callable[[], bool]) -> None:
        self._path_log = path_log
        self._path_index = path_index
        self._busy = busy
        self._stop = threading.Event()
        self._told = ""
        """The trouble that was logged last, so that a lasting one is logged once."""
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
        self._thread.start()

    def close(self, patience_s: float = CLOSE_S) -> None:
        """End after the burst that is under way. What is not indexed yet will be at the next start."""
        self._stop.set()
        self._thread.join(patience_s)

    def _run(self) -> None:
        if not has_fts5():
            logger.warning(NO_FTS5)
            return
        while not self._stop.is_set():
            try:
                with closing(Batches(self._path_log)) as batches:
                    with closing(open_index(self._path_index, batches)) as index:
                        self._follow(batches, index)
            except (sqlite3.Error, ValueError, OSError, StoreError) as error:
                self._tell(f"the search index falls behind: {error}; trying again")
                self._stop.wait(RETRY_S)

    def _follow(self, batches: Batches, index: sqlite3.Connection) -> None:
        """Keep the index until it is time to stop, or the file has to be opened anew."""
        inode = _inode(self._path_index)
        position = indexed_seq(index, batches.name) or 0
        chunks = _chunks(batches, position)
        while not self._stop.is_set():
            begun = time.monotonic()
            upto, lines = _gather(chunks, position)
            kept_from = batches.kept_from
            try:
                worked = upto > position or forget_burst(index, kept_from)
                if upto > position:
                    write_burst(index, upto, lines)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                logger.warning("the search index is damaged and is made anew: %s", error)
                index.close()
                remove_index(self._path_index)
                return
            position = upto
            if worked:
                self._rest(time.monotonic() - begun)
                continue
            self._told = ""
            self._stop.wait(IDLE_S)
            if _inode(self._path_index) != inode:
                return  # somebody removed it: it is made anew
            chunks = _chunks(batches, position)

    def _rest(self, worked_s: float) -> None:
        """Be still for as long as the server is busy and our share of the time is used up."""
        end = time.monotonic() + worked_s * (1 - BUSY_SHARE) / BUSY_SHARE
        while self._busy() and (left_s := end - time.monotonic()) > 0:
            if self._stop.wait(min(left_s, LOOK_S)):
                return

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            self._told = trouble
            logger.warning("%s", trouble)


# The log, in pieces


def _chunks(batches: Batches, after: int) -> Iterator[Chunk]:
    """The lines after a `seq`, a few at a time, each with the `seq` up to which there are no others before them."""
    for batch in batches.all_after(after):
        lines = [line for line in lines_in(batch.records) if line.seq > after]
        for begin in range(0, len(lines), BURST_LINES):
            chunk = lines[begin : begin + BURST_LINES]
            yield chunk[-1].seq, chunk
        yield batch.last, []


def _gather(chunks: Iterator[Chunk], position: int) -> Chunk:
    """About one transaction's worth; the position stays where it is when there is nothing new."""
    lines: list[Said | Direct] = []
    for _, (upto, chunk) in zip(range(BURST_CHUNKS), chunks, strict=False):
        position = upto
        lines += chunk
        if len(lines) >= BURST_LINES:
            break
    return position, lines


# The file


def open_index(path: Path, batches: Batches) -> sqlite3.Connection:
    """The index of this log, to be written; a new one unless the file is just that."""
    head_seq = batches.head_seq
    if path.exists():
        index = connect_index(path, "rw")
        try:
            seq = indexed_seq(index, batches.name)
        except sqlite3.Error as error:
            if not is_damage(error):
                index.close()
                raise
            seq = None
        # Ahead of its log: that was restored from a backup, or lost its newest lines in a power cut.
        if seq is not None and seq <= head_seq:
            return _set_up(index)
        logger.warning("the search index does not belong to this log and is made anew")
        index.close()
    return _create(path, batches.name)


def _create(path: Path, log: str) -> sqlite3.Connection:
    # Also where there is no index: an old -wal beside a new file would be played into it.
    remove_index(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    index = connect_index(path, "rw")
    try:
        _set_up(index)
        with _transaction(index):
            for statement in SCHEMA:
                index.execute(statement)
            index.execute("INSERT INTO meta VALUES('log', ?), ('indexed_seq', 0)", (log,))
            index.execute(f"PRAGMA application_id = {INDEX_APPLICATION_ID}")
            index.execute(f"PRAGMA user_version = {INDEX_VERSION}")
    except sqlite3.Error:
        # On a full disk. What has been begun would be taken for another log's the next time.
        index.close()
        remove_index(path)
        raise
    return index


def _set_up(index: sqlite3.Connection) -> sqlite3.Connection:
    # WAL: a burst and a search never wait for each other. NORMAL: a power cut may take the newest bursts, and they
    # are made again; it never leaves a damaged file.
    for pragma in ("journal_mode = wal", "synchronous = normal"):
        index.execute(f"PRAGMA {pragma}").fetchall()
    return index


def remove_index(path: Path) -> None:
    """Delete the index and what SQLite keeps beside it. No connection of ours may have it open to write."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def write_burst(index: sqlite3.Connection, upto: int, lines: Sequence[Said | Direct]) -> None:
    """Add the lines and note that all lines up to a `seq` are in now, in one transaction."""
    with _transaction(index):
        add_lines(index, lines)
        index.execute("UPDATE meta SET value = ? WHERE key = 'indexed_seq'", (upto,))


def forget_burst(index: sqlite3.Connection, kept_from: int) -> bool:
    """Remove some of the lines that the log no longer has; whether there were any."""
    rows = index.execute(
        "SELECT rowid FROM lines WHERE rowid < ? ORDER BY rowid LIMIT ?", (kept_from, BURST_LINES)
    ).fetchall()
    if rows:
        with _transaction(index):
            index.executemany("DELETE FROM lines WHERE rowid = ?", rows)
    return bool(rows)


@contextmanager
def _transaction(index: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing. After an error the connection is closed by whoever opened it, which rolls back."""
    index.execute("BEGIN IMMEDIATE")
    yield
    index.execute("COMMIT")


def _inode(path: Path) -> int:
    """Which file stands there; 0 for none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0
