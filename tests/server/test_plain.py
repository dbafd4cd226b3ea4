"""The plain dialect as a person with `nc` or `telnet` meets it, on a real socket."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Server, Start

pytestmark = pytest.mark.usefixtures("server")

GREETING = "Choose an alias:"
EVERY_COMMAND = [
    "help",
    "join",
    "rooms",
    "who",
    "msg",
    "me",
    "nick",
    "topic",
    "away",
    "history",
    "last",
    "search",
    "invite",
    "lock",
    "op",
    "deop",
    "kick",
    "ban",
    "unban",
    "bans",
    "mute",
    "unmute",
    "announce",
    "modlog",
    "oper",
    "lag",
    "ping",
    "quit",
]


def test_a_silent_client_is_greeted_after_half_a_second(start: Start) -> None:
    began = time.monotonic()
    client = start.plain()
    assert client.read_until("") == [GREETING]
    assert time.monotonic() - began >= 0.4


def test_a_client_that_speaks_first_is_answered_and_never_greeted(start: Start) -> None:
    client = start.plain()
    assert client.join("Alice")[0] == "Connected to the server!"
    client.send("hello")
    client.read_until("^Alice: hello$")
    assert GREETING not in client.lines


def test_an_alias_chosen_after_the_greeting_joins(start: Start) -> None:
    client = start.plain()
    client.read_until(f"^{GREETING}$")
    assert client.join("Alice")[0] == "Connected to the server!"


def test_joined_lines_name_the_room_and_who_is_there(start: Start) -> None:
    start.plain("Bob")
    assert start.plain().join("Alice") == [
        "Connected to the server!",
        "-- You are in #lobby.",
        "-- Here: Bob, Alice (2). /help lists the commands.",
        "Alice has connected to the chat room",
    ]


def test_joined_lines_tell_the_topic_and_the_history_with_times(start: Start) -> None:
    bob = start.plain("Bob")
    bob.send("/topic tea at four", "hi", "/me waves")
    bob.read_until("^\\* Bob waves$")
    joined = start.plain().join("Alice")
    assert joined[1] == "-- You are in #lobby. Topic: tea at four"
    assert re.fullmatch(r"\[(\S+ )?\d\d:\d\d\] Bob: hi", joined[3])
    assert re.fullmatch(r"\[(\S+ )?\d\d:\d\d\] \* Bob waves", joined[4])
    assert joined[5:] == ["Alice has connected to the chat room"]


def test_history_on_joining_is_the_last_twenty_lines(start: Start) -> None:
    bob = start.plain("Bob")
    bob.send(*(f"line {number}" for number in range(30)))
    bob.read_until("^Bob: line 29$")
    said = [line for line in start.plain().join("Alice") if "Bob: line" in line]
    assert [line.split("Bob: ")[1] for line in said] == [f"line {n}" for n in range(10, 30)]


def test_everyone_reads_who_comes_what_is_said_and_who_goes(start: Start) -> None:
    alice = start.plain("Alice")
    bob = start.plain("Bob")
    alice.read_until("^Bob has connected to the chat room$")
    alice.send("Hello, everyone!")
    assert alice.read_until("Hello") == ["Alice: Hello, everyone!"]
    assert bob.read_until("Hello") == ["Alice: Hello, everyone!"]
    bob.close()
    assert alice.read_until("Bob") == ["Bob has left the chat room!"]


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("Bob", "taken"),
        ("bOB", "taken"),
        ("", "alias"),
        ("x" * 33, "32 characters"),
        ("two words", "white space|space"),
        ("a:b", ":"),
        ("#room", "#"),
        ("es\x1bc", "control"),
    ],
    ids=["taken", "taken in another case", "empty", "long", "space", "colon", "sign", "escape"],
)
def test_a_refused_alias_is_explained_in_one_line_and_may_be_tried_again(
    start: Start, alias: str, words: str
) -> None:
    start.plain("Bob")
    client = start.plain()
    client.send(alias)
    assert re.search(f"^-- .*({words})", client.read_until("")[0])
    assert client.join("Carol")[0] == "Connected to the server!"
    assert len([line for line in client.lines if line.startswith("-- ")]) == 3


def test_an_alias_that_is_not_utf_8_is_refused_and_may_be_tried_again(start: Start) -> None:
    client = start.plain()
    client.send_bytes(b"\xc3(\n")
    assert "UTF-8" in client.read_until("^-- ")[0]
    client.join("Carol")


def test_help_lists_every_command_and_explains_one(start: Start) -> None:
    alice = start.plain("Alice")
    alice.send("/help")
    listed = [line.split()[1] for line in alice.settle()]
    assert listed == [f"/{name}" for name in EVERY_COMMAND]
    alice.send("/help nick")
    assert alice.settle() == ["-- /nick NAME  changes your alias"]


def test_every_listed_command_is_known(start: Start) -> None:
    alice = start.plain("Alice")
    alice.send("/help")
    for command in [line.split()[1] for line in alice.settle()]:
        if command != "/quit":
            alice.send(command)
            assert not any("no command" in line for line in alice.settle())


def test_me_tells_what_somebody_does(start: Start) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.send("/me waves")
    assert bob.read_until("")[-1] == "* Alice waves"
    assert alice.read_until("waves")[-1] == "* Alice waves"


def test_nick_changes_the_name_that_others_read(start: Start) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.send("/nick Ally", "hi")
    assert bob.read_until("hi") == ["Alice is now known as Ally", "Ally: hi"]
    alice.send("/nick Bob")
    assert "Bob" in alice.read_until("^-- ")[-1]
    start.plain("Alice")


def test_topic_is_told_set_and_asked_for(start: Start) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.send("/topic tea at four")
    assert bob.read_until("topic") == ["Alice set the topic: tea at four"]
    bob.send("/topic")
    assert bob.read_until("^-- ") == ["-- Topic of #lobby: tea at four"]


def test_msg_reaches_both_people_and_nobody_else(start: Start) -> None:
    alice, bob, carol = start.plain("Alice"), start.plain("Bob"), start.plain("Carol")
    alice.send("/msg Bob psst")
    alice.read_until("^\\[Alice -> Bob\\] psst$")
    assert bob.read_until("psst")[-1] == "[Alice -> Bob] psst"
    assert carol.settle() == []
    alice.send("/msg Nobody psst")
    assert "Nobody" in alice.read_until("^-- ")[-1]


def test_join_moves_to_the_other_room(start: Start) -> None:
    alice, bob, carol = start.plain("Alice"), start.plain("Bob"), start.plain("Carol")
    carol.send("/join #dev")
    carol.read_until("^Carol has connected to the chat room$")
    alice.settle(), bob.settle()
    alice.send("/join #dev")
    assert alice.read_until("connected") == [
        "-- You are in #dev.",
        "-- Here: Carol, Alice (2).",
        "Alice has connected to the chat room",
    ]
    assert bob.read_until("") == ["Alice has left the chat room!"]
    assert carol.read_until("") == ["Alice has connected to the chat room"]
    alice.send("only here")
    assert carol.read_until("") == ["Alice: only here"]
    assert bob.settle() == []
    bob.send("only there")
    assert bob.read_until("") == ["Bob: only there"]
    assert "Bob: only there" not in alice.settle()


def test_a_new_room_takes_its_topic_from_the_join_and_is_listed(start: Start) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.send("/join #dev all about code")
    alice.read_until("^Alice set the topic: all about code$")
    bob.settle()
    bob.send("/rooms")
    assert sorted(bob.settle()) == ["-- #dev (1) all about code", "-- #lobby (1)"]
    alice.send("/join nosign")
    assert "#" in alice.read_until("^-- ")[-1]


def test_who_says_who_is_here_and_who_is_away(start: Start) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.send("/away lunch")
    bob.read_until("^-- You are away: lunch$")
    alice.settle()
    alice.send("/who")
    assert alice.settle() == ["-- In #lobby (2): Alice, Bob (away: lunch)"]
    bob.send("/away")
    bob.read_until("^-- You are back.$")
    alice.send("/who")
    assert alice.settle() == ["-- In #lobby (2): Alice, Bob"]


def test_history_shows_the_last_lines_of_the_room(start: Start) -> None:
    alice = start.plain("Alice")
    alice.send("one", "two", "three")
    alice.read_until("^Alice: three$")
    alice.send("/history 2")
    assert [line.split("] ")[1] for line in alice.settle()] == ["Alice: two", "Alice: three"]


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("/quit", "Alice has left the chat room!"),
        ("/quit see you", "Alice has left the chat room! (see you)"),
    ],
)
def test_quit_says_goodbye_tells_the_others_and_closes(
    start: Start, command: str, left: str
) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.send(command)
    assert alice.read_to_end()[-1] == "-- Goodbye."
    assert bob.read_until("") == [left]


def test_a_doubled_slash_says_a_line_with_one(start: Start) -> None:
    alice = start.plain("Alice")
    alice.send("//etc/hosts")
    assert alice.read_until("") == ["Alice: /etc/hosts"]


def test_an_unknown_command_is_answered_and_never_said(start: Start) -> None:
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.settle()
    alice.send("/hepl me")
    assert alice.settle() == ["-- There is no command /hepl. Did you mean /help?"]
    assert bob.settle() == []


def test_a_misused_command_is_answered_with_its_usage(start: Start) -> None:
    alice = start.plain("Alice")
    alice.send("/msg")
    (answer,) = alice.settle()
    assert re.fullmatch("-- .* Usage: /msg NAME text", answer)


def test_carriage_returns_before_line_ends_are_no_part_of_anything(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain()
    alice.send_bytes(b"Alice\r\none\r\ntwo\r\n")
    assert bob.read_until("two") == [
        "Alice has connected to the chat room",
        "Alice: one",
        "Alice: two",
    ]


def test_a_telnet_opening_is_answered_and_stripped(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain()
    will_terminal_type, do_echo = b"\xff\xfb\x18", b"\xff\xfd\x01"
    alice.send_bytes(will_terminal_type + do_echo + b"Alice\r\nhi\xff\xff there\r\n")
    answered = b""
    while b"there\n" not in answered:
        answered += alice.receive()
    assert answered.count(b"\xff\xfe\x18\xff\xfc\x01") == 1
    assert answered.count(b"\xff") == 2
    assert bob.read_until(": ")[-1] == "Alice: hi\ufffd there"


def test_one_byte_at_a_time_gives_the_same_lines(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain()
    for byte in "Alice\n/me wäves\n//ü\r\n/quit bye\n".encode():
        alice.send_bytes(bytes([byte]))
    assert bob.read_until("left") == [
        "Alice has connected to the chat room",
        "* Alice wäves",
        "Alice: /ü",
        "Alice has left the chat room! (bye)",
    ]


def test_bytes_that_are_not_utf_8_reach_others_as_replacement_characters(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain("Alice")
    bob.settle()
    bad = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
    alice.send_bytes(b"".join(b"a" + each + b"b\n" for each in bad))
    for _ in bad:
        assert re.fullmatch("Alice: a\ufffd+b", bob.read_until("")[0])


def test_separators_that_only_python_knows_do_not_split_a_line(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain("Alice")
    bob.settle()
    alice.send_bytes("a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\u2029h\nnext\n".encode())
    said, after = bob.read_until("next")
    assert re.fullmatch("Alice: a.b.c.d.e.f.g.h", said)
    assert after == "Alice: next"


@pytest.mark.parametrize(
    "lines",
    [["hi \x1b[31mred\x07"], ["/me \x1b[2J"], ["/topic \x1b]0;x\x07"], ["/quit \u202ebye\x9b"]],
    ids=["text", "me", "topic", "quit words"],
)
def test_nothing_that_is_typed_reaches_another_terminal_as_a_control(
    start: Start, lines: list[str]
) -> None:
    bob, alice = start.plain("Bob"), start.plain("Alice")
    bob.settle()
    alice.send(*lines)
    (line,) = bob.read_until("Alice")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line)


def test_a_line_of_4096_bytes_stays_whole_and_a_longer_one_is_refused_once(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain("Alice")
    bob.settle(), alice.settle()
    alice.send("x" * 4096, "y" * 4097, "after")
    assert bob.read_until("after") == ["Alice: " + "x" * 4096, "Alice: after"]
    refused = [line for line in alice.settle() if line.startswith("-- ")]
    assert len(refused) == 1
    assert "4,096" in refused[0]


def nc(server: Server, typed: str) -> list[str]:
    """What `nc -N` shows of a conversation whose input ends."""
    host, port = server.address
    done = subprocess.run(
        ["nc", "-N", host, str(port)], input=typed.encode(), capture_output=True, timeout=60
    )
    assert done.returncode == 0
    return done.stdout.decode().splitlines()


def test_nc_whose_input_ends_gets_everything_that_is_due(server: Server, start: Start) -> None:
    bob = start.plain("Bob")
    shown = nc(server, "Zed\nhi\n/who\n")
    assert shown[0] == "Connected to the server!"
    assert shown[-2:] == ["Zed: hi", "-- In #lobby (2): Bob, Zed"]
    assert bob.read_until("left") == [
        "Zed has connected to the chat room",
        "Zed: hi",
        "Zed has left the chat room!",
    ]


def test_a_last_line_without_its_end_is_not_said_and_the_client_is_told(
    server: Server, start: Start
) -> None:
    bob = start.plain("Bob")
    assert nc(server, "Zed\nhi\ncut sho")[-1].startswith("-- Your last line had no line end")
    assert bob.read_until("left")[1:] == ["Zed: hi", "Zed has left the chat room!"]


def test_the_alias_of_who_has_left_is_free_at_once(start: Start) -> None:
    bob, alice = start.plain("Bob"), start.plain("Alice")
    alice.sock.shutdown(socket.SHUT_RDWR)
    bob.read_until("^Alice has left")
    start.plain("Alice")
