"""Connections that send a byte now and then, and never finish saying who they are: they end in time, nobody waits."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

OPENINGS = [
    b"AliceAliceAlice",
    b"NICK alice alice alice",
    b"GET /index.html?a=b&c=d HTTP",
    b'{"t":"hello","v":1,"client":"xxxxxxxxxxxxxxxxxx',
    b"\xff\xfa\x18\0xterm-256color",
]
"""Each goes on with its last byte, and none is ever whole."""

FACES = [f"127.0.2.{number}" for number in range(1, 11)]
JOIN_S = 4
RSS_KIB_EACH = 10
END_S = 60.0
RESERVE = 200


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Drip:
    """A crowd of such connections. `drip` sends one byte on each that is still there."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.sent: dict[socket.socket, int] = {}
        self.words: dict[bytes, int] = {}
        for number in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((FACES[number % len(FACES)], 0))
            sock.connect_ex(address)
            self.selector.register(sock, selectors.EVENT_READ, OPENINGS[number % len(OPENINGS)])
            self.sent[sock] = 0

    def drip(self) -> None:
        for key in list(self.selector.get_map().values()):
            sock, opening = key.fileobj, key.data
            assert isinstance(sock, socket.socket)
            at = min(self.sent[sock], len(opening) - 1)
            try:
                sock.send(opening[at : at + 1])
            except BlockingIOError:
                continue  # Not connected yet.
            except OSError:
                self.let_go(sock)
            else:
                self.sent[sock] += 1

    def read(self) -> None:
        """What has come; who has been ended is let go."""
        for key, _ in self.selector.select(0):
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
            key.fileobj.close()
        self.selector.close()


@pytest.mark.parametrize(
    ("count", "every_s"),
    [(1_000, 0.5), pytest.param(10_000, 5.0, marks=[pytest.mark.slow, pytest.mark.timeout(300)])],
)
@pytest.mark.usefixtures("many_descriptors")
def test_who_never_finishes_the_first_line_is_ended_in_time_and_nobody_waits(
    start: Start, patience: float, count: int, every_s: float
) -> None:
    """C10. None is ever silent for long; what counts is the time from the accept."""
    join_s = JOIN_S * every_s / 0.5
    server = start.server(
        "--log-level",
        "warning",
        config=f"[flood]\nenabled = false\n[timeouts]\njoin_s = {join_s}\nhandshake_s = {join_s / 2}\n",
    )
    alice = start.plain("Alice")
    alice.settle()
    before_kib, waits, most_kib = server.rss_kib, [], 0
    crowd, began = Drip(server.address, count), time.monotonic()
    try:
        next_drip = began
        while crowd.left and time.monotonic() < began + (join_s + END_S) * patience:
            if time.monotonic() >= next_drip:
                crowd.drip()
                next_drip += every_s
                most_kib = max(most_kib, server.rss_kib)
            crowd.read()
            asked = time.monotonic()
            alice.settle()
            waits.append(time.monotonic() - asked)
        waits.sort()
        each_kib = (most_kib - before_kib) / count
        print(
            f"\n{count} connections of a byte every {every_s:g} s: the last one ended after "
            f"{time.monotonic() - began:.1f} s (the limit is {join_s:g}); {len(waits)} pings meanwhile, p99 "
            f"{waits[len(waits) * 99 // 100] * 1000:.1f} ms, worst {waits[-1] * 1000:.1f} ms; RSS +{each_kib:.1f} KiB each"
        )
        assert not crowd.left
        assert any(b"in time" in words for words in crowd.words), crowd.words
        assert each_kib <= RSS_KIB_EACH
    finally:
        crowd.close()
    assert "internal error" not in server.log
    alice.settle()
