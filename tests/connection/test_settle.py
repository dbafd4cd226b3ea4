"""What a turn has read is decided together: in order, up to the end of a connection, and one's bug is nobody else's.

Twelve people who have just spoken keep the loop looking again, so that a turn reads from one connection several times.
"""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.connection.exchange import Exchange
from chatcore.hub.command import Say

PEOPLE = 12


class Faulty:
    """A dialect whose short cut has a bug, for some data."""

    def __init__(self, dialect: Any, data: bytes) -> None:
        self._dialect = dialect
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def run(self, data: bytes) -> Any:
        if data == self._data:
            raise RuntimeError("injected")
        return self._dialect.run(data)


@pytest.fixture
def people(house: Any) -> list[Any]:
    """Who was there before, and has just spoken; the next turn looks again until it has heard as many."""
    there = [house.plain(f"P{number}") for number in range(PEOPLE)]
    for each in there:
        each.say("busy")
    house.turn()
    assert house.reactor._found >= PEOPLE
    for each in there:
        each.sent.clear()
    return there


@pytest.fixture
def ann(house: Any, people: list[Any]) -> Any:
    return newcomer(house, people, "Ann")


@pytest.fixture
def bob(house: Any, people: list[Any]) -> Any:
    return newcomer(house, people, "Bob")


def newcomer(house: Any, people: list[Any], alias: str) -> Any:
    sock = house.plain(alias)
    for each in people:
        each.sent.clear()
    return sock


def busy(house: Any) -> None:
    """As after a turn that heard many."""
    house.reactor._found = PEOPLE


@pytest.mark.parametrize("first", [b"one\ntw", b"/me waves\n", b"one\n", b"\xff\n"])
def test_what_comes_before_an_end_in_the_same_turn_is_all_said(
    house: Any, people: list[Any], ann: Any, bob: Any, first: bytes
) -> None:
    busy(house)
    ann.incoming.extend([first, b"o\nthree\n", b""])
    bob.incoming.extend([b"x\n", b"y\n", b"z\n"])
    house.settle()
    heard = people[0].lines
    assert heard.index("Ann: three") < heard.index("Ann has left the chat room!")
    assert "Your last line" not in ann.text


@pytest.mark.parametrize("data", [b"hi\n", b"/me says something\n"])
def test_what_comes_before_a_reset_in_the_same_turn_is_said(
    house: Any, people: list[Any], ann: Any, bob: Any, data: bytes
) -> None:
    busy(house)
    ann.incoming.append(data)
    ann.reset()
    bob.incoming.extend([b"x\n", b"y\n"])
    house.settle()
    assert next(line for line in people[0].lines if "Ann" in line) in {
        "Ann: hi",
        "* Ann says something",
    }


def test_a_bug_in_an_end_is_the_one_who_ended_s(
    house: Any, people: list[Any], ann: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("injected")

    connection = house.connection_of(ann)
    busy(house)
    ann.incoming.extend([b"one\n", b""])
    bob.incoming.extend([b"x\n", b"y\n"])
    with monkeypatch.context() as patch:
        patch.setattr(Exchange, "_finish_if_ended", fail)
        house.rest()
    assert house.reactor.stats.faults == 1
    house.reactor.stats.faults = 0
    house.rest()
    assert connection not in house.exchange.connections
    assert house.connection_of(bob) in house.exchange.connections


@pytest.mark.parametrize("how", ["ends", "is reset", "speaks"])
def test_a_bug_of_one_keeps_nobody_else_from_anything(
    house: Any, people: list[Any], ann: Any, bob: Any, how: str
) -> None:
    culprit, other = house.connection_of(ann), house.connection_of(bob)
    culprit.dialect = Faulty(culprit.dialect, b"one\n")
    busy(house)
    ann.incoming.append(b"one\n")
    bob.incoming.append(b"/me says something\n")
    if how == "ends":
        bob.incoming.append(b"")
    elif how == "is reset":
        bob.reset()
    house.rest()
    assert house.reactor.stats.faults == 1
    house.reactor.stats.faults = 0
    assert culprit not in house.exchange.connections
    assert (other in house.exchange.connections) is (how == "speaks")
    assert people[0].lines.count("* Bob says something") == 1
    people[1].say("and on it goes")
    house.settle()
    assert people[0].lines[-1] == "P1: and on it goes"


def test_after_a_bug_one_is_not_heard_any_more(
    house: Any, people: list[Any], ann: Any, bob: Any
) -> None:
    culprit = house.connection_of(ann)
    culprit.dialect = Faulty(culprit.dialect, b"one\n")
    busy(house)
    ann.incoming.extend([b"one\n", b"two\n"])
    bob.incoming.extend([b"x\n", b"y\n"])
    house.rest()
    house.reactor.stats.faults = 0
    assert "Ann: two" not in people[0].lines


def test_flood_control_stops_the_reading_within_a_turn(make_house: Any) -> None:
    """Also where a turn waits for many who are about to speak, and hears only one, over and over."""
    house = make_house(flood_enabled=True)
    ann = house.plain("Ann")
    reactor = house.reactor
    reactor._found, reactor._took_s, reactor._ended = 200, 1.0, house.clock
    ann.incoming.extend([b"x" * 79 + b"\n"] * 500)
    house.turn()
    burst = house.exchange.flood.burst
    assert 500 - len(ann.incoming) <= burst + 1


def test_a_line_that_needs_care_gives_a_plain_session_no_ids(house: Any) -> None:
    session = house.connection_of(house.plain("Ann")).session
    house.world.trouble = "The disk is full"
    assert house.exchange.hub.say(session, Say(None, "hi")) is not None
    assert not session.has_ids
