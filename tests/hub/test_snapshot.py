"""Snapshots: what is restored from one, with the records after it, is the state; and only what changed is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.hub import state as states
from chatcore.hub.apply import apply
from chatcore.hub.command import Dm, Join, Lock, Part, Topic
from chatcore.hub.decision import BIG_ROOM
from chatcore.hub.snapshot import Snapshot, restore
from chatcore.hub.state import State
from tests.hub.play import OPS, Play

PIECES = st.integers(0, 3)
"""How many pieces a step freezes between two commands."""


class Disk:
    """What the store does with snapshots: the newest piece of each key, all of them as of one `seq`."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.snapshot = Snapshot(house.state)
        self.pieces: dict[tuple[str, str], str] = {}
        self.seq = 0
        self.under_way = False
        self.saved: list[tuple[str, str]] = []
        """The keys of the last snapshot."""

    def step(self, most: int) -> None:
        """Some pieces of the snapshot under way, or the beginning of the next one."""
        if not self.under_way:
            self.snapshot.begin(self.house.world.log.head_seq)
            self.under_way = True
        elif self.snapshot.step(most):
            changes = self.snapshot.take_changes()
            self.saved = [(kind, key) for kind, key, _ in changes]
            self.pieces |= {(kind, key): body for kind, key, body in changes if body is not None}
            for kind, key, body in changes:
                if body is None:
                    self.pieces.pop((kind, key), None)
            self.seq = self.snapshot.seq
            self.under_way = False

    def save(self) -> list[tuple[str, str]]:
        """A whole snapshot, as of now; the keys of its pieces."""
        self.step(0)
        while self.under_way:
            self.step(1)
        return self.saved

    def started_again(self) -> State:
        """The state that a server would start with."""
        state = State()
        restore([(kind, key, body) for (kind, key), body in self.pieces.items()], state)
        self.house.collect()
        for record in self.house.records:
            if record.seq > self.seq:
                apply(state, record)
        return state


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(OPS, st.none() | PIECES), max_size=60))
def test_a_snapshot_taken_between_commands_and_the_records_after_it_give_the_state(
    new_house: Any, view: Any, ops: list[Any]
) -> None:
    house = new_house()
    disk, play = Disk(house), Play(house)
    for who, alias in enumerate(("Ann", "Bob")):
        play.run(("hello", who, alias, ["#lobby", "#a"], who == 1))
    for op, most in ops:
        play.run(op)
        if most is not None:
            disk.step(most)
            assert view(disk.started_again(), ordered=False) == view(house.state, ordered=False)
    disk.save()
    disk.save()
    restored = disk.started_again()
    assert disk.seq == house.world.log.head_seq
    assert view(restored, ordered=False) == view(house.state, ordered=False)
    assert disk.save() == [], "nothing has changed since"


def test_rooms_of_a_snapshot_that_knew_no_idle_ones_are_idle_all_the_same(new_house: Any) -> None:
    house = new_house()
    disk, ann = Disk(house), house.enter("Ann")
    for room in ("#b", "#a", "#kept"):
        house.do(ann, Join(room))
        house.say(ann, "hi", room=room)
        if room == "#kept":
            house.do(ann, Topic(room, "tea"))
        house.do(ann, Part(room))
    disk.save()
    for key, body in disk.pieces.items():
        fields = json.loads(body)
        if fields.pop("idle_seq", None):
            disk.pieces[key] = json.dumps(fields)
    assert [*disk.started_again().idle] == ["#b", "#a"] == [*house.state.idle]


ROOMS = st.sampled_from([f"#{letter}" for letter in "abcdef"])
MOST = 4
"""Rooms there may be, so that most that are made take the place of others."""

VISITS = st.tuples(
    st.sampled_from(["visit", "say", "part", "lock", "topic"]), ROOMS, st.none() | PIECES
)


@settings(max_examples=150, deadline=None)
@given(st.lists(VISITS, max_size=60))
def test_so_it_does_while_idle_rooms_make_room_for_others(
    new_house: Any, view: Any, visits: list[tuple[str, str, int | None]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "MOST_ROOMS", MOST)
        house = new_house()
        disk, ann = Disk(house), house.enter("Ann", rank="root")
        for kind, room, most in visits:
            if (kind == "visit" and house.do(ann, Join(room, move=True)).records) or kind == "say":
                house.say(ann, "hi", room=room)
            elif kind == "part":
                house.do(ann, Part(room))
            elif kind == "topic":
                house.do(ann, Topic(room, "tea"))
            elif kind == "lock":
                house.do(ann, Lock("sesame", room))
            assert len(house.state.named) <= MOST
            if most is not None:
                disk.step(most)
                assert view(disk.started_again()) == view(house.state)
        assert view(house.replayed()) == view(house.state)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(OPS, st.none() | PIECES), max_size=30))
def test_so_it_does_in_a_big_room(new_house: Any, view: Any, ops: list[Any]) -> None:
    house = new_house()
    disk, play = Disk(house), Play(house)
    for k in range(BIG_ROOM):
        house.enter(f"P{k}")
    for op, most in ops:
        play.run(op)
        if most is not None:
            disk.step(30 * most)
    assert view(disk.started_again(), ordered=False) == view(house.state, ordered=False)


@pytest.fixture
def disk(house: Any) -> Disk:
    return Disk(house)


def test_only_what_changed_is_in_a_snapshot(house: Any, disk: Disk) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    assert disk.save() == [("session", "s1"), ("session", "s2")]
    house.say(ann, "first")
    assert disk.save() == [("room", "#lobby")], "it has a history now"
    house.say(ann, "second")
    assert disk.save() == []
    house.say(bob, "third", "i")
    house.say(bob, "fourth", "j")
    assert disk.save() == [("session", "s2")]
    house.do(ann, Topic("#lobby", "tea"))
    assert disk.save() == [("room", "#lobby")]
    house.do(ann, Dm("Bob", "psst"))
    assert disk.save() == [("session", "s1"), ("session", "s2")]
    house.do(ann, Dm("Bob", "psst again"))
    assert disk.save() == []


def test_what_changes_while_a_snapshot_is_taken_is_in_it_as_it_was_and_in_the_next_as_it_is(
    house: Any, disk: Disk
) -> None:
    ann = house.enter("Ann")
    house.do(ann, Topic("#lobby", "tea"))
    disk.step(0)
    house.do(ann, Topic("#lobby", "coffee"))
    house.do(ann, Join("#new"))
    while disk.under_way:
        disk.step(1)
    assert set(disk.pieces) == {("session", "s1"), ("room", "#lobby")}
    assert json.loads(disk.pieces["room", "#lobby"])["topic"] == "tea"
    assert disk.save() == [("room", "#lobby"), ("room", "#new"), ("session", "s1")]
    assert json.loads(disk.pieces["room", "#lobby"])["topic"] == "coffee"


def test_who_is_gone_for_good_and_rooms_that_are_gone_are_taken_out(house: Any, disk: Disk) -> None:
    ann = house.enter("Ann", "#own")
    disk.save()
    assert set(disk.pieces) == {("session", "s1"), ("room", "#own")}
    house.leave(ann)
    disk.save()
    assert disk.pieces == {}


def test_a_room_that_is_made_again_while_a_snapshot_is_taken_is_not_in_it(
    house: Any, disk: Disk, view: Any
) -> None:
    ann = house.enter("Ann", "#own")
    disk.save()
    house.do(ann, Join("#lobby", move=True))
    disk.step(0)
    house.do(ann, Join("#own"))
    house.do(ann, Topic("#own", "tea"))
    while disk.under_way:
        disk.step(1)
    assert ("room", "#own") not in disk.pieces
    assert view(disk.started_again()) == view(house.state)
    assert ("room", "#own") in disk.save()


def test_a_snapshot_is_taken_in_steps_of_so_many_pieces(house: Any, disk: Disk) -> None:
    for k in range(10):
        house.enter(f"P{k}")
    disk.snapshot.begin(house.world.log.head_seq)
    assert [disk.snapshot.step(4) for _ in range(3)] == [False, False, True]
    assert len(disk.snapshot.take_changes()) == 10
    assert disk.snapshot.take_changes() == []


def test_where_no_snapshots_are_taken_nothing_is_kept_for_them(house: Any) -> None:
    ann = house.enter("Ann", "#own")
    house.say(ann, "hi", "i", room="#own")
    assert (house.state.epoch, ann.epoch, house.state.named["#own"].epoch) == (0, 0, 0)


def test_people_stand_in_the_order_in_which_they_came(house: Any, disk: Disk) -> None:
    for alias in ("Zoe", "Bob", "Ann"):
        house.enter(alias)
    disk.save()
    assert list(disk.started_again().named["#lobby"].members) == ["s1", "s2", "s3"]


def test_the_longest_lapsed_are_forgotten_first_also_after_a_restart(
    house: Any, disk: Disk
) -> None:
    """All in the same millisecond, and not in the order of their sids."""
    people = [house.enter(alias) for alias in ("Ann", "Bob", "Cy")]
    for session in reversed(people):
        house.lapse(session)
    disk.save()
    assert list(disk.started_again().lapsed) == ["s3", "s2", "s1"]


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (("session", "s1", "{"), "the session 's1' of the snapshot cannot be read"),
        (("session", "s1", "3"), "the session 's1' of the snapshot cannot be read"),
        (("session", "s1", "{}"), "the session 's1' of the snapshot cannot be read"),
        (
            ("session", "s1", '{"alias":"A","token_hash":null,"rooms":[]}'),
            "the session 's1' of the snapshot cannot be read",
        ),
        (
            ("session", "s1", '{"alias":"A","token_hash":null,"rooms":{},"ids":3}'),
            "the session 's1' of the snapshot cannot be read",
        ),
        (("room", "#a", '{"topic":""}'), "the room '#a' of the snapshot cannot be read"),
        (("club", "x", "{}"), "the club 'x' of the snapshot cannot be read: there is no such"),
        (
            ("session", "s1", '{"alias":"A","token_hash":null,"rooms":{"#a":3}}'),
            "the snapshot has no room #a, but s1 is in it",
        ),
    ],
)
def test_a_damaged_piece_is_named(piece: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        restore([piece], State())


def test_a_piece_that_is_no_more_is_passed_over(view: Any) -> None:
    state = State()
    restore([("session", "s1", None)], state)
    assert view(state) == view(State())
