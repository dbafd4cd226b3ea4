"""Peers that vanish without a word (the cable is pulled) are noticed; one that merely does not read never is."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.namespaces import Cable, demand_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Plain, Server, Start

SMALL_BUFFER = 4_096
LINES = 600
WORDS = "x" * 1_000
"""600 of these are more than the sockets of one who does not read can hold."""

CONFIG = (
    "[flood]\nenabled = false\n[timeouts]\nunsent_s = {unsent_s}\nkeepalive_s = {keepalive_s}\n"
)


@pytest.fixture
def cable(wait_for: Callable[..., None]) -> Iterator[Cable]:
    demand_namespaces()
    made = Cable(wait_for)
    yield made
    made.close()


def say_much(watcher: Plain, first: int) -> None:
    for begin in range(first, first + LINES, 50):
        watcher.send(*(f"{number} {WORDS}" for number in range(begin, begin + 50)))
        watcher.read_until(f"^Watcher: {begin + 49} ")


def unacknowledged(server: Server, client: Plain) -> int:
    """Bytes that the server's kernel has not seen acknowledged."""
    port = client.sock.getsockname()[1]
    for row in Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, queues, *_ = row.split()
        if int(remote[-4:], 16) == port:
            return int(queues.partition(":")[0], 16)
    raise AssertionError("it is not connected")


def when_they_left(watcher: Plain, names: set[str], deadline_s: float) -> dict[str, float]:
    """Reads until all of them have left, and nobody else; after how many seconds each did."""
    began, left_s = time.monotonic(), dict.fromkeys(names, 0.0)
    while not all(left_s.values()):
        line = watcher.read_until("has left the chat room!$", deadline_s)[-1]
        left_s[line.partition(" ")[0]] = time.monotonic() - began
    assert left_s.keys() == names
    return left_s


def reasons(server: Server) -> dict[str, str]:
    """Why each has left, as far as the log says."""
    return dict(re.findall(r"(\w+) left \([^,]*, ([^)]*)\)", server.log))


@pytest.mark.parametrize(
    ("unsent_s", "keepalive_s"),
    [(2, 2), pytest.param(30, 60, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
def test_who_is_cut_off_is_noticed_and_who_does_not_read_is_kept(
    start: Start,
    wait_for: Callable[..., None],
    cable: Cable,
    unsent_s: int,
    keepalive_s: int,
) -> None:
    """C2. Cut off: one that is being sent something, one that stood still before it, one that is idle."""
    deadline_s = 20.0 + 4 * max(unsent_s, keepalive_s)
    with cable.near:
        config = CONFIG.format(unsent_s=unsent_s, keepalive_s=keepalive_s)
        server = start.server("--host", cable.NEAR, config=config)
        watcher = start.plain("Watcher")
        slow = start.plain("Slow", receive_buffer=SMALL_BUFFER)
    with cable.far:
        start.plain("Busy")
        start.plain("Stalled", receive_buffer=SMALL_BUFFER)
        idle = start.plain("Idle")
        idle.send("/join #quiet")
        idle.read_until("^Idle has connected")
    watcher.read_until("^Idle has left")
    say_much(watcher, 0)
    with cable.near:
        quiet = start.plain("Quiet")
        quiet.send("/join #quiet")
        quiet.read_until("^Quiet has connected")
    watcher.settle()
    idle.read_until("^Quiet has connected")
    wait_for(lambda: not unacknowledged(server, idle), "it owes nothing")
    descriptors = server.descriptors

    cable.pull()
    watcher.send("is anybody there?")
    began = time.monotonic()
    left_s = when_they_left(watcher, {"Busy", "Stalled"}, deadline_s)
    before_s = time.monotonic() - began
    left_s["Idle"] = before_s + when_they_left(quiet, {"Idle"}, deadline_s)["Idle"]
    # The log is written by a thread, which may be a moment behind.
    wait_for(lambda: left_s.keys() <= reasons(server).keys(), "the log says why")
    why = reasons(server)
    told = ", ".join(f"{name} {after_s:.1f} s ({why[name]})" for name, after_s in left_s.items())
    print(f"\nunsent_s={unsent_s} keepalive_s={keepalive_s}: {told}; kept: Slow")
    assert why["Busy"] == why["Stalled"] == f"acknowledged nothing for {unsent_s} s"
    assert why["Idle"] == "Connection timed out"
    assert server.descriptors == descriptors - 3

    # Now it has stood still for longer than anybody may be silent, and it stands on.
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(2.5 * unsent_s)
    watcher.settle()
    assert "Slow left" not in server.log
    with cable.near:
        start.plain("Busy")
    watcher.send("the end")
    slow.read_until("^Watcher: the end$", deadline_s)
    numbers = [
        int(found[1]) for line in slow.lines if (found := re.match(r"Watcher: (\d+) ", line))
    ]
    assert numbers == list(range(LINES)), "and nothing was lost to it"


def test_a_cable_that_is_plugged_in_again_in_time_costs_nobody_anything(
    start: Start, cable: Cable
) -> None:
    with cable.near:
        config = CONFIG.format(unsent_s=15, keepalive_s=15)
        server = start.server("--host", cable.NEAR, config=config)
        watcher = start.plain("Watcher")
    with cable.far:
        away = start.plain("Away")
    cable.pull()
    say_much(watcher, 0)
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(3.0)
    cable.plug()
    watcher.send("the end")
    heard = away.read_until("^Watcher: the end$", 60.0)
    assert sum(line.startswith("Watcher: ") for line in heard) == LINES + 1
    assert "left (" not in server.log
