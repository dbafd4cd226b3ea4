"""Operators: how one becomes one, and what nobody learns or gets by trying."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.config.operators import Operator
from tests.connection.passwords import ROOT, ask, cheap, check, checked_by_hand, hello, lines, told

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make(make_house: Callable[..., Any]) -> Callable[..., Any]:
    return checked_by_hand(make_house)


def test_nobody_else_waits_while_a_password_is_checked(make: Callable[..., Any]) -> None:
    house = make(operators=(ROOT,))
    ann, bob = house.native("Ann"), house.plain("Bob")
    ann.say({"t": "oper", "name": "Root", "password": "geheim", "re": 1}, {"t": "ping", "re": 2})
    house.settle()
    bob.say("hi")
    house.settle()
    assert told(ann) == ["join", "say"]
    assert lines(bob) == ["Bob: hi"]
    check(house)
    assert [(each["t"], each["re"]) for each in ann.messages] == [("ok", 1), ("pong", 2)]


def test_an_operator_is_made_and_the_log_names_no_password(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house = make(operators=(ROOT,), password="pass-of-all")
    journal = house.lag(lambda waiting: waiting)
    ann = ask(house, "Ann", "pass-of-all", "/oper Root wrong-one", "/oper geheim", "/oper geheim x")
    check(house)
    check(house)
    ann.say("/oper Root geheim")
    house.settle()
    check(house)
    assert lines(ann)[-4:] == [
        "-- There is no operator with that name and password.",
        "-- /oper needs a password. Usage: /oper NAME password",
        "-- There is no operator with that name and password.",
        "-- You are the operator Root now, until you leave. /help lists what you may do.",
    ]
    (sid,) = house.world.presence.operators
    assert house.world.state.sessions[sid].alias == "Ann"
    kept = repr(house.records) + caplog.text
    assert journal is house.server.keeping.journal
    assert "Root" in kept
    for secret in ("geheim", "wrong-one", "pass-of-all", "scrypt"):
        assert secret not in kept


def test_an_operators_name_and_no_name_are_answered_alike(make: Callable[..., Any]) -> None:
    house = make(operators=(ROOT,))
    answers = set()
    for name in ("Root", "root", "Nobody", "n" * 400):
        ann = house.native("Ann")
        ann.say({"t": "oper", "name": name, "password": "wrong", "re": 1})
        house.settle()
        check(house)
        answers.add(bytes(ann.sent))
        ann.say({"t": "quit"})
        house.settle()
    assert len(answers) == 1
    assert house.thread.done == 4


def test_an_account_has_three_tries_a_minute_wherever_they_come_from(
    make: Callable[..., Any],
) -> None:
    house = make(operators=(ROOT, Operator("Other", cheap("other"))))
    for number in range(3):
        sock = ask(house, hello(f"from{number}xyz"), host=f"198.51.{number}.1")
        sock.say({"t": "oper", "name": "Root", "password": "wrong"})
        house.settle()
        check(house)
        assert "password_wrong" in told(sock)
    near = house.native("Near")
    near.say({"t": "oper", "name": "ROOT", "password": "geheim"})
    house.settle()
    (refused,) = near.messages
    assert (refused["code"], refused["retry_s"]) == ("too_many_tries", 20.0)
    assert "for that name" in refused["words"]
    assert not house.thread.busy
    near.sent.clear()
    near.say({"t": "oper", "name": "Other", "password": "other"})
    house.settle()
    check(house)
    assert near.messages[0]["operator"] == "Other"
    house.pass_time(21)
    near.sent.clear()
    near.say({"t": "oper", "name": "Root", "password": "geheim"})
    house.settle()
    check(house)
    assert near.messages[0]["operator"] == "Root"


def test_a_check_that_fails_is_a_refusal_and_nobody_hangs(make: Callable[..., Any]) -> None:
    house = make(password=cheap("in"), operators=(ROOT,))
    sock = ask(house, hello("Ann", "in"), hello("Ann", "in"))
    plain = ask(house, "Bob", "in")
    check(house, fails=True)
    assert told(sock) == ["too_many_tries"]
    check(house, fails=True)
    assert lines(plain)[-1] == "-- The password could not be checked. Try again in a moment."
    check(house)
    assert told(sock)[0] == "welcome"
    plain.say("in")
    house.settle()
    assert lines(plain)[0] == "Connected to the server!"
    sock.sent.clear()
    sock.say({"t": "oper", "name": "Root", "password": "geheim"}, {"t": "ping"})
    house.settle()
    check(house, fails=True)
    assert told(sock) == ["too_many_tries", "pong"]
    assert not house.world.presence.operators


def test_a_session_that_ended_meanwhile_rises_no_more(make: Callable[..., Any]) -> None:
    house = make(operators=(ROOT,))
    ann = house.native("Ann")
    connection = house.connection_of(ann)
    ann.say({"t": "oper", "name": "Root", "password": "geheim"})
    house.settle()
    house.exchange.lost(connection, "reset")
    house.settle()
    check(house)
    assert not house.world.presence.operators
    house.pass_time(60)


def test_a_reload_takes_the_rank_from_who_is_no_operator_any_more(
    make: Callable[..., Any],
) -> None:
    other = Operator("Other", cheap("other"))
    house = make(operators=(ROOT, other))
    ann, bob = house.native("Ann"), house.native("Bob")
    ann.say({"t": "oper", "name": "Root", "password": "geheim"})
    bob.say({"t": "oper", "name": "Other", "password": "other"})
    house.settle()
    check(house)
    check(house)
    operators = house.world.presence.operators
    admission = house.exchange.admission
    assert sorted(operators.values()) == ["Other", "Root"]
    admission.configure(None, (ROOT, other))
    assert len(operators) == 2
    admission.configure(None, (ROOT, Operator("Other", cheap("changed"))))
    assert list(operators.values()) == ["Root"]
    admission.configure(None, ())
    assert not operators
