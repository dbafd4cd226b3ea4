from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.log.record import Closed, Direct, Joined, last_seq
from chatcore.store.journal import BATCH_BYTES, SqliteJournal, rows_of
from chatcore.store.schema import LOG_FILE, connect_reader
from chatcore.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chatcore.log.record import Record, Said

PATIENT_S = 30.0
"""For a healthy commit, which takes a millisecond."""

FOR_EVER_S = 3600.0
"""A wait that no test survives."""

ROOM_PAGES = 40
DAY_MS = 24 * 3600 * 1000

LASTING = [
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_READONLY,
    None,
]


class Disk:
    """The journal's connection, with a disk that can be told to stall and to fail."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.statements: list[str] = []
        self.closed = False
        self.errors: list[sqlite3.Error | OSError] = []
        """For the next statements that write; the last one stays until it is taken away."""
        self.most_pages = 0
        self.stalled = threading.Event()
        """Somebody stands before the gate."""
        self.gate = threading.Event()
        self.gate.set()

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._before(sql)
        return self.connection.execute(sql, *arguments)

    def executemany(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._before(sql)
        return self.connection.executemany(sql, *arguments)

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def close(self) -> None:
        self.closed = True
        self.connection.close()

    def _before(self, sql: str) -> None:
        if sql.startswith("SELECT"):
            return
        self.statements.append(sql)
        if not self.gate.is_set():
            self.stalled.set()
            self.gate.wait()
        if self.most_pages:
            self.connection.execute(f"PRAGMA max_page_count = {self.most_pages}").fetchall()
        if self.errors and sql != "ROLLBACK":
            raise self.errors[0] if len(self.errors) == 1 else self.errors.pop(0)


def error_of(code: int | None) -> sqlite3.Error | OSError:
    if code is None:
        return OSError(5, "Input/output error")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_SOMETHING"
    return error


class Bench:
    """A journal on a disk of ours, and what it told the loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder, "full")
        self.disk = Disk(self.store._connection)
        self.store._handed_over = True
        self.woken = threading.Semaphore(0)
        self.journal = SqliteJournal(self.disk, self.woken.release)  # type: ignore[arg-type]

    def commit(self, *records: Record) -> None:
        self.journal.commit(list(records))

    def stall(self, *records: Record) -> None:
        """Hand these over to an idle writer whose disk does not answer, and see it get there."""
        self.disk.gate.clear()
        self.commit(*records)
        assert self.disk.stalled.wait(PATIENT_S)

    def is_woken(self) -> bool:
        return self.woken.acquire(timeout=PATIENT_S)

    def read(self, query: str) -> list[Any]:
        with closing(connect_reader(self.folder / LOG_FILE)) as connection:
            return connection.execute(query).fetchall()

    def close(self) -> None:
        self.disk.errors = []
        self.disk.gate.set()
        self.journal.close()
        self.store.close()

    def stored(self) -> list[Record]:
        """What the next start finds."""
        self.store.close()
        with closing(Store.open(self.folder, "full")) as store:
            return list(store.records_after(0))


@pytest.fixture
def bench(folder: Path) -> Iterator[Bench]:
    bench = Bench(folder)
    yield bench
    if not bench.journal.failure:
        bench.close()


def test_a_batch_is_durable_when_the_wait_is_over(bench: Bench, said: Callable[..., Said]) -> None:
    for seq in range(1, 50, 3):
        bench.commit(said(seq, 2), said(seq + 2))
        assert bench.journal.durable_seq(PATIENT_S) == seq + 2
        assert bench.read("SELECT max(last) FROM batches") == [(seq + 2,)]
    assert bench.journal.measured.commits == 17
    assert bench.journal.measured.records == 34
    assert bench.journal.measured.longest_commit_s > 0
    assert not bench.woken.acquire(blocking=False), "who waited is not woken"


def test_nothing_is_durable_before_its_commit_and_the_late_is_told(
    bench: Bench, said: Callable[..., Said]
) -> None:
    bench.stall(said(1))
    assert bench.journal.durable_seq(0.001) == 0
    assert bench.journal.durable_seq(0) == 0
    assert not bench.woken.acquire(blocking=False)
    bench.disk.gate.set()
    assert bench.is_woken()
    assert bench.journal.durable_seq(0) == 1


def test_the_loop_does_not_wait_while_a_batch_is_out(
    bench: Bench, said: Callable[..., Said]
) -> None:
    bench.stall(said(1))
    assert bench.journal.durable_seq(0) == 0
    bench.commit(said(2))
    assert bench.journal.durable_seq(FOR_EVER_S) == 0
    bench.disk.gate.set()
    assert bench.is_woken()


def test_the_loop_waits_once_for_a_batch(bench: Bench, said: Callable[..., Said]) -> None:
    bench.stall(said(1))
    assert bench.journal.durable_seq(0.001) == 0
    assert bench.journal.durable_seq(FOR_EVER_S) == 0


def test_a_commit_that_nobody_waited_for_does_not_end_the_next_wait(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    bench.stall(said(1))
    assert bench.journal.durable_seq(0.001) == 0
    bench.disk.gate.set()
    assert bench.is_woken()
    wait_for(lambda: bench.journal._finished == bench.journal._handed, "the thread is idle")
    bench.disk.stalled.clear()
    bench.stall(said(2))
    opener = threading.Timer(0.01, bench.disk.gate.set)
    opener.start()
    assert bench.journal.durable_seq(PATIENT_S) == 2
    opener.join()


def test_what_gathers_during_a_commit_is_committed_together(
    bench: Bench, said: Callable[..., Said]
) -> None:
    bench.stall(said(1))
    for seq in range(2, 8):
        bench.commit(said(seq))
    bench.journal.save(7, [("room", "a", "1")])
    assert bench.journal.durable_seq(0) == 0
    bench.disk.gate.set()
    while bench.journal.durable_seq(0) < 7:
        assert bench.is_woken()
    bench.close()
    assert bench.journal.measured.commits == 3, "the first, the six, the snapshot"
    assert bench.stored() == [said(seq) for seq in range(1, 8)]


def test_no_wake_up_is_lost(bench: Bench, said: Callable[..., Said]) -> None:
    chance, seq = random.Random(1), 0
    for _ in range(1000):
        for _ in range(chance.randrange(1, 4)):
            seq += 1
            bench.commit(said(seq))
            durable = bench.journal.durable_seq(chance.choice([0, 0.0001, 0.001, 0.01]))
        while durable < seq:
            assert bench.is_woken()
            durable = bench.journal.durable_seq(0)
    assert bench.read("SELECT count(*), max(last) FROM batches") == [(seq, seq)]


def test_durable_never_passes_what_is_in_the_file(bench: Bench, said: Callable[..., Said]) -> None:
    with closing(connect_reader(bench.folder / LOG_FILE)) as reader:
        for seq in range(1, 400):
            bench.commit(said(seq))
            durable = bench.journal.durable_seq(0.0001)
            (found,) = reader.execute("SELECT max(last) FROM batches").fetchall()[0]
            assert durable <= (found or 0)


@pytest.mark.parametrize("code", LASTING)
def test_after_an_error_that_lasts_nothing_is_written_again(
    bench: Bench, said: Callable[..., Said], code: int | None
) -> None:
    bench.commit(said(1))
    assert bench.journal.durable_seq(PATIENT_S) == 1
    bench.disk.gate.clear()
    bench.disk.errors = [error_of(code), error_of(sqlite3.SQLITE_FULL)]
    bench.commit(said(2))
    assert bench.disk.stalled.wait(PATIENT_S)
    bench.commit(said(3))
    bench.disk.gate.set()
    assert bench.is_woken()
    assert "cannot be written" in bench.journal.failure
    # The disk is well again, as after a failed fsync: it must not be believed.
    bench.disk.errors = []
    bench.disk.statements.clear()
    bench.commit(said(4))
    assert bench.journal.durable_seq(PATIENT_S) == 1
    bench.journal.save(4, [])
    bench.journal.keep(1, 1)
    bench.journal.close()
    assert bench.journal.durable_seq(0) == 1
    assert not bench.disk.statements
    assert not bench.disk.closed, "closing would write to the file"
    assert bench.stored() == [said(1)]


def test_a_group_that_fails_is_not_stored_in_part(bench: Bench, said: Callable[..., Said]) -> None:
    bench.stall(said(1))
    bench.commit(said(2))
    bench.commit(said(3))
    real = bench.disk._before

    def fail_commit(sql: str) -> None:
        real(sql)
        if sql == "COMMIT":
            raise error_of(sqlite3.SQLITE_IOERR_FSYNC)

    bench.disk._before = fail_commit  # type: ignore[method-assign]
    bench.disk.gate.set()
    assert bench.is_woken()
    assert bench.journal.failure
    assert bench.journal.durable_seq(0) == 1
    assert bench.stored() == [said(1)]


def test_a_failed_process_leaves_the_wal_for_the_next(folder: Path) -> None:
    """Python closes what is left open when it ends, and SQLite would copy and remove the -wal then."""
    ended = subprocess.run(
        [sys.executable, "-c", FAIL_AND_END, str(folder)], capture_output=True, check=True
    )
    assert b"cannot be written" in ended.stdout, ended
    assert (folder / f"{LOG_FILE}-wal").stat().st_size > 0
    with closing(Store.open(folder, "full")) as store:
        assert [each.seq for each in store.records_after(0)] == [1]


FAIL_AND_END = """
import sys, threading
from chatcore.log.record import Said
from chatcore.store.store import Store
woken = threading.Event()
store = Store.open(sys.argv[1], "full")
journal = store.journal(woken.set)
for seq in (1, 1):  # the same number twice: an error that lasts
    journal.commit([Said(seq, 5, "#lobby", "ann-1", "Ann", "hi", 1, (), False)])
    journal.durable_seq(9)
woken.wait(30)
print(journal.failure)
journal.close()
store.close()
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_FULL, "disk is full"),
        (sqlite3.SQLITE_BUSY, "locked by another program"),
        (sqlite3.SQLITE_BUSY | 2 << 8, "locked by another program"),
        (sqlite3.SQLITE_LOCKED, "locked by another program"),
    ],
)
def test_an_error_that_passes_is_told_and_the_batch_kept(
    bench: Bench, said: Callable[..., Said], code: int, words: str
) -> None:
    bench.disk.errors = [error_of(code)]
    bench.commit(said(1), said(2))
    assert bench.is_woken()
    assert words in bench.journal.trouble
    bench.commit(said(3))
    assert bench.journal.durable_seq(0) == 0
    bench.disk.errors = []
    while bench.journal.durable_seq(0) < 3:
        assert bench.is_woken()
    assert not bench.journal.trouble
    assert not bench.journal.failure
    bench.close()
    assert bench.stored() == [said(1), said(2), said(3)]


def test_a_full_file_recovers_when_there_is_room(bench: Bench, said: Callable[..., Said]) -> None:
    bench.disk.most_pages = ROOM_PAGES
    seq = 0
    while not bench.journal.trouble:
        seq += 1
        bench.commit(said(seq, 100))
        seq += 99
        bench.journal.durable_seq(PATIENT_S if seq < 1000 else 0.01)
    assert "disk is full" in bench.journal.trouble
    bench.disk.most_pages = 1_000_000
    while bench.journal.durable_seq(0) < seq:
        assert bench.is_woken()
    bench.close()
    assert not bench.journal.trouble
    assert [each.seq for each in bench.stored()] == list(range(1, seq, 100))


def test_a_locked_file_recovers_when_it_is_let_go(bench: Bench, said: Callable[..., Said]) -> None:
    path = bench.folder / LOG_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        bench.commit(said(1))
        assert bench.is_woken()
        assert "locked by another program" in bench.journal.trouble
        assert bench.journal.durable_seq(0) == 0
        other.execute("ROLLBACK")
        while bench.journal.durable_seq(0) < 1:
            assert bench.is_woken()
    assert not bench.journal.trouble


def test_closing_gives_up_what_cannot_be_written(bench: Bench, said: Callable[..., Said]) -> None:
    bench.commit(said(1))
    assert bench.journal.durable_seq(PATIENT_S) == 1
    bench.disk.errors = [error_of(sqlite3.SQLITE_FULL)]
    bench.commit(said(2))
    assert bench.is_woken()
    bench.journal.close()
    assert bench.journal.trouble
    assert bench.journal.durable_seq(0) == 1
    assert bench.stored() == [said(1)]


def test_closing_writes_what_was_handed_over(bench: Bench, said: Callable[..., Said]) -> None:
    bench.stall(said(1))
    bench.commit(said(2))
    bench.journal.save(2, [("room", "a", "1")])
    bench.disk.gate.set()
    bench.journal.close()
    bench.journal.close()
    assert bench.disk.closed
    assert bench.stored() == [said(1), said(2)]
    assert not (bench.folder / f"{LOG_FILE}-wal").exists()


def test_a_snapshot_never_runs_ahead_of_the_log(bench: Bench, said: Callable[..., Said]) -> None:
    bench.commit(said(1))
    with pytest.raises(ValueError, match="as of 2"):
        bench.journal.save(2, [])


def test_a_fault_of_the_thread_itself_is_a_failure(
    bench: Bench,
    said: Callable[..., Said],
    wait_for: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    bench.commit(said(1)._replace(text="\ud800"))
    assert bench.is_woken()
    assert "fault of its own" in bench.journal.failure
    wait_for(lambda: faults, "the fault is shown")
    bench.journal.close()
    bench.disk.close()
    assert bench.stored() == []


def test_a_large_batch_is_cut_into_rows_at_records(bench: Bench, said: Callable[..., Said]) -> None:
    big = said(1, 10)._replace(lines=1, text="ä" * BATCH_BYTES)
    records = [big, *(said(seq, 50, f"#room{seq}") for seq in range(2, 8000, 50))]
    rows = rows_of(records)
    assert max(len(row.body.encode()) for row in rows[1:]) <= BATCH_BYTES
    assert rows[0].streams == "#lobby"
    bench.commit(*records)
    assert bench.journal.durable_seq(PATIENT_S) == last_seq(records[-1])
    assert bench.journal.measured.commits == 1
    bench.close()
    assert bench.stored() == records


def places_of(bench: Bench) -> list[Any]:
    return bench.read("SELECT stream, seq FROM places ORDER BY seq, stream")


def placed_seq(bench: Bench) -> int:
    found: int = bench.read("SELECT value FROM meta WHERE key = 'placed_seq'")[0][0]
    return found


def test_places_follow_when_idle(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    bench.disk.errors = []
    bench.commit(said(1), said(2, 1, "#b"), said(3))
    bench.commit(Closed(4, 5, "ann-1", lapsed=False), Joined(5, 5, "#b", "ann-1", "Ann", True))
    bench.commit(Direct(6, 5, "ann-1", "Ann", "bob-1", "Bob", "hi", None))
    wait_for(lambda: placed_seq(bench) == 6, "places are written")
    assert places_of(bench) == [("#b", 1), ("#lobby", 1), ("ann-1", 6), ("bob-1", 6)]


def test_places_that_could_not_be_written_are_tried_again(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    bench.commit(said(1))
    assert bench.journal.durable_seq(PATIENT_S) == 1
    bench.disk.errors = [error_of(sqlite3.SQLITE_BUSY)]
    wait_for(lambda: "BEGIN IMMEDIATE" in bench.disk.statements, "it has tried")
    assert not bench.journal.trouble
    bench.disk.errors = []
    wait_for(lambda: places_of(bench) == [("#lobby", 1)], "it tries again")


def test_places_are_written_behind_a_busy_log_and_at_close(
    bench: Bench, said: Callable[..., Said]
) -> None:
    for seq in range(1, 601):
        bench.commit(said(seq))
        while bench.journal.durable_seq(PATIENT_S) < seq:
            assert bench.is_woken()
    bench.close()
    # Once 512 had gathered, and for the rest.
    assert sum("places" in each for each in bench.disk.statements) == 2
    with closing(Store.open(bench.folder, "full")) as store:
        bench.store = store
        assert placed_seq(bench) == 600
        assert places_of(bench) == [("#lobby", seq) for seq in range(1, 601)]


def test_places_that_a_kill_left_out_are_written_at_the_next_start(
    folder: Path, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    bench = Bench(folder)
    for seq in range(1, 2001):
        bench.commit(said(seq))
    bench.close()
    with closing(sqlite3.connect(folder / LOG_FILE, isolation_level=None)) as connection:
        connection.execute("DELETE FROM places WHERE seq > 10")
        connection.execute("UPDATE meta SET value = 10 WHERE key = 'placed_seq'")
    again = Bench(folder)
    wait_for(lambda: placed_seq(again) == 2000, "places are written")
    again.close()
    assert len(places_of(again)) == 2000


def test_the_wal_is_used_again(bench: Bench, said: Callable[..., Said]) -> None:
    wal = bench.folder / f"{LOG_FILE}-wal"
    text = "x" * 50_000
    for seq in range(1, 400):
        bench.commit(said(seq)._replace(text=text))
        while bench.journal.durable_seq(PATIENT_S) < seq:
            pass
    assert wal.stat().st_size < 8 * 1024 * 1024, "20 MB went through it"


def test_retention_keeps_the_last_records(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    for seq in range(1, 2001, 2):
        bench.commit(said(seq, 2))
    bench.journal.save(1900, [])
    bench.journal.keep(0, 300)
    wait_for(lambda: bench.journal.kept_from == 1701, "the old ones are gone")
    assert bench.read("SELECT min(seq), max(last) FROM batches") == [(1701, 2000)]
    bench.commit(said(2001))
    bench.close()
    assert places_of(bench) == [("#lobby", seq) for seq in range(1701, 2002, 2)]
    assert [each.seq for each in bench.stored()] == list(range(1701, 2002, 2))
    with closing(Store.open(bench.folder, "full")) as store:
        assert (store.kept_from, store.head_seq) == (1701, 2001)


def test_retention_keeps_the_last_days(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    now_ms = int(time.time() * 1000)
    for seq in range(1, 11):
        bench.commit(said(seq, time_ms=now_ms - (11 - seq) * DAY_MS))
    bench.journal.save(10, [])
    bench.journal.keep(4.5, 0)
    wait_for(lambda: bench.journal.kept_from == 7, "the old ones are gone")


def test_retention_leaves_what_the_snapshot_lacks_and_the_newest(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    for seq in range(1, 11):
        bench.commit(said(seq))
        bench.journal.durable_seq(PATIENT_S)
    bench.journal.save(5, [])
    bench.journal.keep(0, 1)
    wait_for(lambda: bench.journal.kept_from == 6, "what the snapshot covers is gone")
    bench.journal.save(10, [])
    bench.journal.keep(1 / DAY_MS, 0)
    wait_for(lambda: bench.journal.kept_from == 10, "all but the newest is gone")
    bench.close()
    assert [each.seq for each in bench.stored()] == [10]


def test_retention_goes_on_while_lines_come(
    bench: Bench, said: Callable[..., Said], wait_for: Callable[..., None]
) -> None:
    bench.journal.keep(0, 100)
    seq = 0

    def say_and_look() -> bool:
        nonlocal seq
        for _ in range(50):
            seq += 1
            bench.commit(said(seq))
        bench.journal.save(seq, [])
        bench.journal.durable_seq(PATIENT_S)
        bench.journal.keep(0, 100)
        return bench.journal.kept_from > 1000

    wait_for(say_and_look, "old lines go")
    assert bench.journal.kept_from <= seq - 99


def test_the_disk_is_synced_once_for_a_batch(bench: Bench, said: Callable[..., Said]) -> None:
    for seq in range(1, 20):
        bench.commit(said(seq))
        assert bench.journal.durable_seq(PATIENT_S) == seq
    assert [each for each in bench.disk.statements if "batches" not in each] == []
    assert os.path.getsize(bench.folder / f"{LOG_FILE}-wal") > 0
