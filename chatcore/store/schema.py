"""The database file: how it is made, opened, brought up to date, and when it is refused.

Invariants: a file that is not entirely as expected is refused with its cause and left as it is, never emptied and
never made anew; and a setting that durability rests on is read back after it was set.

A new file gets its tables in rollback mode and is turned to WAL after that. So whatever is not zero bytes long has
its application id in the file itself: an empty database beside a lost -wal cannot be taken for a new one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatcore.store.log_name import new_log_name
from chatcore.store.wal import WAL_HEADER, is_whole, prepare, sound_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG_FILE = "chatcore.db"
INDEX_FILE = "index.db"

APPLICATION_ID = 0x43484154
"""`CHAT`: says in the file's header whose it is (`file chatcore.db` shows it)."""

SYNCHRONOUS = {"fast": 1, "full": 2}
"""Durability → `PRAGMA synchronous`: NORMAL survives a killed process, FULL a power cut too."""

OPEN_WAIT_MS = 1000
"""How long opening and reading wait for a lock: a backup or a shell that is about to finish."""

NO_WAIT_MS = 0
"""The writer does not wait inside SQLite: its thread tries again itself, and says why it does."""

TABLES = {"meta", "batches", "places", "state"}

FILE_MODE = 0o600
"""What people say is for the server's own account; SQLite gives -wal and -shm the same mode."""


class StoreError(Exception):
    """The folder or the file cannot be used. The words name the cause and the way out."""


def connect_writer(path: Path, durability: str) -> sqlite3.Connection:
    """The one connection that writes the log, made or brought up to date if need be. Raises StoreError.

    `durability` is `full` or `fast`. The connection may be handed to another thread, but used by one at a time.
    """
    _refuse_lost(path)
    if durability == "full":
        _refuse_cut_off(path)
    with explained(path):
        # Made here and not by SQLite, for its mode. Closed before SQLite opens it: that drops a process's locks.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        connection = _connect(path, "rw")
        try:
            new = not _value(connection, "PRAGMA page_count")
            if not new:
                _refuse_foreign(connection, path)
            _set(connection, "synchronous", SYNCHRONOUS[durability])
            _set(connection, "mmap_size", 0)
            _migrate(connection)
            _set(connection, "journal_mode", "wal")
            _set(connection, "wal_autocheckpoint", 0)
            _set(connection, "busy_timeout", NO_WAIT_MS)
            _refuse_damaged(connection, path)
            prepare(wal_of(path))
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection to the log that cannot write. Raises StoreError.

    For whoever keeps transactions short and reads cursors to their end: an open one stops the -wal from being used
    again. May be handed to another thread, but used by one at a time.
    """
    if not path.exists():
        raise StoreError(f"There is no log at {path}. Name the folder of one with --data.")
    with explained(path):
        connection = _connect(path, "ro")
        try:
            _refuse_foreign(connection, path)
            if _value(connection, "PRAGMA user_version") < VERSION:
                raise StoreError(
                    f"{path} was written by an older chatcore. Start the server once: it brings the file up to date."
                )
            _set(connection, "mmap_size", 0)
            _set(connection, "query_only", 1)
            _refuse_damaged(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Within: one transaction that writes, kept whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, and what led here is what matters.
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Within: what SQLite and the system raise becomes a StoreError about this file."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        # Nothing but a folder is ever made where something else may be.
        raise StoreError(
            f"{path} is a file, not a folder, or lies in one. Name a folder with --data."
        ) from error
    except OSError as error:
        raise StoreError(
            f"{path} cannot be opened: {reason(error)}. Check who owns the folder and its permissions."
        ) from error
    except sqlite3.Error as error:
        way_out = WAYS_OUT.get(getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE, DAMAGED)
        raise StoreError(f"{path} cannot be used: {reason(error)}. {way_out}") from error


def reason(error: sqlite3.Error | OSError) -> str:
    """What SQLite or the system says, without the file, with the code that can be looked up."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    name = getattr(error, "sqlite_errorname", "")
    return f"{error} ({name})" if name else str(error)


PRIMARY_CODE = 0xFF
"""The bits of an SQLite error code that say what kind it is; those above tell which call failed."""

DAMAGED = "Nothing was changed. Restore it from a backup (`chatcore backup` makes them)."

WAYS_OUT = {
    sqlite3.SQLITE_BUSY: "Another program has it locked: end that program and start again.",
    sqlite3.SQLITE_LOCKED: "Another program has it locked: end that program and start again.",
    sqlite3.SQLITE_CANTOPEN: "Check who owns the folder and its permissions.",
    sqlite3.SQLITE_PERM: "Check who owns the folder and its permissions.",
    sqlite3.SQLITE_READONLY: "Check who owns the folder and its permissions.",
    sqlite3.SQLITE_FULL: "The disk is full: make room and start again.",
    sqlite3.SQLITE_IOERR: "The disk failed: see the system's log (`dmesg`) before starting again.",
}


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # As a URI: a plain path would make the file where there is none, whatever it is meant for.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=OPEN_WAIT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


def _value(connection: sqlite3.Connection, query: str) -> Any:
    return connection.execute(query).fetchone()[0]


def _set(connection: sqlite3.Connection, pragma: str, value: int | str) -> None:
    """Set it and read it back: SQLite passes over a pragma that it does not know or cannot follow in silence."""
    connection.execute(f"PRAGMA {pragma} = {value}").fetchall()
    found = _value(connection, f"PRAGMA {pragma}")
    if found != value:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} left {pragma} at {found} where {value} is needed. "
            "Keep the data folder on a local disk, and use a usual build of SQLite."
        )


def _refuse_lost(path: Path) -> None:
    """Files that SQLite would take for new, or for shorter than they were, without a word."""
    wal, index = wal_of(path), path.with_name(INDEX_FILE)
    if not _size(path):
        if _size(wal):
            raise StoreError(
                f"{path} is empty or gone but {wal.name} beside it is not. Put the two back together from one backup."
            )
        if _size(index):
            raise StoreError(
                f"{path} is empty or gone but its index {index.name} is not. Restore the log from a backup; "
                f"to begin a new one, move {index.name} away."
            )
    elif _size(wal) > WAL_HEADER.size and not _is_whole(wal):
        # The header is synced before anything follows it, so no power cut leaves this; SQLite would drop the rest.
        raise StoreError(
            f"{wal} is damaged, and the newest lines are in it. Nothing was changed. Restore both files from a "
            f"backup; to go on without those lines, move {wal.name} away."
        )


def _is_whole(wal: Path) -> bool:
    with explained(wal):
        return is_whole(wal)


def _refuse_cut_off(path: Path) -> None:
    """A -wal that is damaged in the middle: SQLite would take what stands before, and write over the rest.

    Only where every commit was synced before the next one began; see `wal.sound_bytes`. Looked at with a connection
    that cannot write, because the last one that can copies the -wal back and removes it.
    """
    wal = wal_of(path)
    if not _size(path) or _size(wal) <= WAL_HEADER.size:
        return
    with explained(path), closing(_connect(path, "ro")) as connection:
        if (sound := lost_beyond(connection)) is not None:
            raise StoreError(
                f"{wal} is damaged after {sound} bytes, and newer lines are behind that. Nothing was changed. Restore "
                f"both files from a backup; to go on without those lines, cut it there: truncate -s {sound} {wal.name}"
            )


def lost_beyond(connection: sqlite3.Connection) -> int | None:
    """The bytes of the log's -wal that are sound, if commits that were stored stand behind them; None: all is well."""
    # SQLite looks through the -wal before it reads anything.
    _value(connection, "PRAGMA schema_version")
    path: str = connection.execute("PRAGMA database_list").fetchone()[2]
    return sound_bytes(wal_of(Path(path)))


def wal_of(path: Path) -> Path:
    """What SQLite keeps beside a database in WAL mode: the newest commits."""
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {reason(error)}. Check its owner.") from error


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    if _value(connection, "PRAGMA application_id") != APPLICATION_ID:
        raise StoreError(
            f"{path} is another program's database. Nothing was changed. Name another folder with --data."
        )
    version = _value(connection, "PRAGMA user_version")
    if not 0 < version <= VERSION:
        raise StoreError(
            f"{path} has the form {version}, and this chatcore knows those from 1 to {VERSION}. "
            "Nothing was changed. Start the newer chatcore that wrote it."
        )


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    """What can be seen at once, however long the log is; what is damaged inside is met where it is read."""
    connection.execute("BEGIN")  # one view of it all, while a server may be writing
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not names >= TABLES:
        missing = ", ".join(sorted(TABLES - names))
        raise StoreError(f"{path} has no table {missing}. {DAMAGED}")
    kept = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    numbers = [kept.get(key) for key in ("state_seq", "placed_seq", "kept_from")]
    if type(kept.get("log")) is not str or any(type(number) is not int for number in numbers):
        raise StoreError(f"{path} has lost what it says of itself (table meta). {DAMAGED}")
    first = connection.execute("SELECT seq FROM batches ORDER BY seq LIMIT 1").fetchone()
    newest = connection.execute("SELECT last FROM batches ORDER BY seq DESC LIMIT 1").fetchone()
    connection.execute("COMMIT")
    # A batch that is left out at either end is seen here; one in the middle when it is replayed.
    begin, head = (first[0], newest[0]) if first else (1, 0)
    if (
        type(head) is not int
        or begin != kept["kept_from"]
        or head < max(kept["state_seq"], kept["placed_seq"])
    ):
        raise StoreError(f"{path} has lost lines that were stored in it. {DAMAGED}")


def _create(connection: sqlite3.Connection) -> None:
    """Version 1. `chatcore.store.journal` says what the tables hold."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID")
    connection.execute(
        "CREATE TABLE batches(seq INTEGER PRIMARY KEY, last INTEGER NOT NULL,"
        " time_ms INTEGER NOT NULL, streams TEXT NOT NULL, body TEXT NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE places(stream TEXT, seq INTEGER, PRIMARY KEY(stream, seq)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE state(kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY(kind, key))"
        " WITHOUT ROWID"
    )
    connection.executemany(
        "INSERT INTO meta VALUES(?, ?)",
        [
            ("log", new_log_name()),
            ("state_seq", 0),
            ("placed_seq", 0),
            ("kept_from", 1),
        ],
    )


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Version 2: `codec.checksum` of each body. What was written before has none."""
    connection.execute("ALTER TABLE batches ADD COLUMN crc INTEGER")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create, _add_checksums)
"""Entry *i* brings a file from version *i* to *i* + 1. Never changed once released: files of every version are out there."""

VERSION = len(MIGRATIONS)


def _migrate(connection: sqlite3.Connection) -> None:
    """Each step and its version in one transaction: a kill leaves the old file or the new one."""
    version = _value(connection, "PRAGMA user_version")
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        with transaction(connection):
            step(connection)
            connection.execute(f"PRAGMA user_version = {number}")
