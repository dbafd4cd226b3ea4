"""Very many at once: joins, quits, resets, connects. Everybody is served, and what is over is let go."""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import NO_FLOOD
from tests.tls import tls_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.certificates import Pair
    from tests.conftest import Server, Start

WELCOME_BYTES = 1_024
NOTICES_BYTES = 16 * 1024
"""For the gathered notices of a whole storm to one reader. Of 2,000 single ones, twice, it would be 170 KB."""

STORM_S = 20.0
FACES = [f"127.0.1.{number}" for number in range(1, 6)]
"""Sources of the connections, so that no single one runs out of ports."""


def totals(lines: list[str], verb: str) -> int:
    """How many people the notices tell of."""
    count = 0
    for line in lines:
        if found := re.fullmatch(rf"(.+?) (has|have) {verb}", line):
            names, _, others = found[1].rpartition(" and ")
            more = re.fullmatch(r"([\d,]+) others?", others)
            named = [name for name in names.split(", ") if name]
            count += len(named) + (int(more[1].replace(",", "")) if more else 1)
    return count


def check_join_storm(start: Start, server: Server, count: int) -> None:
    """F5."""
    watcher = start.plain("Watcher")
    crowd = [start.plain(source=FACES[number % len(FACES)]) for number in range(count)]
    began = time.monotonic()
    for number, client in enumerate(crowd):
        client.send(f"user{number}")
    for client in crowd:
        client.read_until("^Connected to the server!$", STORM_S)
    joined_s = time.monotonic() - began
    watcher.send("/who")
    watcher.read_until(rf"^-- In #lobby \({count + 1:,}\)", STORM_S)
    while totals(watcher.lines, "connected to the chat room") < count + 1:
        watcher.read_until("connected to the chat room$", STORM_S)
    for client in crowd:
        client.send("/quit")
    for client in crowd:
        client.read_to_end(STORM_S)
    all_s = time.monotonic() - began
    while totals(watcher.lines, "left the chat room!") < count:
        watcher.read_until("left the chat room!$", STORM_S)
    most = max(client.bytes_read for client in crowd)
    notices = sum("others" in line for line in watcher.lines)
    print(
        f"\n{count} joined in {joined_s:.2f} s, joined and quit in {all_s:.2f} s; the watcher read "
        f"{watcher.bytes_read} bytes with {notices} gathered notices, nobody more than {most} bytes"
    )
    assert totals(watcher.lines, "connected to the chat room") == count + 1
    assert totals(watcher.lines, "left the chat room!") == count
    assert notices
    singles = 100 * 80 * 2
    assert most <= WELCOME_BYTES + singles + NOTICES_BYTES
    start.plain("user0")


def test_three_hundred_join_and_quit_at_once(start: Start, server: Server) -> None:
    check_join_storm(start, server, 300)


@pytest.mark.slow
def test_two_thousand_join_and_quit_at_once(start: Start, server: Server) -> None:
    check_join_storm(start, server, 2_000)


def client_hello() -> bytes:
    """How a TLS handshake begins."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


CLIENT_HELLO = client_hello()
OPENINGS = [
    b"",
    b"A",
    b"Alice",
    b"user%d\n",
    b"user%d\nhi\n",
    b'{"t":"hel',
    b"\x16\x03\x01",
    CLIENT_HELLO,
    CLIENT_HELLO[:100],
    b"\xff\xfb",
]


ANSWERED = {b"user%d\n", b"user%d\nhi\n", CLIENT_HELLO}
"""Every second one of these is reset only after the server's first words, in the middle of what follows."""

RESET_DESCRIPTORS = 256
"""For the whole server: what is not given back is missed long before the storm is over."""

LOOK_EVERY = 100
RESET_HANDSHAKES = 8
"""Places for those under way: one that is not given back is missed as soon."""


def check_reset_storm(start: Start, pair: Pair, wait_for: Callable[..., None], count: int) -> None:
    """C3."""
    config = f"{NO_FLOOD}[limits]\nhandshakes = {RESET_HANDSHAKES}\n"
    server = start.server(*options(pair), config=config, descriptors=RESET_DESCRIPTORS)
    alice = start.plain("Alice")
    alice.settle()
    before, before_kib = server.descriptors, server.rss_kib
    began, answered = time.monotonic(), 0
    for number in range(count):
        if not number % LOOK_EVERY:
            assert "out of file descriptors" not in server.log
        client = start.unkept(source=FACES[number % len(FACES)])
        opening = OPENINGS[number % len(OPENINGS)]
        client.send_bytes(opening % number if b"%d" in opening else opening)
        if opening in ANSWERED and number // len(OPENINGS) % 2:
            assert client.receive(), f"no answer to {opening!r}"
            answered += 1
        client.reset()
    wait_for(lambda: server.descriptors == before, "descriptors are back", STORM_S)
    alice.send("/rooms")
    alice.read_until(r"^-- #lobby \(1\)$", STORM_S)
    print(
        f"\n{count} resets in {time.monotonic() - began:.2f} s, {answered} of them after an answer; "
        f"server RSS +{server.rss_kib - before_kib} KiB"
    )
    assert "internal error" not in server.log
    assert "out of file descriptors" not in server.log
    alice.send("still here")
    alice.read_until("^Alice: still here$")
    start.plain("user3")
    with tls_plain(server.address, "Bea"):
        alice.read_until("^Bea has connected to the chat room$")


def options(pair: Pair) -> list[str]:
    return ["--tls-cert", str(pair.cert), "--tls-key", str(pair.key)]


def test_two_thousand_resets_leave_nothing_behind(
    start: Start, pair: Pair, wait_for: Callable[..., None]
) -> None:
    check_reset_storm(start, pair, wait_for, 2_000)


@pytest.mark.slow
def test_twenty_thousand_resets_leave_nothing_behind(
    start: Start, pair: Pair, wait_for: Callable[..., None]
) -> None:
    check_reset_storm(start, pair, wait_for, 20_000)


def connect_at_once(server: Server, count: int) -> list[socket.socket]:
    """All connects under way before the first is finished."""
    sockets = []
    for number in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((FACES[number % len(FACES)], 0))
        sock.connect_ex(server.address)
        sockets.append(sock)
    return sockets


def first_bytes(sockets: list[socket.socket], wanted: bytes, patience: float) -> int:
    """Read until each has read what is wanted; how many have."""
    selector = selectors.DefaultSelector()
    got = dict.fromkeys(sockets, b"")
    for sock in sockets:
        selector.register(sock, selectors.EVENT_READ)
    done, end = 0, time.monotonic() + STORM_S * patience
    while done < len(sockets) and time.monotonic() < end:
        for key, _ in selector.select(1.0):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            data = sock.recv(65_536)
            got[sock] += data
            if wanted in got[sock] or not data:
                selector.unregister(sock)
                done += wanted in got[sock]
    selector.close()
    return done


def check_connects(start: Start, server: Server, patience: float, count: int) -> None:
    """C9."""
    before = server.descriptors
    began = time.monotonic()
    sockets = connect_at_once(server, count)
    try:
        greeted = first_bytes(sockets, b"Choose an alias:\n", patience)
        greeted_s = time.monotonic() - began
        for number, sock in enumerate(sockets):
            sock.sendall(b"user%d\n" % number)
        joined = first_bytes(sockets, b"Connected to the server!\n", patience)
        print(
            f"\n{count} connects at once: greeted in {greeted_s:.2f} s (half a second of it waiting), "
            f"joined after {time.monotonic() - began:.2f} s"
        )
        assert (greeted, joined) == (count, count)
        assert server.descriptors == before + count
    finally:
        for sock in sockets:
            sock.close()


def test_five_hundred_connects_at_once_are_all_greeted_and_join(
    start: Start, server: Server, patience: float
) -> None:
    check_connects(start, server, patience, 500)


@pytest.mark.slow
def test_five_thousand_connects_at_once_are_all_greeted_and_join(
    start: Start, server: Server, patience: float
) -> None:
    check_connects(start, server, patience, 5_000)


def check_fairness(start: Start, server: Server, patience: float, count: int) -> None:
    """F8: very many sockets are ready in one turn, and one more wants an answer meanwhile."""
    watcher = start.plain("Watcher")
    sockets = connect_at_once(server, count)
    try:
        first_bytes(sockets, b"Choose an alias:\n", patience)
        for number, sock in enumerate(sockets):
            sock.sendall(b"u%d\n/join #room%d\n/ping\n" % (number, number % 100))
        waits = []
        for number in range(20):
            began = time.monotonic()
            watcher.send(f"{number} in between")
            watcher.read_until(f"^Watcher: {number} in between$", STORM_S)
            waits.append(time.monotonic() - began)
        answered = first_bytes(sockets, b"-- pong\n", patience)
        assert answered == count
        server.stop()
        longest = re.search(r"the longest turn took (\d+) ms", server.log)
        assert longest
        print(
            f"\n{count} ready sockets: the longest turn took {longest[1]} ms; "
            f"one person waited {max(waits) * 1000:.0f} ms at most"
        )
    finally:
        for sock in sockets:
            sock.close()


def test_hundreds_of_ready_sockets_are_all_served(
    start: Start, server: Server, patience: float
) -> None:
    check_fairness(start, server, patience, 500)


@pytest.mark.slow
def test_five_thousand_ready_sockets_are_all_served(
    start: Start, server: Server, patience: float
) -> None:
    check_fairness(start, server, patience, 5_000)


@pytest.mark.parametrize(
    ("times", "count"),
    [(5, 300), pytest.param(100, 5_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_a_restart_has_its_port_at_once_however_many_connections_have_just_ended(
    start: Start, server: Server, wait_for: Callable[..., None], times: int, count: int
) -> None:
    """C8. The server ends them, so that it is its side that has to remember each for a minute (TIME_WAIT)."""
    remembered = 0
    for _ in range(times):
        sockets = connect_at_once(server, count // times)
        for sock in sockets:
            sock.setblocking(True)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for sock in sockets:
            while sock.recv(65_536):
                pass
            sock.close()
        server.kill()
        remembered = time_waits(server.address[1])
        server = start.server("--port", str(server.address[1]))
    print(
        f"\n{times} restarts on one port: {times} bound; {remembered} TIME_WAIT before the last one"
    )
    assert remembered
    start.plain("Late")


def time_waits(port: int) -> int:
    """Connections of this port that the kernel remembers though they have ended."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[1][-4:], 16) == port and row[3] == "06" for row in rows)
