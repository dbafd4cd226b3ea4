"""Every kind of damage that a log can have is found and named, and a log that has none gets no fault."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chatcore.hub.apply import apply
from chatcore.hub.snapshot import Snapshot
from chatcore.hub.state import State
from chatcore.log.record import Direct, Joined, Opened
from chatcore.store.check import PAGE_ROWS, Fault, Summary, check
from chatcore.store.schema import INDEX_FILE
from tests.store.kept import TIME_MS, Kept, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = (
    said(1, "one", "two"),
    said(3, "three", room="#dev"),
    said(4, "four"),
    Direct(5, TIME_MS + 5000, "s1", "Ann", "s2", "Bo", "psst", None),
)


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Kept]:
    with closing(Kept(tmp_path)) as kept:
        yield kept


@pytest.fixture
def kept(new: Kept) -> Kept:
    new.add(*RECORDS[:2])
    new.add(*RECORDS[2:])
    return new


def faults(kept: Kept) -> list[str]:
    return [each.words for each in check(kept.folder) if isinstance(each, Fault)]


def test_what_is_sound_has_no_fault_and_each_check_says_what_it_read(kept: Kept) -> None:
    kept.connection.execute(
        """INSERT INTO state VALUES('room', '#lobby', '{"topic":"tea","history":true}')"""
    )
    kept.index(*RECORDS, until=5)
    found = list(check(kept.folder))
    assert found == [
        Summary("the file: every page read"),
        Summary("the log: 2 batches, numbers up to 5"),
        Summary("the places: 5, for numbers up to 5"),
        Summary("the snapshot: 1 pieces, as of 0"),
        Summary("the index: 5 lines, for numbers up to 5"),
    ]


def test_a_new_log_has_no_fault(new: Kept) -> None:
    assert faults(new) == []


def test_more_than_a_page_is_read_to_its_end(new: Kept) -> None:
    many = 2 * PAGE_ROWS + 1
    for seq in range(1, many + 1):
        new.add(said(seq, "x"))
    new.index(*(said(seq, "x") for seq in range(1, many + 1)), until=many)
    words = [each.words for each in check(new.folder)]
    assert f"the log: {many} batches, numbers up to {many}" in words
    assert f"the places: {many}, for numbers up to {many}" in words
    assert f"the index: {many} lines, for numbers up to {many}" in words


def test_what_is_not_placed_or_indexed_yet_is_no_fault(kept: Kept) -> None:
    kept.index(*RECORDS, until=5)
    kept.add(said(6, "six"), placed=False)
    assert faults(kept) == []


def test_what_was_removed_for_its_age_is_no_fault(kept: Kept) -> None:
    kept.index(*RECORDS, until=5)
    kept.connection.executescript(
        "BEGIN; DELETE FROM batches WHERE seq = 1; DELETE FROM places WHERE seq = 1;"
        "UPDATE meta SET value = 4 WHERE key = 'kept_from'; COMMIT"
    )
    assert faults(kept) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE batches SET body = '[' WHERE seq = 4", "batch 4: "),
        ("UPDATE batches SET body = '[[\"s\"]]' WHERE seq = 4", "batch 4: "),
        ("UPDATE batches SET body = '[]' WHERE seq = 4", "batch 4: it holds no records"),
        ("UPDATE batches SET body = CAST(x'5b22ff225d' AS TEXT) WHERE seq = 4", "batch 4: "),
        ("UPDATE batches SET body = x'5b5d' WHERE seq = 4", "batch 4: a row with other types"),
        ("UPDATE batches SET last = 6 WHERE seq = 4", "it holds 4 to 5, and not up to 6"),
        ("UPDATE batches SET last = 4 WHERE seq = 1", "batch 4: the one before it goes up to 4"),
        ("UPDATE batches SET time_ms = 1 WHERE seq = 4", "batch 4: its time is before that"),
        ("UPDATE batches SET time_ms = 1 WHERE seq = 1", "its time is not that of its first"),
        ("UPDATE batches SET streams = '#lobby' WHERE seq = 1", "it is said to be of #lobby, and"),
        ("UPDATE batches SET streams = '' WHERE seq = 1", "it is said to be of no stream, and"),
        ("UPDATE batches SET body = replace(body, 'Ann', 'Enn') WHERE seq = 4", "4: its checksum"),
        ("UPDATE batches SET crc = 'x' WHERE seq = 4", "batch 4: its checksum is not the one"),
        ("DELETE FROM places WHERE stream = '#dev'", "the place of #dev in batch 1 is missing"),
        ("INSERT INTO places VALUES('#dev', 4)", "the place of #dev in batch 4: it holds nothing"),
        ("INSERT INTO places VALUES('#dev', 7)", "the place of #dev in batch 7: there is no such"),
        ("INSERT INTO state VALUES('room', '#a', '{')", "the snapshot: the room #a is not JSON"),
        ("INSERT INTO state VALUES('room', '#a', x'7b')", "the snapshot: the room #a is not JSON"),
        ("INSERT INTO state VALUES('room', '#a', '[1]')", "'#a' of the snapshot cannot be read"),
        ("INSERT INTO state VALUES('hat', '#a', '{}')", "there is no such kind"),
    ],
)
def test_a_log_that_contradicts_itself_is_told_where(kept: Kept, change: str, fault: str) -> None:
    assert faults(kept) == []
    kept.connection.execute(change)
    assert any(fault in words for words in faults(kept)), faults(kept)


def test_a_snapshot_that_lacks_a_piece_is_told_before_a_start_meets_it(kept: Kept) -> None:
    state = State()
    snapshot = Snapshot(state)
    apply(state, Opened(1, TIME_MS, "s1", "Ann", None))
    apply(state, Joined(2, TIME_MS, "#dev", "s1", "Ann", True))
    snapshot.begin(2)
    assert snapshot.step()
    kept.connection.executemany("INSERT INTO state VALUES(?, ?, ?)", snapshot.take_changes())
    assert faults(kept) == []
    kept.connection.execute("DELETE FROM state WHERE kind = 'room'")
    assert faults(kept) == ["the snapshot has no room #dev, but s1 is in it"]


def test_a_batch_that_is_missing_in_the_middle_is_told(kept: Kept) -> None:
    kept.add(said(6, "six"))
    kept.connection.executescript(
        "DELETE FROM batches WHERE seq = 4; DELETE FROM places WHERE seq = 4"
    )
    assert faults(kept) == ["batch 6: the numbers from 4 to 5 are missing"]


def test_numbers_and_times_within_a_batch_go_on(new: Kept) -> None:
    new.add(said(1, "one"), said(3, "three"), said(4, "four")._replace(time_ms=TIME_MS))
    assert faults(new) == ["batch 1: 3 follows 1", "batch 1: the time of 4 is before that of 3"]


def test_one_damaged_batch_does_not_hide_the_next(kept: Kept) -> None:
    kept.connection.execute("UPDATE batches SET body = '['")
    assert [words[:8] for words in faults(kept)] == ["batch 1:", "batch 4:"]


def test_a_damaged_page_is_told_and_the_other_checks_go_on(kept: Kept) -> None:
    kept.close()
    kept.damage()
    found = list(check(kept.folder))
    assert any(isinstance(each, Fault) for each in found)
    assert Summary("the log: 2 batches, numbers up to 5") in found


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("DELETE FROM lines WHERE rowid = 2", "line 2 is missing"),
        ("DELETE FROM lines WHERE rowid = 5", "line 5 is missing"),
        ("UPDATE lines SET text = 'other' WHERE rowid = 3", "line 3 is another"),
        ("INSERT INTO lines(rowid, text) VALUES(9, 'x')", "it has 1 lines beyond 5"),
        ("UPDATE meta SET value = 4 WHERE key = 'indexed_seq'", "it has 1 lines beyond 4"),
        ("UPDATE lines SET rowid = 0 WHERE rowid = 1", "line 1 is missing"),
        ("UPDATE lines SET tags = 'other' WHERE rowid = 3", "line 3 is another"),
        ("UPDATE lines SET body = '[]' WHERE rowid = 3", "line 3 is another"),
        ("UPDATE meta SET value = 6 WHERE key = 'indexed_seq'", "the log up to 6, which ends at 5"),
        ("DROP TABLE lines_content", "index.db cannot be compared"),
    ],
)
def test_an_index_that_disagrees_with_the_log_is_told_where(
    kept: Kept, change: str, fault: str
) -> None:
    index = kept.index(*RECORDS, until=5)
    assert faults(kept) == []
    index.execute(change)
    (words,) = faults(kept)
    assert fault in words


@pytest.mark.parametrize(
    "change",
    ["UPDATE meta SET value = 'other' WHERE key = 'log'", "PRAGMA user_version = 99"],
)
def test_an_index_that_will_be_made_anew_is_no_fault(kept: Kept, change: str) -> None:
    kept.index(until=5).execute(change)
    *_, last = check(kept.folder)
    assert last == Summary("the index: it is not of this log, the server makes it anew")
    (kept.folder / INDEX_FILE).unlink()
    *_, last = check(kept.folder)
    assert last == Summary("the index: there is none, the server makes it")


def test_an_index_that_is_no_database_is_a_fault_with_a_way_out(kept: Kept) -> None:
    (kept.folder / INDEX_FILE).write_bytes(b"\xff" * 8192)
    (words,) = faults(kept)
    assert "delete index.db" in words
