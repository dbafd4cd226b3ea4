"""A browser that somebody else's page uses against the room (S1), and a page that is used against itself (P9)."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from chatcore.dialects.sniff import FIRST_LINE_BYTES
from tests.conftest import NO_FLOOD, end_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Plain, Server, Start

BODIES = (
    b"Mallory\nhello everybody\n",
    b"\r\n\r\nMallory\r\n/quit\r\n",
    b'{"t":"hello","v":1,"alias":"Mallory"}\n{"t":"say","id":"1","room":"#lobby","text":"x"}\n',
    b'\r\n{"t":"hello","v":1,"alias":"Mallory"}\r\n',
    b"NICK Mallory\r\nUSER m 0 * :m\r\nJOIN #lobby\r\nPRIVMSG #lobby :x\r\n",
    b"\xff\xfb\x01Mallory\nhello\n",
    b"\x16\x03\x01\x00\x05hello",
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
)
HEADS = (
    "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n",
    "POST /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nContent-Length: {length}\r\n\r\n",
    "PUT / HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n",
    "OPTIONS / HTTP/1.1\r\nHost: {host}\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: null\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "POST / HTTP/1.1\n\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "BREW /pot HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n",
    # Longer than a request line may be: it must not be taken for what a person types.
    *(
        f"POST /{'a' * size} HTTP/1.1\r\nHost: {{host}}\r\nContent-Length: {{length}}\r\n\r\n"
        for size in (FIRST_LINE_BYTES - 10, FIRST_LINE_BYTES, 100_000)
    ),
)


def test_no_page_of_others_has_an_effect_on_the_room(start: Start) -> None:
    server = start.server(config=f"{NO_FLOOD}[limits]\narrivals_per_minute = 0\n")
    witness = start.plain("Witness")
    host = f"localhost:{server.address[1]}"
    tried = failed = 0
    for head, body, split in itertools.product(HEADS, BODIES, (False, True)):
        raw = head.format(host=host, length=len(body)).encode()
        with start.unkept() as attacker:
            tried += 1
            failed += not _is_answered_once(attacker, raw, body, split=split)
    said = witness.settle()
    print(f"\nS1: {tried} tried, {failed} failed, {len(said)} effects")
    assert failed == 0
    assert said == []
    assert server.running


def _is_answered_once(attacker: Plain, raw: bytes, body: bytes, *, split: bool) -> bool:
    """One HTTP answer, nothing of the room in it, then the end."""
    try:
        attacker.send_bytes(raw if split else raw + body)
        if split:
            attacker.send_bytes(body)
        read = b""
        while data := attacker.receive():
            read += data
    except (ConnectionResetError, BrokenPipeError):
        # What is sent to a connection that was answered and closed may be answered with a reset.
        return True
    return read.startswith(b"HTTP/1.1 ") and read.count(b"HTTP/1.1 ") == 1 and b"lobby" not in read


class Socket:
    """A WebSocket, by hand."""

    def __init__(self, start: Start, server: Server, **options: Any) -> None:
        self.wire = start.unkept(**options)
        host, port = server.address
        self.protocol = ClientProtocol(parse_uri(f"ws://{host}:{port}/ws"), max_size=None)
        self.protocol.send_request(self.protocol.connect())
        self.flush()
        self.read()

    def flush(self) -> None:
        self.wire.send_bytes(b"".join(self.protocol.data_to_send()))

    def send(self, t: str, **fields: object) -> None:
        self.protocol.send_text(json.dumps({"t": t, **fields}).encode())
        self.flush()

    def read_until(self, text: str, deadline_s: float) -> list[dict[str, Any]]:
        """All messages up to the one with this text."""
        messages: list[dict[str, Any]] = []
        end = end_of(deadline_s)
        while not messages or messages[-1].get("text") != text:
            data = self.wire.receive(end)
            assert data, f"the connection ended before {text!r}"
            self.protocol.receive_data(data)
            frames = [each for each in self.protocol.events_received() if isinstance(each, Frame)]
            messages += [json.loads(bytes(each.data)) for each in frames]
        return messages

    def read(self) -> list[Frame]:
        """What came with the next read."""
        self.protocol.receive_data(self.wire.receive())
        return [each for each in self.protocol.events_received() if isinstance(each, Frame)]

    def close_code(self) -> int:
        """Read to the end; the code that the server closed with, or 0."""
        try:
            while data := self.wire.receive():
                self.protocol.receive_data(data)
        except ConnectionResetError:
            pass
        closes = [
            event
            for event in self.protocol.events_received()
            if isinstance(event, Frame) and event.opcode is Opcode.CLOSE
        ]
        return int.from_bytes(closes[-1].data[:2], "big") if closes else 0


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


GROWN_KIB = 8 * 1024
"""Of the server's memory while 16 MB come; what is freed is not always given back to the system at once."""

ROUNDS = pytest.mark.parametrize(
    "count", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)]
)


@ROUNDS
def test_a_million_tiny_fragments_cost_no_memory(start: Start, count: int) -> None:
    server = start.server()
    witness = start.native("Witness")
    attacker = Socket(start, server)
    with attacker.wire:
        attacker.wire.send_bytes(frame(Opcode.TEXT, b"", fin=False))
        before = server.rss_kib
        tiny = frame(Opcode.CONT, b"").replace(b"\x80\x80", b"\x00\x80", 1) * 1_000
        for _ in range(count // 1_000):
            attacker.wire.send_bytes(tiny)
            witness.ask("ping")
        grown = server.rss_kib - before
        # And with a byte in each, they are bounded by what a message may have.
        try:
            for _ in range(40):
                attacker.wire.send_bytes(frame(Opcode.CONT, b"x", fin=False) * 1_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        code = attacker.close_code()
    print(f"\nP9: {count:,} empty fragments, RSS {grown:+,} KiB; then closed with {code}")
    assert grown < GROWN_KIB
    assert code in {1009, 0}
    witness.ask("ping")


def test_a_flood_of_pings_holds_back_who_sends_it(start: Start) -> None:
    server = start.server()
    witness = start.native("Witness")
    attacker = Socket(start, server)
    with attacker.wire:
        before = server.rss_kib
        attacker.wire.sock.settimeout(0.05)
        sent = 0
        pings = frame(Opcode.PING, os.urandom(125)) * 500
        try:
            while sent < 64 * 1024 * 1024:
                sent += attacker.wire.sock.send(pings)
        except TimeoutError:
            pass
        witness.ask("ping")
        grown = server.rss_kib - before
    print(f"\nP9: {sent / 1e6:.1f} MB of pings until it was held back, RSS {grown:+,} KiB")
    assert sent < 64 * 1024 * 1024, "its answers are not read, so its pings are not either"
    assert grown < GROWN_KIB


SMALL_BUFFER = 4_096
"""Bytes of a reader that takes nothing, so that few lines fill it."""

WORDS = "x" * 100
READ_S = 60.0
SLEEPER_KIB = 8 * 1024
RSS_KIB_A_LINE = 1.0
"""What the log may keep for a line that all readers share."""

LINES = pytest.mark.parametrize("count", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])


@LINES
def test_a_tab_that_reads_nothing_for_a_while_gets_every_line_once(
    start: Start, tmp_path: Path, count: int
) -> None:
    server = start.server(config=NO_FLOOD, data=tmp_path / "data")
    sleeper = Socket(start, server, receive_buffer=SMALL_BUFFER)
    sender = start.native("Sender")
    with sleeper.wire:
        sleeper.send("hello", v=1, alias="Sleeper")
        sender.read_until(lambda message: message.get("alias") == "Sleeper")
        before = server.rss_kib
        for first in range(0, count, 500):
            piece = range(first, min(first + 500, count))
            for number in piece:
                sender.send("say", id=f"s{number}", room="#lobby", text=f"{number} {WORDS}")
            sender.read_until(lambda message, last=piece[-1]: message.get("id") == f"s{last}")
        grown = server.rss_kib - before
        messages = sleeper.read_until(f"{count - 1} {WORDS}", READ_S)
    said = [int(m["text"].split()[0]) for m in messages if m["t"] == "say"]
    seqs = [m["seq"] for m in messages if "seq" in m and m["t"] != "welcome"]
    print(
        f"\nF1 over WebSocket: {count:,} lines, {count - len(set(said)):,} lost, "
        f"{len(said) - len(set(said)):,} twice, RSS {grown:+,} KiB"
    )
    assert said == list(range(count))
    assert seqs == sorted(set(seqs))
    assert not any(m["t"] == "gap" for m in messages)
    assert grown < SLEEPER_KIB + count * RSS_KIB_A_LINE
