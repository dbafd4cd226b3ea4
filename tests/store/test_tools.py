"""Copying the log and reading it from outside: whole, without a gap, also while it is written; never over a file."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chatcore.log.record import (
    MODERATION,
    Act,
    Closed,
    Direct,
    Joined,
    Opened,
    Renamed,
    Said,
    TopicSet,
    last_seq,
    streams_of,
)
from chatcore.store import tools
from chatcore.store.batches import Batches
from chatcore.store.schema import LOG_FILE, StoreError, connect_writer
from tests.store.kept import TIME_MS, Kept, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Kept]:
    with closing(Kept(tmp_path / "data")) as kept:
        yield kept


@pytest.fixture
def kept(new: Kept) -> Kept:
    new.add(said(1, "one", "two"), said(3, "three", room="#dev"))
    new.add(said(4, "four"))
    return new


def stored(path: Path) -> list[int]:
    with closing(Batches(path)) as batches:
        return [number for batch in batches.all_after(0) for number in (batch.seq, batch.last)]


def test_a_backup_is_the_whole_log_and_can_be_opened_as_one(kept: Kept, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    saved = tools.backup(kept.folder, target)
    assert (saved.last_seq, saved.size) == (4, target.stat().st_size)
    assert stored(target) == stored(kept.folder / LOG_FILE) == [1, 3, 4, 4]
    assert target.stat().st_mode & 0o777 == 0o600, "what people said is not for everybody"
    connect_writer(target, "full").close()


def test_a_backup_beside_a_writer_is_a_prefix_without_a_gap(kept: Kept, tmp_path: Path) -> None:
    enough, copied = threading.Event(), threading.Event()

    def write() -> None:
        head = 4
        while not copied.is_set():
            head += 1
            kept.add(said(head, "x" * 3000))
            if head > 200:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert enough.wait(60)
        saved = [tools.backup(kept.folder, tmp_path / f"copy-{number}") for number in range(3)]
    finally:
        copied.set()
        writer.join()
    assert saved[0].last_seq <= saved[1].last_seq <= saved[2].last_seq
    for number, each in enumerate(saved):
        numbers = stored(tmp_path / f"copy-{number}")
        assert numbers[-1] == each.last_seq > 200
        assert sorted({*numbers, 2}) == list(range(1, each.last_seq + 1))


def test_an_existing_file_stays_as_it_is(kept: Kept, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("dear to somebody")
    with pytest.raises(FileExistsError):
        tools.backup(kept.folder, target)
    assert target.read_text() == "dear to somebody"


@pytest.mark.parametrize("fault", ["no log", "no folder", "damaged"])
def test_of_a_backup_that_fails_nothing_is_left(kept: Kept, tmp_path: Path, fault: str) -> None:
    folder, target = kept.folder, tmp_path / "backups" / "copy.db"
    target.parent.mkdir()
    if fault == "no log":
        folder = tmp_path / "elsewhere"
    elif fault == "no folder":
        target = tmp_path / "nowhere" / "copy.db"
    else:
        kept.close()
        kept.damage()
    with pytest.raises((StoreError, OSError)) as caught:
        tools.backup(folder, target)
    assert str(caught.value)
    assert os.listdir(tmp_path / "backups") == []


def test_what_is_read_is_what_happened_in_the_rooms_and_nothing_private(new: Kept) -> None:
    records = [
        Opened(1, 1, "s1", "Ann", None),
        Joined(2, 1, "#lobby", "s1", "Ann", False),
        Joined(3, 1, "#lobby", "s2", "Bo", True),
        said(4, "hi"),
        Direct(5, 1, "s1", "Ann", "s2", "Bo", "psst", None),
        TopicSet(6, 1, "#lobby", "s1", "Ann", "tea"),
        Renamed(7, 1, "", "s1", "Ann", "Anna"),
        Closed(8, 1, "s1", False),
    ]
    new.add(*records)
    assert list(tools.said_in_rooms(new.folder)) == [records[1], records[3], records[5]]


@pytest.mark.parametrize("room", ["#dev", "#DEV"])
def test_a_room_is_read_alone_however_it_is_spelt(kept: Kept, room: str) -> None:
    kept.add(said(5, "five", room="#Dev"))
    texts = [each.text for each in tools.said_in_rooms(kept.folder, room) if isinstance(each, Said)]
    assert texts == ["three", "five"]


def test_a_reader_that_stops_keeps_nobody_from_writing_and_none_from_reusing_the_wal(
    kept: Kept,
) -> None:
    reading = tools.said_in_rooms(kept.folder)
    assert last_seq(next(reading)) == 2
    kept.add(said(5, "meanwhile"))
    busy, _, _ = kept.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    assert [each.seq for each in reading] == [3, 4, 5]


def test_a_damaged_batch_is_named_and_ends_the_reading(kept: Kept) -> None:
    kept.connection.execute("UPDATE batches SET body = '[' WHERE seq = 4")
    reading = tools.said_in_rooms(kept.folder)
    assert [next(reading).seq, next(reading).seq] == [1, 3]
    with pytest.raises(StoreError, match="batch 4"):
        next(reading)


def test_a_folder_without_a_log_is_refused_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="--data"):
        next(tools.said_in_rooms(tmp_path))
    assert os.listdir(tmp_path) == []


def test_what_reads_cannot_write(kept: Kept) -> None:
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            batches._connection.execute("DELETE FROM batches")


def test_a_copy_is_another_log(kept: Kept, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    tools.backup(kept.folder, target)
    names = []
    for path in (kept.folder / LOG_FILE, target):
        with closing(Batches(path)) as batches:
            names.append(batches.name)
    assert len(set(names)) == 2
    assert all(names)


def act(seq: int, kind: str, room: str, to_sid: str = "s2") -> Act:
    return Act(seq, TIME_MS + 1000 * seq, room, "s1", "Ann", kind, "Bob", to_sid, "why", 0)


ACTS = (
    act(1, "op", "#a"),
    act(2, "lock", "#a", ""),
    act(3, "announce", "", ""),
    act(4, "announce", "#a", ""),
    act(5, "mute", ""),
    act(6, "invite", "#a"),
    act(7, "kick", "#a"),
    act(8, "ban", ""),
    act(9, "ban", "#a"),
    act(10, "unban", "#a", ""),
    act(11, "oper", ""),
)


@pytest.mark.parametrize("placed", [True, False])
def test_the_acts_are_those_of_the_moderation_stream(new: Kept, placed: bool) -> None:
    new.add(*ACTS[:5], placed=placed)
    new.add(said(12, "hi"), placed=placed)
    new.add(*(each._replace(seq=each.seq + 7) for each in ACTS[5:]), placed=placed)
    found = [*tools.acts(new.folder)]
    assert [each.act for each in found] == [
        each.act for each in ACTS if MODERATION in streams_of(each)
    ]
    assert len(found) == len(ACTS) - 1


def test_what_moderators_did_is_exported_as_far_as_the_room_read_it(new: Kept) -> None:
    new.add(*ACTS)
    found = [*tools.said_in_rooms(new.folder)]
    assert [(each.act, each.room) for each in found if type(each) is Act] == [
        *(("op", "#a"), ("lock", "#a")),
        ("announce", "#a"),
    ]
    assert found == [*tools.said_in_rooms(new.folder, "#A")]
