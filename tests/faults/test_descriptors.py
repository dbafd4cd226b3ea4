"""Out of file descriptors: who is inside goes on, the loop does not spin, and there is room again afterwards."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server, Start

LOOK_S = 2.0
BUSY_SHARE = 0.5
"""Of a processor: a loop that spins takes all of one."""


def check_exhaustion(start: Start, wait_for: Callable[..., None], *, limit: int, more: int) -> None:
    """C1."""
    server = start.server(descriptors=limit)
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.settle()
    outside = [socket.socket() for _ in range(more)]
    try:
        for sock in outside:
            sock.setblocking(False)
            sock.connect_ex(server.address)
        wait_for(lambda: "out of file descriptors" in server.log, "it complains")
        assert server.descriptors <= limit
        before_s, began = server.cpu_s, time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(LOOK_S)
        busy = (server.cpu_s - before_s) / (time.monotonic() - began)
        for number in range(20):
            alice.send(f"still here {number}")
            bob.read_until(f"^Alice: still here {number}$")
        print(
            f"\n{more} connects at a limit of {limit}: {server.descriptors} open, {busy:.0%} busy"
        )
        assert busy < BUSY_SHARE
        assert server.log.count("out of file descriptors") == 1
        check_settings_still_work(server, wait_for)
    finally:
        for sock in outside:
            sock.close()
    carol = start.plain("Carol")
    carol.send("room again")
    alice.read_until("^Carol: room again$")
    assert "internal error" not in server.log


def check_settings_still_work(server: Server, wait_for: Callable[..., None]) -> None:
    """A file cannot be opened now: the old configuration stays, or the new one is there. No crash."""
    before = server.log.count("onfiguration")
    server.signal(1)
    wait_for(lambda: server.log.count("onfiguration") > before, "it answers the hangup signal")
    assert server.running


def test_a_full_server_goes_on_and_has_room_again(
    start: Start, wait_for: Callable[..., None]
) -> None:
    check_exhaustion(start, wait_for, limit=64, more=200)


@pytest.mark.slow
def test_a_full_server_of_256_descriptors_goes_on_and_has_room_again(
    start: Start, wait_for: Callable[..., None]
) -> None:
    check_exhaustion(start, wait_for, limit=256, more=1_000)


def test_one_who_waits_outside_a_full_server_is_told(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(descriptors=40)
    clients = [start.plain() for _ in range(40)]
    wait_for(lambda: "out of file descriptors" in server.log, "it complains")
    wait_for(lambda: any(client.is_gone() for client in clients), "one is turned away")
    told = [client for client in clients if client.bytes_read]
    assert told


def test_filling_up_again_and_again_loses_no_descriptor(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(descriptors=48)
    alice = start.plain("Alice")
    alice.settle()
    before = server.descriptors
    for _ in range(3):
        sockets = [socket.create_connection(server.address, 60) for _ in range(80)]
        wait_for(lambda: server.descriptors >= 47, "it is full")
        for sock in sockets:
            sock.close()
        wait_for(lambda: server.descriptors == before, "all are let go")
    alice.send("still here")
    alice.read_until("^Alice: still here$")


def test_one_address_has_no_more_connections_than_its_share(start: Start) -> None:
    """Loopback is exempt, so that nothing on this machine is ever turned away by it."""
    start.server(config="[limits]\nconnections_per_address = 2\n")
    for number in range(5):
        start.plain(f"user{number}")
