from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chatcore.log.record import Closed, Opened, last_seq
from chatcore.store.schema import LOG_FILE, StoreError
from chatcore.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from chatcore.log.record import Record, Said

BATCHES = 60
LINES = 3

DAMAGES = 10
"""Of each kind and file."""

COMMIT_FOR_EVER = """
import sys, threading
from chatcore.log.record import Said
from chatcore.store.store import Store
store, woken = Store.open(sys.argv[1], "full"), threading.Event()
journal = store.journal(woken.set)
told = seq = store.head_seq
while True:
    journal.commit([Said(seq + 1, 5, "#lobby", "ann-1", "Ann", f"line {seq + 1}", 1, (), False)])
    seq += 1
    while (durable := journal.durable_seq(0.0001)) < seq - 4:
        woken.wait()
        woken.clear()
    if durable > told:
        told = durable
        print(told, flush=True)
"""
"""What a client would have been told is on the pipe when the process is killed."""


def fill(folder: Path, batches: Sequence[Sequence[Record]]) -> None:
    """Have a server's life write these."""
    store = Store.open(folder, "fast")
    journal = store.journal(lambda: None)
    for batch in batches:
        journal.commit(batch)
    journal.close()
    store.close()


def read(folder: Path, after: int = 0) -> list[Record]:
    """What a start finds. Raises StoreError."""
    with closing(Store.open(folder, "full")) as store:
        return list(store.records_after(after))


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / LOG_FILE, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.fixture
def batches(said: Callable[..., Said]) -> list[list[Said]]:
    """Two runs each, of which one takes more than one number."""
    return [
        [said(seq, LINES), said(seq + LINES)]
        for seq in range(1, BATCHES * (LINES + 1) + 1, LINES + 1)
    ]


def test_a_new_folder_is_an_empty_log_for_its_owner_alone(folder: Path) -> None:
    with closing(Store.open(folder / "deep", "full")) as store:
        assert (store.head_seq, store.head_time_ms, store.state_seq, store.kept_from) == (
            0,
            0,
            0,
            1,
        )
        assert list(store.records_after(0)) == list(store.entities()) == []
        name = store.log_name
        assert (folder / "deep").stat().st_mode & 0o777 == 0o700
    with closing(Store.open(folder / "deep", "full")) as store:
        assert store.log_name == name
    with closing(Store.open(folder / "other", "full")) as store:
        assert store.log_name != name


def test_what_was_written_is_found_in_order(folder: Path, batches: list[list[Said]]) -> None:
    fill(folder, batches)
    records = [record for batch in batches for record in batch]
    assert read(folder) == records
    with closing(Store.open(folder, "full")) as store:
        assert store.head_seq == last_seq(records[-1])
        assert store.head_time_ms == records[-1].time_ms


def test_records_after_a_number_are_cut_there(folder: Path, said: Callable[..., Said]) -> None:
    opened = Opened(6, 9_999, "bob-1", "Bob", None)
    fill(folder, [[said(1, 2), said(3, 3)], [opened, Closed(7, 9_999, "bob-1", False)], [said(8)]])
    with closing(Store.open(folder, "full")) as store:
        for after in range(9):
            found = list(store.records_after(after))
            numbers = [n for each in found for n in range(each.seq, last_seq(each) + 1)]
            assert numbers == list(range(after + 1, 9))
        (cut, *rest) = store.records_after(3)
        assert cut == said(3, 3)._replace(seq=4, text="line 4\nline 5", lines=2)
        assert rest == [opened, Closed(7, 9_999, "bob-1", False), said(8)]


def test_the_snapshot_is_found_as_it_was_saved(folder: Path, said: Callable[..., Said]) -> None:
    with closing(Store.open(folder, "full")) as store:
        journal = store.journal(lambda: None)
        journal.commit([said(1)])
        journal.save(1, [("session", "a", "{}"), ("session", "b", "{}"), ("room", "a", "[1]")])
        journal.commit([said(2)])
        journal.save(2, [("session", "a", None), ("room", "a", "[2]"), ("room", "no", None)])
        journal.close()
    with closing(Store.open(folder, "full")) as store:
        assert store.state_seq == 2
        assert sorted(store.entities()) == [("room", "a", "[2]"), ("session", "b", "{}")]


def test_a_second_server_is_refused_and_harms_nothing(
    folder: Path, said: Callable[..., Said]
) -> None:
    with closing(Store.open(folder, "full")) as store:
        journal = store.journal(lambda: None)
        journal.commit([said(1)])
        with pytest.raises(StoreError, match="Another chatcore server"):
            Store.open(folder, "full")
        journal.commit([said(2)])
        journal.close()
    assert read(folder) == [said(1), said(2)]


def test_a_refused_log_lets_go_of_the_folder(folder: Path) -> None:
    folder.mkdir()
    (folder / LOG_FILE).write_bytes(b"not a database, but somebody's " * 99)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            Store.open(folder, "full")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM batches WHERE seq = 41", "lacks the lines from 41 on"),
        ("UPDATE batches SET body = '[]' WHERE seq = 41", "lines 41 to 44 is damaged"),
        ("UPDATE batches SET body = '[[' WHERE seq = 41", "lines 41 to 44 is damaged"),
        ("UPDATE batches SET body = x'00' WHERE seq = 41", "lines 41 to 44 is damaged"),
        ("UPDATE batches SET last = 45 WHERE seq = 41", "lines 41 to 45 is damaged"),
        ("UPDATE batches SET last = 'x' WHERE seq = 41", "lines 41 to x is damaged"),
        ("UPDATE batches SET body = CAST(x'5bff5d' AS TEXT) WHERE seq = 41", "UTF-8"),
        (
            "UPDATE batches SET body = (SELECT body FROM batches WHERE seq = 1) WHERE seq = 41",
            "the number 1 where 41 is due",
        ),
        ("UPDATE batches SET body = replace(body, 'Ann', 'Enn') WHERE seq = 41", "its checksum"),
    ],
)
def test_a_damaged_batch_ends_the_start_with_its_number(
    folder: Path, batches: list[list[Said]], statement: str, words: str
) -> None:
    fill(folder, batches)
    change(folder, statement)
    with pytest.raises(StoreError, match=words):
        read(folder)
    assert read(folder, 44)[0].seq == 45, "what comes after the snapshot is enough for a start"


def test_a_damaged_newest_batch_or_snapshot_is_refused(
    folder: Path, batches: list[list[Said]]
) -> None:
    fill(folder, batches)
    change(folder, "INSERT INTO state VALUES('room', 'a', x'00')")
    with closing(Store.open(folder, "full")) as store, pytest.raises(StoreError, match="room a"):
        list(store.entities())
    change(folder, "UPDATE batches SET body = '' WHERE seq = (SELECT max(seq) FROM batches)")
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(folder, "full")


def truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def truncate_to_nothing(data: bytearray, chance: random.Random) -> None:
    data.clear()


def zero(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(0, len(data), 512)
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flip_header(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(32 if data[:1] == b"\x37" else 100)] ^= 1 << chance.randrange(8)


@pytest.fixture
def killed(tmp_path: Path, batches: list[list[Said]]) -> Path:
    """The folder of a killed server: half of its lines in the file, half still in the -wal."""
    folder, copy = tmp_path / "running", tmp_path / "killed"
    fill(folder, batches[: BATCHES // 2])
    with closing(Store.open(folder, "full")) as store:
        journal = store.journal(lambda: None)
        for batch in batches[BATCHES // 2 :]:
            journal.commit(batch)
            while journal.durable_seq(1.0) < last_seq(batch[-1]):
                pass
        shutil.copytree(folder, copy)
        journal.close()
    return copy


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("damage", [truncate, truncate_to_nothing, zero, flip, flip_header])
def test_a_damaged_file_is_refused_or_read_but_never_emptied(
    killed: Path,
    batches: list[list[Said]],
    suffix: str,
    damage: Callable[[bytearray, random.Random], None],
) -> None:
    records = [record for batch in batches for record in batch]
    in_file = len(records) // 2
    refused = 0
    for seed in range(DAMAGES):
        folder = killed.with_name(f"damaged{seed}")
        shutil.copytree(killed, folder)
        path = folder / f"{LOG_FILE}{suffix}"
        data = bytearray(path.read_bytes())
        damage(data, random.Random(seed))
        path.write_bytes(data)
        try:
            found = read(folder)
        except StoreError:
            refused += 1
            continue
        # The end of a -wal that is cut or unreadable is what a power cut leaves: lines that nobody was told of.
        fewest = in_file if suffix == "-wal" else len(records)
        assert len(found) >= fewest, f"seed {seed}"
        assert [each.seq for each in found] == [each.seq for each in records[: len(found)]]
        assert found == records[: len(found)], f"seed {seed}"
    if suffix == "-shm":
        assert not refused, "it holds nothing that is not in the others"
    if suffix == "-wal" and damage is flip_header:
        assert refused == DAMAGES, "the lines in it would be gone without a word"


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_process_loses_nothing_that_it_told(folder: Path, rounds: int) -> None:
    chance = random.Random(1)
    told = 0
    for _ in range(rounds):
        until = told + chance.randrange(1, 400)
        with subprocess.Popen(
            [sys.executable, "-c", COMMIT_FOR_EVER, str(folder)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                told = int(line)
                if told >= until:
                    break
            process.kill()
            told = max([told, *(int(line) for line in process.stdout.read().split(b"\n")[:-1])])
        found = read(folder)
        assert [each.seq for each in found] == list(range(1, len(found) + 1))
        assert [each.text for each in found] == [f"line {each.seq}" for each in found]  # type: ignore[union-attr]
        assert len(found) >= told


def test_a_file_in_place_of_the_folder_is_called_one(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("precious")
    with pytest.raises(StoreError) as caught:
        Store.open(folder, "full")
    assert str(caught.value) == (
        f"{folder} is a file, not a folder, or lies in one. Name a folder with --data."
    )
    with pytest.raises(StoreError) as caught:
        Store.open(folder / "below", "full")
    assert str(caught.value).startswith(
        f"{folder / 'below'} is a file, not a folder, or lies in one"
    )
    assert folder.read_text() == "precious"
