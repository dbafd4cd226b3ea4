"""Moderation as people see it: what everybody reads, how the last words come, and that nobody follows what is over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.diagnostics.forms import event

if TYPE_CHECKING:
    from tests.connection.conftest import House, ScriptedSocket


@pytest.fixture
def root(house: House) -> ScriptedSocket:
    """An operator with `nc`."""
    sock = house.plain("Root")
    rise(house, "Root")
    return sock


def rise(house: House, alias: str) -> None:
    session = house.world.state.holder(alias)
    assert session is not None
    house.world.presence.make_operator(session.sid, alias)


def ask(house: House, sock: ScriptedSocket, *lines: Any) -> None:
    sock.say(*lines)
    house.settle()


def news(*socks: ScriptedSocket) -> list[list[str]]:
    """What each read since the last call."""
    lines = [sock.lines for sock in socks]
    for sock in socks:
        sock.sent.clear()
    return lines


def test_who_is_kicked_is_told_why_and_the_others_that_they_left(
    house: House, root: ScriptedSocket
) -> None:
    ann, bob = house.plain("Ann"), house.native("Bob")
    news(root, ann, bob)
    ask(house, root, "/kick bob too loud")
    assert news(root, ann) == [
        ["Bob has left the chat room! (kicked by Root: too loud)", "-- Bob is out of the server."],
        ["Bob has left the chat room! (kicked by Root: too loud)"],
    ]
    *_, leave, bye = bob.messages
    assert (leave["t"], leave["why"], leave["text"]) == (
        "leave",
        "kicked",
        "kicked by Root: too loud",
    )
    assert bye == {
        "t": "bye",
        "reason": "kicked",
        "words": "You were kicked by Root: too loud",
    }
    assert bob.ended
    ask(house, root, "hello")
    assert news(ann) == [["Root: hello"]]
    assert bob.messages[-1] == bye, "nothing follows the last words"


def test_a_plain_client_reads_who_banned_it_and_is_refused_at_the_next_hello(
    house: House, root: ScriptedSocket
) -> None:
    bob = house.plain("Bob")
    ask(house, root, "/ban Bob 10m too loud")
    assert bob.lines[-1] == "-- You were banned by Root for 10 minutes: too loud"
    assert bob.ended
    again, _ = house.connect()
    ask(house, again, "bob")
    (words,) = again.lines
    assert words.startswith("-- bob is banned from this server (too loud), for another ")
    assert not again.ended, "another alias may be tried"


def test_with_a_network_everybody_reads_for_how_long(house: House, root: ScriptedSocket) -> None:
    sock, _ = house.connect("192.0.2.7")
    ask(house, sock, {"t": "hello", "v": 1, "alias": "Bob"})
    ask(house, root, "/ban 192.0.2.0/24 2h flood")
    assert sock.messages[-1]["words"] == "You were banned by Root for 2 hours: flood"


def test_a_banned_network_ends_every_connection_from_it(house: House, root: ScriptedSocket) -> None:
    socks = []
    for k in range(4):
        sock, _ = house.connect(f"192.0.2.{k}")
        ask(house, sock, {"t": "hello", "v": 1, "alias": f"P{k}"})
        socks.append(sock)
    ann = house.plain("Ann")
    ask(house, root, "/ban 192.0.2.0/24 flood")
    for sock in socks:
        assert sock.messages[-1]["reason"] == "banned"
        assert sock.messages[-1]["words"] == "You were banned by Root: flood"
        assert sock.ended
    assert not ann.ended
    late, _ = house.connect("192.0.2.77")
    ask(house, late, "Late")
    assert late.lines == [
        "-- You are banned from this server (flood), until the ban is taken back."
    ]


def test_a_ban_of_either_address_ends_both_connections(house: House, root: ScriptedSocket) -> None:
    phone, laptop = two_devices(house)
    ask(house, root, "/ban 192.0.2.7 flood")
    for sock in (phone, laptop):
        assert sock.messages[-1]["words"] == "You were banned by Root: flood"
        assert sock.ended
    assert house.world.state.holder("Zed") is None


def test_the_address_of_a_connection_that_has_ended_is_nobodys(
    house: House, root: ScriptedSocket
) -> None:
    phone, laptop = two_devices(house)
    phone.reset()
    house.settle()
    ask(house, root, "/ban 192.0.2.7 flood")
    assert not laptop.ended
    laptop.reset()
    house.settle()
    ask(house, root, "/ban 203.0.113.1 flood")
    assert house.world.state.holder("Zed") is None, "in grace, the last address counts"


def two_devices(house: House) -> tuple[ScriptedSocket, ScriptedSocket]:
    """Zed, at 192.0.2.7 and then at 203.0.113.1 too."""
    phone, _ = house.connect("192.0.2.7")
    ask(house, phone, {"t": "hello", "v": 1, "alias": "Zed"})
    token, name = phone.messages[0]["token"], phone.messages[0]["log"]
    laptop, _ = house.connect("203.0.113.1")
    ask(house, laptop, {"t": "hello", "v": 1, "alias": "Zed", "token": token, "log": name})
    return phone, laptop


def test_all_connections_of_a_session_end(house: House, root: ScriptedSocket) -> None:
    first = house.native("Bob")
    welcome = house.world.state.holder("Bob")
    assert welcome is not None
    sock, _ = house.connect()
    ask(house, sock, {"t": "hello", "v": 1, "alias": "Zed"})
    token, name = sock.messages[0]["token"], sock.messages[0]["log"]
    second, _ = house.connect()
    ask(house, second, {"t": "hello", "v": 1, "alias": "Zed", "token": token, "log": name})
    ask(house, root, "/kick Zed")
    assert (sock.ended, second.ended, first.ended) == (True, True, False)


def test_one_who_is_kicked_in_grace_is_gone_and_the_end_of_the_grace_finds_nobody(
    house: House, root: ScriptedSocket
) -> None:
    bob = house.native("Bob")
    bob.reset()
    house.settle()
    ask(house, root, "/kick Bob")
    assert house.world.state.holder("Bob") is None
    house.pass_time(3_600)
    assert house.reactor.stats.faults == 0
    house.plain("Bob")


def test_a_plain_client_is_moved_to_the_lobby_and_reads_on_there(house: House) -> None:
    mod, bob, ann = house.plain("Mod"), house.plain("Bob"), house.plain("Ann")
    ask(house, mod, "/join #dev")
    ask(house, bob, "/join #dev")
    news(mod, bob, ann)
    ask(house, mod, "/kick Bob off topic", "still here?")
    assert news(mod, bob, ann) == [
        ["Bob has left the chat room! (kicked by Mod: off topic)", "Mod: still here?"],
        [
            "-- Mod kicked you out of #dev (off topic)",
            "-- You are in #lobby.",
            "-- Here: Ann, Bob (2).",
            "Bob has connected to the chat room",
        ],
        ["Bob has connected to the chat room"],
    ]
    ask(house, bob, "hello")
    assert news(mod, bob, ann) == [[], ["Bob: hello"], ["Bob: hello"]]


def test_a_native_client_leaves_the_room_and_reads_nothing_more_of_it(house: House) -> None:
    mod = house.native("Mod", rooms=["#dev"])
    bob = house.native("Bob", rooms=["#dev", "#lobby"])
    ask(house, mod, {"t": "ban", "name": "Bob", "room": "#dev", "for": "2h", "text": "spam"})
    ask(house, mod, {"t": "say", "id": "i", "room": "#dev", "text": "secret"})
    act, leave = bob.messages
    assert act["until"].endswith("Z")
    assert (act["t"], act["act"], act["room"], act["from"], act["to"], act["text"]) == (
        *("act", "ban", "#dev"),
        *("Mod", "Bob", "spam"),
    )
    assert (leave["t"], leave["why"]) == ("leave", "kicked")
    ask(house, bob, {"t": "history", "room": "#dev", "re": 1})
    assert bob.messages[-1]["code"] == "not_in_room"


def test_what_is_done_in_a_room_is_read_there_and_what_concerns_one_by_that_one(
    house: House, root: ScriptedSocket
) -> None:
    mod, bob, ann = house.plain("Mod"), house.plain("Bob"), house.plain("Ann")
    for sock in (mod, bob):
        ask(house, sock, "/join #dev")
    news(root, mod, bob, ann)
    ask(house, mod, "/op Bob", "/lock sesame", "/invite Ann", "/deop Bob", "/lock")
    in_room = [
        "Mod made Bob a moderator",
        "Mod locked the room: it needs a key now",
        "Mod took the moderation from Bob",
        "Mod opened the room again",
    ]
    told, read, invited = news(mod, bob, ann)
    assert [line for line in told if not line.startswith("--")] == read == in_room
    assert invited == ["-- Mod invites you to #dev: /join #dev"]
    ask(house, root, "/mute Bob 10m too loud", "/unmute Bob", "/announce fire drill")
    read_bob, read_ann, read_mod = news(bob, ann, mod)
    assert read_bob == [
        "-- Root muted you for 10 minutes (too loud)",
        "-- Root lets you speak again",
        "-- Announcement from Root: fire drill",
    ]
    assert read_ann == read_mod == ["-- Announcement from Root: fire drill"]
    assert "sesame" not in root.text


def test_the_moderation_log_is_for_operators(house: House, root: ScriptedSocket) -> None:
    bob = house.native("Bob")
    ask(house, root, "/ban 192.0.2.7 1h flood", "/mute Bob")
    news(root)
    ask(house, root, "/modlog")
    first, second = root.lines
    assert "] Root banned 192.0.2.7 from the server for 1 hour (flood), until " in first
    assert second.endswith("] Root muted Bob")
    ask(house, bob, {"t": "modlog", "re": 1})
    assert bob.messages[-1]["code"] == "not_operator"
    rise(house, "Bob")
    ask(house, bob, {"t": "modlog", "re": 2, "limit": 1})
    page = bob.messages[-1]
    assert (page["t"], page["re"], page["more"]) == ("modlog", 2, True)
    (act,) = page["records"]
    assert (act["t"], act["act"], act["from"], act["to"]) == ("act", "mute", "Root", "Bob")
    assert "room" not in act


def test_what_an_operator_does_is_in_the_servers_log_without_its_words(
    house: House, root: ScriptedSocket, caplog: pytest.LogCaptureFixture
) -> None:
    house.plain("Bob")
    with caplog.at_level("INFO"):
        ask(house, root, "/kick Bob a-private-reason", "/announce words-of-it")
    assert "Root used /kick Bob\n" in caplog.text
    assert "Root used /announce\n" in caplog.text
    assert {event(each.msg) for each in caplog.records} == {"used", "left"}
    assert re.search(r"Bob left \(127\.0\.0\.1:\d+, kicked\)\n", caplog.text)
    assert "a-private-reason" not in caplog.text
    assert "words-of-it" not in caplog.text
