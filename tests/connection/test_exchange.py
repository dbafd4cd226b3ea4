"""The exchange: what connections send is decided in order, and what is due is sent before they are closed."""

from __future__ import annotations

import logging
import selectors
from typing import Any

import pytest

from chatcore.connection.connection import Pause
from chatcore.connection.limits import Limits
from chatcore.connection.reception import UNFINISHED
from chatcore.hub.flood import FloodLimits

GREETING = ["Choose an alias:"]

LIMITS = Limits()


def says(sock: Any) -> list[str]:
    """The texts of what a native client was told that people said."""
    return [each["text"] for each in sock.messages if each["t"] == "say"]


# Opening


def test_two_people_of_different_dialects_talk(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.native("Bob")
    ann.say("hi")
    bob.say({"t": "say", "id": "x", "room": "#lobby", "text": "hello\nthere"})
    house.settle()
    assert ann.lines == [
        "Bob has connected to the chat room",
        "Ann: hi",
        "Bob: hello",
        "Bob: there",
    ]
    assert says(bob) == ["hi", "hello\nthere"]


def test_silence_is_greeted_after_half_a_second_and_decides_nothing(house: Any) -> None:
    sock, _ = house.connect()
    house.settle()
    house.pass_time(LIMITS.greeting_s - 0.01)
    assert not sock.sent
    house.pass_time(0.01)
    assert sock.lines == GREETING
    sock.say({"t": "hello", "v": 1, "alias": "Ann"})
    house.settle()
    assert sock.messages[0]["t"] == "welcome"


def test_whoever_has_begun_to_speak_is_not_greeted(house: Any) -> None:
    sock, _ = house.connect()
    sock.incoming.append(b"An")
    house.settle()
    house.pass_time(LIMITS.greeting_s)
    assert not sock.sent
    sock.incoming.append(b"n\n")
    house.settle()
    assert sock.lines[0] == "Connected to the server!"


def test_a_greeting_that_cannot_be_sent_is_no_fault(house: Any) -> None:
    sock, _ = house.connect()
    sock.takes.append(BrokenPipeError())
    house.pass_time(LIMITS.greeting_s)
    sock.say("Ann")
    house.settle()
    assert sock.lines[0] == "Connected to the server!"


@pytest.mark.parametrize("first", [b"", b"x", b'{"t":', b"\xff\xfd\x03"])
def test_whoever_does_not_join_in_time_is_told_and_closed(house: Any, first: bytes) -> None:
    sock, _ = house.connect()
    if first:
        sock.incoming.append(first)
    house.settle()
    house.pass_time(LIMITS.greeting_s)
    house.pass_time(LIMITS.join_s - LIMITS.greeting_s - 0.1)
    assert not sock.ended
    house.pass_time(0.2)
    assert sock.ended
    assert b"in time" in sock.sent
    assert not sock.closes
    house.pass_time(LIMITS.drain_s)
    assert sock.closes == 1


def test_whoever_joined_has_no_deadline(house: Any) -> None:
    sock = house.plain("Ann")
    house.pass_time(LIMITS.greeting_s)
    house.pass_time(10 * LIMITS.join_s)
    assert not sock.ended
    sock.say("still here")
    house.settle()
    assert sock.lines == ["Ann: still here"]


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        (b"GET / HTTP/1.1\r\n", b"HTTP/1.1 501 "),
        (b"\x16\x03\x01\x02\x00", b"\x15\x03\x03"),
        (b"NICK ann\r\n", b"ERROR :"),
    ],
)
def test_other_languages_are_answered_in_their_own_and_closed(
    house: Any, first: bytes, answer: bytes
) -> None:
    sock, connection = house.connect()
    for k in range(len(first)):
        sock.incoming.append(first[k : k + 1])
    house.settle()
    assert sock.sent.startswith(answer)
    assert sock.ended
    assert connection.dialect is None
    sock.incoming.append(b"Host: x\r\n\r\nnothing of this is chat\n")
    house.settle()
    sock.end()
    house.settle()
    assert sock.closes == 1


def test_a_refusal_that_cannot_be_sent_closes_at_once(house: Any) -> None:
    sock, _ = house.connect()
    sock.takes.append(ConnectionResetError())
    sock.say(b"GET / HTTP/1.1")
    house.settle()
    assert sock.closes == 1


def test_telnet_is_answered_before_and_after_joining(house: Any) -> None:
    sock, _ = house.connect()
    sock.incoming.append(b"\xff\xfd\x03Ann\r\n")
    house.settle()
    assert sock.sent.count(b"\xff\xfc\x03") == 1
    sock.incoming.append(b"\xff\xfb\x1fhi\r\n")
    house.settle()
    assert sock.sent.count(b"\xff\xfe\x1f") == 1
    assert b"Ann: hi\n" in sock.sent


def test_too_many_tries_are_told_and_closed(house: Any) -> None:
    house.plain("Ann")
    sock, _ = house.connect()
    sock.say(*["Ann"] * 70)
    house.settle()
    assert sock.lines[-1] == "-- Too many tries. Connect again."
    assert len([line for line in sock.lines if "Ann" in line]) == 64
    assert sock.ended


def test_a_mistake_before_joining_is_answered(house: Any) -> None:
    sock, _ = house.connect()
    sock.say({"t": "say", "id": "x", "re": 7})
    house.settle()
    assert [(each["code"], each["re"], each["id"]) for each in sock.messages] == [
        ("hello_first", 7, "x")
    ]


# Ending


def test_half_close_handles_everything_and_then_closes(house: Any) -> None:
    other = house.plain("Other")
    sock, _ = house.connect()
    sock.say("Zed", "hi", "/ping")
    sock.end()
    house.settle()
    assert sock.closes == 1
    assert "Zed: hi" in sock.lines
    assert "-- pong" in sock.lines
    assert other.lines == [
        "Zed has connected to the chat room",
        "Zed: hi",
        "Zed has left the chat room!",
    ]


def test_an_unfinished_last_line_is_told_and_not_said(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    bob.sent.clear()
    ann.incoming.append(b"whole\ncut sho")
    ann.end()
    house.settle()
    assert bob.lines == ["Ann: whole", "Ann has left the chat room!"]
    assert "had no line end" in ann.lines[-1] + ann.lines[-2]


@pytest.mark.parametrize(("first", "told"), [(b"", b""), (b"Zed", UNFINISHED)])
def test_whoever_ends_before_a_first_line_is_told_if_there_was_the_beginning_of_one(
    house: Any, first: bytes, told: bytes
) -> None:
    sock, _ = house.connect()
    if first:
        sock.incoming.append(first)
    sock.end()
    house.settle()
    assert sock.closes == 1
    assert bytes(sock.sent) == told
    house.pass_time(LIMITS.join_s)


def test_quit_sends_the_last_words_and_waits_for_the_peer_to_end(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.native("Bob")
    ann.sent.clear()
    ann.say("/quit so long", "never read")
    house.settle()
    assert ann.lines == ["-- Goodbye."]
    assert ann.ended
    assert not ann.closes
    ann.say("thrown away")
    house.settle()
    assert not ann.closes
    ann.end()
    house.settle()
    assert ann.closes == 1
    (leave,) = [each for each in bob.messages if each["t"] == "leave"]
    assert (leave["alias"], leave["why"], leave["text"]) == ("Ann", "quit", "so long")


def test_a_peer_that_never_ends_its_side_is_closed_after_a_while(house: Any) -> None:
    ann = house.plain("Ann")
    ann.say("/quit")
    house.settle()
    house.pass_time(LIMITS.drain_s - 0.1)
    assert not ann.closes
    house.pass_time(0.2)
    assert ann.closes == 1


def test_a_socket_that_cannot_be_shut_down_is_closed(house: Any) -> None:
    ann = house.plain("Ann")
    ann.shutdown_error = OSError(107, "Transport endpoint is not connected")
    ann.say("/quit")
    house.settle()
    assert ann.closes == 1


def test_stopping_tells_everybody_and_closes(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chatcore")
    ann, bob = house.plain("Ann"), house.native("Bob")
    silent, _ = house.connect()
    ann.sent.clear()
    ann.say("last")
    house.turn()
    house.server.stop()
    house.settle()
    assert ann.lines == ["Ann: last", "-- The server is stopping."]
    assert bob.messages[-1] == {"t": "bye", "reason": "stopping"}
    assert silent.closes == 1
    for sock in (ann, bob):
        assert sock.ended
        sock.end()
    house.settle()
    assert not house.exchange.connections
    # That they go is nobody's loss.
    for words in ("lost the connection", "Ann left", "Bob left"):
        assert words not in caplog.text


def test_what_was_decided_before_the_stop_is_delivered(house: Any) -> None:
    ready = [1]
    house.lag(lambda waiting: waiting if ready[0] else 0)
    ann = house.plain("Ann")
    ready[0] = 0
    ann.say("last")
    house.turn()
    house.server.stop()
    house.turn()
    assert not ann.ended
    ready[0] = 1
    house.settle()
    assert "Ann: last" in ann.lines
    assert ann.ended


def test_a_bug_in_one_connection_costs_nobody_else_anything(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    ann.sent.clear()

    class Broken:
        returns = False

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("a bug")

    house.connection_of(bob).dialect = Broken()
    bob.say("boom")
    ann.say("hi")
    for _ in range(5):
        house.turn()
    assert house.reactor.stats.faults == 1
    assert bob.closes == 1
    assert ann.lines == ["Ann: hi", "Bob has left the chat room!"]


# Flood control


def test_flood_control_delays_and_loses_nothing(make_house: Any) -> None:
    house = make_house(flood_enabled=True, flood_burst=20, flood_per_second=5.0)
    ann, bob = house.plain("Ann"), house.plain("Bob")
    fd, lines = ann.fd, [str(k) for k in range(100)]
    house.pass_time(60)
    ann.sent.clear()
    ann.say(*lines[:60])
    ann.say(*lines[60:])
    house.settle()
    assert bob.lines == [f"Ann: {line}" for line in lines[:20]]
    assert house.selector.watches(fd) & selectors.EVENT_READ == 0
    assert len(ann.incoming) == 1
    bob.say("not me")
    house.settle()
    assert bob.lines[-1] == "Bob: not me"
    for second in range(1, 16):
        house.pass_time(1.0)
        assert sum(line.startswith("Ann: ") for line in bob.lines) == 20 + 5 * second
    house.pass_time(1.0)
    assert [line for line in bob.lines if line.startswith("Ann: ")] == [f"Ann: {k}" for k in lines]
    assert ann.lines == bob.lines
    house.pass_time(60.0)
    assert house.selector.watches(fd) & selectors.EVENT_READ


def test_commands_count_as_lines_under_flood_control(make_house: Any) -> None:
    house = make_house(flood_enabled=True, flood_burst=3, flood_per_second=1.0)
    ann = house.plain("Ann")
    house.pass_time(60)
    ann.say(*["/ping", "hi"] * 3)
    house.settle()
    # A pong may overtake.
    assert sorted(ann.lines) == ["-- pong", "-- pong", "Ann: hi"]
    for _ in range(3):
        house.pass_time(1.0)
    assert sorted(ann.lines) == ["-- pong"] * 3 + ["Ann: hi"] * 3


def test_an_end_of_input_under_flood_control_is_handled_when_its_turn_comes(
    make_house: Any,
) -> None:
    house = make_house(flood_enabled=True, flood_burst=2, flood_per_second=1.0)
    ann, bob = house.plain("Ann"), house.plain("Bob")
    house.pass_time(60)
    ann.say("1", "2", "3", "4")
    ann.end()
    house.settle()
    assert bob.lines == ["Ann: 1", "Ann: 2"]
    house.pass_time(1.0)
    house.pass_time(1.0)
    house.pass_time(1.0)
    assert bob.lines == [*(f"Ann: {k}" for k in range(1, 5)), "Ann has left the chat room!"]
    assert ann.closes == 1


def test_turning_flood_control_off_lets_those_who_wait_go_on(make_house: Any) -> None:
    house = make_house(flood_enabled=True, flood_burst=1, flood_per_second=1.0)
    ann = house.plain("Ann")
    house.pass_time(60)
    ann.say("1", "2", "3", "4")
    house.settle()
    assert ann.lines == ["Ann: 1"]
    house.exchange.flood = type(house.exchange.flood)(False, 1, 1.0)
    house.pass_time(1.0)
    assert ann.lines == [f"Ann: {k}" for k in range(1, 5)]


# Replies that are not read


def test_unread_replies_pause_reading_and_resume_it(house: Any) -> None:
    ann = house.plain("Ann")
    connection = house.connection_of(ann)
    ann.sent.clear()
    ann.blocked = True
    asked = 2_000
    ann.say(*["/help"] * asked)
    ann.say("after")
    house.settle()
    assert connection.pauses & Pause.REPLIES
    assert house.selector.watches(ann.fd) & selectors.EVENT_READ == 0
    one = house.plain("One")
    one.say("/help")
    house.settle()
    page = one.text
    assert connection.reader.queued_bytes <= LIMITS.reply_bytes + len(page)
    ann.blocked = False
    ann.takes.extend([100, 0, 5_000] * 10)
    house.settle()
    assert page.startswith("-- /help")
    assert ann.text.count(page) == asked
    assert "Ann: after" in ann.lines
    assert not connection.pauses


def test_an_end_of_input_behind_unread_replies_is_handled(house: Any) -> None:
    ann = house.plain("Ann")
    ann.blocked = True
    ann.say(*["/help"] * 200, "after")
    ann.end()
    house.settle()
    assert not ann.closes
    ann.blocked = False
    house.settle()
    assert "Ann: after" in ann.lines
    assert ann.closes == 1


def test_presence_is_not_kept_for_those_who_do_not_read_and_nobody_is_closed_for_it(
    house: Any,
) -> None:
    ann, deaf = house.native("Ann"), house.native("Deaf")
    connection = house.connection_of(deaf)
    deaf.blocked = True
    for k in range(2 * LIMITS.reply_bytes // 100):
        ann.say({"t": "away", "text": f"{k} " + "x" * 150})
        house.settle()
    assert connection.reader.queued_bytes < LIMITS.reply_bytes + 512
    assert not deaf.closes
    deaf.blocked = False
    ann.say({"t": "say", "id": "x", "room": "#lobby", "text": "on"})
    house.settle()
    assert says(deaf) == ["on"]


def test_who_has_quit_and_keeps_sending_without_reading_costs_no_memory_and_is_closed(
    house: Any,
) -> None:
    ann = house.plain("Ann")
    connection = house.connection_of(ann)
    ann.blocked = True
    ann.say("/quit")
    house.settle()
    for _ in range(50):
        ann.incoming.append(b"x" * 60_000 + b"\n")
    house.settle()
    assert connection.dialect.empty
    assert not ann.closes
    house.pass_time(LIMITS.progress_s)
    house.pass_time(LIMITS.progress_s)
    assert ann.closes == 1


def test_a_text_of_many_lines_costs_as_many(house: Any) -> None:
    house.exchange.flood = FloodLimits(burst=20, per_second=5.0)
    ann, bob = house.native("Ann"), house.plain("Bob")
    text = "\n".join("x" * 4 for _ in range(30))
    ann.say(*({"t": "say", "id": f"{k}", "room": "#lobby", "text": text} for k in range(9)))
    house.settle()
    assert len([line for line in bob.lines if line.startswith("Ann: ")]) < 3 * 30


def test_refusals_before_joining_come_before_the_welcome(house: Any) -> None:
    sock, _ = house.connect()
    sock.say("a b", "Zed")
    house.settle()
    assert sock.lines[0].startswith("-- An alias has no spaces")
    assert sock.lines[1] == "Connected to the server!"


def test_a_connection_that_dies_while_its_replies_wait_is_forgotten(house: Any) -> None:
    ann = house.plain("Ann")
    ann.blocked = True
    ann.say(*["/help"] * 200)
    house.settle()
    connection = house.connection_of(ann)
    assert connection in house.exchange._unread
    ann.takes.append(BrokenPipeError())
    ann.blocked = False
    house.settle()
    assert ann.closes == 1
    assert not house.exchange._unread
    assert not house.exchange.connections
