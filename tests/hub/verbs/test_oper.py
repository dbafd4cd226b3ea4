"""Becoming an operator: what is decided before the password is looked at, and after it was right."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub.command import Oper
from chatcore.hub.reply import Done, Refused
from chatcore.hub.skeleton import look
from chatcore.log.record import Act


@pytest.fixture
def guarded(house: Any) -> Any:
    """A house with an operator in its settings."""
    house.world.operator_names = frozenset((look("Root"),))
    house.ann = house.enter("Ann")
    return house


def test_a_password_is_to_be_checked_before_anybody_is_answered(guarded: Any) -> None:
    outcome = guarded.do(guarded.ann, Oper("Root", "geheim", "r"))
    assert outcome == ((), (), ())
    assert not guarded.world.presence.operators


def test_whose_password_was_right_is_an_operator_and_the_log_says_so(guarded: Any) -> None:
    outcome = guarded.hub.rise(guarded.ann, "Root", "r")
    (act,) = outcome.records
    assert type(act) is Act
    assert (act.act, act.alias, act.sid, act.to, act.room) == ("oper", "Ann", "s1", "Root", "")
    (done,) = outcome.then
    assert type(done) is Done
    assert (done.fields, done.re) == ({"operator": "Root"}, "r")
    assert guarded.world.presence.is_operator("s1")


def test_an_operator_is_told_so_and_no_password_is_checked_again(guarded: Any) -> None:
    guarded.hub.rise(guarded.ann, "Root", None)
    outcome = guarded.do(guarded.ann, Oper("root", "anything", "r"))
    (done,) = outcome.replies
    assert done.fields == {"operator": "Root"}
    assert "already" in done.words
    # Another operator's name is another password.
    assert guarded.do(guarded.ann, Oper("Other", "x")) == ((), (), ())


def test_where_there_are_no_operators_nobody_waits(house: Any) -> None:
    refusal = house.refused(house.enter("Ann"), Oper("Root", "geheim"))
    assert refusal.code == "not_operator"
    assert "geheim" not in refusal.words


def test_the_rank_ends_with_the_grace_and_is_not_in_the_log(guarded: Any, view: Any) -> None:
    presence = guarded.world.presence
    guarded.hub.rise(guarded.ann, "Root", None)
    presence.lost("s1", 0.0)
    assert presence.is_operator("s1")
    guarded.lapse(guarded.ann)
    assert not presence.is_operator("s1")
    bob = guarded.enter("Bob")
    guarded.hub.rise(bob, "Root", None)
    guarded.leave(bob)
    assert not presence.operators
    assert view(guarded.replayed()) == view(guarded.state)


def test_nobody_becomes_an_operator_without_it_being_stored(guarded: Any) -> None:
    guarded.world.trouble = "The disk is full."
    outcome = guarded.hub.rise(guarded.ann, "Root", "r")
    (reply,) = outcome.replies
    assert type(reply) is Refused
    assert (reply.refusal.code, reply.re) == ("storage_full", "r")
    assert not outcome.records
    assert not guarded.world.presence.is_operator("s1")


def test_the_words_of_the_server_are_for_those_who_are_new(house: Any) -> None:
    house.world.motd = "Be kind.\nBackups at noon."
    welcome = house.hello("Ann").replies[0]
    assert welcome.motd == "Be kind.\nBackups at noon."
    assert house.hello("", token="t1", after=welcome.seq).replies[0].motd == ""
    house.lapse(house.state.sessions["s1"])
    again = house.hello("Ann", token="t1", after=welcome.seq).replies[0]
    assert (again.resumed, again.motd) == (True, "")
