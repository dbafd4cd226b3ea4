"""A -wal that is damaged in the middle is refused: what SQLite would leave out was acknowledged."""

from __future__ import annotations

import shutil
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chatcore.store.check import Fault, check
from chatcore.store.schema import LOG_FILE, StoreError, connect_reader, connect_writer
from chatcore.store.wal import FRAME_HEADER, WAL_HEADER

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

PAGE_BYTES = 4096
FRAME_BYTES = FRAME_HEADER.size + PAGE_BYTES
COMMITS = 6


def insert(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute("INSERT INTO batches VALUES(?, ?, 5, '', '[]', NULL)", (seq, seq))


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The log of a server that was killed: what it committed stands in the -wal, a frame or more for each."""
    source, path = tmp_path / "source", tmp_path / LOG_FILE
    source.mkdir()
    with closing(connect_writer(source / LOG_FILE, "full")) as connection:
        for seq in range(1, COMMITS + 1):
            insert(connection, seq)
        for name in (LOG_FILE, f"{LOG_FILE}-wal"):
            shutil.copy(source / name, tmp_path / name)
    return path


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def commits(path: Path) -> list[int]:
    """Where the frames begin that end a commit."""
    data = wal_of(path).read_bytes()
    begins = range(WAL_HEADER.size, len(data) - FRAME_BYTES + 1, FRAME_BYTES)
    ends = [at for at in begins if struct.unpack_from(">I", data, at + 4)[0]]
    return ends[-COMMITS:]


def flip(path: Path, at: int) -> None:
    data = bytearray(wal_of(path).read_bytes())
    data[at] ^= 4
    wal_of(path).write_bytes(data)


def stored(path: Path) -> int:
    with closing(connect_reader(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM batches").fetchone()[0])


def test_what_was_committed_before_a_kill_is_all_there(killed: Path) -> None:
    connect_writer(killed, "full").close()
    assert stored(killed) == COMMITS


@pytest.mark.parametrize("number", range(COMMITS - 2))
def test_damage_with_more_than_one_commit_behind_it_is_refused_and_nothing_is_changed(
    killed: Path, number: int
) -> None:
    flip(killed, commits(killed)[number] + 500)
    before = killed.read_bytes(), wal_of(killed).read_bytes()
    with pytest.raises(StoreError, match="newer lines are behind that"):
        connect_writer(killed, "full")
    assert (killed.read_bytes(), wal_of(killed).read_bytes()) == before


def test_the_words_say_how_to_go_on_without_those_lines(killed: Path) -> None:
    flip(killed, commits(killed)[2] + 500)
    with pytest.raises(StoreError) as refused:
        connect_writer(killed, "full")
    size = int(str(refused.value).rsplit("truncate -s ", 1)[1].split()[0])
    with wal_of(killed).open("r+b") as file:
        file.truncate(size)
    connect_writer(killed, "full").close()
    assert stored(killed) == 2


def test_where_nothing_of_it_counts_any_more_it_is_refused_too(killed: Path) -> None:
    flip(killed, WAL_HEADER.size + 500)
    with pytest.raises(StoreError, match="damaged after 32 bytes"):
        connect_writer(killed, "full")


def test_the_one_commit_that_a_power_cut_may_tear_is_left_out(killed: Path) -> None:
    """It is synced before anybody is told of it."""
    flip(killed, commits(killed)[-1] + 500)
    connect_writer(killed, "full").close()
    assert stored(killed) == COMMITS - 1


def test_commits_that_were_not_synced_may_be_gone_from_any_of_them_on(killed: Path) -> None:
    flip(killed, commits(killed)[2] + 500)
    connect_writer(killed, "fast").close()
    assert stored(killed) == 2


def test_what_an_earlier_round_left_behind_does_not_count(tmp_path: Path) -> None:
    """A -wal that is begun again is written over from its start; the rest of it is old, and copied back."""
    path, copy = tmp_path / "a" / LOG_FILE, tmp_path / LOG_FILE
    path.parent.mkdir()
    with closing(connect_writer(path, "full")) as connection:
        for seq in range(1, 20):
            insert(connection, seq)
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        insert(connection, 20)
        for name in (LOG_FILE, f"{LOG_FILE}-wal"):
            shutil.copy(path.with_name(name), copy.with_name(name))
    connect_writer(copy, "full").close()
    assert stored(copy) == 20


def test_check_names_it(killed: Path) -> None:
    flip(killed, commits(killed)[2] + 500)
    faults = [each.words for each in check(killed.parent) if isinstance(each, Fault)]
    assert any("newer lines are behind that" in words for words in faults)


def test_check_finds_nothing_beside_a_server_that_writes(tmp_path: Path) -> None:
    path = tmp_path / LOG_FILE
    with closing(connect_writer(path, "full")) as connection:
        for seq in range(1, COMMITS + 1):
            insert(connection, seq)
            faults = [each.words for each in check(tmp_path) if isinstance(each, Fault)]
            assert not any("damaged after" in words for words in faults)
