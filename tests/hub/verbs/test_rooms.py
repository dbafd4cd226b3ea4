"""Rooms: going in and out, topics, who is there, which there are, and the notices of big ones."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chatcore.hub import state as states
from chatcore.hub.command import Ban, Join, Lock, Part, Rooms, Topic, Who
from chatcore.hub.decision import BIG_ROOM, PEOPLE_ON_JOIN
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import Done, Entered, HistoryPage, People, RoomList, RoomView
from chatcore.hub.state import Room
from chatcore.hub.verbs.rooms import MOST_ROOMS, ROOMS_A_SESSION, ROOMS_LISTED
from chatcore.log.record import Crowd, Joined, Left, TopicSet


@pytest.fixture
def ann(house: Any) -> Any:
    return house.enter("Ann")


def test_a_new_room_is_made_with_its_topic_and_one_stays_in_the_others(
    house: Any, ann: Any
) -> None:
    head = house.world.log.head_seq
    outcome = house.do(ann, Join("#Den", "tea", re=3))
    assert outcome.records == (
        Joined(head + 1, 1_000, "#Den", ann.sid, "Ann", quiet=False),
        TopicSet(head + 2, 1_000, "#Den", ann.sid, "Ann", "tea"),
    )
    (entered,) = outcome.replies
    assert type(entered) is Entered
    assert (entered.view.room, entered.view.size, entered.re) == ("#Den", 1, 3)
    assert ann.rooms == ("#lobby", "#Den")


def test_a_room_that_is_there_keeps_its_name_and_topic(house: Any, ann: Any) -> None:
    bob = house.enter("Bob", "#Den")
    house.do(bob, Topic("#Den", "tea"))
    house.say(bob, "hi", room="#Den")
    outcome = house.do(ann, Join("#DEN", "coffee"))
    assert [type(record) for record in outcome.records] == [Joined]
    entered, page = outcome.replies
    assert entered.view == RoomView("#Den", "tea", 2, entered.view.people)
    assert [person.alias for person in entered.view.people] == ["Bob", "Ann"]
    assert type(page) is HistoryPage
    assert ann.rooms == ("#lobby", "#Den")


def test_joining_a_room_again_shows_it_and_changes_nothing(house: Any, ann: Any) -> None:
    outcome = house.do(ann, Join("#LOBBY", re=3))
    assert outcome.records == ()
    assert outcome.replies[0].view.size == 1


def test_moving_leaves_the_other_rooms(house: Any, ann: Any) -> None:
    house.do(ann, Join("#a"))
    records = house.do(ann, Join("#b", move=True)).records
    assert [(type(each), each.room) for each in records] == [
        (Left, "#lobby"),
        (Left, "#a"),
        (Joined, "#b"),
    ]
    assert {each.why for each in records[:2]} == {"moved"}
    assert ann.rooms == ("#b",)
    assert "#a" not in house.state.named


@pytest.mark.parametrize(
    ("room", "code"),
    [("", "room_empty"), ("den", "room_not_allowed"), ("#" + "x" * 33, "room_too_long")],
)
def test_a_name_that_no_room_may_have_is_refused(
    house: Any, ann: Any, room: str, code: str
) -> None:
    assert house.refused(ann, Join(room)).code == code


def test_one_is_in_so_many_rooms_and_no_more_but_may_move(house: Any, ann: Any) -> None:
    for k in range(ROOMS_A_SESSION - 1):
        house.do(ann, Join(f"#{k}"))
    assert house.refused(ann, Join("#more")).code == "too_many_rooms"
    house.do(ann, Join("#more", move=True))
    assert ann.rooms == ("#more",)


def test_there_are_so_many_rooms_and_no_more(house: Any, ann: Any) -> None:
    for k in range(MOST_ROOMS - 1):
        house.state.add_room(Room(f"#{k}"))
    assert house.refused(ann, Join("#more")).code == "too_many_rooms"
    assert house.hello("Bob", "#more").replies[0].refusal.code == "too_many_rooms"
    house.do(ann, Join("#7"))
    assert "#7" in ann.rooms


@pytest.fixture
def few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MOST_ROOMS", 4)


def leave_with_a_line(house: Any, session: Any, *rooms: str) -> None:
    for room in rooms:
        house.do(session, Join(room))
        house.say(session, "hi", room=room)
        house.do(session, Part(room))


@pytest.mark.usefixtures("few_rooms")
def test_when_there_are_as_many_as_there_may_be_the_longest_idle_makes_room(
    house: Any, ann: Any
) -> None:
    leave_with_a_line(house, ann, "#a", "#b", "#c", "#a")
    house.do(ann, Join("#new"))
    assert [*house.state.named] == ["#lobby", "#a", "#c", "#new"]
    assert house.state.take_forgotten() == ["#b"]
    house.do(ann, Join("#b"))
    assert [*house.state.named] == ["#lobby", "#a", "#new", "#b"]
    house.do(ann, Join("#more"))
    assert house.refused(ann, Join("#most")).code == "too_many_rooms"
    assert house.hello("Bob", "#most").replies[0].refusal.code == "too_many_rooms"


@pytest.mark.usefixtures("few_rooms")
def test_a_hello_makes_as_many_as_there_are_idle_ones_and_takes_none_that_it_names(
    house: Any, ann: Any
) -> None:
    leave_with_a_line(house, ann, "#a", "#b", "#c")
    assert house.hello("Bob", "#1", "#2", "#3", "#4").replies[0].refusal.code == "too_many_rooms"
    # The longest idle is one of those that it names: it is entered, and not made again.
    assert house.hello("Bob", "#1", "#2", "#3", "#a").replies[0].refusal.code == "too_many_rooms"
    since = house.state.named["#a"].since
    bob = house.enter("Bob", "#1", "#2", "#a")
    assert [*house.state.named] == ["#lobby", "#a", "#1", "#2"]
    assert house.state.named["#a"].since == since
    assert [*house.state.named["#a"].moderators] == [ann.sid]
    assert bob.rooms == ("#a", "#1", "#2")


@pytest.mark.usefixtures("few_rooms")
@pytest.mark.parametrize(
    "keep",
    [Topic("#a", "tea"), Lock("sesame", "#a"), Ban("Eve", "#a")],
    ids=["topic", "lock", "ban"],
)
def test_a_room_with_a_topic_a_lock_or_a_ban_is_never_forgotten(
    house: Any, ann: Any, keep: Any
) -> None:
    house.do(ann, Join("#a"))
    house.say(ann, "hi", room="#a")
    house.do(ann, keep)
    house.do(ann, Part("#a"))
    leave_with_a_line(house, ann, "#b", "#c", "#d", "#e")
    assert [*house.state.named] == ["#lobby", "#a", "#d", "#e"]


@pytest.mark.usefixtures("few_rooms")
def test_one_that_is_locked_while_nobody_is_in_it_is_idle_no_more_until_it_is_opened(
    house: Any, ann: Any
) -> None:
    house.rise(ann, "root")
    leave_with_a_line(house, ann, "#a", "#b", "#c")
    house.do(ann, Lock("sesame", "#a"))
    assert [*house.state.idle] == ["#b", "#c"]
    house.do(ann, Lock("", "#a"))
    assert [*house.state.idle] == ["#b", "#c", "#a"]


def test_ten_thousand_idle_rooms_are_forgotten_at_the_price_of_any_join(
    house: Any, ann: Any
) -> None:
    leave_with_a_line(house, ann, *(f"#{k}" for k in range(MOST_ROOMS - 1)))
    began = time.perf_counter()
    leave_with_a_line(house, ann, *(f"#new{k}" for k in range(1_000)))
    took_us = (time.perf_counter() - began) * 1_000
    print(f"\n1,000 joins with {MOST_ROOMS:,} rooms: {took_us:.0f} µs each, with a line and a part")
    assert len(house.state.named) == MOST_ROOMS
    assert "#998" not in house.state.named
    assert "#1000" in house.state.named


def test_who_parts_has_left_that_room_only(house: Any, ann: Any) -> None:
    house.do(ann, Join("#a"))
    head = house.world.log.head_seq
    assert house.do(ann, Part("#LOBBY", 9)) == Outcome(
        (),
        (Left(head + 1, 1_000, "#lobby", ann.sid, "Ann", "quit", "", quiet=False),),
        (Done("You have left #lobby.", {"room": "#lobby"}, 9),),
    )
    assert ann.rooms == ("#a",)
    assert house.refused(ann, Part("#lobby")).code == "not_in_room"
    assert house.refused(ann, Part("#never")).code == "no_such_room"


def test_an_empty_room_without_topic_or_history_is_gone(house: Any, ann: Any) -> None:
    for room in ("#empty", "#topic", "#history"):
        house.do(ann, Join(room))
    house.do(ann, Topic("#topic", "tea"))
    house.say(ann, "hi", room="#history")
    for room in (*ann.rooms,):
        house.do(ann, Part(room))
    assert set(house.state.named) == {"#lobby", "#topic", "#history"}


def test_a_topic_is_set_cleared_and_asked_for(house: Any, ann: Any) -> None:
    assert house.do(ann, Topic(re=1)) == Outcome(
        (
            Done(
                "#lobby has no topic. Set one: /topic words",
                {"room": "#lobby", "topic": ""},
                1,
            ),
        ),
        (),
        (),
    )
    head = house.world.log.head_seq
    assert house.do(ann, Topic(None, "tea", 2)) == Outcome(
        (),
        (TopicSet(head + 1, 1_000, "#lobby", ann.sid, "Ann", "tea"),),
        (Done("", {"room": "#lobby"}, 2),),
    )
    assert house.do(ann, Topic("#lobby")).replies == (
        Done("Topic of #lobby: tea", {"room": "#lobby", "topic": "tea"}),
    )
    house.do(ann, Topic("#lobby", ""))
    assert house.state.named["#lobby"].topic == ""


def test_the_topic_of_a_room_one_is_not_in_is_left_alone(house: Any, ann: Any) -> None:
    house.enter("Bob", "#den")
    assert house.refused(ann, Topic("#den", "mine")).code == "not_in_room"
    house.do(ann, Join("#a"))
    assert house.refused(ann, Topic(None, "which?")).code == "bad_field"


def test_who_tells_of_one_room_or_of_all_that_one_is_in(house: Any, ann: Any) -> None:
    house.enter("Bob")
    house.do(ann, Join("#den"))
    (reply,) = house.do(ann, Who(re=4)).replies
    assert type(reply) is People
    assert reply.re == 4
    assert [
        (view.room, view.size, [person.alias for person in view.people]) for view in reply.rooms
    ] == [("#lobby", 2, ["Ann", "Bob"]), ("#den", 1, ["Ann"])]
    (reply,) = house.do(ann, Who("#DEN")).replies
    assert [view.room for view in reply.rooms] == ["#den"]
    assert house.refused(ann, Who("#never")).code == "no_such_room"


def test_rooms_are_listed_the_fullest_first_then_by_name(house: Any, ann: Any) -> None:
    house.enter("Bob", "#b", "#a", "#lobby")
    house.do(ann, Topic("#lobby", "tea"))
    (reply,) = house.do(ann, Rooms(5)).replies
    assert reply == RoomList(
        (("#lobby", "tea", 2, False), ("#a", "", 1, False), ("#b", "", 1, False)), 0, 5
    )


def test_a_long_list_of_rooms_says_how_many_there_are_beyond_it(house: Any, ann: Any) -> None:
    for k in range(ROOMS_LISTED + 6):
        house.state.add_room(Room(f"#{k}"))
    (reply,) = house.do(ann, Rooms()).replies
    assert (len(reply.rooms), reply.more) == (ROOMS_LISTED, 7)


# Big rooms


@pytest.fixture
def crowd(house: Any) -> list[Any]:
    """A lobby with exactly as many people as are told one by one."""
    return [house.enter(f"P{k}") for k in range(BIG_ROOM)]


def shown(outcome: Outcome) -> list[tuple[type, str]]:
    """The comings and goings that everybody is shown as they are."""
    return [
        (type(record), record.alias)
        for record in outcome.records
        if isinstance(record, Joined | Left) and not record.quiet
    ]


def test_comings_and_goings_of_a_big_room_are_gathered_in_one_notice(
    house: Any, crowd: list[Any]
) -> None:
    new = [house.hello(f"N{k}") for k in range(5)]
    assert [shown(outcome) for outcome in new] == [[]] * 5
    for session in crowd[:3]:
        assert shown(house.leave(session)) == []
    head = house.world.log.head_seq
    assert house.gather("#lobby").records == (
        Crowd(head + 1, 1_000, "#lobby", ("N0", "N1"), 5, ("P0", "P1"), 3, BIG_ROOM + 2),
    )
    assert house.gather("#lobby") == Outcome((), (), ()), "told once"


def test_up_to_the_limit_everybody_is_told_one_by_one(house: Any, crowd: list[Any]) -> None:
    assert all(not record.quiet for record in house.records if isinstance(record, Joined))
    assert shown(house.leave(crowd[0])) == [(Left, "P0")]
    assert shown(house.hello("Zed")) == [(Joined, "Zed")]


def test_who_comes_and_goes_between_two_notices_is_not_told_at_all(
    house: Any, crowd: list[Any]
) -> None:
    zed = house.enter("Zed")
    house.leave(zed)
    assert house.gather("#lobby").records == ()
    house.enter("Yan")
    house.gather("#lobby")
    house.do(crowd[0], Part("#lobby"))
    house.enter("Xia")
    house.do(crowd[0], Join("#lobby"))
    (record,) = house.gather("#lobby").records
    assert (record.joined, record.left) == (("Xia",), ())


def test_who_came_quietly_is_not_told_to_have_left_before_it_is_told_to_have_come(
    house: Any, crowd: list[Any]
) -> None:
    """The room became small enough to be told one by one while the notice was still to come."""
    zed = house.enter("Zed")
    house.leave(crowd[0])
    assert len(house.state.named["#lobby"].members) == BIG_ROOM
    assert shown(house.leave(zed)) == []
    (record,) = house.gather("#lobby").records
    assert (record.joined_count, record.left) == (0, ("P0",))


def test_who_went_quietly_is_not_told_to_be_back_before_it_is_told_to_have_gone(
    house: Any, crowd: list[Any]
) -> None:
    house.enter("Zed")
    house.gather("#lobby")
    house.do(crowd[0], Part("#lobby"))
    house.leave(crowd[1])
    assert shown(house.do(crowd[0], Join("#lobby"))) == []
    assert house.gather("#lobby").records == ()


def test_who_joins_a_big_room_is_shown_the_first_of_its_people_and_itself(
    house: Any, crowd: list[Any]
) -> None:
    (view,) = house.hello("Zed").replies[0].rooms
    assert view.size == BIG_ROOM + 1
    assert len(view.people) == PEOPLE_ON_JOIN + 1
    assert view.people[-1].alias == "Zed"


def test_a_room_that_is_gone_is_not_told_of(house: Any) -> None:
    assert house.gather("#never") == Outcome((), (), ())
