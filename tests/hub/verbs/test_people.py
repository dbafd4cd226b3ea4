"""People arrive, come back, change their alias, are away, and leave."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub.command import Away, Join, Nick, Part, Quit, Topic
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import Bye, Done, HistoryPage, Person, Refused, RoomView, Welcome
from chatcore.hub.session import TOKEN_DAYS, hash_of
from chatcore.hub.verbs.people import MS_A_DAY
from chatcore.hub.verbs.rooms import ROOMS_A_SESSION
from chatcore.log.record import Closed, Joined, Left, Opened, Renamed


def code_of(outcome: Outcome) -> str:
    """The code of a refused hello, which changed nothing."""
    (reply,) = outcome.replies
    assert type(reply) is Refused
    assert reply.re == "h"
    assert outcome.records == outcome.then == ()
    return reply.refusal.code


def test_an_arrival_is_welcomed_into_the_lobby(house: Any) -> None:
    house.enter("Bob")
    head = house.world.log.head_seq
    outcome = house.hello("Ann")
    people = (Person("Bob", "here", ""), Person("Ann", "here", ""))
    assert outcome.replies == (
        Welcome(
            "log-1",
            "s2",
            "t2",
            "Ann",
            False,
            head,
            120.0,
            (RoomView("#lobby", "", 2, people),),
            "h",
        ),
    )
    assert outcome.records == (
        Opened(head + 1, 1_000, "s2", "Ann", hash_of("t2")),
        Joined(head + 2, 1_000, "#lobby", "s2", "Ann", quiet=False),
    )
    assert outcome.then == ()


def test_a_plain_arrival_has_no_token(house: Any) -> None:
    outcome = house.hello("Ann", plain=True)
    assert outcome.replies[0].token is None
    assert outcome.records[0].token_hash is None


def test_an_arrival_goes_to_each_room_it_names_once(house: Any) -> None:
    house.enter("Bob", "#Den")
    outcome = house.hello("Ann", "#DEN", "#den", "#new")
    assert [view.room for view in outcome.replies[0].rooms] == ["#Den", "#new"]
    assert [record.room for record in outcome.records[1:]] == ["#Den", "#new"]


def test_an_arrival_is_shown_what_was_said_in_its_rooms(house: Any) -> None:
    bob = house.enter("Bob", "#a", "#b")
    house.say(bob, "hi", room="#a")
    replies = house.hello("Ann", "#a", "#b").replies
    assert [type(reply) for reply in replies] == [Welcome, HistoryPage]
    assert replies[1].room == "#a"


@pytest.mark.parametrize(
    ("alias", "rooms", "code"),
    [
        ("", (), "alias_empty"),
        ("A" * 33, (), "alias_too_long"),
        ("a b", (), "alias_not_allowed"),
        ("ANN", (), "alias_taken"),
        ("Zed", ("lobby",), "room_not_allowed"),
        ("Zed", ("#lobby", "#a b"), "room_not_allowed"),
        ("Zed", tuple(f"#{k}" for k in range(ROOMS_A_SESSION + 1)), "too_many_rooms"),
    ],
)
def test_an_arrival_that_cannot_be_is_refused_with_the_reason(
    house: Any, alias: str, rooms: tuple[str, ...], code: str
) -> None:
    house.enter("Ann")
    assert code_of(house.hello(alias, *rooms)) == code
    assert list(house.state.sessions) == ["s1"]


def test_an_alias_in_grace_is_refused_with_the_time_it_is_held(house: Any) -> None:
    ann = house.enter("Ann")
    house.world.now = 50.0
    house.world.presence.lost(ann.sid, 10.0)
    outcome = house.hello("ann")
    assert code_of(outcome) == "alias_in_grace"
    assert outcome.replies[0].refusal.retry_s == 80.0
    assert "80 s" in outcome.replies[0].refusal.words


def test_a_return_within_the_grace_changes_nothing_and_goes_on_after_the_position(
    house: Any,
) -> None:
    ann = house.enter("Ann", "#a", "#b")
    house.world.presence.lost(ann.sid, 0.0)
    head = house.world.log.head_seq
    outcome = house.hello("Whoever", "#c", token="t1", after=2)
    (welcome,) = outcome.replies
    assert (welcome.sid, welcome.token, welcome.alias) == ("s1", "t1", "Ann")
    assert (welcome.resumed, welcome.seq) == (True, 2)
    assert [view.room for view in welcome.rooms] == ["#a", "#b"]
    assert outcome.records == ()
    assert house.hello("Ann", token="t1").replies[0].seq == head
    assert house.hello("Ann", token="t1", after=10**9).replies[0].seq == head


@pytest.mark.parametrize(("token", "log"), [("t1", "log-0"), ("t9", "log-1")])
def test_an_unknown_token_or_another_log_is_a_fresh_arrival(
    house: Any, token: str, log: str
) -> None:
    house.enter("Ann")
    assert code_of(house.hello("Ann", token=token, log=log, after=1)) == "alias_taken"
    welcome = house.hello("Zed", token=token, log=log, after=1).replies[0]
    assert (welcome.resumed, welcome.sid, welcome.token) == (False, "s3", "t3")
    assert welcome.seq == house.world.log.head_seq - 2, "records from its own arrival on"


def test_when_the_grace_is_over_one_has_left_and_the_alias_is_free(house: Any) -> None:
    ann = house.enter("Ann", "#a", "#b")
    house.world.presence.lost(ann.sid, 0.0)
    head = house.world.log.head_seq
    outcome = house.lapse(ann)
    assert outcome.records == (
        Left(head + 1, 1_000, "#a", "s1", "Ann", "lost", "", quiet=False),
        Left(head + 2, 1_000, "#b", "s1", "Ann", "lost", "", quiet=False),
        Closed(head + 3, 1_000, "s1", lapsed=True),
    )
    assert house.state.holder("Ann") is None
    assert house.world.presence.grace_left_s("s1", 0.0) is None
    assert house.hello("Ann").replies[0].sid == "s2"


def test_who_lapsed_comes_back_as_the_same_session_into_the_same_rooms(house: Any) -> None:
    ann = house.enter("Ann", "#a", "#b")
    bob = house.enter("Bob", "#a")
    house.say(ann, "hi", "i", room="#a")
    head = house.world.log.head_seq
    house.lapse(ann)
    house.say(bob, "where is she?", room="#a")
    outcome = house.hello("Anna", token="t1", after=head)
    (welcome,) = outcome.replies
    assert (welcome.sid, welcome.token, welcome.alias) == ("s1", "t1", "Anna")
    assert (welcome.resumed, welcome.seq) == (True, head)
    assert [(view.room, view.size) for view in welcome.rooms] == [("#a", 2), ("#b", 1)]
    assert [type(record) for record in outcome.records] == [Opened, Joined, Joined]
    assert ann.joined[0] <= head, "what was said in between is still to be read"
    assert len(house.say(ann, "hi", "i", room="#a").replies) == 1, "the ids are still known"
    assert ann.lapsed_ms is None
    assert not house.state.lapsed


def test_who_lapsed_may_come_back_elsewhere(house: Any) -> None:
    ann = house.enter("Ann", "#a", "#b")
    house.lapse(ann)
    outcome = house.hello("Ann", "#c", token="t1")
    assert [view.room for view in outcome.replies[0].rooms] == ["#c"]
    assert ann.rooms == ("#c",)


def test_who_lapsed_in_no_room_comes_back_to_the_lobby(house: Any) -> None:
    ann = house.enter("Ann")
    house.do(ann, Part("#lobby"))
    house.lapse(ann)
    house.hello("Ann", token="t1")
    assert ann.rooms == ("#lobby",)


def test_who_lapsed_finds_the_alias_taken(house: Any) -> None:
    house.lapse(house.enter("Ann"))
    house.enter("Ann")
    assert code_of(house.hello("Ann", token="t1")) == "alias_taken"
    assert house.hello("Anna", token="t1").replies[0].sid == "s1"


def test_a_token_is_good_for_seven_days_after_the_grace(house: Any) -> None:
    house.lapse(house.enter("Ann"))
    lapsed_ms = house.world.now_ms
    house.world.now_ms = lapsed_ms + TOKEN_DAYS * MS_A_DAY + 1
    assert not house.hello("Zed", token="t1").replies[0].resumed
    house.world.now_ms = lapsed_ms + TOKEN_DAYS * MS_A_DAY
    assert house.hello("Ann", token="t1").replies[0].resumed


def test_a_new_alias_is_told_once_in_each_room(house: Any) -> None:
    ann = house.enter("Ann", "#a", "#b")
    head = house.world.log.head_seq
    assert house.do(ann, Nick("Anna", 5)) == Outcome(
        (),
        (
            Renamed(head + 1, 1_000, "#a", "s1", "Ann", "Anna"),
            Renamed(head + 2, 1_000, "#b", "s1", "Ann", "Anna"),
        ),
        (Done("", {"alias": "Anna"}, 5),),
    )
    assert house.state.holder("anna") is ann
    assert house.state.holder("ann") is None


def test_a_new_alias_in_no_room_is_kept_all_the_same(house: Any) -> None:
    ann = house.enter("Ann")
    house.do(ann, Part("#lobby"))
    (record,) = house.do(ann, Nick("Anna")).records
    assert record.room == ""
    assert ann.alias == "Anna"


def test_ones_own_alias_may_be_spelt_anew(house: Any) -> None:
    ann = house.enter("Ann")
    house.do(ann, Nick("ANN"))
    assert house.state.holder("ann") is ann
    assert ann.alias == "ANN"
    assert house.do(ann, Nick("ANN", 5)) == Outcome(
        (Done("You are ANN already.", {"alias": "ANN"}, 5),), (), ()
    )


def test_an_alias_of_another_is_not_given(house: Any) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    assert house.refused(ann, Nick("bob")).code == "alias_taken"
    house.world.presence.lost(bob.sid, 0.0)
    assert house.refused(ann, Nick("bob")).code == "alias_in_grace"
    assert house.refused(ann, Nick("")).code == "alias_empty"
    assert ann.alias == "Ann"


def test_away_is_not_in_the_log_and_ends_without_words(house: Any) -> None:
    ann = house.enter("Ann")
    person = house.world.presence.person
    assert house.do(ann, Away("tea", 1)) == Outcome(
        (Done("You are away: tea", {"state": "away"}, 1),), (), ()
    )
    assert person(ann) == Person("Ann", "away", "tea")
    for back in (None, ""):
        house.do(ann, Away("tea"))
        assert house.do(ann, Away(back)).replies == (Done("You are back.", {"state": "here"}),)
        assert person(ann) == Person("Ann", "here", ""), "the answer is what others see"


def test_who_quits_has_left_every_room_with_its_words_and_is_forgotten(house: Any) -> None:
    ann = house.enter("Ann", "#a", "#b")
    house.do(ann, Away("tea"))
    head = house.world.log.head_seq
    assert house.do(ann, Quit("so long", re=6)) == Outcome(
        (),
        (
            Left(head + 1, 1_000, "#a", "s1", "Ann", "quit", "so long", quiet=False),
            Left(head + 2, 1_000, "#b", "s1", "Ann", "quit", "so long", quiet=False),
            Closed(head + 3, 1_000, "s1", lapsed=False),
        ),
        (Bye("quit", 6),),
    )
    assert house.state.holder("Ann") is None
    assert house.world.presence.person(ann).state == "here"
    assert not house.hello("Ann", token="t1").replies[0].resumed


def test_a_plain_connection_that_is_lost_has_left(house: Any) -> None:
    ann = house.enter("Ann", plain=True)
    assert [getattr(record, "why", "") for record in house.leave(ann, "lost").records] == [
        "lost",
        "",
    ]
    assert not house.state.sessions


def test_who_quits_in_a_room_of_its_own_takes_the_room_along(house: Any) -> None:
    ann = house.enter("Ann", "#a")
    bob = house.enter("Bob", "#b")
    house.do(bob, Topic("#b", "tea"))
    house.leave(ann)
    house.leave(bob)
    assert set(house.state.named) == {"#lobby", "#b"}


def test_nobody_comes_back_to_a_room_that_cannot_be(house: Any) -> None:
    ann = house.enter("Ann")
    house.do(ann, Join("#a"))
    house.lapse(ann)
    assert code_of(house.hello("Ann", "a b", token="t1")) == "room_not_allowed"
    assert ann.lapsed_ms is not None
