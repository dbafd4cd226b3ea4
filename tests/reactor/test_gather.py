"""When a turn looks again, and when it waits for more: under load it is to serve all who are about to speak."""

from __future__ import annotations

import selectors

import pytest

from chatcore.reactor.loop import BATCH_S, DEAR_S, GATHER_S, Reactor
from tests.reactor.conftest import FakeClock, FakeSelector, Recorder

READ = selectors.EVENT_READ
PEOPLE = range(100, 110)
SOON_S = GATHER_S / 20
"""From the moment that the loop waits until the next one of those who come later speaks."""


class LaterSelector(FakeSelector):
    """Where the loop waits, those in `later` come, one after the other."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.later: list[int] = []

    def select(self, timeout=None):
        if timeout and self.later and not self.ready:
            self._clock.advance(SOON_S)
            self.ready[self.later.pop(0)] = READ
        return super().select(timeout)


class Room:
    """Ten people who speak whenever they are said to be ready, and a turn's end that takes its time."""

    def __init__(self, end_s: float = 2 * DEAR_S) -> None:
        self.clock = FakeClock()
        self.selector = LaterSelector(self.clock)
        self.reactor = Reactor(self.selector, self.clock)
        self.end_s = end_s
        self.told: list[str] = []
        self.turns: list[int] = []
        """How many were heard in each turn."""
        self.people = {fd: Recorder("", self.told) for fd in PEOPLE}
        for fd, person in self.people.items():
            self.reactor.watch(fd, person, read=True, write=False)
        self.reactor.after_turn = self.end

    def end(self) -> None:
        self.turns.append(len(self.told))
        self.told.clear()
        self.clock.advance(self.end_s)

    def turn(self, now=(), later=()) -> float:
        """One turn, for which the first are ready and the others come when it waits. How long it took."""
        self.selector.ready = dict.fromkeys(now, READ)
        self.selector.later = list(later)
        began = self.clock()
        self.reactor.turn()
        return self.clock() - began

    @property
    def waits(self) -> list[float | None]:
        """The last turn's looks at the selector, and how long each was to wait."""
        waits = self.selector.waits[:]
        self.selector.waits.clear()
        return waits


@pytest.fixture
def room():
    made = Room()
    yield made
    made.reactor.close()


def test_what_comes_while_a_turn_reads_is_served_by_it(room):
    def another_speaks() -> None:
        room.selector.ready[102] = READ
        room.people[101].then = lambda: None

    room.people[101].then = another_speaks
    room.turn([100, 101])
    assert room.turns == [3]


def test_a_turn_after_a_busy_one_waits_for_those_who_are_about_to_speak(room):
    room.turn(PEOPLE)
    room.turn([100], later=PEOPLE[1:])
    assert room.turns == [10, 10]


def test_it_waits_no_longer_than_for_as_many_as_spoke_before(room):
    room.turn(PEOPLE[:4])
    assert room.waits
    took_s = room.turn([100], later=[101, 102, 103, 104, 105])
    assert room.turns == [4, 4]
    assert took_s == pytest.approx(3 * SOON_S + room.end_s)
    assert room.selector.later == [104, 105]


def test_when_nobody_else_speaks_it_has_waited_once_and_a_moment(room):
    room.turn(PEOPLE)
    assert room.turn([100]) == pytest.approx(GATHER_S + room.end_s)
    room.turn([100])
    assert room.turn([100]) == pytest.approx(room.end_s)
    assert room.turns == [10, 1, 1, 1]


def test_a_trickle_does_not_hold_the_first_one_back(room):
    room.turn(range(100, 110))
    for fd in range(200, 300):
        room.reactor.watch(fd, Recorder("", room.told), read=True, write=False)
    room.reactor._found = 1_000
    took_s = room.turn([100], later=range(200, 300))
    assert took_s <= 2 * GATHER_S + room.end_s
    assert 10 < room.turns[-1] < 50


def test_half_as_many_are_worth_a_turn_of_their_own(room):
    room.turn(PEOPLE)
    assert room.turn(PEOPLE[:6], later=PEOPLE[6:]) == pytest.approx(room.end_s)
    assert room.turns == [10, 6]


def test_a_turn_that_costs_next_to_nothing_is_not_waited_for():
    room = Room(end_s=DEAR_S / 2)
    room.turn(PEOPLE)
    room.waits  # noqa: B018 - forgets them
    room.turn([100], later=PEOPLE[1:])
    assert room.turns == [10, 1]
    assert not any(room.waits[1:])
    room.reactor.close()


def test_one_who_speaks_into_a_silence_is_heard_at_once(room):
    room.turn(PEOPLE)
    room.clock.advance(2 * GATHER_S)
    assert room.turn([100]) == pytest.approx(room.end_s)


def test_what_is_queued_is_not_kept_waiting(room):
    done: list[str] = []
    room.turn(PEOPLE)
    room.reactor.call_soon(lambda: done.append("queued before"))
    assert room.turn([100]) == pytest.approx(room.end_s)
    room.turn(PEOPLE)
    room.people[100].then = lambda: room.reactor.call_soon(lambda: done.append("queued in it"))
    assert room.turn([100]) == pytest.approx(room.end_s)
    room.people[100].then = lambda: None
    room.turn()
    assert done == ["queued before", "queued in it"]


@pytest.mark.parametrize("in_s", [0.0, GATHER_S / 10])
@pytest.mark.parametrize("now", [[], [100]])
def test_a_timer_that_is_due_is_not_kept_waiting(room, in_s, now):
    fired: list[float] = []
    room.turn(PEOPLE)
    began = room.clock()
    room.reactor.call_later(in_s, lambda: fired.append(room.clock() - began))
    room.turn(now)
    while not fired:
        room.turn()
    assert fired[0] < GATHER_S


def test_what_is_left_over_is_counted_where_it_is_handled(room):
    for fd in range(300, 340):
        slow = Recorder("", room.told)
        slow.then = lambda: room.clock.advance(BATCH_S / 10)
        room.reactor.watch(fd, slow, read=True, write=False)
    counted = []
    room.turn(range(300, 340))
    counted.append(room.reactor._found)
    while room.reactor._ready:
        room.turn()
        counted.append(room.reactor._found)
    assert counted == room.turns
    assert sum(counted) == 40


def test_a_turn_whose_time_is_used_up_looks_for_no_more(room):
    def another_speaks() -> None:
        room.clock.advance(1.01 * BATCH_S)
        room.selector.ready[102] = READ

    room.people[101].then = another_speaks
    room.turn([100, 101])
    assert room.turns == [2]
    room.reactor.turn()
    assert room.turns == [2, 1]


def test_to_wait_for_more_is_no_work(room):
    room.turn(PEOPLE)
    before_s = room.reactor.stats.busy_s
    room.turn([100])
    assert room.reactor.stats.busy_s - before_s == pytest.approx(room.end_s)
    assert room.reactor.stats.longest_stall_s == pytest.approx(room.end_s)


def test_a_fault_while_more_is_gathered_costs_nobody_else_anything(room):
    def fail() -> None:
        raise RuntimeError("a bug")

    room.turn(PEOPLE)
    room.people[103].then = fail
    room.turn([100], later=PEOPLE[1:])
    assert room.turns == [10, 10]
    assert [len(person.faults) for person in room.people.values()] == [0, 0, 0, 1, *[0] * 6]
