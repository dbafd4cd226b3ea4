"""The clients beside a real `nc`: one conversation; and nothing that `nc` sends drives anybody's terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.clients.conftest import Chatters

OWN_SEQUENCES = re.compile(r"\x1b\[(?:[0-9;]*m|[0-9]*[ABCJK]|\?7[hl]|\?2004[hl])")
"""What a client sends to draw: colours, moves, erasing to the end, wrapping and paste brackets."""

HOSTILE = {
    "clear the screen": "\x1b[2J\x1b[H",
    "red": "\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "ask the terminal": "\x1b[6n\x1b[c\x1bZ",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4K\x1b\\",
    "reset": "\x1bc",
    "8-bit CSI": "\x9b2J",
    "8-bit OSC": "\x9d0;owned\x9c",
    "backspace": "\b\b\b\b\b\b\b\bBob: ",
    "carriage return": "x\rBob: forged",
    "delete, bell, form feed": "\x7f\x07\x0c\x0e",
    "bidi": "\u202efdp.\u2066exe\u2069\u202c",
    "line separator": "x\u2028Bob: forged\u2029",
}


def assert_safe(raw: bytes) -> None:
    text = OWN_SEQUENCES.sub("", raw.decode())
    found = re.findall("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
    assert not found, f"reached the terminal: {found}"


def test_nc_and_clients_talk_both_ways(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.person(2).joined()
    zed = chatters.netcat("Zed")
    for person in (alice, bob):
        person.sees("^Zed has connected to the chat room$")
    zed.send("hello from nc", "/me bows", "/nick Zoe")
    for person in (alice, bob):
        person.sees("^Zed: hello from nc$", r"^\* Zed bows$", "^Zed is now known as Zoe$")
    alice.types("welcome, Zoe", "/me nods", "/topic nc", "/nick Ally")
    zed.sees(
        "^Alice: welcome, Zoe$",
        r"^\* Alice nods$",
        "^Alice set the topic: nc$",
        "^Alice is now known as Ally$",
    )
    zed.send("/msg Ally only you")
    alice.sees(r"^\[Zoe -> Ally\] only you$")
    alice.types("/msg Zoe and only you")
    zed.sees(r"^\[Ally -> Zoe\] and only you$")
    bob.types("/quit good night")
    zed.sees(r"^Bob has left the chat room! \(good night\)$")
    assert bob.ends() == 0
    assert b"only you" not in bob.raw
    zed.send("/quit")
    alice.sees("^Zoe has left the chat room!$")


def test_one_line_through_nc_is_heard_echoed_and_followed_by_a_leave(chatters: Chatters) -> None:
    alice = chatters.person(1).joined()
    result = chatters.netcat_once("Zed\nhi Alice\n")
    assert result.code == 0
    assert "Zed: hi Alice" in result.out.splitlines()
    alice.sees("^Zed: hi Alice$", "^Zed has left the chat room!$")
    assert alice.count("Zed: hi Alice") == 1


def test_nc_cannot_take_the_alias_of_a_client(chatters: Chatters) -> None:
    alice = chatters.person(1).joined()
    zed = chatters.netcat("Zed")
    zed.send("/nick alice", "still me")
    zed.sees("^-- .*taken", "^Zed: still me$")
    alice.sees("^Zed: still me$")
    assert alice.count("now known as") == 0


def test_escapes_typed_by_an_nc_user_never_reach_a_terminal_raw(chatters: Chatters) -> None:
    alice = chatters.person(1).joined()
    reader = chatters.pipe(2)
    alice.sees("^Bob has connected to the chat room$")
    mallory = chatters.netcat("Mallory")
    for number, text in enumerate(HOSTILE.values()):
        mallory.send(f"<{number} {text}>")
        alice.sees(rf"^Mallory: <{number} .*>$")
    everything = "".join(HOSTILE.values())
    mallory.send(f"/me <action {everything}>", f"/msg Alice <direct {everything}>")
    alice.sees(r"<action", r"<direct")
    mallory.send(f"/topic {everything}<topic>", f"/away {everything}<away>")
    alice.sees("set the topic:")
    alice.types("/who", "/topic")
    alice.until(lambda: "<away>" in "".join(alice.said), "the words of who is away")
    alice.until(lambda: "".join(alice.said).count("<topic>") == 2, "the topic again")
    mallory.send(f"/nick Mal\x1b[31mlory{HOSTILE['title']}", f"/quit {everything}<gone>")
    alice.until(lambda: "<gone>" in "".join(alice.said), "the last words")
    assert alice.title == ""
    assert alice.count("^Bob: forged") == 0
    assert_safe(alice.raw.replace(b"\a", b"", 1))  # the bell of the direct message
    result = reader.ends()
    assert "<gone>" in result.out
    assert_safe(result.out.encode())
    assert result.out.count("\nBob: forged") == 0
    assert_safe(mallory.raw)
