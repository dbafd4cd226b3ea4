"""The link by values: a fake wire between it and a small model of the server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client import events, messages
from chatcore.client.link import (
    Link,
    State,
)
from chatcore.client.messages import Request
from chatcore.client.outbox import MAX_IN_FLIGHT
from chatcore.client.pulse import (
    BACKOFF_MAX_S,
    BACKOFF_MIN_S,
    PING_AFTER_S,
    PING_TIMEOUT_S,
    SPEAK_AFTER_S,
    backoff_s,
)
from chatcore.client.reunion import MAX_GATHER_S, MAX_GATHERED


def new_link(alias="Alice"):
    return Link(alias, ["#lobby"], "abc", "test")


def say(text, room="#lobby"):
    return Request("say", room=room, text=text)


@pytest.fixture
def wire(new_wire, room_server):
    return new_wire(room_server).open().carry()


def test_hello_says_who_and_where_and_nothing_of_a_session_that_is_not(wire):
    hello = wire.end.said[0]
    assert hello == {"t": "hello", "v": 1, "alias": "Alice", "rooms": ["#lobby"], "client": "test"}
    assert wire.link.state is State.JOINED
    assert wire.seen(events.Welcomed)[0].returning is False


def test_own_record_is_the_acknowledgement(wire):
    wire.link.ask(say("hi"), 0.0)
    assert len(wire.link.outbox) == 1
    wire.carry()
    assert len(wire.link.outbox) == 0
    assert wire.texts == ["hi"]
    assert len(wire.seen(events.Stored)) == 1


def test_a_stranger_who_uses_my_id_acknowledges_nothing(wire):
    wire.link.ask(say("hi"), 0.0)
    key = json.loads(wire.link.data_to_send())["id"]
    wire.server.say("Mallory", "hi", id=key)
    wire.link.received(wire.end.data_to_send(), 0.0)
    assert len(wire.link.outbox) == 1


def test_at_most_a_quarter_of_the_servers_id_window_is_in_flight(wire):
    for number in range(MAX_IN_FLIGHT * 3):
        wire.link.ask(say(f"line {number}"), 0.0)
    assert wire.link.data_to_send().count(b"\n") == MAX_IN_FLIGHT


def test_unacknowledged_lines_are_sent_again_with_the_same_ids_in_order(wire):
    wire.link.ask(say("one"), 0.0)
    wire.link.ask(say("two"), 0.0)
    first = wire.link.data_to_send()
    wire.cut(after_s=1.0)
    wire.link.ask(say("three"), wire.now)
    wire.open().carry()
    again = [each for each in wire.end.said if each["t"] == "say"]
    assert [json.loads(line) for line in first.splitlines()] == again[:2]
    assert wire.server.stored == ["one", "two", "three"]


def test_a_retry_of_a_stored_line_is_stored_and_shown_once(wire):
    wire.link.ask(say("hi"), 0.0)
    wire.end.received(wire.link.data_to_send())  # stored, but its record never arrives
    wire.cut(after_s=1.0).open().carry()
    assert wire.server.stored == ["hi"]
    assert wire.texts == ["hi"]
    assert len(wire.link.outbox) == 0


def test_records_already_seen_are_dropped(wire):
    wire.server.say("Bob", "once")
    data = wire.end.data_to_send()
    wire.link.received(data, 0.0)
    wire.link.received(data, 0.0)
    wire.carry()
    assert wire.texts == ["once"]


def test_a_return_tells_how_much_was_missed_before_showing_it(wire):
    wire.cut()
    for number in range(14):
        wire.server.say("Bob", f"line {number}")
    wire.now += 37
    wire.open().carry()
    back = wire.seen(events.Back)[0]
    assert (back.away_s, back.missed, back.more, back.fresh) == (37, 14, False, False)
    assert [type(each) for each in wire.told[wire.told.index(back) + 1 :]] == [messages.Said] * 14


def test_counting_what_was_missed_holds_nobody_up_for_long(wire):
    wire.cut()
    wire.server.say("Bob", "missed")
    wire.open()
    wire.end.received(wire.link.data_to_send())
    with_barrier = wire.end.data_to_send()
    wire.link.received(with_barrier, wire.now)
    wire.link.data_to_send()  # the barrier's request is lost on the way
    wire.told += wire.link.take_events()
    assert wire.texts == []
    wire.tick(MAX_GATHER_S)
    assert wire.texts == ["missed"]
    assert wire.seen(events.Back)[0].more is True


def test_a_flood_of_missed_lines_is_gathered_up_to_a_limit(wire):
    wire.cut()
    for number in range(MAX_GATHERED + 50):
        wire.server.say("Bob", f"line {number}")
    wire.open().carry()
    assert len(wire.texts) == MAX_GATHERED + 50
    assert wire.seen(events.Back)[0].more is True


def test_a_server_that_forgot_the_session_gets_what_was_not_acknowledged_again(wire):
    wire.cut()
    wire.link.ask(say("waiting"), wire.now)
    wire.server.forget_sessions()
    wire.open().carry()
    assert wire.server.stored == ["waiting"]
    assert wire.texts == ["waiting"]
    assert wire.seen(events.Back)[0].fresh is True


def test_a_line_stored_in_a_forgotten_session_is_recognised_in_the_history(wire):
    wire.link.ask(say("hi"), 0.0)
    wire.end.received(wire.link.data_to_send())
    wire.server.forget_sessions()
    wire.cut(after_s=1.0).open().carry()
    assert wire.server.stored == ["hi"]
    assert len(wire.link.outbox) == 0


def test_history_on_a_fresh_arrival_repeats_nothing_that_was_shown(wire):
    wire.server.say("Bob", "seen")
    wire.carry().cut()
    wire.server.say("Bob", "missed")
    wire.server.forget_sessions()
    wire.open().carry()
    pages = wire.seen(messages.History)
    assert [record.text for page in pages for record in page.records] == ["missed"]


def test_another_log_begins_at_its_own_position(wire):
    wire.server.say("Bob", "old")
    wire.carry().cut()
    other = type(wire.server)()
    other.log = "log-2"
    wire.server = other
    wire.open().carry()
    other.say("Bob", "new")
    wire.carry()
    assert wire.texts == ["old", "new"]


def test_a_gap_moves_the_position_and_is_told(wire):
    wire.receive({"t": "gap", "room": "#lobby", "missed": 7, "next": 500})
    assert wire.link.position == 499
    assert wire.seen(messages.Gap)[0].missed == 7
    wire.receive({**_said(499, "late"), "sid": "x"}, {**_said(500, "next"), "sid": "x"})
    assert wire.texts == ["next"]


def _said(seq, text):
    head = {"t": "say", "seq": seq, "time": "2026-11-20T14:02:11.000Z", "room": "#lobby"}
    return {**head, "from": "Bob", "text": text}


def test_refused_lines_are_told_with_their_text(wire):
    wire.server.refuse_texts.add("too much")
    wire.link.ask(say("too much"), 0.0)
    wire.carry()
    refusal = wire.seen(events.Refusal)[0]
    assert (refusal.request.text, refusal.code) == ("too much", "flood")
    assert len(wire.link.outbox) == 0


@pytest.mark.parametrize("text", ["x" * 4097, "é" * 2049, "\n" * 256])
def test_what_the_server_would_refuse_unread_is_refused_here(wire, text):
    wire.link.ask(say(text), 0.0)
    wire.carry()
    assert wire.seen(events.Refusal)[0].code == "too_long"
    assert len(wire.link.outbox) == 0


def test_a_message_that_would_not_fit_a_line_is_refused_here(wire):
    wire.link.ask(Request("nick", alias="x" * 40_000), 0.0)
    wire.carry()
    assert wire.seen(events.Refusal)[0].code == "too_long"


def test_the_longest_text_that_is_allowed_fits_a_line(wire):
    wire.link.ask(say("\x1b" * 4096), 0.0)
    wire.carry()
    assert wire.server.stored == ["\x1b" * 4096]


def test_lone_surrogates_are_sent_as_something_that_is_utf8(wire):
    wire.link.ask(say("a\udc80b"), 0.0)
    wire.carry()
    assert wire.server.stored == ["a?b"]


def test_silence_is_asked_about_and_then_taken_for_a_loss(wire):
    wire.tick(PING_AFTER_S)
    assert wire.link.data_to_send() == b'{"t":"ping"}\n'
    wire.tick(PING_TIMEOUT_S - 1)
    assert wire.link.hangup is None
    wire.tick(1)
    assert wire.link.hangup == "no answer"


def test_any_byte_is_a_sign_of_life(wire):
    wire.tick(PING_AFTER_S)
    wire.link.data_to_send()
    wire.link.received(b"\n", wire.now + 1)
    wire.tick(PING_TIMEOUT_S)
    assert wire.link.hangup is None


def test_a_reader_who_never_speaks_gives_a_sign_of_life(wire):
    for _ in range(4):
        wire.tick(PING_AFTER_S - 1)
        wire.link.received(b"\n", wire.now)
    assert wire.now >= SPEAK_AFTER_S
    assert b"ping" in wire.link.data_to_send()


def test_quit_goes_out_when_all_is_acknowledged(wire):
    for number in range(100):
        wire.link.ask(say(f"line {number}"), 0.0)
    wire.link.quit("bye", 0.0)
    wire.carry()
    assert wire.end.said[-1] == {"t": "quit", "text": "bye"}
    assert len(wire.server.stored) == 100
    assert wire.seen(events.Ended) == [events.Ended("quit", "")]


def test_who_cannot_wait_any_longer_says_goodbye_behind_what_is_in_flight(wire):
    wire.link.ask(say("the last line"), 0.0)
    wire.link.quit("bye", 0.0)
    wire.link.quit("", 0.0, waits=False)
    wire.carry()
    assert [each["t"] for each in wire.end.said[-2:]] == ["say", "quit"]
    assert wire.end.said[-1] == {"t": "quit", "text": "bye"}
    wire.link.quit("", 0.0, waits=False)
    assert wire.link.data_to_send() == b"", "once"


def test_quit_without_a_connection_is_at_once():
    link = new_link()
    link.quit("", 0.0)
    assert link.take_events() == [events.Ended("quit", "")]


def test_a_loss_while_quitting_ends_it(wire):
    wire.link.quit("", 0.0)
    wire.cut()
    assert wire.seen(events.Ended) == [events.Ended("quit", "")]


def test_commands_are_answered_over_a_loss(wire):
    wire.link.ask(Request("join", room="#dev"), 0.0)
    wire.link.data_to_send()
    wire.cut().open().carry()
    assert wire.seen(events.Answer)[0].request.room == "#dev"
    assert list(wire.link.rooms.values()) == ["#lobby", "#dev"]


def test_a_fresh_arrival_asks_for_the_rooms_one_was_in(wire):
    wire.link.ask(Request("join", room="#dev"), 0.0)
    wire.carry().cut()
    wire.link.connected(wire.now)
    assert json.loads(wire.link.data_to_send())["rooms"] == ["#lobby", "#dev"]


def test_what_one_does_elsewhere_is_followed(wire):
    sid = wire.end.member.sid
    time = {"time": "2026-11-20T14:02:11.000Z", "sid": sid}
    wire.receive(
        {"t": "join", "seq": 100, "room": "#dev", "alias": "Alice", **time},
        {"t": "nick", "seq": 101, "room": "#dev", "from": "Alice", "to": "Ally", **time},
        {"t": "leave", "seq": 102, "room": "#lobby", "alias": "Ally", "why": "quit", **time},
    )
    assert wire.link.alias == "Ally"
    assert list(wire.link.rooms.values()) == ["#dev"]


def test_an_answer_to_nobody_knows_what_is_ignored(wire):
    before = len(wire.told)
    wire.receive({"t": "ok", "re": "zz"}, {"t": "ack", "id": "zz", "seq": 1}, {"t": "pong"})
    assert wire.told[before:] == []


def test_a_refusal_of_nobody_knows_what_is_told(wire):
    wire.receive({"t": "refused", "code": "bad_json", "words": "What?"})
    assert wire.seen(events.Refusal) == [events.Refusal(None, "bad_json", "What?")]


@given(attempt=st.integers(1, 10_000), roll=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_between_its_limits(attempt, roll):
    assert BACKOFF_MIN_S <= backoff_s(attempt, roll) <= BACKOFF_MAX_S


def test_backoff_grows_with_failures_and_begins_again_after_a_good_connection(wire):
    waits = []
    for _ in range(8):
        wire.cut(roll=0.999999)
        waits.append(wire.seen(events.Lost)[-1].retry_s)
    assert [round(wait) for wait in waits] == [2, 4, 8, 16, 32, 60, 60, 60]
    wire.open().carry()
    wire.now += 60
    wire.cut(roll=0.999999)
    assert round(wire.seen(events.Lost)[-1].retry_s) == 2


def test_a_person_may_ask_to_connect_now(wire):
    wire.cut(roll=0.9)
    wire.link.retry_now(wire.now)
    assert wire.link.retry_at == wire.now


def test_a_refused_count_of_what_was_missed_holds_nothing_up(wire):
    wire.cut()
    wire.server.say("Bob", "missed")
    wire.open()
    wire.end.received(wire.link.data_to_send())
    wire.link.received(wire.end.data_to_send(), wire.now)
    barrier = json.loads(wire.link.data_to_send())
    assert wire.link.deadline == wire.now + MAX_GATHER_S
    wire.receive({"t": "refused", "re": barrier["re"], "code": "not_in_room", "words": "No."})
    assert wire.texts == ["missed"]
    assert wire.seen(events.Refusal) == []


def test_a_return_to_no_room_has_nothing_to_wait_for(wire):
    wire.cut()
    wire.link.connected(wire.now)
    fields = {"log": "log-1", "sid": "s1", "token": "t1", "alias": "Alice", "resumed": True}
    wire.receive({"t": "welcome", **fields, "seq": 3, "rooms": []})
    assert wire.seen(events.Back)[0].missed == 0


def test_a_page_of_history_that_was_asked_for_is_shown_even_if_empty(wire):
    wire.link.ask(Request("history", room="#lobby", limit=5), 0.0)
    wire.carry()
    assert wire.seen(messages.History)[-1].records == ()
    assert len(wire.link.outbox) == 0


@pytest.mark.parametrize(
    ("request_", "answer", "alias", "rooms"),
    [
        (Request("part", room="#lobby"), {"room": "#lobby"}, "Alice", []),
        (Request("nick", alias="Ally"), {"alias": "Ally"}, "Ally", ["#lobby"]),
    ],
)
def test_an_answer_changes_what_the_next_hello_asks_for(wire, request_, answer, alias, rooms):
    wire.link.ask(request_, 0.0)
    key = json.loads(wire.link.data_to_send())["re"]
    wire.receive({"t": "ok", "re": key, **answer})
    assert (wire.link.alias, list(wire.link.rooms.values())) == (alias, rooms)


def test_presence_is_passed_on_and_a_second_welcome_is_not(wire):
    before = len(wire.told)
    wire.receive({"t": "presence", "alias": "Bob", "state": "away"}, {"t": "pong"})
    wire.receive({"t": "welcome", "log": "x", "sid": "x", "alias": "X", "seq": 0})
    assert [type(each) for each in wire.told[before:]] == [messages.Presence]
    assert wire.link.alias == "Alice"


def test_bytes_of_no_connection_are_ignored():
    link = new_link()
    link.received(b'{"t":"bye"}\n', 0.0)
    assert (link.hangup, link.deadline, link.take_events()) == (None, None, [])


def test_a_short_connection_that_did_its_work_was_a_good_one(wire):
    for _ in range(4):
        wire.cut(roll=0.999999).open()
        wire.link.ask(say("hi"), wire.now)
        wire.carry()
    wire.cut(roll=0.999999)
    assert round(wire.seen(events.Lost)[-1].retry_s) == 2
