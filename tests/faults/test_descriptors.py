"""Out of file descriptors: who is inside goes on, the loop does not spin, and there is room again afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.prove.process import Server as Traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Plain, Server, Start

LOOK_S = 2.0
BUSY_SHARE = 0.2
"""Of a processor: a loop that spins takes all of one."""

FAILING_CALLS = 4

RESERVED = 32
"""Descriptors that no connection gets."""


def check_exhaustion(
    start: Start, wait_for: Callable[..., None], data: Path, *, limit: int, more: int
) -> None:
    """C1, with the history on disk."""
    server = start.server(descriptors=limit, data=data)
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.settle()
    outside = [socket.socket() for _ in range(more)]
    try:
        for sock in outside:
            sock.setblocking(False)
            sock.connect_ex(server.address)
        wait_for(lambda: "out of file descriptors" in server.log, "it complains")
        assert server.descriptors <= limit - RESERVED + 1
        before_s, began = server.cpu_s, time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(LOOK_S)
        busy = (server.cpu_s - before_s) / (time.monotonic() - began)
        waits = []
        for number in range(20):
            asked = time.monotonic()
            alice.send(f"still here {number}")
            bob.read_until(f"^Alice: still here {number}$")
            waits.append(time.monotonic() - asked)
        open_now = server.descriptors
        assert busy < BUSY_SHARE
        assert server.log.count("out of file descriptors") == 1
        check_the_rest_still_works(server, alice, wait_for)
    finally:
        for sock in outside:
            sock.close()
    began = time.monotonic()
    carol = start.plain("Carol")
    again_s = time.monotonic() - began
    print(
        f"\n{more} connects at a limit of {limit}: {open_now} open, {busy:.0%} busy, a line took "
        f"{max(waits) * 1000:.1f} ms at most; somebody joined {again_s:.2f} s after there was room"
    )
    carol.send("room again")
    alice.read_until("^Carol: room again$")
    assert "internal error" not in server.log
    server.kill()
    start.server(data=data)
    page = start.native("Reader").ask("history", room="#lobby", limit=100)
    kept = [record["text"] for record in page["records"] if record["t"] == "say"]
    assert kept == [f"still here {number}" for number in range(20)] + ["room again"]


def cpu_s(server: Traced) -> float:
    """Processor time, its own and the kernel's for it."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_the_rest_still_works(server: Server, alice: Plain, wait_for: Callable[..., None]) -> None:
    """What needs a descriptor for a moment has one: the history is read, the index searched, a reload succeeds."""
    alice.send("/history 5")
    alice.read_until("still here 19$")
    alice.send("/search here 19")
    alice.read_until("still here 19$")
    before = server.log.count("configuration reloaded")
    server.signal(signal.SIGHUP)
    wait_for(lambda: server.log.count("configuration reloaded") > before, "it reloads")
    assert not server.log.count("has mistakes")


@pytest.mark.parametrize(
    ("limit", "more"), [(96, 200), pytest.param(256, 1_000, marks=pytest.mark.slow)]
)
def test_a_full_server_goes_on_and_has_room_again(
    start: Start, wait_for: Callable[..., None], tmp_path: Path, limit: int, more: int
) -> None:
    check_exhaustion(start, wait_for, tmp_path / "data", limit=limit, more=more)


def failing(error: str, when: str) -> list[str]:
    """Run something so that these of its calls of `accept4` fail."""
    if shutil.which("strace") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no strace here")
    # -D: the tracer stands aside, so that the process we know is the server.
    under = ["strace", "-D", "-f", "-qq", "-o", os.devnull, "-e", "trace=accept4"]
    return [*under, "-e", f"inject=accept4:error={error}:when={when}"]


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS"])
def test_while_accept_fails_and_fails_the_loop_does_not_spin(
    start: Start, tmp_path: Path, error: str
) -> None:
    """C1. Somebody is always waiting outside, and never comes in."""
    with closing(Traced(tmp_path / "server", under=failing(error, "3+"))) as server:
        with start.unkept(server.address) as alice:
            alice.join("Alice")
            with start.unkept(server.address):
                before_s, began = cpu_s(server), time.monotonic()
                with pytest.raises(subprocess.TimeoutExpired):
                    server.process.wait(LOOK_S)
                busy = (cpu_s(server) - before_s) / (time.monotonic() - began)
                alice.settle()
        print(f"\naccept4 fails with {error} for good: {busy:.0%} busy")
        assert busy < BUSY_SHARE
        assert server.log.count("out of file descriptors") == 1


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED"])
def test_whatever_accept_fails_with_who_is_inside_goes_on_and_the_next_come_in(
    start: Start, tmp_path: Path, error: str
) -> None:
    """C1. Four calls fail, by the kernel's own hand; those who called are served after them, none is forgotten."""
    under = failing(error, f"3..{2 + FAILING_CALLS}")
    with closing(Traced(tmp_path / "server", under=under)) as server:
        with start.unkept(server.address) as alice:
            alice.join("Alice")
            before_s, began = cpu_s(server), time.monotonic()
            others = [start.unkept(server.address) for _ in range(5)]
            try:
                for number, other in enumerate(others):
                    other.join(f"user{number}")
                took_s = time.monotonic() - began
            finally:
                for other in others:
                    other.close()
            busy = (cpu_s(server) - before_s) / took_s
            print(
                f"\naccept4 fails with {error} {FAILING_CALLS} times: 5 of 5 served after "
                f"{took_s:.2f} s, {busy:.0%} busy"
            )
            alice.settle()
        assert ("out of file descriptors" in server.log) == (error != "ECONNABORTED")
        assert "internal error" not in server.log
        assert server.stop() == 0


def test_one_who_waits_outside_a_full_server_is_told(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(descriptors=72)
    clients = [start.plain() for _ in range(40)]
    wait_for(lambda: "out of file descriptors" in server.log, "it complains")
    wait_for(lambda: any(client.is_gone() for client in clients), "one is turned away")
    told = [client for client in clients if client.bytes_read]
    assert told


def test_filling_up_again_and_again_loses_no_descriptor(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(descriptors=80)
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
