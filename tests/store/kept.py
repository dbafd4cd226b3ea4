"""A data folder made by hand, row by row as `chatcore.store.journal` describes them: also with what no server writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from chatcore.log.record import Said, last_seq, streams_of
from chatcore.store.codec import checksum, encode
from chatcore.store.schema import INDEX_FILE, LOG_FILE, connect_writer
from chatcore.store.search import (
    INDEX_APPLICATION_ID,
    INDEX_VERSION,
    SCHEMA,
    add_lines,
    lines_in,
)

if TYPE_CHECKING:
    from pathlib import Path

    from chatcore.log.record import Record

TIME_MS = 1_795_183_331_000
"""2026-11-20T14:02:11Z."""


def said(seq: int, *lines: str, room: str = "#lobby", alias: str = "Ann") -> Said:
    """A run; one second for every number."""
    text = "\n".join(lines)
    return Said(seq, TIME_MS + 1000 * seq, room, "s1", alias, text, len(lines), (), False)


class Kept:
    """A log with a writer of its own; `add` from one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.connection = connect_writer(folder / LOG_FILE, "fast")
        self._opened = [self.connection]

    def add(self, *records: Record, placed: bool = True) -> None:
        """One batch, as a tick writes it."""
        names = list(dict.fromkeys(name for each in records for name in streams_of(each)))
        first, last = records[0], last_seq(records[-1])
        run = self.connection.execute
        run("BEGIN")
        body = encode(records)
        row = (first.seq, last, first.time_ms, ",".join(names), body, checksum(body))
        run("INSERT INTO batches VALUES(?, ?, ?, ?, ?, ?)", row)
        if placed:
            for name in names:
                run("INSERT INTO places VALUES(?, ?)", (name, first.seq))
            run("UPDATE meta SET value = ? WHERE key = 'placed_seq'", (last,))
        run("COMMIT")

    def index(self, *records: Record, until: int) -> sqlite3.Connection:
        """An index that says that it is one up to there, and holds the lines of these records."""
        index = sqlite3.connect(self.folder / INDEX_FILE, isolation_level=None)
        self._opened.append(index)
        index.execute(f"PRAGMA application_id = {INDEX_APPLICATION_ID}")
        index.execute(f"PRAGMA user_version = {INDEX_VERSION}")
        for statement in SCHEMA:
            index.execute(statement)
        (log,) = self.connection.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()
        index.executemany("INSERT INTO meta VALUES(?, ?)", [("log", log), ("indexed_seq", until)])
        add_lines(index, lines_in(records))
        return index

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def damage(self) -> None:
        """Overwrite the middle of the file: not its header, nor what opening looks at."""
        with closing(sqlite3.connect(self.folder / LOG_FILE)) as connection:
            connection.execute("PRAGMA journal_mode = delete")
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'state'"
            root = connection.execute(sql).fetchone()[0]
        with (self.folder / LOG_FILE).open("r+b") as file:
            file.seek((root - 1) * page)
            file.write(b"\xff" * page)
