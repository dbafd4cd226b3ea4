"""The link's way in: a hello, its refusals, and what answers without being a chat server."""

from __future__ import annotations

import pytest

from chatcore.client import events
from chatcore.client.link import HELLO_TIMEOUT_S, Link, State


@pytest.fixture
def wire(new_wire, room_server):
    return new_wire(room_server).open().carry()


def test_a_refused_alias_waits_for_another_one(new_wire, room_server):
    room_server.refuse_hello = [{"code": "alias_taken", "words": "Alice is taken."}]
    wire = new_wire(room_server).open().carry()
    assert wire.seen(events.AliasRefused)[0].words == "Alice is taken."
    assert wire.link.state is State.NEEDS_ALIAS
    wire.link.choose("Ally", 0.0)
    wire.carry()
    assert wire.link.state is State.JOINED
    assert wire.link.alias == "Ally"


def test_while_an_alias_is_needed_nobody_reconnects(new_wire, room_server):
    room_server.refuse_hello = [{"code": "alias_taken", "words": "taken"}]
    wire = new_wire(room_server).open().carry().cut()
    assert wire.link.state is State.NEEDS_ALIAS
    assert wire.seen(events.Lost) == []
    wire.now = 99.0
    wire.link.choose("Ally", wire.now)
    assert (wire.link.state, wire.link.retry_at) == (State.OFFLINE, 99.0)


def test_an_alias_in_grace_is_waited_for(new_wire, room_server):
    held = {"code": "alias_in_grace", "words": "Alice is held.", "retry_s": 9.5}
    room_server.refuse_hello = [held]
    wire = new_wire(room_server).open().carry()
    assert wire.seen(events.Held)[0].retry_s == 9.5
    assert wire.link.deadline == 9.5
    wire.tick(9.0)
    wire.carry()
    assert wire.link.state is State.HELD
    wire.tick(0.5)
    wire.carry()
    assert wire.link.state is State.JOINED


def test_a_hello_refused_for_now_is_tried_again(new_wire, room_server):
    room_server.refuse_hello = [{"code": "stopping", "words": "The server is stopping."}]
    wire = new_wire(room_server).open().carry()
    assert wire.link.hangup == "The server is stopping."
    wire.cut().open().carry()
    assert wire.link.state is State.JOINED


@pytest.mark.parametrize(
    ("code", "how"), [("bad_version", "protocol"), ("room_not_allowed", "refused"), ("", "refused")]
)
def test_other_refusals_of_a_hello_are_the_end(new_wire, room_server, code, how):
    room_server.refuse_hello = [{"code": code, "words": "No."}]
    wire = new_wire(room_server).open().carry()
    assert wire.seen(events.Ended) == [events.Ended(how, "No.")]
    wire.cut()
    assert wire.link.state is State.ENDED


def test_a_server_that_does_not_answer_the_hello_is_given_up():
    link = Link("Alice", ["#lobby"], "abc", "test")
    link.connected(0.0)
    assert link.deadline == HELLO_TIMEOUT_S
    link.tick(HELLO_TIMEOUT_S)
    assert link.hangup == "no answer"


def test_something_else_that_answers_is_a_protocol_error(new_wire, room_server):
    wire = new_wire(room_server)
    wire.link.connected(0.0)
    wire.link.received(b"SSH-2.0-OpenSSH_9.2\r\n", 0.0)
    wire.cut()
    assert wire.seen(events.Ended)[0].how == "protocol"


def test_a_greeting_and_a_notice_before_the_end_are_only_a_loss(new_wire, room_server):
    wire = new_wire(room_server)
    wire.link.connected(0.0)
    wire.link.received(b"Choose an alias:\n-- The server is stopping.\n", 0.0)
    wire.cut()
    assert wire.link.state is State.OFFLINE


def test_a_stopping_server_is_left_and_tried_again(wire):
    wire.receive({"t": "bye", "reason": "stopping"})
    assert wire.link.hangup == "the server is stopping"
    wire.cut()
    assert wire.seen(events.Lost)[0].joined is True


@pytest.mark.parametrize("code", ["password_needed", "password_wrong"])
def test_a_password_that_is_wanted_is_waited_for_and_then_said_each_time(
    new_wire, room_server, code
):
    room_server.refuse_hello = [{"code": code, "words": "A password."}]
    wire = new_wire(room_server).open().carry()
    assert wire.seen(events.PasswordRefused) == [events.PasswordRefused(code, "A password.")]
    assert wire.link.state is State.NEEDS_PASSWORD
    wire.link.unlock("sesame", wire.now)
    wire.carry()
    assert wire.link.state is State.JOINED
    first, second = wire.end.said[:2]
    assert ("password" in first, second["password"]) == (False, "sesame")
    wire.cut().open().carry()
    assert wire.end.said[0]["password"] == "sesame"


def test_a_loss_while_a_password_is_thought_of_waits_for_it(new_wire, room_server):
    room_server.refuse_hello = [{"code": "password_needed", "words": "A password."}]
    wire = new_wire(room_server).open().carry().cut()
    assert wire.link.state is State.NEEDS_PASSWORD
    wire.link.unlock("sesame", wire.now)
    assert (wire.link.state, wire.link.retry_at) == (State.OFFLINE, wire.now)


def test_too_many_tries_are_waited_out_on_the_same_connection(new_wire, room_server):
    room_server.refuse_hello = [{"code": "too_many_tries", "words": "Later.", "retry_s": 20}]
    wire = new_wire(room_server).open().carry()
    assert wire.seen(events.Held) == [events.Held("Later.", 20.0)]
    wire.tick(20.0)
    wire.carry()
    assert wire.link.state is State.JOINED


@pytest.mark.parametrize("reason", ["kicked", "banned"])
def test_who_is_removed_does_not_try_again(new_wire, room_server, reason):
    wire = new_wire(room_server).open().carry()
    wire.receive({"t": "bye", "reason": reason, "words": "by Bob"})
    assert wire.seen(events.Ended) == [events.Ended("removed", "by Bob")]
    wire.cut()
    assert wire.link.state is State.ENDED


@pytest.mark.parametrize("code", ["alias_looks_like", "alias_of_operator"])
def test_another_alias_helps_against_looking_like_somebody(new_wire, room_server, code):
    room_server.refuse_hello = [{"code": code, "words": "No."}]
    wire = new_wire(room_server).open().carry()
    assert wire.link.state is State.NEEDS_ALIAS
