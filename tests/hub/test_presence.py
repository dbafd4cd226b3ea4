"""Presence: here, away with words, or lost and expected back until the grace is over."""

from __future__ import annotations

import pytest

from chatcore.hub.presence import Presence
from chatcore.hub.reply import Person
from chatcore.hub.session import Session

ANN = Session("s1", "Ann", None)


@pytest.fixture
def presence() -> Presence:
    return Presence(grace_s=120.0)


def test_everybody_is_here_unless_something_else_is_known(presence: Presence) -> None:
    assert presence.person(ANN) == Person("Ann", "here", "")
    assert presence.grace_left_s("s1", 5.0) is None
    assert not presence.back("s1")


def test_away_has_words_and_ends(presence: Presence) -> None:
    presence.set_away("s1", "tea")
    assert presence.person(ANN) == Person("Ann", "away", "tea")
    presence.set_away("s1", "lunch")
    assert presence.person(ANN) == Person("Ann", "away", "lunch")
    presence.set_away("s1", None)
    presence.set_away("s1", None)
    assert presence.person(ANN) == Person("Ann", "here", "")


def test_a_lost_connection_is_waited_for_until_the_grace_is_over(presence: Presence) -> None:
    presence.lost("s1", now=10.0)
    assert presence.person(ANN) == Person("Ann", "grace", "")
    assert presence.grace_left_s("s1", 10.0) == 120.0
    assert presence.grace_left_s("s1", 100.0) == 30.0
    assert presence.grace_left_s("s1", 131.0) == 0.0


def test_who_returns_is_as_before_the_loss(presence: Presence) -> None:
    presence.set_away("s1", "tea")
    presence.lost("s1", now=10.0)
    assert presence.person(ANN).state == "grace"
    assert presence.back("s1")
    assert presence.person(ANN) == Person("Ann", "away", "tea")
    assert not presence.back("s1")


def test_of_who_has_gone_nothing_is_kept(presence: Presence) -> None:
    presence.set_away("s1", "tea")
    presence.lost("s1", now=10.0)
    presence.gone("s1")
    presence.gone("s1")
    assert presence.person(ANN) == Person("Ann", "here", "")
    assert presence.grace_left_s("s1", 10.0) is None
