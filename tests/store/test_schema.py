from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chatcore.store import schema
from chatcore.store.batches import Batches
from chatcore.store.check import Fault, check
from chatcore.store.codec import checksum, encode
from chatcore.store.schema import (
    INDEX_FILE,
    LOG_FILE,
    VERSION,
    StoreError,
    connect_reader,
    connect_writer,
)
from chatcore.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chatcore.log.record import Said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with three lines in it."""
    path = tmp_path / LOG_FILE
    with closing(connect_writer(path, "full")) as connection:
        insert(connection, 1, 3)
    return path


def insert(connection: sqlite3.Connection, seq: int, last: int) -> None:
    connection.execute("INSERT INTO batches VALUES(?, ?, 5, '#a', '[]', NULL)", (seq, last))


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_the_writer_has_the_settings_that_durability_rests_on(path: Path) -> None:
    for durability, synchronous in [("full", 2), ("fast", 1)]:
        with closing(connect_writer(path, durability)) as connection:
            found = {
                pragma: connection.execute(f"PRAGMA {pragma}").fetchone()[0]
                for pragma in [
                    "journal_mode",
                    "synchronous",
                    "busy_timeout",
                    "wal_autocheckpoint",
                    "mmap_size",
                    "user_version",
                ]
            }
        assert found == {
            "journal_mode": "wal",
            "synchronous": synchronous,
            "busy_timeout": 0,
            "wal_autocheckpoint": 0,
            "mmap_size": 0,
            "user_version": VERSION,
        }


def test_only_the_server_s_account_may_read_the_files(tmp_path: Path) -> None:
    with closing(connect_writer(tmp_path / LOG_FILE, "full")) as connection:
        insert(connection, 1, 1)
        modes = {each.name: each.stat().st_mode & 0o077 for each in tmp_path.iterdir()}
    assert modes == dict.fromkeys([LOG_FILE, f"{LOG_FILE}-wal", f"{LOG_FILE}-shm"], 0)


def test_a_reader_cannot_write(path: Path) -> None:
    with closing(connect_reader(path)) as connection:
        assert connection.execute("SELECT last FROM batches").fetchall() == [(3,)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            insert(connection, 4, 4)


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no log at"):
        connect_reader(tmp_path / LOG_FILE)
    assert not list(tmp_path.iterdir())


def test_a_file_keeps_its_name_and_lines(path: Path) -> None:
    with closing(connect_writer(path, "full")) as connection:
        name = connection.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()
    with closing(connect_writer(path, "fast")) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'log'").fetchone() == name
        assert connection.execute("SELECT count(*) FROM batches").fetchone() == (1,)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"PRAGMA user_version = {VERSION + 1}", "Start the newer chatcore"),
        ("PRAGMA user_version = -1", "knows those from 1"),
        ("PRAGMA application_id = 7", "another program's"),
        ("DROP TABLE places", "no table places"),
        ("DELETE FROM meta WHERE key = 'log'", "lost what it says of itself"),
        ("UPDATE meta SET value = 'x' WHERE key = 'state_seq'", "lost what it says of itself"),
        ("DELETE FROM batches", "lost lines"),
        ("UPDATE meta SET value = 2 WHERE key = 'kept_from'", "lost lines"),
    ],
)
def test_a_file_that_is_not_as_expected_is_refused(path: Path, statement: str, words: str) -> None:
    change(path, "UPDATE meta SET value = 3 WHERE key = 'state_seq'")
    change(path, statement)
    before = path.read_bytes()
    for connect in (lambda: connect_writer(path, "full"), lambda: connect_reader(path)):
        with pytest.raises(StoreError, match=words):
            connect()
    assert path.read_bytes() == before


def test_another_program_s_database_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    change(path, "CREATE TABLE notes(text)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's"):
        connect_writer(path, "full")
    assert path.read_bytes() == before


def test_an_empty_log_beside_its_wal_or_index_is_not_taken_for_new(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    for beside, words in [(f"{LOG_FILE}-wal", "not. Put the two back"), (INDEX_FILE, "its index")]:
        (tmp_path / beside).write_bytes(b"something")
        for made in (False, True):
            if made:
                path.touch()
            with pytest.raises(StoreError, match=words):
                connect_writer(path, "full")
        assert path.stat().st_size == 0
        assert (tmp_path / beside).read_bytes() == b"something"
        path.unlink()
        (tmp_path / beside).unlink()
    path.touch()
    connect_writer(path, "full").close()  # an empty file alone is a new log


def test_a_log_that_somebody_writes_to_is_refused_with_words(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("UPDATE meta SET value = value")
        with pytest.raises(StoreError, match="Another program has it locked"):
            connect_writer(path, "full")
    connect_writer(path, "full").close()


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        connect_writer(tmp_path / LOG_FILE, "full")


def test_a_file_of_the_first_form_keeps_its_lines_and_checks_those_that_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[..., Said]
) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
    monkeypatch.setattr(schema, "VERSION", 1)
    path = tmp_path / LOG_FILE
    with closing(connect_writer(path, "full")) as connection:
        row = (1, 1, said(1).time_ms, "#lobby", encode([said(1)]))
        connection.execute("INSERT INTO batches VALUES(?, ?, ?, ?, ?)", row)
    monkeypatch.undo()
    with closing(Store.open(tmp_path, "full")) as store:
        journal = store.journal(lambda: None)
        journal.commit([said(2)])
        journal.close()
    with closing(Batches(path)) as batches:
        assert [*batches.all_after(0)][-1].records == (said(2),)
    assert not any(isinstance(finding, Fault) for finding in check(tmp_path))
    with closing(Store.open(tmp_path, "full")) as store:
        assert [*store.records_after(0)] == [said(1), said(2)]
    with closing(connect_reader(path)) as connection:
        sums = connection.execute("SELECT crc FROM batches ORDER BY seq").fetchall()
    assert sums == [(None,), (checksum(encode([said(2)])),)]


def test_a_step_that_fails_leaves_the_old_form(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE more(x)")
        connection.execute("INSERT INTO nowhere VALUES(1)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr(schema, "VERSION", VERSION + 1)
    with pytest.raises(StoreError, match="nowhere"):
        connect_writer(path, "full")
    monkeypatch.undo()
    with closing(connect_reader(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE name = 'more'")
        assert tables.fetchall() == []


def test_a_file_of_an_older_form_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE more(x)")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr(schema, "VERSION", VERSION + 1)
    with pytest.raises(StoreError, match="Start the server once"):
        connect_reader(path)
    connect_writer(path, "full").close()
    with closing(connect_reader(path)) as connection:
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (0,)
        assert connection.execute("SELECT last FROM batches").fetchall() == [(3,)]
