"""Full text: which lines hold these words. The index's form, and how a question is put to it.

The index is a file of its own beside the log and derived from it: one row a line, its rowid the line's `seq`. An
indexer (`chatcore.store.indexer`) writes it behind the log and notes in the same transaction up to where it came.
Lines after that are few while all is well; they are put into a table of the same form in memory, for the length of
one question, so that a line can be found as soon as it is durable and by exactly the same rules.

Invariants: nothing that anybody types is syntax to FTS5, because every word is quoted; and a line is found only
through a stream that it stands in, so that a direct message is found by its two people and by nobody else.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from chatcore.hub.names import fold
from chatcore.log.archive import Found, Unreadable
from chatcore.log.paging import first_page
from chatcore.log.record import Direct, Said, streams_of, texts_of
from chatcore.store.batches import Allowance, Span
from chatcore.store.codec import decode, encode
from chatcore.store.schema import PRIMARY_CODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from chatcore.log.archive import Search
    from chatcore.log.record import Record
    from chatcore.store.batches import Batches

    Row: TypeAlias = tuple[int, str, str, str]

INDEX_APPLICATION_ID = 0x43484958
"""`CHIX`."""

INDEX_VERSION = 1
"""Another form of the index gets another number; an index with another number is made anew."""

SCHEMA = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    # No `columnsize`: it serves ranking, and we answer newest first. `prefix`: without, `a*` would merge the places of
    # every word with an a, 1 s in a million lines; these two cost a quarter of the file and a tenth of the time.
    "CREATE VIRTUAL TABLE lines USING fts5(text, tags, body UNINDEXED, columnsize=0, prefix='1 2',"
    " tokenize='unicode61 remove_diacritics 2')",
)
"""`tags`: a token for each stream and one for the alias. `body`: the line's record without its text."""

TAIL_BYTES = 128 * 1024
"""Bodies of lines not indexed yet that one question looks through, newest first: 500 to 1,300 lines, 20 ms. The
index is further behind than that only after a flood, and then the lines between are found a little later."""

WORDS_MOST = 32
"""Words of one question. Each is a walk through its places: 200 common ones take 80 ms in a million lines."""

OPEN_WAIT_S = 1.0
"""How long a statement waits for a lock. Ours never meet one; it is for somebody's shell."""

TOKENS_KEPT = 4096
"""Streams and aliases whose token is remembered: those of a busy server."""

DAMAGE = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
}
"""What SQLite says of a file that has other tables than ours, is damaged, is no database, or holds lines already that
by its own mark it does not."""

DAMAGED = (
    "The search index is damaged; /history works. Its administrator can delete index.db in the data folder: "
    "the server makes it anew from the log, and loses nothing."
)

NO_FTS5 = (
    "This server cannot search: its Python's SQLite was built without FTS5. "
    "Its administrator can install a Python whose SQLite has it; /history works without."
)


def connect_index(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to the index file, which must exist. `mode` is `ro` or `rw`."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=OPEN_WAIT_S,
        isolation_level=None,
        check_same_thread=False,
    )


@cache
def has_fts5() -> bool:
    """This SQLite can search full text."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE lines USING fts5(text)")
        except sqlite3.OperationalError:
            return False
    return True


def indexed_seq(index: sqlite3.Connection, log: str) -> int | None:
    """Up to which `seq` this is the index of the log of that name; None if it is not, or is of another form."""
    identity = [
        index.execute(f"PRAGMA {each}").fetchone()[0] for each in ("application_id", "user_version")
    ]
    if identity != [INDEX_APPLICATION_ID, INDEX_VERSION]:
        return None
    meta = dict(index.execute("SELECT key, value FROM meta").fetchall())
    if meta.get("log") != log or type(meta.get("indexed_seq")) is not int:
        return None
    seq: int = meta["indexed_seq"]
    return seq


def is_damage(error: sqlite3.Error) -> bool:
    """The file itself is not as it should be. All else (locked, full, a failing disk) may pass."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in DAMAGE


# Lines


def lines_in(records: Iterable[Record]) -> Iterator[Said | Direct]:
    """What can be searched for, one record a line."""
    for record in records:
        if type(record) is Direct or (type(record) is Said and record.lines == 1):
            yield record
        elif type(record) is Said:
            ids = record.ids or (None,) * record.lines
            for line, (text, line_id) in enumerate(zip(texts_of(record), ids, strict=True)):
                yield record._replace(
                    seq=record.seq + line,
                    text=text,
                    lines=1,
                    ids=() if line_id is None else (line_id,),
                )


def add_lines(table: sqlite3.Connection, lines: Iterable[Said | Direct]) -> None:
    """Put lines into the table `lines`, within the caller's transaction."""
    table.executemany(
        "INSERT INTO lines(rowid, text, tags, body) VALUES(?, ?, ?, ?)", map(row_of, lines)
    )


def row_of(line: Said | Direct) -> Row:
    """What the table holds of a line."""
    tags = [_stream_token(name) for name in streams_of(line)] + [_alias_token(fold(line.alias))]
    return line.seq, line.text, " ".join(tags), encode([line._replace(text="")])


def _line(row: tuple[str, str]) -> Said | Direct:
    text, body = row
    line = decode(body)[0]
    if not isinstance(line, Said | Direct):
        raise ValueError("the search index holds what is no line")
    return line._replace(text=text)


# In hex, so that the tokenizer takes each for one word whatever is in it, and different names stay different.
@lru_cache(TOKENS_KEPT)
def _stream_token(stream: str) -> str:
    return "s" + stream.encode().hex()


@lru_cache(TOKENS_KEPT)
def _alias_token(alias: str) -> str:
    return "a" + alias.encode().hex()


# Questions


class Finder:
    """Answers searches, in the library's thread. The index may be missing, replaced or behind at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index: sqlite3.Connection | None = None
        self._inode = 0
        self._memory: sqlite3.Connection | None = None
        """An empty table of the same form: for words, and for lines that are not indexed yet."""

    def close(self) -> None:
        for connection in (self._index, self._memory):
            if connection is not None:
                connection.close()
        self._index = self._memory = None

    def find(self, batches: Batches, question: Search) -> Found | Unreadable:
        """The newest lines that match. `more` is also true when the index was too far behind to look at every line."""
        if not has_fts5():
            return Unreadable(NO_FTS5)
        if len(question.words) > WORDS_MOST:
            return Unreadable(f"Too many words. Search for at most {WORDS_MOST}.")
        match = self._expression(question)
        low, before = _bounds(batches, question)
        most = question.lines + 1
        try:
            indexed = self._open(batches.name)
            old = []
            if self._index is not None and indexed is not None:
                old = _matching(self._index, match, low, min(before - 1, indexed), most)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self.close()
            return Unreadable(DAMAGED)
        allowance = Allowance(TAIL_BYTES)
        # Without an index, which is then being made, all lines are new: as many as the allowance lets us look at.
        begin = max(low - 1, indexed or 0)
        spans = [Span(stream, begin, before) for stream in question.streams]
        tail = lines_in(batches.records(spans, allowance, newest_first=True))
        records, more = first_page(self._among(tail, match, most) + old, question.lines)
        return Found(records, more or allowance.spent)

    def _open(self, log: str) -> int | None:
        """Open the index that is there now, and up to where it came; None: there is none of this log.

        The indexer may have made a new one since the last question.
        """
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            return None
        if self._index is not None and inode != self._inode:
            self._index.close()
            self._index = None
        if self._index is None:
            self._index = connect_index(self._path, "ro")
            self._index.execute("PRAGMA query_only = 1")
            self._inode = inode
        return indexed_seq(self._index, log)

    def _scratch(self) -> sqlite3.Connection:
        if self._memory is None:
            self._memory = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False
            )
            for statement in SCHEMA:
                self._memory.execute(statement)
        return self._memory

    def _expression(self, question: Search) -> str:
        """The question in FTS5's language: https://sqlite.org/fts5.html#full_text_query_syntax."""
        tags = " OR ".join(f'"{_stream_token(stream)}"' for stream in question.streams)
        expression = f"tags : ({tags or _NO_STREAM})"
        if question.alias is not None:
            expression += f' AND tags : "{_alias_token(question.alias)}"'
        if words := self._phrases(question.words):
            expression += f" AND text : ({' AND '.join(words)})"
        return expression

    def _phrases(self, words: Iterable[str]) -> list[str]:
        """The words as FTS5's strings. Those without a character that counts (`-`, `"`) ask for nothing."""
        # An expression ends at a NUL, which is no part of a word anyway.
        typed = [word.replace("\0", " ") for word in words]
        plain = [word.rstrip("*") for word in typed]
        memory = self._scratch()
        memory.execute("BEGIN")
        try:
            memory.executemany(
                "INSERT INTO lines(rowid, text) VALUES(?, ?)", enumerate(plain, start=1)
            )
            count = "SELECT count(*) FROM lines WHERE lines MATCH ? AND rowid = ?"
            return [
                _quoted(word) + ("*" if word != given else "")
                for number, (word, given) in enumerate(zip(plain, typed, strict=True), start=1)
                # Only a phrase with at least one token finds its own text.
                if memory.execute(count, (_quoted(word), number)).fetchone()[0]
            ]
        finally:
            memory.execute("ROLLBACK")

    def _among(self, lines: Iterable[Said | Direct], match: str, most: int) -> list[Record]:
        """Which of these lines match, newest first."""
        memory = self._scratch()
        memory.execute("BEGIN")
        try:
            add_lines(memory, lines)
            return _matching(memory, match, 0, _LARGEST, most)
        finally:
            memory.execute("ROLLBACK")


def _bounds(batches: Batches, question: Search) -> tuple[int, int]:
    """The first `seq` to look at, and the one to stop before."""
    low, before = batches.kept_from, question.before
    if question.since_ms is not None:
        low = max(low, batches.seq_at(question.since_ms))
    if question.until_ms is not None:
        before = min(before, batches.seq_at(question.until_ms))
    return low, before


_NO_STREAM = '"-"'
"""A phrase without a token: matches nothing."""

_LARGEST = 2**63 - 1


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _matching(
    table: sqlite3.Connection, match: str, first: int, last: int, most: int
) -> list[Record]:
    rows = table.execute(
        "SELECT text, body FROM lines WHERE lines MATCH ? AND rowid BETWEEN ? AND ?"
        " ORDER BY rowid DESC LIMIT ?",
        (match, first, last, most),
    ).fetchall()
    return [_line(row) for row in rows]
