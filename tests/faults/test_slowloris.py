"""Connections that send a byte now and then, and never finish saying who they are: they end in time, nobody waits."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.others import MOST_RISE_MS, Others
from tests.tls import hello_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Start

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
OPENINGS = {
    "plain": (b"", b"AliceAliceAlice"),
    "IRC": (b"", b"NICK alice alice alice"),
    "HTTP": (b"", b"GET /index.html?a=b&c=d HTTP"),
    "native": (b"", b'{"t":"hello","v":1,"client":"xxxxxxxxxxxxxxxxxx'),
    "telnet": (b"", b"\xff\xfa\x18\0xterm-256color"),
    "WebSocket": (UPGRADE, b"\x81\xfe\x10\x00masktext"),
    "TLS": (b"", hello_bytes()),
}
"""What is sent at once, and what comes byte by byte: it goes on with its last byte, and none is ever whole."""

FACES = [f"127.0.2.{number}" for number in range(1, 11)]
JOIN_S = 4
RSS_KIB_EACH = 10
END_S = 60.0
LOOK_S = 0.02


class Drip:
    """A crowd of such connections. `drip` sends one byte on each that is still there."""

    def __init__(self, address: tuple[str, int], count: int, languages: Sequence[str]) -> None:
        self.selector = selectors.DefaultSelector()
        self.sent: dict[socket.socket, int] = {}
        self.words: dict[bytes, int] = {}
        for number in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((FACES[number % len(FACES)], 0))
            sock.connect_ex(address)
            opening = OPENINGS[languages[number % len(languages)]]
            self.selector.register(sock, selectors.EVENT_READ, opening)
            self.sent[sock] = 0

    def drip(self) -> None:
        for key in list(self.selector.get_map().values()):
            sock, (first, rest) = key.fileobj, key.data
            assert isinstance(sock, socket.socket)
            pieces = self.sent[sock]
            at = min(pieces - bool(first), len(rest) - 1)
            try:
                sock.send(rest[at : at + 1] if at >= 0 else first)
            except BlockingIOError:
                continue  # Not connected yet.
            except OSError:
                self.let_go(sock)
            else:
                self.sent[sock] += 1

    def read(self) -> None:
        """What has come; who has been ended is let go."""
        for key, _ in self.selector.select(LOOK_S):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                data = sock.recv(4_096)
            except OSError:
                data = b""
            if data:
                last = data.splitlines()[-1]
                self.words[last] = self.words.get(last, 0) + 1
            else:
                self.let_go(sock)

    def let_go(self, sock: socket.socket) -> None:
        self.selector.unregister(sock)
        sock.close()

    @property
    def left(self) -> int:
        return len(self.selector.get_map())

    def close(self) -> None:
        for key in list(self.selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            self.let_go(key.fileobj)
        self.selector.close()


@pytest.mark.parametrize("languages", [list(OPENINGS), ["TLS"]], ids=["every", "TLS"])
@pytest.mark.parametrize(
    ("count", "every_s", "full"),
    [
        (1_000, 0.5, False),
        pytest.param(10_000, 5.0, True, marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
@pytest.mark.usefixtures("many_descriptors")
def test_who_never_finishes_the_first_line_is_ended_in_time_and_nobody_waits(
    start: Start, patience: float, count: int, every_s: float, full: bool, languages: list[str]
) -> None:
    """C10. None is ever silent for long; what counts is the time from the accept."""
    join_s = JOIN_S * every_s / 0.5
    server = start.server(
        "--log-level",
        "warning",
        config=f"[flood]\nenabled = false\n[timeouts]\njoin_s = {join_s}\nhandshake_s = {join_s / 2}\n",
    )
    alice, most_kib = start.plain("Alice"), 0
    with Others(server) as others:
        before_kib = server.rss_kib
        began = next_drip = time.monotonic()
        with closing(Drip(server.address, count, languages)) as crowd:
            while crowd.left and time.monotonic() < began + (join_s + END_S) * patience:
                if time.monotonic() >= next_drip:
                    crowd.drip()
                    next_drip += every_s
                    most_kib = max(most_kib, server.rss_kib)
                crowd.read()
            took_s, left = time.monotonic() - began, crowd.left
    each_kib = (most_kib - before_kib) / count
    print(
        f"\nC10: {count} connections of a byte every {every_s:g} s ({', '.join(languages)}), not ended: {left}, "
        f"the last one after {took_s:.1f} s (the limit is {join_s:g}); RSS +{each_kib:.1f} KiB each; {others.figures}"
    )
    assert not left
    assert "plain" not in languages or any(b"in time" in words for words in crowd.words)
    assert each_kib <= RSS_KIB_EACH
    if full:
        assert others.rise_ms <= MOST_RISE_MS
    assert "internal error" not in server.log
    alice.settle()
