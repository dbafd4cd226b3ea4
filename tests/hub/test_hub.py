"""The hub: state is the fold of the log, and everybody who asked is answered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.hub.command import (
    Away,
    Dm,
    Gather,
    History,
    Join,
    Mistake,
    Nick,
    Part,
    Ping,
    Rooms,
    Say,
    Topic,
    Who,
)
from chatcore.hub.decision import BIG_ROOM
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import Ack, Bye, Pong, Refusal, Refused, Welcome
from chatcore.log.record import Closed, Crowd, Joined, Left, Opened, Said, last_seq, lines_of
from tests.hub.play import IDS, OPS, Play


def check_order(house: Any) -> None:
    """Numbers without a hole, times that never go back."""
    seq, time_ms = 0, 0
    for record in house.records:
        assert record.seq == seq + 1
        assert record.time_ms >= time_ms
        seq, time_ms = last_seq(record), record.time_ms
    assert seq == house.world.log.head_seq


@settings(max_examples=150, deadline=None)
@given(st.lists(OPS, max_size=60))
def test_to_say_something_by_the_short_way_is_to_carry_it_out(
    new_house: Any, view: Any, ops: list[Any]
) -> None:
    """What `Hub.say` writes out is what the table of commands, the orderer and the fold would do."""
    long, short = new_house(), new_house()
    carry_out = short.do

    def do(session: Any, command: Any) -> Outcome:
        if type(command) is not Say:
            return carry_out(session, command)
        outcome = short.hub.say(session, command)
        made = short.collect()
        assert outcome is None or outcome.records == tuple(made)
        return outcome or Outcome((), tuple(made), ())

    short.do = do
    plays = (Play(long), Play(short))
    for op in [("hello", 0, "Ann", ["#lobby", "#a"], False), *ops]:
        assert plays[0].run(op) == plays[1].run(op)
    assert long.records == short.records
    assert view(long.state) == view(short.state)


@settings(max_examples=150, deadline=None)
@given(st.lists(OPS, max_size=60))
def test_the_state_is_the_fold_of_the_log(new_house: Any, view: Any, ops: list[Any]) -> None:
    house = new_house()
    play = Play(house)
    for who, alias in enumerate(("Ann", "Bob")):
        play.run(("hello", who, alias, ["#lobby", "#a"], who == 1))
    for op in ops:
        before = view(house.state)
        outcome = play.run(op)
        if outcome is not None and any(type(reply) is Refused for reply in outcome.replies):
            assert view(house.state) == before, "what is refused changes nothing"
            assert outcome.records == ()
    house.collect()
    check_order(house)
    assert view(house.replayed()) == view(house.state)


@settings(max_examples=30, deadline=None)
@given(st.lists(OPS, max_size=40))
def test_the_state_of_a_big_room_is_the_fold_of_the_log(
    new_house: Any, view: Any, ops: list[Any]
) -> None:
    """With comings and goings that are told together, at the size where that begins."""
    house = new_house()
    for k in range(BIG_ROOM - 1):
        house.enter(f"P{k}")
    play = Play(house)
    for op in ops:
        play.run(op)
    house.gather("#lobby")
    check_order(house)
    assert view(house.replayed()) == view(house.state)
    check_told(house)


def check_told(house: Any) -> None:
    """Somebody who counts along with what is shown of the lobby has as many people as are there."""
    untold: set[str] = set()
    """Whose coming or going is still to be told."""
    count = 0
    for record in house.records:
        if getattr(record, "room", "") != "#lobby":
            continue
        if type(record) is Crowd:
            count += record.joined_count - record.left_count
            untold.clear()
        elif isinstance(record, Joined | Left) and record.quiet:
            untold ^= {record.sid}
        elif isinstance(record, Joined | Left):
            assert record.sid not in untold, "the notice would say the opposite afterwards"
            count += 1 if type(record) is Joined else -1
    assert not untold
    assert count == len(house.state.named["#lobby"].members)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(IDS, st.booleans()), max_size=20))
def test_an_id_is_stored_once_whatever_is_sent_again(
    new_house: Any, runs: list[tuple[list[str], bool]]
) -> None:
    """Also inside one run, and among direct lines; the answer names the number it is stored under."""
    house = new_house()
    ann = house.enter("Ann")
    stored: dict[str, int] = {}
    for ids, direct in runs:
        if direct and ids:
            outcome = house.do(ann, Dm("Ann", "x", ids[0]))
            ids = ids[:1]
        else:
            outcome = house.say(ann, "\n".join("x" for _ in ids) or "x", *ids)
        acked = [(reply.id, reply.seq) for reply in outcome.replies]
        assert acked == [(each, stored[each]) for each in ids if each in stored]
        new = [each for each in dict.fromkeys(ids) if each not in stored]
        head = house.world.log.head_seq
        stored |= {each: head - len(new) + 1 + k for k, each in enumerate(new)}
    lines = [record for record in house.records if hasattr(record, "text")]
    seqs = {
        line_id: record.seq + k
        for record in lines
        for k, line_id in enumerate(record.ids if type(record) is Said else (record.id,))
    }
    assert seqs == stored
    nameless = sum(not ids for ids, _ in runs)
    assert sum(map(lines_of, lines)) == len(stored) + nameless


@pytest.fixture
def ann(house: Any) -> Any:
    return house.enter("Ann")


def test_a_line_of_the_usual_kind_is_answered_by_its_record_alone(house: Any, ann: Any) -> None:
    assert house.hub.say(ann, Say("#lobby", "hi")) is None
    assert [record.text for record in house.collect()] == ["hi"]


def test_each_line_that_has_an_id_gets_its_own_refusal(house: Any, ann: Any) -> None:
    outcome = house.do(ann, Say("#nowhere", "a\nb", 2, ("i", "j"), re=4))
    assert [(each.id, each.re, each.refusal.code) for each in outcome.replies] == [
        ("i", 4, "no_such_room"),
        ("j", 4, "no_such_room"),
    ]
    refusal = Refusal("bad_field", "No.")
    for command, line_id in [
        (Say("#nowhere", "a", re=4), None),
        (Dm("Nobody", "a", "i", 4), "i"),
        (Dm("Nobody", "a", None, 4), None),
        (Mistake(refusal, "i", 4), "i"),
        (Part("#nowhere", 4), None),
    ]:
        (reply,) = house.do(ann, command).replies
        assert (reply.id, reply.re) == (line_id, 4)


def test_records_are_numbered_and_dated_in_the_order_of_commands(house: Any, ann: Any) -> None:
    house.world.now_ms = 5_000
    house.do(ann, Topic("#lobby", "tea"))
    house.world.now_ms = 4_000
    house.do(ann, Topic("#lobby", "coffee"))
    assert [record.time_ms for record in house.records[-2:]] == [5_000, 5_000]
    check_order(house)


def test_presence_ends_with_the_session_and_grace_with_the_return(house: Any, ann: Any) -> None:
    presence = house.world.presence
    house.do(ann, Away("tea"))
    presence.lost(ann.sid, 0.0)
    assert type(house.lapse(ann).records[-1]) is Closed
    assert presence.person(ann).state == "here"
    presence.lost(ann.sid, 0.0)
    assert type(house.hello("Ann", token="t1").records[0]) is Opened
    assert presence.grace_left_s(ann.sid, 0.0) is None


def test_what_asks_only_changes_nothing(house: Any, ann: Any) -> None:
    head = house.world.log.head_seq
    assert house.do(ann, Ping(8)).replies == (Pong(8),)
    house.do(ann, Rooms())
    house.do(ann, Who())
    assert house.hub.gather(Gather("#lobby")) == Outcome((), (), ())
    assert house.world.log.head_seq == head
    assert house.collect() == []


FULL = Refusal(
    "storage_full",
    "The disk is full. Nothing of this was stored: try again in a moment.",
    1.0,
)


def test_while_nothing_can_be_stored_what_would_be_is_refused_with_the_reason(
    house: Any, ann: Any
) -> None:
    bob = house.enter("Bob", "#den")
    house.do(ann, Topic("#lobby", "tea"))
    house.world.trouble = "The disk is full."
    for command in [
        Say("#lobby", "hi"),
        Say(None, "waves", me=True),
        Dm("Bob", "psst"),
        Join("#new"),
        Join("#den", move=True),
        Part("#lobby"),
        Nick("Ally"),
        Topic("#lobby", "coffee"),
    ]:
        assert house.refused(ann, command) == FULL
    assert house.hub.say(ann, Say("#lobby", "hi")) == Outcome((Refused(FULL),), (), ())
    for hello in (house.hello("Cy"), house.hello("Cy", plain=True)):
        assert hello == Outcome((Refused(FULL, None, "h"),), (), ())
    for command in [Ping(), Who(), Rooms(), History(), Away("tea"), Topic(), Join("#lobby")]:
        (reply, *_) = house.do(ann, command).replies
        assert type(reply) is not Refused
    assert type(house.hello("Bob", token="t2").replies[0]) is Welcome, "a return needs no record"
    assert house.leave(bob).then == (Bye("quit"),)
    assert house.lapse(ann).records
    assert house.hello("Ann", token="t1").replies == (Refused(FULL, None, "h"),)
    house.world.trouble = ""
    assert type(house.hello("Ann", token="t1").replies[0]) is Welcome


def test_while_nothing_can_be_stored_what_is_stored_is_still_acknowledged(
    house: Any, ann: Any
) -> None:
    house.say(ann, "a\nb", "i", "j")
    house.do(ann, Dm("Ann", "c", "k"))
    seqs = [house.records[-2].seq, house.records[-2].seq + 1, house.records[-1].seq]
    house.world.trouble = "The disk is full"
    acks = [Ack(each, seq) for each, seq in zip("ijk", seqs, strict=True)]
    assert house.do(ann, Say("#lobby", "a", 1, ("i",))).replies == (acks[0],)
    assert house.do(ann, Dm("Ann", "c", "k")).replies == (acks[2],)
    outcome = house.say(ann, "a\nx\nb\ny", "i", "x", "j", "y")
    assert outcome == Outcome(
        (acks[0], acks[1], Refused(FULL, "x", None), Refused(FULL, "y", None)), (), ()
    )
    assert house.do(ann, Dm("Ann", "d", "z", 4)).replies == (Refused(FULL, "z", 4),)
    house.world.trouble = ""
    assert house.say(ann, "x\ny", "x", "y").replies == (), "what was refused was not stored"


def test_a_restart_ends_who_cannot_return_and_keeps_the_others(house: Any, view: Any) -> None:
    ann, bob = house.enter("Ann", "#lobby", "#den"), house.enter("Bob", "#den", plain=True)
    house.lapse(house.enter("Cy"))
    house.enter("Dee", "#own", plain=True)
    house.do(house.enter("Eve", "#den", plain=True), Part("#den"))
    records, held = house.hub.restart()
    assert held == [ann]
    assert ann.rooms == ("#lobby", "#den")
    assert [type(each) for each in records] == [Left, Closed, Left, Closed, Closed]
    assert all(each.why == "lost" for each in records if type(each) is Left)
    assert set(house.state.sessions) == {"s1", "s3"}
    assert set(house.state.aliases) == {"ann"}
    assert "#own" not in house.state.named
    assert bob.sid not in house.state.named["#den"].members
    assert view(house.replayed()) == view(house.state)
