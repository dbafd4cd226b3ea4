"""The index follows the log, whatever happens to it, and stays out of the way of a busy server."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from chatcore.log.record import Direct, Joined, Said
from chatcore.store import indexer
from chatcore.store.batches import Batches
from chatcore.store.indexer import BURST_LINES, Indexer, forget_burst, open_index, write_burst
from chatcore.store.schema import INDEX_FILE, LOG_FILE
from chatcore.store.search import INDEX_VERSION, connect_index, lines_in
from tests.store.kept import TIME_MS, Kept, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Wait = Callable[..., None]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with closing(Kept(tmp_path / "data")) as kept:
        yield kept


class Bench:
    def __init__(self, kept: Kept, wait_for: Wait) -> None:
        self.kept = kept
        self.path = kept.folder / INDEX_FILE
        self.is_busy = False
        self.asked_busy = 0
        self._wait_for = wait_for
        self.indexer: Indexer | None = None

    def start(self) -> Indexer:
        assert self.indexer is None
        self.indexer = Indexer(self.kept.folder / LOG_FILE, self.path, self._busy)
        return self.indexer

    def _busy(self) -> bool:
        self.asked_busy += 1
        return self.is_busy

    def close(self) -> None:
        if self.indexer is not None:
            self.indexer.close()
            self.indexer = None

    def rows(self) -> dict[int, str]:
        """What is indexed; nothing while there is no index that can be read."""
        with suppress(sqlite3.Error), closing(connect_index(self.path, "ro")) as index:
            return dict(index.execute("SELECT rowid, text FROM lines").fetchall())
        return {}

    def upto(self) -> int:
        with suppress(sqlite3.Error), closing(connect_index(self.path, "ro")) as index:
            row = index.execute("SELECT value FROM meta WHERE key = 'indexed_seq'").fetchone()
            return int(row[0])
        return -1

    def reaches(self, seq: int) -> None:
        self._wait_for(lambda: self.upto() == seq, f"indexed up to {seq}")


@pytest.fixture
def bench(kept: Kept, wait_for: Wait) -> Iterator[Bench]:
    with closing(Bench(kept, wait_for)) as bench:
        yield bench


def fill(kept: Kept, first: int, last: int, step: int = 7) -> dict[int, str]:
    """Runs up to `last`, and the lines that they are."""
    lines = {}
    for seq in range(first, last + 1, step):
        texts = [f"line {number}" for number in range(seq, min(seq + step, last + 1))]
        kept.add(said(seq, *texts))
        lines |= dict(enumerate(texts, start=seq))
    return lines


def test_it_follows_the_log(kept: Kept, bench: Bench) -> None:
    expected = fill(kept, 1, 1_000)
    bench.start()
    bench.reaches(1_000)
    assert bench.rows() == expected
    kept.add(
        Joined(1_001, TIME_MS, "#lobby", "s1", "Ann", quiet=False),
        Direct(1_002, TIME_MS, "s1", "Ann", "s2", "Bob", "psst", None),
        said(1_003, "a", "b"),
    )
    bench.reaches(1_004)
    assert bench.rows() == expected | {1_002: "psst", 1_003: "a", 1_004: "b"}


def test_what_it_was_not_told_of_it_finds_itself(kept: Kept, bench: Bench) -> None:
    bench.start()
    bench.reaches(0)
    kept.add(said(1, "one"))
    bench.reaches(1)


def test_records_without_a_line_move_it_on(kept: Kept, bench: Bench) -> None:
    for seq in range(1, 1_500):
        kept.add(Joined(seq, TIME_MS, "#lobby", "s1", "Ann", quiet=True))
    bench.start()
    bench.reaches(1_499)
    assert bench.rows() == {}


def test_the_next_start_goes_on_after_the_last_burst(kept: Kept, bench: Bench) -> None:
    """Each burst is one transaction with its mark, so any of them may be the last: cut inside a batch, too."""
    kept.add(said(1, *(f"line {seq}" for seq in range(1, 501))))
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        index = open_index(bench.path, batches)
        lines = [*lines_in(next(batches.all_after(0)).records)]
        write_burst(index, BURST_LINES, lines[:BURST_LINES])
        index.execute("BEGIN")
        index.execute("UPDATE meta SET value = 500 WHERE key = 'indexed_seq'")
        index.close()  # as a kill does: what was not committed is gone
    assert bench.upto() == BURST_LINES
    bench.start()
    bench.reaches(500)
    assert bench.rows() == {seq: f"line {seq}" for seq in range(1, 501)}


def test_a_burst_that_fails_leaves_neither_lines_nor_mark(kept: Kept, bench: Bench) -> None:
    kept.add(said(1, "one"), said(2, "two"))
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        with closing(open_index(bench.path, batches)) as index:
            one = said(1, "one")
            with pytest.raises(sqlite3.Error):
                write_burst(index, 2, [one, one])
    assert bench.upto() == 0
    assert bench.rows() == {}


@pytest.mark.parametrize("suffixes", [("",), ("", "-wal", "-shm")])
def test_it_is_made_anew_after_it_was_deleted(
    kept: Kept, bench: Bench, suffixes: tuple[str, ...]
) -> None:
    expected = fill(kept, 1, 50)
    for _ in range(2):
        bench.start()
        bench.reaches(50)
        bench.close()
        for suffix in suffixes:
            bench.path.with_name(INDEX_FILE + suffix).unlink(missing_ok=True)
    bench.start()
    bench.reaches(50)
    assert bench.rows() == expected
    bench.path.unlink()  # while it runs
    bench.reaches(50)
    assert bench.rows() == expected


def test_an_old_wal_is_not_played_into_a_new_index(kept: Kept, bench: Bench) -> None:
    expected = fill(kept, 1, 50)
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        with closing(open_index(bench.path, batches)) as index:
            write_burst(index, 999, [said(999, "from before")])
            wal = bench.path.with_name(f"{INDEX_FILE}-wal").read_bytes()
    assert wal
    bench.path.unlink()
    bench.path.with_name(f"{INDEX_FILE}-wal").write_bytes(wal)
    bench.start()
    bench.reaches(50)
    assert bench.rows() == expected


def other_log(path: Path) -> None:
    change(path, "UPDATE meta SET value = 'another' WHERE key = 'log'")


def ahead(path: Path) -> None:
    change(path, "UPDATE meta SET value = 51 WHERE key = 'indexed_seq'")


def behind_its_lines(path: Path) -> None:
    change(path, "UPDATE meta SET value = 0 WHERE key = 'indexed_seq'")


def other_version(path: Path) -> None:
    change(path, f"PRAGMA user_version = {INDEX_VERSION + 1}")


def other_program(path: Path) -> None:
    change(path, "PRAGMA application_id = 1")


def without_meta(path: Path) -> None:
    change(path, "DROP TABLE meta")


def without_lines(path: Path) -> None:
    change(path, "DROP TABLE lines_data", "UPDATE meta SET value = 0 WHERE key = 'indexed_seq'")


def no_database(path: Path) -> None:
    path.write_bytes(b"these are not the bytes that you are looking for" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def torn(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as index:
        for statement in statements:
            index.execute(statement)


@pytest.mark.parametrize(
    "spoil",
    [
        other_log, ahead, behind_its_lines, other_version, other_program, without_meta, without_lines, no_database, empty, torn,
    ],
)  # fmt: skip
def test_an_index_that_is_not_ours_or_damaged_is_made_anew(
    kept: Kept, bench: Bench, wait_for: Wait, spoil: Callable[[Path], None]
) -> None:
    expected = fill(kept, 1, 50)
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        with closing(open_index(bench.path, batches)) as index:
            write_burst(index, 50, [said(7, "nowhere in the log")])
    spoil(bench.path)
    beside = bench.path.with_name("index.db.mine")
    beside.write_text("stays")
    bench.start()
    wait_for(lambda: bench.rows() == expected, "a new index of this log")
    assert beside.read_text() == "stays"


def test_damage_that_shows_while_it_works_is_met_too(kept: Kept, bench: Bench) -> None:
    fill(kept, 1, 50)
    bench.start()
    bench.reaches(50)
    change(bench.path, "DROP TABLE lines_config", "DELETE FROM lines_data")
    expected = fill(kept, 51, 100)
    bench.reaches(100)
    assert bench.rows().items() >= expected.items()
    assert len(bench.rows()) == 100


def test_a_damaged_log_costs_no_index(
    kept: Kept, bench: Bench, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    monkeypatch.setattr(indexer, "RETRY_S", 0.01)
    kept.add(said(1, "one"))
    kept.add(said(2, "two"))
    kept.connection.execute("UPDATE batches SET body = '[[' WHERE seq = 2")
    running = bench.start()
    wait_for(lambda: "damaged" in running._told, "the trouble is told")
    file = bench.path.stat().st_ino
    kept.connection.execute("DELETE FROM batches WHERE seq = 2")
    kept.add(said(2, "two"), placed=False)
    bench.reaches(2)
    assert bench.path.stat().st_ino == file


def test_lines_that_the_log_no_longer_keeps_are_removed(
    kept: Kept, bench: Bench, wait_for: Wait
) -> None:
    expected = fill(kept, 1, 1_000, step=1)
    bench.start()
    bench.reaches(1_000)
    kept.connection.execute("DELETE FROM batches WHERE seq < 700")
    kept.connection.execute("UPDATE meta SET value = 700 WHERE key = 'kept_from'")
    left = {seq: text for seq, text in expected.items() if seq >= 700}
    wait_for(lambda: bench.rows() == left, "only what is kept is indexed")
    with closing(connect_index(bench.path, "rw")) as index:
        index.execute("INSERT INTO lines(lines) VALUES('integrity-check')")


def test_removing_goes_in_slices(kept: Kept, bench: Bench) -> None:
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        with closing(open_index(bench.path, batches)) as index:
            write_burst(index, 500, [said(seq, "x") for seq in range(1, 501)])
            assert forget_burst(index, 451)
            assert len(bench.rows()) == 500 - BURST_LINES
            while forget_burst(index, 451):
                pass
            assert sorted(bench.rows()) == list(range(451, 501))


def test_while_the_server_is_busy_it_rests(
    kept: Kept, bench: Bench, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    """With no share of the time at all it does one burst, and the rest when there is peace."""
    monkeypatch.setattr(indexer, "BUSY_SHARE", 1e-9)
    monkeypatch.setattr(indexer, "LOOK_S", 0.001)
    bench.is_busy = True
    fill(kept, 1, 1_000, step=1)
    bench.start()
    wait_for(lambda: bench.asked_busy > 20, "it asks again and again")
    assert bench.upto() == BURST_LINES
    bench.is_busy = False
    bench.reaches(1_000)


def test_it_ends_at_once_though_it_rests(
    kept: Kept, bench: Bench, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    monkeypatch.setattr(indexer, "BUSY_SHARE", 1e-9)
    bench.is_busy = True
    fill(kept, 1, 1_000, step=1)
    running = bench.start()
    wait_for(lambda: bench.asked_busy, "it rests")
    bench.close()
    assert not running._thread.is_alive()


def test_without_fts5_there_is_no_index(
    kept: Kept, bench: Bench, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    monkeypatch.setattr(indexer, "has_fts5", lambda: False)
    running = bench.start()
    wait_for(lambda: not running._thread.is_alive(), "the thread ends")
    assert not bench.path.exists()


def test_the_file_is_for_the_server_alone(kept: Kept, bench: Bench) -> None:
    bench.start()
    bench.reaches(0)
    assert bench.path.stat().st_mode & 0o777 == 0o600


def test_a_line_with_a_line_end_is_one_line() -> None:
    whole = Said(1, TIME_MS, "#a", "s1", "Ann", "two\nlines", 1, ("x",), me=True)
    assert [*lines_in([whole])] == [whole]


def test_a_full_disk_is_named_once_as_what_it_is(
    kept: Kept,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wait_for: Wait,
) -> None:
    """An index that could not be begun is no other log's."""
    tries, pages = [], [1]

    def small(path: Path, mode: str) -> sqlite3.Connection:
        tries.append(path)
        index = connect_index(path, mode)
        if pages:
            index.execute(f"PRAGMA max_page_count = {pages[0]}").fetchall()
        return index

    monkeypatch.setattr(indexer, "RETRY_S", 0.01)
    monkeypatch.setattr(indexer, "connect_index", small)
    expected = fill(kept, 1, 20)
    bench.start()
    wait_for(lambda: len(tries) >= 5, "tries")
    assert [each.getMessage() for each in caplog.records] == [
        "the search index falls behind: database or disk is full; trying again"
    ]
    pages.clear()
    wait_for(lambda: bench.rows() == expected, "the index, once there is room")
    assert len(caplog.records) == 1
