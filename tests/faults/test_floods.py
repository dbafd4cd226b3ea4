"""Who sends without end or without sense costs no memory, no crash, and nobody else anything."""

from __future__ import annotations

import os
import random
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from tests.conftest import Server, Start

    WaitFor: TypeAlias = Callable[[Callable[[], object], str], None]

PIECE = b"x" * 65_536
ENDLESS_BYTES = 20 * 1024 * 1024
ENDLESS_RSS_KIB = 1024
READ_S = 60.0
BYTEWISE = 500
"""Bytes of the input that are sent each alone; the rest then follows in one piece."""
MUCH = 50_000_000
"""Bytes that no socket's buffers take."""
CORPUS = [
    b"Alice\nhello\n/me waves\n//slash\n/nope\n/nick Ally\n/topic tea\n/topic\n/ping\n/who\n",
    b"Alice\r\nhello\r\n/help nick\r\n/rooms\r\nbad \xff\xc3( bytes\r\n\r\n",
    b"two words\n\n\xff\nAlice\nhi\n" + b"z" * 5_000 + b"\nafter\n",
    b"\xff\xfb\x18\xff\xfd\x01\xff\xfa\x18\x00xterm\xff\xf0Alice\r\nhi\xff\xff\r\0there\r\n",
    b'{"t":"hello","v":1,"alias":"Alice"}\n{"t":"say","id":"a","room":"#lobby","text":"hi"}\n'
    b'{"t":"say","id":"a","room":"#lobby","text":"hi"}\n{]\n{"t":"nope","re":"r"}\n{"t":"who"}\n'
    b'{"t":"say","id":"b","room":"#lobby","text":"\\ud800 \xc3\xbc"}\n{"t":"ping","re":2}\n',
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"NICK alice\r\nUSER a 0 * :A\r\n",
]


def test_an_endless_plain_line_is_refused_once_and_the_connection_lives_on(
    start: Start, server: Server
) -> None:
    bob, alice = start.plain("Bob"), start.plain("Alice")
    bob.settle(), alice.settle()
    before_kib, began = server.rss_kib, time.monotonic()
    for _ in range(ENDLESS_BYTES // len(PIECE)):
        alice.send_bytes(PIECE)
    alice.send_bytes(b"\nafter\n")
    answers = alice.read_until("^Alice: after$")
    grown_kib = server.rss_kib - before_kib
    print(f"\n20 MB in one line: {time.monotonic() - began:.2f} s, RSS +{grown_kib} KiB")
    refused = [line for line in answers + alice.settle() if line.startswith("-- ")]
    assert len(refused) == 1
    assert "longer than 4,096 bytes" in refused[0]
    assert bob.read_until("") == ["Alice: after"]
    assert grown_kib <= ENDLESS_RSS_KIB


def test_an_endless_native_message_is_refused_once_and_the_connection_lives_on(
    start: Start, server: Server
) -> None:
    alice = start.native("Alice")
    before_kib, began = server.rss_kib, time.monotonic()
    alice.send_bytes(b'{"t":"say","id":"a","text":"')
    for _ in range(ENDLESS_BYTES // len(PIECE)):
        alice.send_bytes(PIECE)
    alice.send_bytes(b'"}\n')
    assert alice.say("b", "after")["t"] == "say"
    grown_kib = server.rss_kib - before_kib
    print(f"\n20 MB in one message: {time.monotonic() - began:.2f} s, RSS +{grown_kib} KiB")
    alice.settle()
    refused = [message for message in alice.messages if message["t"] == "refused"]
    assert [message["code"] for message in refused] == ["too_long"]
    assert alice.texts() == ["after"]
    assert grown_kib <= ENDLESS_RSS_KIB


@pytest.mark.parametrize("opening", [b"", b"\xff\xfa\x18", b"GET /"], ids=["alias", "sub", "HTTP"])
def test_an_endless_opening_costs_no_memory(start: Start, server: Server, opening: bytes) -> None:
    with start.plain() as first:
        # What requests are taken apart with is loaded with the first of them: 2 MiB once.
        first.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        first.read_to_end()
    client = start.plain()
    before_kib = server.rss_kib
    client.send_bytes(opening)
    for _ in range(ENDLESS_BYTES // len(PIECE)):
        client.send_bytes(PIECE)
    start.plain("Bob")
    assert server.rss_kib - before_kib <= ENDLESS_RSS_KIB


def test_lines_byte_by_byte_cost_the_same_however_long(start: Start, server: Server) -> None:
    """A line that is searched from its beginning at every byte would cost sixteen times as much a byte."""
    alice = start.plain("Alice")

    def cost_s(size: int, times: int) -> float:
        before = server.cpu_s
        for _ in range(times):
            for _ in range(size):
                alice.send_bytes(b"x")
            alice.send_bytes(b"\n")
            alice.read_until("^Alice: x")
        return server.cpu_s - before

    short_s, long_s = cost_s(250, 32), cost_s(4_000, 2)
    print(
        f"\n8,000 single bytes: {short_s:.2f} s in lines of 250, {long_s:.2f} s in lines of 4,000"
    )
    assert long_s <= 3 * short_s + 0.3


def check_fast_sender(start: Start, server: Server, lines: int) -> None:
    """F3: all of it arrives, once and in order, at everybody."""
    alice, bob = start.plain("Alice"), start.plain("Bob")
    before_kib, began = server.rss_kib, time.monotonic()
    for begin in range(0, lines, 1_000):
        alice.send(*map(str, range(begin, begin + 1_000)))
        alice.read_until(f"^Alice: {begin + 999}$", READ_S)
        bob.read_until(f"^Alice: {begin + 999}$", READ_S)
    took_s = time.monotonic() - began
    print(
        f"\n{lines} lines: {lines / took_s:,.0f} a second; RSS +{server.rss_kib - before_kib} KiB"
    )
    for client in (alice, bob):
        said = [line for line in client.lines if line.startswith("Alice: ")]
        assert said == [f"Alice: {number}" for number in range(lines)]


def test_a_fast_sender_loses_nothing_to_anybody(start: Start, server: Server) -> None:
    check_fast_sender(start, server, 20_000)


@pytest.mark.slow
def test_a_fast_sender_of_a_hundred_thousand_lines_loses_nothing(
    start: Start, server: Server
) -> None:
    check_fast_sender(start, server, 100_000)


def test_a_fast_sender_under_flood_control_is_held_back_by_its_own_socket(start: Start) -> None:
    server = start.server(config="[flood]\nburst = 20\nper_second = 5\n")
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.settle()
    before_kib = server.rss_kib
    alice.sock.settimeout(0.5)
    took = 0
    with suppress(TimeoutError):
        while took < MUCH:
            took += alice.sock.send(b"line\n" * 10_000)
    assert took < MUCH, "it is held back"
    bob.send("hi")
    heard = bob.read_until("^Bob: hi$")
    grown_kib = server.rss_kib - before_kib
    print(f"\nheld back after {took} bytes; {len(heard) - 1} lines said; RSS +{grown_kib} KiB")
    assert 20 <= len(heard) - 1 <= 40
    assert not alice.is_gone()
    assert grown_kib <= ENDLESS_RSS_KIB


def replies(start: Start, wait_for: WaitFor, pieces: list[bytes]) -> bytes:
    """Everything that a fresh server answers when it reads the input in these pieces."""
    server, client = start.server(), start.plain()
    answered, sent = b"", 0
    try:
        for piece in pieces:
            client.send_bytes(piece)
            sent += len(piece)
            wait_for(lambda: server.has_read(client), "the piece is read")
    except OSError:
        # It has answered and closed: it wanted to hear no more.
        assert sent
    with suppress(OSError):
        client.end_input()
    while part := client.receive():
        answered += part
    server.close()
    return answered


def stripped(answers: bytes) -> list[str]:
    """Without what differs from one server and one second to the next, and in the order that is promised."""
    negotiation = re.findall(rb"\xff[\xfb-\xfe].", answers)
    text = re.sub(rb"\xff[\xfb-\xfe].", b"", answers).decode(errors="backslashreplace")
    text = re.sub(r'"(time|log|sid|token)":"[^"]*"', "", text)
    return [*text.split("\n"), *map(repr, negotiation)]


def random_pieces(data: bytes, random_: random.Random) -> list[bytes]:
    cuts = sorted(random_.sample(range(1, len(data)), min(len(data) - 1, random_.randint(1, 12))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def check_splits(start: Start, wait_for: WaitFor, recorded: bytes, splits: int) -> None:
    """Answers that tell nothing of the room may overtake, so it is the same lines, not the same order."""
    seed = int(os.environ.get("CHATCORE_TEST_SEED", "7"))
    random_ = random.Random(seed)
    whole = stripped(replies(start, wait_for, [recorded]))
    assert whole
    bytewise = [bytes([byte]) for byte in recorded[:BYTEWISE]] + [recorded[BYTEWISE:]]
    for pieces in (
        [*filter(None, bytewise)],
        *(random_pieces(recorded, random_) for _ in range(splits)),
    ):
        assert sorted(stripped(replies(start, wait_for, pieces))) == sorted(whole), (
            f"{seed=} {pieces=}"
        )


@pytest.mark.parametrize("recorded", CORPUS, ids=range(len(CORPUS)))
def test_how_the_input_is_split_changes_no_reply(
    start: Start, wait_for: WaitFor, recorded: bytes
) -> None:
    check_splits(start, wait_for, recorded, 2)


@pytest.mark.slow
@pytest.mark.parametrize("recorded", CORPUS, ids=range(len(CORPUS)))
def test_a_hundred_splits_of_the_input_change_no_reply(
    start: Start, wait_for: WaitFor, recorded: bytes
) -> None:
    check_splits(start, wait_for, recorded, 100)
