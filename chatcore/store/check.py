"""Whether what is kept can be trusted: everything is read, and compared with whatever else says the same.

Invariants: nothing is changed, because the connections cannot write. A finding is right also beside a running
server: what is compared is read in one transaction, or in an order in which it can only have grown. Memory does not
grow with history: rows are read a page at a time, and a page's transaction is over before its findings are handed on.
Only the check of a whole file is one long transaction, and the -wal beside it grows until that is over.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from heapq import merge
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from chatcore.hub.snapshot import restore
from chatcore.hub.state import State
from chatcore.log.record import last_seq, streams_of
from chatcore.store.batches import Batches
from chatcore.store.codec import decode, verify
from chatcore.store.schema import INDEX_FILE, LOG_FILE, connect_reader, lost_beyond, reason
from chatcore.store.search import connect_index, indexed_seq, lines_in, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chatcore.log.journal import Change
    from chatcore.log.record import Record

Row: TypeAlias = tuple[Any, ...]
"""Of batches, as it was found: in a damaged file, anything."""

Entry: TypeAlias = list[Any]
"""What the index has of a line: its text, its tags, its body."""

SEQ, LAST, TIME_MS, STREAMS, BODY, CRC = range(6)

PAGE_ROWS = 256
"""Rows of a page: with the 64 KiB that a batch has at most, 16 MiB of text; commonly one or two."""


class Fault(NamedTuple):
    """Something is not as it has to be."""

    words: str


class Summary(NamedTuple):
    """A check is done; what it looked at."""

    words: str


Finding: TypeAlias = Fault | Summary


def check(folder: Path) -> Iterator[Finding]:
    """Everything that is wrong with the log: for each check its faults, and a summary. Raises StoreError."""
    with closing(_open(folder)) as connection:
        for each in (_check_file, _check_batches, _check_places, _check_state):
            try:
                yield from each(connection)
            except sqlite3.Error as error:
                yield Fault(f"{folder / LOG_FILE} cannot be read: {reason(error)}")
    yield from _check_index(folder)


def _check_file(connection: sqlite3.Connection) -> Iterator[Finding]:
    yield from (Fault(f"the file: {words}") for words in _unsound(connection))
    if (sound := lost_beyond(connection)) is not None:
        yield Fault(f"the -wal: it is damaged after {sound} bytes, and newer lines are behind that")
    yield Summary("the file: every page read")


def _unsound(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]


def _check_batches(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Numbers go on without a gap or an overlap, times never go back, and every body is what its row says of it."""
    before, time_ms, count = _number(connection, "kept_from") - 1, 0, 0
    for row in _batches(connection):
        seq, last = row[SEQ], row[LAST]
        count += 1
        if seq <= before:
            yield Fault(f"batch {seq}: the one before it goes up to {before}")
        # What was removed for its age while this was reading is not missing.
        elif seq > before + 1 and _number(connection, "kept_from") <= before + 1:
            yield Fault(f"batch {seq}: the numbers from {before + 1} to {seq - 1} are missing")
        try:
            records = _records(row)
        except ValueError as error:
            yield Fault(f"batch {seq}: {error}")
            before = last if type(last) is int else seq
            continue
        if row[TIME_MS] < time_ms:
            yield Fault(f"batch {seq}: its time is before that of the one before it")
        yield from (Fault(f"batch {seq}: {words}") for words in _wrong_within(records, row))
        before, time_ms = last, max([time_ms, *(each.time_ms for each in records)])
    yield Summary(f"the log: {count:,} batches, numbers up to {before:,}")


def _wrong_within(records: list[Record], row: Row) -> Iterator[str]:
    """In which the records are not what their row says of them."""
    seq, last, time_ms, streams, body, crc = row
    try:
        verify(body, crc)
    except ValueError as error:
        yield str(error)
    if not records:
        yield "it holds no records"
        return
    if (records[0].seq, last_seq(records[-1])) != (seq, last):
        yield f"it holds {records[0].seq} to {last_seq(records[-1])}, and not up to {last}"
    if records[0].time_ms != time_ms:
        yield "its time is not that of its first record"
    for one, following in pairwise(records):
        if following.seq != last_seq(one) + 1:
            yield f"{following.seq} follows {last_seq(one)}"
        if following.time_ms < one.time_ms:
            yield f"the time of {following.seq} is before that of {one.seq}"
    held = {name for record in records for name in streams_of(record)}
    if held != _names(streams):
        yield f"it is said to be of {streams or 'no stream'}, and is of {', '.join(held) or 'none'}"


def _check_places(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Of every stream, exactly the batches are known that hold something of it, as far as places are written."""
    after = 0
    while True:
        with _reading(connection):
            rows = connection.execute(
                "SELECT seq, streams FROM batches WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (after, placed_seq := _number(connection, "placed_seq"), PAGE_ROWS),
            ).fetchall()
            lacking = [
                (name, seq)
                for seq, streams in rows
                for name in _names(streams)
                if not _is_placed(connection, name, seq)
            ]
        yield from (
            Fault(f"the place of {name} in batch {seq} is missing") for name, seq in lacking
        )
        if not rows:
            break
        after = rows[-1][0]
    count = 0
    for name, seq, streams in _places(connection):
        count += 1
        if streams is None:
            yield Fault(f"the place of {name} in batch {seq}: there is no such batch")
        elif name not in _names(streams):
            yield Fault(f"the place of {name} in batch {seq}: it holds nothing of that")
    yield Summary(f"the places: {count:,}, for numbers up to {placed_seq:,}")


def _is_placed(connection: sqlite3.Connection, name: str, seq: int) -> bool:
    sql = "SELECT 1 FROM places WHERE stream = ? AND seq = ?"
    return connection.execute(sql, (name, seq)).fetchone() is not None


def _places(connection: sqlite3.Connection) -> Iterator[tuple[str, int, str | None]]:
    """Every place with the streams of its batch, if there is one."""
    name, seq = "", 0
    while rows := connection.execute(
        "SELECT stream, places.seq, streams FROM places LEFT JOIN batches USING (seq) "
        "WHERE (stream, places.seq) > (?, ?) ORDER BY stream, places.seq LIMIT ?",
        (name, seq, PAGE_ROWS),
    ).fetchall():
        yield from rows
        name, seq = rows[-1][:2]


def _check_state(connection: sqlite3.Connection) -> Iterator[Finding]:
    """A start can go on from the snapshot. (What it is the state of is in the log: opening refuses another.)"""
    with _reading(connection):
        pieces: list[Change] = connection.execute("SELECT kind, key, body FROM state").fetchall()
        seq = _number(connection, "state_seq")
    unreadable = [f"the snapshot: {words}" for piece in pieces if (words := _unreadable(piece))]
    try:
        # Only together can they show that one is missing.
        restore([] if unreadable else pieces, State())
    except (ValueError, KeyError) as error:
        unreadable.append(str(error))
    yield from map(Fault, unreadable)
    yield Summary(f"the snapshot: {len(pieces):,} pieces, as of {seq:,}")


def _unreadable(piece: Change) -> str:
    """What is wrong with a piece by itself; nothing if it is JSON."""
    kind, key, body = piece
    try:
        if not type(kind) is type(key) is type(body) is str:
            raise ValueError("not text")
        body.encode()  # a UnicodeError is a ValueError
        json.loads(body)
    except (ValueError, RecursionError):
        return f"the {kind} {key} is not JSON"
    return ""


def _check_index(folder: Path) -> Iterator[Finding]:
    """Up to where the index says that it is, it holds every line of the log, and nothing else."""
    path = folder / INDEX_FILE
    if not path.exists():
        yield Summary("the index: there is none, the server makes it")
        return
    try:
        with (
            closing(Batches(folder / LOG_FILE)) as batches,
            closing(connect_index(path, "ro")) as index,
        ):
            yield from (Fault(f"the index: {words}") for words in _unsound(index))
            until, beyond = _extent(index, batches.name)
            if until is None:
                yield Summary("the index: it is not of this log, the server makes it anew")
                return
            if beyond:
                yield Fault(f"the index: it has {beyond:,} lines beyond {until}")
            # Read later than the index: the log can only have grown.
            if until > (head := batches.head_seq):
                yield Fault(f"the index: it knows the log up to {until}, which ends at {head}")
            count = 0
            for seq, (in_log, in_index) in _side_by_side(batches, index, until):
                count += 1
                # What is removed for its age goes from the log first; and it may have gone while this was reading.
                if in_log != in_index and seq >= batches.kept_from:
                    yield Fault(f"the index: {_disagreement(seq, in_log, in_index)}")
            yield Summary(f"the index: {count:,} lines, for numbers up to {until:,}")
    except (sqlite3.Error, ValueError) as error:
        yield Fault(
            f"{path} cannot be compared with the log: {error}. When the log has no fault: stop the server and delete "
            f"{path.name}; it is made anew."
        )


def _extent(index: sqlite3.Connection, log: str) -> tuple[int | None, int]:
    """Up to where it is the index of that log, and how many lines it has that are later."""
    with _reading(index):
        until = indexed_seq(index, log)
        if until is None:
            return None, 0
        sql = "SELECT count(*) FROM lines WHERE rowid > ?"
        return until, index.execute(sql, (until,)).fetchone()[0]


def _disagreement(seq: int, in_log: Entry | None, in_index: Entry | None) -> str:
    if in_index is None:
        return f"line {seq} is missing"
    return (
        f"it has a line {seq}, and the log has none" if in_log is None else f"line {seq} is another"
    )


def _side_by_side(
    batches: Batches, index: sqlite3.Connection, until: int
) -> Iterator[tuple[int, tuple[Entry | None, Entry | None]]]:
    """Every number that is a line in the log or the index, with what either holds of it."""
    begin = batches.kept_from
    entries = merge(
        _logged(batches, begin, until), _indexed(index, begin, until), key=itemgetter(0)
    )
    for seq, group in groupby(entries, key=itemgetter(0)):
        held = {side: entry for _, side, entry in group}
        yield seq, (held.get("log"), held.get("index"))


def _logged(batches: Batches, begin: int, until: int) -> Iterator[tuple[int, str, Entry]]:
    for batch in batches.all_after(begin - 1):
        if batch.seq > until:
            return
        lines = (line for line in lines_in(batch.records) if line.seq <= until)
        yield from ((seq, "log", entry) for seq, *entry in map(row_of, lines))


def _indexed(index: sqlite3.Connection, begin: int, until: int) -> Iterator[tuple[int, str, Entry]]:
    while rows := index.execute(
        "SELECT rowid, text, tags, body FROM lines WHERE rowid BETWEEN ? AND ?"
        " ORDER BY rowid LIMIT ?",
        (begin, until, PAGE_ROWS),
    ).fetchall():
        yield from ((seq, "index", entry) for seq, *entry in rows)
        begin = rows[-1][0] + 1


# Reading


@contextmanager
def _reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything read within is of the same moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")  # there is nothing to commit


def _open(folder: Path) -> sqlite3.Connection:
    """Text that is no longer UTF-8 is a fault of one row, not the end of reading: it comes with surrogates in it."""
    connection = connect_reader(folder / LOG_FILE)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    return connection


def _batches(connection: sqlite3.Connection) -> Iterator[Row]:
    """All batches, in order."""
    after = 0
    while rows := connection.execute(
        "SELECT seq, last, time_ms, streams, body, crc FROM batches WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, PAGE_ROWS),
    ).fetchall():
        yield from rows
        after = rows[-1][SEQ]


def _records(row: Row) -> list[Record]:
    """What the batch holds. Raises ValueError for a damaged one."""
    if tuple(map(type, row[:CRC])) != (int, int, int, str, str):
        raise ValueError("a row with other types than it has")
    row[BODY].encode()  # a UnicodeError is a ValueError
    return decode(row[BODY])


def _number(connection: sqlite3.Connection, key: str) -> int:
    """A number of the log's own; opening has seen that there is one."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return int(row[0])


def _names(streams: object) -> set[str]:
    return {*str(streams).split(",")} if streams else set()
