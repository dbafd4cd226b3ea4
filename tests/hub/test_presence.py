"""Presence: here, away with words, or lost and expected back until the grace is over."""

from __future__ import annotations

import pytest

from chatcore.hub.bans import Network, network
from chatcore.hub.presence import Presence
from chatcore.hub.reply import Person
from chatcore.hub.session import Session

ANN = Session("s1", "Ann", None)


def net(text: str) -> Network:
    found = network(text)
    assert found is not None
    return found


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


def test_a_session_is_in_the_network_of_each_of_its_connections(presence: Presence) -> None:
    presence.came("s1", "192.0.2.7")
    presence.came("s1", "2001:db8::1%eth0")
    presence.came("s2", "::ffff:192.0.2.8")
    presence.came("s3", "")
    assert [*presence.within(net("192.0.2.0/24"))] == ["s1", "s2"]
    assert [*presence.within(net("192.0.2.7"))] == ["s1"]
    assert [*presence.within(net("2001:db8::/64"))] == ["s1"]
    assert [*presence.within(net("203.0.113.0/24"))] == []


def test_an_address_counts_until_the_last_connection_from_it_is_gone(presence: Presence) -> None:
    for address in ("192.0.2.7", "203.0.113.1", "192.0.2.7"):
        presence.came("s1", address)
    presence.went("s1", "192.0.2.7")
    assert presence.within(net("192.0.2.7"))
    presence.went("s1", "192.0.2.7")
    presence.went("s1", "no address")
    assert not presence.within(net("192.0.2.7"))
    assert presence.within(net("203.0.113.1"))


def test_in_grace_the_last_address_counts_and_no_more_when_one_has_returned(
    presence: Presence,
) -> None:
    presence.came("s1", "192.0.2.7")
    presence.lost("s1", now=10.0)
    assert presence.within(net("192.0.2.7"))
    presence.came("s1", "203.0.113.1")
    presence.back("s1")
    assert not presence.within(net("192.0.2.7"))
    assert presence.within(net("203.0.113.1"))
    presence.gone("s1")
    assert not presence.within(net("203.0.113.1"))


HALVES = ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")


@pytest.mark.parametrize("address", ["0.0.0.0", "255.255.255.255", "::2", "ffff::", "::fffe:0:1"])
def test_no_address_is_in_a_network_of_the_other_version(presence: Presence, address: str) -> None:
    presence.came("s1", address)
    found = [half for half in HALVES if presence.within(net(half))]
    assert len(found) == 1
    assert net(found[0]).version == net(address).version
