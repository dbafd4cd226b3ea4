"""TLS under attack and under load: a stranger's handshakes, stalls and garbage cost nobody else anything."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.conftest import NO_FLOOD
from tests.tls import Pinger, hello_bytes, tls_plain, trusting, wrapped

if TYPE_CHECKING:
    from tests.conftest import Plain, Server, Start

HANDSHAKE_S = 3.0
"""The deadline, for tests that wait for it."""

IDLE_KIB = 24
"""RSS that an idle TLS client may cost."""
PAGE_KIB = 4
"""What it may keep of a page that it was sent: OpenSSL's queues give nothing back."""


def crowd_of(stack: ExitStack, address: tuple[str, int], count: int) -> list[socket.socket]:
    """Connected sockets."""
    return [
        stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(count)
    ]


def wait_for_ends(socks: list[socket.socket], deadline_s: float) -> list[float]:
    """When each of them was ended by the server, in seconds from now; those that were not are missing."""
    began, ends = time.monotonic(), []
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        while selector.get_map() and time.monotonic() - began < deadline_s:
            for key, _ in selector.select(0.5):
                with suppress(BlockingIOError):
                    try:
                        gone = not key.fileobj.recv(65_536)  # type: ignore[union-attr]
                    except ConnectionError:
                        gone = True
                    if gone:
                        selector.unregister(key.fileobj)
                        ends.append(time.monotonic() - began)
    return ends


@pytest.mark.parametrize("count", [999, pytest.param(9_999, marks=pytest.mark.slow)])
def test_slow_handshakes_end_in_time_and_cost_the_others_nothing(
    start: Start, patience: float, count: int
) -> None:
    """T1: a third sends nothing, a third one byte, a third its first message and no more."""
    timeouts = f"[timeouts]\nhandshake_s = {HANDSHAKE_S}\njoin_s = {HANDSHAKE_S + 2}\n"
    server = start.server(config=NO_FLOOD + timeouts)
    inside = start.native("Ann")
    before_kib, hello = server.rss_kib, hello_bytes()
    with ExitStack() as stack, Pinger(inside) as pinger:
        silent, byte, stalled = (crowd_of(stack, server.address, count // 3) for _ in range(3))
        for sock in byte:
            sock.sendall(hello[:1])
        for sock in stalled:
            sock.sendall(hello)
        ends = wait_for_ends(byte + stalled, (HANDSHAKE_S + 10) * patience)
        grown_kib = server.rss_kib - before_kib
        late = len(byte + stalled) - len(ends)
        silent_ends = wait_for_ends(silent, (HANDSHAKE_S + 10) * patience)
    print(
        f"\nT1: {count} connections; not ended in time: {late} of TLS, "
        f"{len(silent) - len(silent_ends)} silent; last end {max(ends):.1f} s; RSS +{grown_kib} KiB "
        f"({grown_kib / count:.1f} each); {pinger.figures}"
    )
    assert not late
    assert len(silent_ends) == len(silent)
    assert grown_kib <= 150 * 1024
    assert not pinger.failed
    assert server.running


@pytest.mark.parametrize(
    ("count", "rate"), [(200, 200), pytest.param(4_000, 200, marks=pytest.mark.slow)]
)
def test_handshakes_leave_the_others_their_turn(start: Start, count: int, rate: int) -> None:
    """T4: full handshakes at a rate, each client anew without a ticket."""
    server = start.server()
    inside = start.native("Ann")
    failed, began = 0, time.monotonic()
    with Pinger(inside) as pinger:
        for number in range(count):
            while time.monotonic() < began + number / rate:
                threading.Event().wait(0.001)
            client = tls_plain(server.address)
            failed += client.sock.version() not in {"TLSv1.2", "TLSv1.3"}  # type: ignore[attr-defined]
            client.close()
    took_s = time.monotonic() - began
    print(f"\nT4: {count} handshakes in {took_s:.1f} s, failed: {failed}; {pinger.figures}")
    assert not failed
    assert not pinger.failed


def test_a_thousand_idle_clients_are_cheap(start: Start) -> None:
    """RSS of a TLS client that has joined, was sent a page and says nothing."""
    count = 300
    server = start.server()
    talker = start.plain("Talker")
    context = trusting(None)
    first = tls_plain(server.address)
    before_kib = server.rss_kib
    clients: list[Plain] = [first, *(wrapped(start.plain(), context) for _ in range(count))]
    for number, client in enumerate(clients):
        client.send(f"idle{number}")
    for client in clients:
        client.settle()
    joined_kib = (server.rss_kib - before_kib) / count
    talker.send(*["x" * 400] * 100)
    talker.send("the end")
    for client in clients:
        client.read_until("^Talker: the end$")
    after_kib = (server.rss_kib - before_kib) / count
    print(
        f"\nidle TLS clients: {count}; RSS each {joined_kib:.1f} KiB, {after_kib:.1f} after a page"
    )
    assert joined_kib <= IDLE_KIB
    assert after_kib <= IDLE_KIB + PAGE_KIB
    first.close()


# T6, F1


def test_a_cut_short_line_is_not_said(start: Start, server: Server) -> None:
    """T6: no last word, in the middle of a line and in the middle of a record."""
    bob, tried = start.plain("Bob"), 20
    for number in range(tried):
        ann = tls_plain(server.address, f"Ann{number}")
        ann.send_bytes(b"whole\nhalf")
        # The record goes out in full; TCP ends without TLS' last word.
        with socket.socket(fileno=ann.sock.detach()) as under:
            under.sendall(b"\x17\x03\x03\x00\x40half a record"[: 5 + number])
        bob.read_until(f"^Ann{number} has left")
    said = [line for line in bob.lines if ": " in line]
    executed = sum("half" in line for line in said)
    print(f"\nT6: {tried} cut short, executed: {executed}")
    assert not executed
    assert sum(line.endswith(": whole") for line in said) == tried


@pytest.mark.parametrize("lines", [20_000, pytest.param(80_000, marks=pytest.mark.slow)])
def test_a_tls_reader_that_stalls_misses_nothing(start: Start, lines: int) -> None:
    """F1 for TLS: nobody waits for it, it is not closed, and it wakes up to every line once."""
    server = start.server()
    other = start.plain("Other")
    stalled = tls_plain(server.address, "Stalled", receive_buffer=4096)
    before_kib = server.rss_kib
    for begin in range(0, lines, 500):
        other.send(*(f"{number} {'x' * 80}" for number in range(begin, begin + 500)))
        other.read_until(f": {begin + 499} ")
    grown_kib = server.rss_kib - before_kib
    other.send("the end")
    got = [line for line in stalled.read_until("^Other: the end$", 60) if line.startswith("Other:")]
    wrong = sum(
        not line.startswith(f"Other: {number} ") for number, line in enumerate(got[:-1])
    ) + abs(len(got) - 1 - lines)
    missed = [line for line in stalled.lines if "missed" in line]
    print(
        f"\nF1 over TLS: {lines} lines, wrong or lost: {wrong}; RSS +{grown_kib} KiB (the window)"
    )
    stalled.close()
    assert not missed
    assert not wrong


# C10


@pytest.mark.parametrize("count", [500, pytest.param(3_000, marks=pytest.mark.slow)])
def test_records_that_come_byte_by_byte_are_reaped(
    start: Start, patience: float, count: int
) -> None:
    """C10: everybody drips its first TLS message, never slowly enough to be silent."""
    server = start.server(config=f"{NO_FLOOD}[timeouts]\nhandshake_s = {HANDSHAKE_S}\n")
    inside = start.native("Ann")
    hello, before_kib = hello_bytes(), server.rss_kib
    with ExitStack() as stack, Pinger(inside) as pinger:
        socks = crowd_of(stack, server.address, count)
        began, alive, grown_kib = time.monotonic(), list(socks), 0
        for byte in hello:
            if time.monotonic() - began > HANDSHAKE_S * 0.8:
                break
            for sock in alive:
                sock.sendall(bytes((byte,)))
            grown_kib = max(grown_kib, server.rss_kib - before_kib)
        ends = wait_for_ends(socks, (HANDSHAKE_S + 10) * patience)
    print(
        f"\nC10 over TLS: {count} drips, not reaped: {count - len(ends)}; "
        f"RSS {grown_kib / count:.1f} KiB each; {pinger.figures}"
    )
    assert len(ends) == count
    assert grown_kib / count <= 10
