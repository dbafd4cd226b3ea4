"""Who ends their input is handled to the last line, gets all that is due, and is then closed."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server, Start

SMALL_BUFFER = 4096
READ_S = 60.0


def test_everything_sent_before_the_end_is_said_and_echoed(start: Start, server: Server) -> None:
    bob, alice = start.plain("Bob"), start.plain()
    lines = [f"line {number}" for number in range(2_000)]
    alice.send("Alice", *lines)
    alice.end_input()
    echoed = alice.read_to_end(READ_S)
    assert [line for line in echoed if "Alice: " in line] == [f"Alice: {line}" for line in lines]
    heard = bob.read_until("^Alice has left the chat room!$")
    assert heard[1:-1] == [f"Alice: {line}" for line in lines]


def test_a_slow_reader_gets_all_that_is_due_after_its_end(start: Start, server: Server) -> None:
    """Far more is due than the sockets hold when the end comes."""
    bob, alice = start.plain("Bob"), start.plain("Alice", receive_buffer=SMALL_BUFFER)
    words = "x" * 1_000
    for begin in range(0, 2_000, 100):
        bob.send(*(f"{number} {words}" for number in range(begin, begin + 100)))
        bob.read_until(f": {begin + 99} ")
    alice.send("last words")
    alice.end_input()
    bob.read_until("^Alice has left the chat room!$")
    got = alice.read_to_end(READ_S)
    numbers = [int(found[1]) for line in got if (found := re.match(r"Bob: (\d+) ", line))]
    assert numbers == list(range(2_000))
    assert got[-1] == "Alice: last words"


def test_under_flood_control_the_rest_is_still_said_after_the_end(start: Start) -> None:
    start.server(config="[flood]\nburst = 5\nper_second = 50\n")
    bob, alice = start.plain("Bob"), start.plain()
    alice.send("Alice", *map(str, range(40)))
    alice.end_input()
    heard = bob.read_until("^Alice has left the chat room!$", READ_S)
    assert heard[1:-1] == [f"Alice: {number}" for number in range(40)]
    assert alice.read_to_end()[-1] == "Alice: 39"


def test_a_native_client_that_ends_its_input_is_answered_and_keeps_its_grace(
    start: Start, server: Server
) -> None:
    bob, alice = start.native("Bob"), start.native()
    alice.send("hello", v=1, alias="Alice")
    for number in range(300):
        alice.send("say", id=str(number), room="#lobby", text=str(number))
    alice.send("ping", re="last")
    alice.end_input()
    messages = alice.read_messages_to_end(READ_S)
    assert [m["text"] for m in messages if m["t"] == "say"] == [str(n) for n in range(300)]
    assert {"t": "pong", "re": "last"} in messages
    bob.read_until(lambda message: message.get("state") == "grace")
    assert bob.texts() == [str(number) for number in range(300)]


def test_a_native_message_without_its_end_is_not_said(start: Start, server: Server) -> None:
    bob, alice = start.native("Bob"), start.native("Alice")
    alice.send_bytes(b'{"t":"say","id":"a","room":"#lobby","text":"cut short"}')
    alice.end_input()
    alice.read_messages_to_end()
    bob.read_until(lambda message: message.get("state") == "grace")
    assert bob.texts() == []


@pytest.mark.parametrize(
    "opening", [b"", b"Ali", b"\xff", b'{"t":"hel', b"GET / HT", b"NICK", b"\x16"]
)
def test_an_end_before_joining_is_an_end(
    start: Start, server: Server, wait_for: Callable[..., None], opening: bytes
) -> None:
    before = server.descriptors
    client = start.plain()
    client.send_bytes(opening)
    client.end_input()
    while client.receive():
        pass
    wait_for(lambda: server.descriptors == before, "it is closed")


def test_an_end_right_after_an_alias_joins_and_leaves(start: Start, server: Server) -> None:
    bob, alice = start.plain("Bob"), start.plain()
    alice.send_bytes(b"Alice\n")
    alice.end_input()
    assert alice.read_to_end()[0] == "Connected to the server!"
    assert len(bob.read_until("^Alice has left the chat room!$")) == 2


def test_an_ended_input_does_not_keep_the_server_busy(start: Start, server: Server) -> None:
    """The stalled reader's end of input stays readable for as long as it does not read."""
    bob, alice = start.plain("Bob"), start.plain("Alice", receive_buffer=SMALL_BUFFER)
    for begin in range(0, 1_000, 100):
        bob.send(*(f"{number} {'x' * 1_000}" for number in range(begin, begin + 100)))
        bob.read_until(f": {begin + 99} ")
    alice.end_input()
    bob.read_until("^Alice has left the chat room!$")
    before_s = server.cpu_s
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(1.0)
    spent_s = server.cpu_s - before_s
    print(f"\none second after the end: {spent_s:.2f} s of processor time")
    assert spent_s < 0.2
    assert not bob.settle()
