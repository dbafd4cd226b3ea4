"""Attendance: who follows what is what the records say, and a lost native connection may return within its grace."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from chatcore.connection.attendance import GATHER_S
from chatcore.hub.decision import BIG_ROOM

if TYPE_CHECKING:
    import pytest


def joined(house: Any, alias: str, **more: Any) -> tuple[Any, dict[str, Any]]:
    """A native client, and its welcome."""
    sock, _ = house.connect()
    sock.say({"t": "hello", "v": 1, "alias": alias} | more)
    house.settle()
    welcome = sock.messages[0]
    assert welcome["t"] == "welcome"
    sock.sent.clear()
    return sock, welcome


def kinds(sock: Any) -> list[str]:
    return [each["t"] for each in sock.messages]


def test_a_joiner_follows_from_its_join_on(house: Any) -> None:
    ann = house.plain("Ann")
    ann.say("before")
    house.settle()
    bob, _ = house.connect()
    bob.say("Bob")
    house.settle()
    ann.say("after")
    house.settle()
    shown = [line for line in bob.lines if not line.startswith("-- ")]
    assert shown[0] == "Connected to the server!"
    assert shown[1].endswith("] Ann: before")
    assert shown[2:] == ["Bob has connected to the chat room", "Ann: after"]


def test_a_plain_reader_moves_without_its_own_leaving(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    ann.sent.clear()
    ann.say("/join #tea at four", "here")
    bob.say("there")
    house.settle()
    assert [line for line in ann.lines if not line.startswith("-- ")] == [
        "Ann has connected to the chat room",
        "Ann set the topic: at four",
        "Ann: here",
    ]
    assert bob.lines == ["Ann has left the chat room!", "Bob: there"]


def test_a_native_reader_sees_its_own_leaving_and_no_more(house: Any) -> None:
    ann, _ = joined(house, "Ann")
    bob = house.plain("Bob")
    ann.sent.clear()
    ann.say({"t": "join", "room": "#tea"}, {"t": "part", "room": "#lobby"})
    house.settle()
    bob.say("unheard")
    house.settle()
    assert [(t, each.get("room")) for each in ann.messages if (t := each["t"]) != "ok"] == [
        ("join", "#tea"),
        ("leave", "#lobby"),
    ]


def test_an_empty_room_without_a_word_is_gone_and_one_with_history_stays(house: Any) -> None:
    ann = house.plain("Ann")
    ann.say("/join #silent", "/join #tea", "said in tea", "/join #lobby")
    house.settle()
    streams = house.world.log.streams
    assert "#silent" not in streams
    assert "#tea" in streams
    ann.sent.clear()
    ann.say("/join #tea")
    house.settle()
    assert any(line.endswith("Ann: said in tea") for line in ann.lines)


def test_both_connections_of_a_session_get_each_record(house: Any) -> None:
    first, welcome = joined(house, "Ann")
    second, again = joined(house, "Ann", token=welcome["token"], log=welcome["log"])
    assert again["sid"] == welcome["sid"]
    bob = house.plain("Bob")
    bob.say("hi", "/msg Ann psst")
    house.settle()
    for sock in (first, second):
        assert kinds(sock) == ["join", "say", "dm"]
        sock.sent.clear()
    first.reset()
    house.settle()
    # The session is still here: nobody is told anything.
    assert kinds(second) == []
    second.say({"t": "join", "room": "#tea"}, {"t": "say", "id": "1", "room": "#tea", "text": "x"})
    house.settle()
    assert kinds(second) == ["ok", "join", "say"]


def test_quitting_on_one_connection_ends_the_other_one_too(house: Any) -> None:
    first, welcome = joined(house, "Ann")
    second, _ = joined(house, "Ann", token=welcome["token"], log=welcome["log"])
    first.say({"t": "quit", "re": 1})
    house.settle()
    assert kinds(first) == ["leave", "bye"]
    assert kinds(second) == ["leave", "bye"]
    assert first.ended
    assert second.ended


def test_a_return_after_a_refused_try_on_the_same_connection_misses_nothing(house: Any) -> None:
    ann, welcome = joined(house, "Ann")
    bob, _ = joined(house, "Bob")
    ann.reset()
    house.settle()
    bob.say(*({"t": "say", "id": str(k), "room": "#lobby", "text": str(k)} for k in range(3)))
    house.settle()
    back, _ = house.connect()
    back.say({"t": "ping"})
    house.settle()
    assert back.messages[0]["code"] == "hello_first"
    back.sent.clear()
    hello = {"t": "hello", "v": 1, "alias": "Ann", "token": welcome["token"]}
    back.say(hello | {"log": welcome["log"], "after": welcome["seq"]})
    house.settle()
    assert [each["text"] for each in back.messages if each["t"] == "say"] == ["0", "1", "2"]


def test_a_leave_by_the_end_of_the_grace_carries_its_own_time(house: Any) -> None:
    ann, _ = joined(house, "Ann")
    bob, _ = joined(house, "Bob")
    ann.reset()
    house.settle()
    house.world.now_ms = 0
    house.pass_time(house.world.presence.grace_s)
    assert bob.messages[-1]["why"] == "lost"
    assert house.world.now_ms > 0


def test_the_private_stream_of_a_session_that_is_forgotten_goes_with_it(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatcore.hub.apply.SESSIONS_LAPSED", 3)
    bob, _ = joined(house, "Bob")
    for k in range(9):
        ann, _ = joined(house, f"Ann{k}")
        bob.say({"t": "dm", "id": f"d{k}", "to": f"Ann{k}", "text": "psst"})
        house.settle()
        ann.reset()
        house.settle()
        house.pass_time(house.world.presence.grace_s)
    private = [name for name in house.world.log.streams if not name.startswith("#")]
    assert len(private) <= 3 + 1


def test_a_lost_connection_has_its_grace_and_returns_to_every_line(house: Any) -> None:
    ann, welcome = joined(house, "Ann", rooms=["#lobby", "#tea"])
    bob, _ = joined(house, "Bob")
    ann.sent.clear()
    ann.reset()
    house.settle()
    assert bob.messages == [{"t": "presence", "alias": "Ann", "state": "grace"}]
    bob.say(*({"t": "say", "id": str(k), "room": "#lobby", "text": str(k)} for k in range(3)))
    house.settle()
    house.pass_time(house.world.presence.grace_s - 1)
    back, again = joined(
        house, "Ann", token=welcome["token"], log=welcome["log"], after=welcome["seq"]
    )
    assert again["resumed"]
    assert {"t": "presence", "alias": "Ann", "state": "here"} in bob.messages
    # Whoever returns has not lapsed, however long it stays.
    house.pass_time(10 * house.world.presence.grace_s)
    assert "leave" not in kinds(bob)
    bob.say({"t": "say", "id": "9", "room": "#lobby", "text": "9"})
    house.settle()
    assert [each["text"] for each in back.messages if each["t"] == "say"] == ["9"]


def test_the_lines_missed_follow_the_welcome(house: Any) -> None:
    ann, welcome = joined(house, "Ann")
    bob = house.plain("Bob")
    ann.say({"t": "say", "id": "a", "room": "#lobby", "text": "mine"})
    house.settle()
    position = ann.messages[-1]["seq"]
    ann.reset()
    bob.say("one", "two")
    house.settle()
    back, _ = house.connect()
    back.say(
        {"t": "hello", "v": 1, "alias": "Ann", "after": position}
        | {"token": welcome["token"], "log": welcome["log"]}
    )
    house.settle()
    bob.say("three")
    house.settle()
    assert kinds(back) == ["welcome", "say", "say", "say"]
    assert [each["text"] for each in back.messages[1:]] == ["one", "two", "three"]


def test_after_its_grace_a_session_has_left(house: Any) -> None:
    ann, _ = joined(house, "Ann")
    bob = house.plain("Bob")
    ann.end()
    house.settle()
    assert ann.closes == 1
    house.pass_time(house.world.presence.grace_s - 0.1)
    assert bob.lines == []
    house.pass_time(0.2)
    assert bob.lines == ["Ann has left the chat room!"]


def test_a_plain_connection_that_is_lost_has_left(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.native("Bob")
    ann.reset()
    house.settle()
    (leave,) = bob.messages
    assert (leave["t"], leave["alias"], leave["why"]) == ("leave", "Ann", "lost")


def test_away_is_told_to_those_in_the_room_and_once(house: Any) -> None:
    ann, _ = joined(house, "Ann", rooms=["#a", "#b"])
    bob, _ = joined(house, "Bob", rooms=["#a", "#b"])
    eve, _ = joined(house, "Eve")
    for sock in (ann, bob, eve):
        sock.sent.clear()
    ann.say({"t": "away", "text": "tea"})
    house.settle()
    assert bob.messages == [{"t": "presence", "alias": "Ann", "state": "away", "text": "tea"}]
    assert kinds(ann) == ["ok"]
    assert kinds(eve) == []


def test_in_a_big_room_comings_and_goings_are_told_together(house: Any) -> None:
    first, _ = joined(house, "First")
    people = [house.plain(f"P{k}") for k in range(BIG_ROOM - 1)]
    first.sent.clear()
    more = [house.connect()[0] for _ in range(5)]
    for k, sock in enumerate(more):
        sock.say(f"Q{k}")
    house.settle()
    assert kinds(first) == []
    house.pass_time(GATHER_S)
    (crowd,) = first.messages
    assert crowd["joined"] == {"aliases": ["Q0", "Q1"], "more": 3}
    assert crowd["left"] == {"aliases": [], "more": 0}
    first.sent.clear()
    for sock in more:
        sock.say("/quit")
    people[0].say("/away")
    house.settle()
    assert kinds(first) == []
    house.pass_time(GATHER_S)
    (crowd,) = first.messages
    assert crowd["left"]["more"] == 3
    assert people[5].lines[-2:] == [
        "Q0, Q1 and 3 others have connected to the chat room",
        "Q0, Q1 and 3 others have left the chat room!",
    ]
    # Presence is not told in a big room, nor is a grace.
    first.sent.clear()
    native, _ = joined(house, "N")
    house.pass_time(GATHER_S)
    first.sent.clear()
    native.reset()
    house.settle()
    assert kinds(first) == []


def test_the_log_says_who_came_and_went_and_no_text(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chatcore"):
        ann, bob = house.plain("Ann"), house.native("Bob", rooms=["#lobby", "#tea"])
        ann.say("a secret", "/nick Ally", "/msg Bob another secret")
        bob.say({"t": "nick", "alias": "Rob"})
        house.settle()
        ann.say("/quit third secret")
        bob.reset()
        house.settle()
    text = caplog.text
    assert "Ann connected from 127.0.0.1:" in text
    assert text.count("Ann is now known as Ally") == 1
    assert text.count("Bob is now known as Rob") == 1
    assert "Ally left (127.0.0.1:" in text
    assert "Rob lost the connection (Connection reset by peer)" in text
    assert "secret" not in text


def test_whoever_was_alone_in_many_rooms_comes_back_to_all_of_them(make_house: Any) -> None:
    house = make_house(grace_s=1.0)
    rooms = [f"#room{number}" for number in range(15)]
    ann, _ = house.connect()
    ann.say({"t": "hello", "v": 1, "alias": "Ann", "rooms": rooms[:5]})
    house.settle()
    for room in rooms[5:]:
        ann.say({"t": "join", "room": room})
    house.settle()
    welcome = ann.messages[0]
    ann.reset()
    house.settle()
    house.pass_time(2.0)
    assert not set(rooms) & set(house.world.state.named)
    back, _ = house.connect()
    hello = {"t": "hello", "v": 1, "alias": "Ann", "token": welcome["token"]}
    back.say(hello | {"log": welcome["log"], "after": welcome["seq"]})
    house.settle()
    assert back.messages[0]["t"] == "welcome"
    assert [each["room"] for each in back.messages[0]["rooms"]] == rooms
