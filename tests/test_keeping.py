"""What outlives the process: the state that a start finds, and when the snapshot is brought up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from chatcore import config, on_disk
from chatcore.hub.command import Arrival, Hello, Say
from chatcore.hub.hub import Hub
from chatcore.log.record import size_of
from chatcore.on_disk import SNAPSHOT_S, OnDisk, kept_words
from chatcore.reactor.loop import Reactor
from chatcore.store.schema import LOG_FILE, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Process:
    """What a server stands on, and one person who says things."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1_000.0
        settings, _ = config.load(config.parser().parse_args(["--data", str(folder)]), {})
        self.reactor = Reactor(clock=lambda: self.now)
        try:
            self.kept = OnDisk(settings, self.reactor)
        except StoreError:
            self.reactor.close()
            raise
        self.world = self.kept.world
        self.hub = Hub(self.world, self.kept.orderer)

    def join(self) -> None:
        self.hub.arrive(Arrival(Hello("Ann"), "s1", "token"))
        self.end_turn()

    def say(self, line_id: str) -> None:
        self.hub.say(self.world.state.sessions["s1"], Say("#lobby", "hi", ids=(line_id,)))
        self.end_turn()

    def end_turn(self) -> None:
        if batch := self.world.log.take_batch():
            self.kept.commit(batch)

    def pass_time(self) -> None:
        self.now += SNAPSHOT_S
        self.reactor.turn()

    def kill(self) -> None:
        """Everything handed over is written, and nothing else is done."""
        for part in (self.kept._library, self.kept._indexer, self.kept.journal, self.kept._store):
            part.close()
        self.reactor.close()

    def state_seq(self) -> int:
        with closing(sqlite3.connect(self.folder / LOG_FILE)) as log:
            found: int = log.execute("SELECT value FROM meta WHERE key = 'state_seq'").fetchone()[0]
            return found


@pytest.fixture
def process(tmp_path: Path) -> Callable[[], Process]:
    return lambda: Process(tmp_path / "data")


@pytest.fixture
def first(process: Callable[[], Process]) -> Process:
    made = process()
    made.join()
    return made


def test_after_a_kill_the_records_say_what_the_snapshot_does_not(
    first: Process, process: Callable[[], Process]
) -> None:
    first.say("a")
    head = first.world.log.head_seq
    first.kill()
    assert first.state_seq() == 0
    again = process()
    assert again.world.log.head_seq == again.world.log.durable_seq == head
    assert again.world.state.sessions["s1"].ids.seq_of("a") == head
    assert again.world.log.name == first.world.log.name
    again.kill()


def test_a_clean_stop_leaves_nothing_to_fold(
    first: Process, process: Callable[[], Process]
) -> None:
    first.say("a")
    head = first.world.log.head_seq
    first.kept.close()
    first.reactor.close()
    assert first.state_seq() == head
    again = process()
    assert again.world.state.sessions["s1"].ids.seq_of("a") == head
    again.kill()


def test_a_snapshot_is_due_by_the_clock_if_anything_happened(first: Process) -> None:
    first.pass_time()
    first.reactor.turn()
    head = first.world.log.head_seq
    first.kill()
    assert first.state_seq() == head


def test_a_snapshot_that_is_due_waits_for_the_end_of_the_turn(first: Process) -> None:
    said = Say("#lobby", "hi", ids=("a",))
    # Before the timer, in the same turn: decided, and not handed over yet.
    first.reactor.call_later(
        SNAPSHOT_S - 1, lambda: first.hub.say(first.world.state.sessions["s1"], said)
    )
    first.pass_time()
    first.end_turn()
    first.reactor.turn()
    first.kill()
    assert first.state_seq() == first.world.log.head_seq


def test_a_snapshot_is_due_after_so_many_records(
    first: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_disk, "SNAPSHOT_RECORDS", 3)
    first.say("a")
    head = first.world.log.head_seq
    first.reactor.turn()
    first.say("b")
    first.kill()
    assert first.state_seq() == head


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE state SET body = '{}' WHERE kind = 'room'",
        "DELETE FROM state WHERE kind = 'session'",
    ],
)
def test_a_snapshot_that_does_not_fit_its_log_is_refused_with_the_cause(
    first: Process, process: Callable[[], Process], damage: str
) -> None:
    first.say("before")
    first.pass_time()
    first.reactor.turn()
    first.say("after the snapshot")
    first.kill()
    with closing(sqlite3.connect(first.folder / LOG_FILE)) as log:
        log.execute(damage)
        log.commit()
    with pytest.raises(StoreError, match=LOG_FILE):
        process()


@pytest.mark.parametrize(
    ("days", "records", "words"),
    [
        (0, 0, ""),
        (1, 0, "What is said here is kept for 1 day, then deleted."),
        (30, 5_000, "What is said here is kept for 30 days or the last 5,000 lines of all rooms, then deleted."),
    ],
)  # fmt: skip
def test_those_who_join_are_told_what_is_kept(days: int, records: int, words: str) -> None:
    assert kept_words(days, records) == words


def test_the_end_of_the_log_is_in_memory_after_a_start(
    first: Process, process: Callable[[], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        first.say(f"line{number}")
    head = first.world.log.head_seq
    first.kill()
    monkeypatch.setattr(on_disk, "LINES_RECALLED", 4)
    again = process()
    stream: Any = again.world.log.streams["#lobby"]
    assert [record.seq for record in stream.records] == list(range(head - 3, head + 1))
    assert stream.floor_seq == head - 4
    assert not again.world.log.under_way
    assert not again.world.log.take_batch()
    again.kill()


def test_what_is_deleted_is_in_memory_no_more(
    first: Process, wait_for: Callable[..., None]
) -> None:
    for number in range(10):
        first.say(f"line{number}")
    head = first.world.log.head_seq
    first.pass_time()
    first.reactor.turn()
    first.kept._journal.keep(0, 4)
    wait_for(lambda: first.kept._journal.kept_from > head - 4, "the oldest are deleted")
    first.say("one more")
    stream = first.world.log.streams["#lobby"]
    assert stream.records[0].seq == first.kept._journal.kept_from
    assert stream.size == sum(map(size_of, stream.records))
    first.kill()
