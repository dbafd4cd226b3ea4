"""Hours in minutes: everything that people do, over and over, and at the end the process is as large as in the middle.

`CHATCORE_SOAK_S` is how long the long run takes, in seconds; for a release, an hour or a night of it.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Native, Server, Start

LONG_S = float(os.environ.get("CHATCORE_SOAK_S", "180"))
READ_S = 60.0
LINES = 20
STRANGERS = 10
LOOK_EVERY = 10
"""Rounds between two looks at the process."""

GROWN_KIB = 2_048
"""In the second half of the run, when every window is full: one MiB an hour, and what an allocator may keep."""

DRIFT = 1.1
DRIFT_MS = 5.0
"""The 99th percentile of a ping, second half to first: a tenth more, and what a busy machine does to it by itself."""


def threads_of(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.pid}/task"))


class Life:
    """A room with talkers, somebody who asks for the past, one who does not read, and many who come and go."""

    def __init__(self, start: Start, seed: int) -> None:
        self.start = start
        self.chance = random.Random(seed)
        self.talkers = [start.native(f"Talker{number}") for number in range(4)]
        self.watcher = start.plain("Watcher")
        self.stalled = start.plain("Stalled", receive_buffer=4_096)
        self.said = self.came = self.asked = 0
        self.waits_ms: list[float] = []

    def one_round(self, number: int) -> None:
        self.talk(number)
        self.ping()
        self.ask()
        self.come_and_go(number)
        if number % 25 == 24:
            # The one who does not read has had enough, and another one takes the place.
            self.stalled.close()
            self.stalled = self.start.unkept(receive_buffer=4_096)
            self.stalled.join(f"Stalled{number}")
        for each in [*self.talkers, self.watcher]:
            each.settle()
            # What was checked is not kept, or the test would grow where the server must not.
            each.lines.clear()
        for each in self.talkers:
            del each.messages[:-1]

    def talk(self, number: int) -> None:
        for index, talker in enumerate(self.talkers):
            for line in range(LINES):
                words = "word " * self.chance.randrange(1, 60)
                talker.send("say", id=f"{number}-{index}-{line}", room="#lobby", text=words)
            self.last_of(talker, f"{number}-{index}-{LINES - 1}")
            self.said += LINES

    def last_of(self, talker: Native, line_id: str) -> None:
        talker.read_until(lambda message: message.get("id") == line_id, READ_S)

    def ping(self) -> None:
        for talker in self.talkers:
            began = time.monotonic()
            talker.ask("ping")
            self.waits_ms.append((time.monotonic() - began) * 1_000)

    def ask(self) -> None:
        talker = self.chance.choice(self.talkers)
        assert talker.ask("history", room="#lobby", limit=100)["t"] == "history"
        room = f"#room{self.chance.randrange(20)}"
        assert talker.ask("join", room=room)["t"] == "ok"
        talker.ask("topic", room=room, text=f"topic {self.chance.random()}")
        assert talker.ask("part", room=room)["t"] == "ok"
        self.watcher.send("/rooms", "/who", "/search word", "/nope", "/msg Talker0 hello")
        self.asked += 9

    def come_and_go(self, number: int) -> None:
        for stranger in range(STRANGERS):
            with self.start.unkept() as client:
                match stranger % 5:
                    case 0:
                        client.reset()
                    case 1:
                        client.send_bytes(b"half a")
                    case 2:
                        client.join(f"user{number}x{stranger}")
                        client.send("/quit bye")
                        client.read_to_end()
                    case 3:
                        client.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    case _:
                        client.join(f"user{number}x{stranger}")
                        client.reset()
            self.came += 1

    def close(self) -> None:
        self.stalled.close()


def p99s(waits: list[float]) -> tuple[float, float]:
    """Of the first half and of the second."""
    half = len(waits) // 2
    first, second = (sorted(each)[len(each) * 99 // 100] for each in (waits[:half], waits[half:]))
    return first, second


@pytest.mark.parametrize(
    "seconds",
    [4.0, pytest.param(LONG_S, marks=[pytest.mark.slow, pytest.mark.timeout(LONG_S + 300)])],
    ids=["short", "long"],
)
def test_a_server_is_as_large_after_a_long_time_as_in_the_middle_of_it(
    start: Start, wait_for: Callable[..., None], tmp_path: Path, seconds: float
) -> None:
    """O6."""
    server = start.server("--log-level", "warning", data=tmp_path / "data")
    life = Life(start, 6)
    life.one_round(-1)
    descriptors, threads = server.descriptors, threads_of(server)
    rss_kib, rounds, began = [], 0, time.monotonic()
    while time.monotonic() < began + seconds:
        life.one_round(rounds)
        rounds += 1
        if rounds % LOOK_EVERY == 0:
            rss_kib.append(server.rss_kib)
    took_s = time.monotonic() - began
    wait_for(lambda: server.descriptors <= descriptors, "descriptors are as at the beginning")
    half = rss_kib[len(rss_kib) // 2]
    early_ms, late_ms = p99s(life.waits_ms)
    print(
        f"\n{took_s:.0f} s: {rounds} rounds, {life.said} lines, {life.asked} questions, {life.came} came and went; "
        f"RSS {rss_kib[0]} KiB first, {half} in the middle, {rss_kib[-1]} at the end; "
        f"{threads_of(server)} threads ({threads} at the beginning); "
        f"a ping's p99 {early_ms:.1f} ms in the first half, {late_ms:.1f} ms in the second"
    )
    life.close()
    assert threads_of(server) <= threads
    if seconds == LONG_S:
        assert rss_kib[-1] - half <= GROWN_KIB
        assert late_ms <= early_ms * DRIFT + DRIFT_MS
    assert "internal error" not in server.log
    assert server.stop() == 0
