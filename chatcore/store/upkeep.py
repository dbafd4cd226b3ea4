"""Upkeep of the log, between commits, by the one thread that writes it: places, checkpoints, retention.

All of it is derived or may come later: whatever is not done when the process ends is found again in the file and
done by the next one. Invariant: each step is one short transaction, so that no commit waits long for it; and only
what the file itself says counts, so that a step that failed can simply be tried again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, final

from chatcore.store.schema import transaction
from chatcore.store.wal import WAL_BYTES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from chatcore.log.journal import Change

IDLE_S = 1.0
"""Without work for so long, the writer does what can wait: places that were not worth a transaction of their own."""

PLACED_AT_ONCE = 512
"""Places gathered for one transaction: 2 ms (measured) instead of an fsync for each. Readers scan so many batches
that have none yet, which takes about as long."""

PLACED_AT_MOST = 2 * PLACED_AT_ONCE
"""Batches that one such transaction places: more than gather between two, so that only a kill leaves a rest."""

BUSY_WAL_BYTES = WAL_BYTES
"""Copy the -wal back when it holds this much: small enough for the page cache and a short copy (some 10 ms), and a
-wal that is used again costs a commit 78 us where one that grows costs 133 us (measured)."""

IDLE_WAL_BYTES = 1024 * 1024
"""The same, when there is nothing else to do."""

PAGE_BYTES = 4096
"""SQLite's page: what a change costs in the -wal beyond its own bytes, once for the row and once for its parent."""

SWEEP_S = 60.0
"""How often is looked for what is too old to keep: limits are in days and many thousands of records."""

SWEPT_AT_ONCE = 500
"""Batches deleted in one transaction: 10 ms and 4 MiB of -wal (measured at 6 KB each, as a busy room makes them;
many builds of SQLite overwrite what they delete, which we want: gone is gone)."""

SWEEP_PAUSE_S = 0.25
"""Between two such deletions while others want to write: 2,000 batches a second, as many as are ever made."""

DAY_MS = 24 * 3600 * 1000


@final
class Row(NamedTuple):
    """A row of `batches`: records that became durable together."""

    seq: int
    """First number in it; `last`: the last."""
    last: int
    time_ms: int
    """Of its first record."""
    streams: str
    """Names of the streams that its records stand in, joined by `,`, which no name holds."""
    body: str
    crc: int
    """`codec.checksum` of the body."""


class Upkeep:
    """See the module. Used by the writer's thread alone, but for `kept_from`, which anyone may read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.kept_from = self._meta("kept_from")
        self._unplaced = PLACED_AT_ONCE if self._meta("placed_seq") < self.head_seq() else 0
        """About how many places are missing."""
        self._wal_bytes = IDLE_WAL_BYTES
        """About how much the -wal has grown since it was last copied; at the start it may be left from a kill."""
        self._keep_ms = 0
        self._keep_records = 0
        self._sweep_at = 0.0

    def keep(self, days: float, records: int) -> None:
        """Keep what is younger than `days` and among the last `records` numbers; 0: no limit. Looks at once."""
        self._keep_ms = int(days * DAY_MS)
        self._keep_records = records
        self._sweep_at = 0.0

    def head_seq(self) -> int:
        """The last number in the file; 0 when it is empty."""
        row = self._connection.execute(
            "SELECT last FROM batches ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return row[0] if row else 0

    def wrote(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._unplaced += row.streams.count(",") + 1
            self._wal_bytes += len(row.body) + 2 * PAGE_BYTES

    def wrote_state(self, changes: Sequence[Change]) -> None:
        self._wal_bytes += sum(len(body or "") + PAGE_BYTES for _, _, body in changes)

    @property
    def patience_s(self) -> float:
        """How long the writer may wait for work before it calls `step` as idle."""
        if self._unplaced >= PLACED_AT_ONCE:
            return 0.0  # left from a kill
        wait_s = IDLE_S if self._unplaced or self._wal_bytes >= IDLE_WAL_BYTES else SWEEP_S
        if self._keep_ms or self._keep_records:
            wait_s = min(wait_s, max(0.0, self._sweep_at - time.monotonic()))
        return wait_s

    def step(self, *, idle: bool) -> None:
        """Do what is due; what is not urgent only when idle. Raises sqlite3.Error; then it is due again."""
        if self._unplaced >= (1 if idle else PLACED_AT_ONCE):
            self._place()
        if (self._keep_ms or self._keep_records) and time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_S
            if self._sweep():
                self._sweep_at = time.monotonic() + (0.0 if idle else SWEEP_PAUSE_S)
        if self._wal_bytes >= (IDLE_WAL_BYTES if idle else BUSY_WAL_BYTES):
            # PASSIVE waits for nobody. What a reader still needs stays for the next time.
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._wal_bytes = 0

    def finish(self) -> None:
        """Leave a file that is whole without its -wal, if no reader needs that."""
        while self._unplaced:
            self._place()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _place(self) -> None:
        """Write the places of the next batches that have none; also of those that a kill left without."""
        rows = self._connection.execute(
            "SELECT seq, last, streams FROM batches WHERE seq > ? ORDER BY seq LIMIT ?",
            (self._meta("placed_seq"), PLACED_AT_MOST),
        ).fetchall()
        pairs = sorted(
            (stream, seq) for seq, _, streams in rows if streams for stream in streams.split(",")
        )
        if rows:
            with transaction(self._connection):
                self._connection.executemany("INSERT OR IGNORE INTO places VALUES(?, ?)", pairs)
                self._set_meta("placed_seq", rows[-1][1])
        self._wal_bytes += len(pairs) * PAGE_BYTES // 8
        self._unplaced = PLACED_AT_ONCE if len(rows) == PLACED_AT_MOST else 0

    def _sweep(self) -> bool:
        """Delete the oldest batches that need not be kept. True: there may be more.

        Never one that the snapshot does not cover, or the state could not be made again; and never the newest, for
        numbering goes on from there.
        """
        if self._unplaced:  # or a place would be written for a batch that is gone
            self._place()
            if self._unplaced:
                return True
        head = self.head_seq()
        most = min(self._meta("state_seq"), head - 1)
        too_many = head - self._keep_records if self._keep_records else 0
        too_old_ms = time.time() * 1000 - self._keep_ms if self._keep_ms else 0
        rows = self._connection.execute(
            "SELECT seq, last, time_ms, streams FROM batches ORDER BY seq LIMIT ?", (SWEPT_AT_ONCE,)
        ).fetchall()
        gone = [
            (seq, last, streams)
            for seq, last, time_ms, streams in rows
            if last <= most and (last <= too_many or time_ms < too_old_ms)
        ]
        if gone:
            self._delete(gone)
        return len(gone) == SWEPT_AT_ONCE

    def _delete(self, gone: Sequence[tuple[int, int, str]]) -> None:
        """Delete these batches, the oldest of the log (both limits only ever cut from its beginning)."""
        pairs = [(stream, seq) for seq, _, streams in gone for stream in streams.split(",")]
        newest_seq, newest_last, _ = gone[-1]
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM places WHERE stream = ? AND seq = ?", pairs)
            self._connection.execute("DELETE FROM batches WHERE seq <= ?", (newest_seq,))
            self._set_meta("kept_from", newest_last + 1)
        self.kept_from = newest_last + 1
        self._wal_bytes += len(gone) * 2 * PAGE_BYTES

    def _meta(self, key: str) -> int:
        value: int = self._connection.execute(
            "SELECT value FROM meta WHERE key = ?", (key,)
        ).fetchone()[0]
        return value

    def _set_meta(self, key: str, value: int) -> None:
        self._connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
