"""A client at a terminal: the line being typed stays whole, and the terminal is left as it was found."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.conftest import Chatters, Person

CTRL_A, CTRL_C, CTRL_D, CTRL_E = "\x01", "\x03", "\x04", "\x05"
PASTE_BRACKETS_OFF = b"\x1b[?2004l"
PROMPT = "#lobby> "
NARROW = 37
"""Columns: odd, so that a wide character meets the margin."""

TYPED = {
    "short": "hello",
    "wrapped": "".join(f"word{number:02}," for number in range(14)),
    "wide": "漢字かな交じり文" * 8,
    "mixed": "añb漢👍c" * 12,
}


def unwrapped(rows: list[str]) -> str:
    """A line that arrived, in one piece: all but its first row are indented."""
    first, *others = rows or [""]
    return "".join([first, *(row.removeprefix("  ") for row in others)])


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("text", TYPED.values(), ids=TYPED.keys())
def test_a_line_being_typed_is_not_torn_by_arriving_ones(chatters: Chatters, text: str) -> None:
    alice = chatters.person(1, size=(NARROW, 60)).joined()
    bob = chatters.netcat("Bob")
    alice.sees("^Bob has connected")
    before = [*alice.said]
    typed = ""
    arrived: list[str] = []
    for number, piece in enumerate(pieces(text, 9)):
        typed += piece
        alice.keys(piece)
        alice.until(lambda typed=typed: alice.typed == PROMPT.rstrip() + " " + typed, "the typed")
        arrived.append(f"Bob: line {number}")
        bob.send(f"line {number}")
        alice.sees(f"^{arrived[-1]}$")
        alice.until(lambda typed=typed: alice.typed == PROMPT + typed, "the typed again")
        assert alice.said == before + arrived
    alice.types("")
    alice.until(lambda: alice.typed == PROMPT.rstrip(), "an empty line")
    bob.sees(f"^Alice: {text}$")
    alice.settle()
    rows = alice.said[len(before + arrived) :]
    assert unwrapped(rows).startswith(f"Alice: {text}-- pong"), "one's own line is shown once"


def test_a_long_line_that_arrives_leaves_a_wrapped_line_whole(chatters: Chatters) -> None:
    alice = chatters.person(1, size=(NARROW, 60)).joined()
    bob = chatters.netcat("Bob")
    alice.sees("^Bob has connected")
    mine, theirs = "m" * 50, "漢t" * 40
    alice.keys(mine)
    alice.until(lambda: alice.typed == PROMPT + mine, "the typed")
    before = len(alice.said)
    bob.send(theirs)
    arrived = f"Bob: {theirs}"
    alice.until(lambda: unwrapped(alice.said[before:]) == arrived, "the arriving line, whole")
    alice.until(lambda: alice.typed == PROMPT + mine, "the typed again")


def test_the_cursor_stays_where_it_was_when_a_line_arrives(chatters: Chatters) -> None:
    alice, bob = chatters.person(1, size=(40, 30)).joined(), chatters.netcat("Bob")
    alice.keys(f"world{CTRL_A}")
    bob.send("first", "second")
    alice.sees("^Bob: second$")
    alice.keys("hello ")
    alice.until(lambda: alice.typed == f"{PROMPT}hello world", "the words in order")
    alice.types(f"{CTRL_E}!")
    bob.sees("^Alice: hello world!$")


def test_a_mention_rings_the_bell_and_only_a_mention(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    bob.send("hello all", "malice aforethought")
    alice.sees("^Bob: malice aforethought$")
    alice.types("I am Alice")
    alice.sees("^Alice: I am Alice$")
    assert alice.raw.count(b"\a") == 0
    bob.send("tea, alice?")
    alice.rings()
    alice.sees(r"^Bob: tea, alice\?$")
    bob.send("/msg Alice psst")
    alice.rings(2)
    alice.settle()
    assert alice.raw.count(b"\a") == 2


def test_ctrl_c_clears_the_line_and_nothing_of_it_is_sent(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    alice.keys("something rash")
    alice.until(lambda: alice.typed == f"{PROMPT}something rash", "the typed")
    alice.keys(CTRL_C)
    alice.until(lambda: alice.typed == PROMPT.rstrip(), "an empty line")
    alice.types("something kind")
    bob.sees("^Alice: something kind$")
    bob.settle()
    assert bob.count("rash") == 0


def test_ctrl_d_leaves_only_from_an_empty_line(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    alice.keys(f"ab{CTRL_A}{CTRL_D}")
    alice.until(lambda: alice.typed == f"{PROMPT}b", "one letter less")
    alice.types("")
    bob.sees("^Alice: b$")
    alice.keys(CTRL_D)
    assert alice.ends() == 0
    bob.sees("^Alice has left the chat room!$")


def types_quit(alice: Person, stop: Callable[[], object]) -> None:
    alice.types("/quit until tomorrow")


def presses_ctrl_d(alice: Person, stop: Callable[[], object]) -> None:
    alice.keys(CTRL_D)


def presses_ctrl_c(alice: Person, stop: Callable[[], object]) -> None:
    alice.keys(CTRL_C)


def is_terminated(alice: Person, stop: Callable[[], object]) -> None:
    alice.child.kill(signal.SIGTERM)


def is_terminated_while_typing(alice: Person, stop: Callable[[], object]) -> None:
    alice.keys("half a li")
    alice.until(lambda: "half a li" in alice.typed, "the typed")
    alice.child.kill(signal.SIGTERM)


def is_hung_up(alice: Person, stop: Callable[[], object]) -> None:
    alice.child.kill(signal.SIGHUP)


def loses_the_server(alice: Person, stop: Callable[[], object]) -> None:
    stop()


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (types_quit, 0),
        (presses_ctrl_d, 0),
        (presses_ctrl_c, 130),
        (is_terminated, 143),
        (is_terminated_while_typing, 143),
        (is_hung_up, 129),
        (loses_the_server, 69),
    ],
)
def test_every_way_out_restores_the_terminal(
    chatters: Chatters, leave: Callable[[Person, Callable[[], object]], None], code: int
) -> None:
    server = chatters.server()
    alice = chatters.person(1, "--no-reconnect").joined()
    assert alice.modes != alice.modes_before, "it is raw while she is in"
    leave(alice, server.close)
    assert alice.ends() == code
    assert alice.modes == alice.modes_before
    assert alice.raw.count(PASTE_BRACKETS_OFF) == 1
    assert not any(line.startswith(PROMPT.rstrip()) for line in alice.lines), "no prompt is left"


def test_a_refusal_to_start_leaves_the_terminal_alone(chatters: Chatters) -> None:
    alice = chatters.person(1, "--no-such-option")
    assert alice.ends() == 64
    assert alice.modes == alice.modes_before


def test_tab_completes_names_rooms_and_commands(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    alice.sees("^Bob has connected")
    alice.keys("b\t")
    alice.until(lambda: alice.typed == f"{PROMPT}Bob:", "the name")
    alice.types("tea?")
    bob.sees(r"^Alice: Bob: tea\?$")
    alice.keys("/top\t")
    alice.until(lambda: alice.typed == f"{PROMPT}/topic", "the command")
    alice.keys("#lo\t")
    alice.until(lambda: alice.typed == f"{PROMPT}/topic #lobby", "the room")


def test_ctrl_r_finds_what_was_said_before(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    alice.types("first words", "other words")
    bob.sees("^Alice: other words$")
    alice.keys("half\x12fir")
    alice.until(lambda: alice.lines[-1] == "(search: fir) first words", "what was found")
    alice.types("")
    bob.sees("^Alice: first words$", times=2)
    alice.until(lambda: alice.typed == PROMPT.rstrip(), "the prompt again")
