"""The clock of the machine jumps while people talk: nobody is lost, and the order is that of the numbers.

The server's wall clock is replaced from outside, by a module that Python imports before anything else; the clock
that deadlines are made of goes on, as it does on a real machine.
"""

from __future__ import annotations

import os
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from scripts.prove.people import Talker, Typist, wait_for
from scripts.prove.process import Server
from scripts.prove.rounds import ROOMS, begin, finish
from scripts.prove.wire import Asker

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.prove.people import Person

HOUR_S, DAY_S = 3600, 86_400

MODULE = """\
import os, time
real_ns, path = time.time_ns, os.environ["OFFSET_FILE"]
def time_ns():
    with open(path) as file:
        return real_ns() + int(file.read()) * 1_000_000_000
time.time_ns = time_ns
time.time = lambda: time_ns() / 1e9
"""


class Clock:
    """What the server's wall clock is off by."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(MODULE)
        self._path = folder / "offset"
        self._next = folder / "next"
        self.environment = {"PYTHONPATH": str(folder), "OFFSET_FILE": str(self._path)}
        self.jump(0)

    def jump(self, to_s: int) -> None:
        self._next.write_text(str(to_s))
        os.replace(self._next, self._path)  # atomic


@pytest.mark.parametrize("jumps", [(-HOUR_S,), (DAY_S,), (DAY_S, -HOUR_S, 0)])
def test_a_jump_of_the_clock_disconnects_nobody_and_changes_no_order(
    tmp_path: Path, jumps: tuple[int, ...]
) -> None:
    """D9. The last jump is followed by a restart: its numbers and times go on from those on disk."""
    clock = Clock(tmp_path / "clock")
    folder = tmp_path / "server"
    server = Server(folder, environment=clock.environment)
    people: list[Person] = [
        Talker("native", server.address, ROOMS, window=4),
        Typist("plain", server.address, ROOMS[:1], window=4),
        Talker("reader", server.address, ROOMS),
    ]
    try:
        begin(people)
        for jump in jumps:
            said = len(people[0].acked)
            wait_for(lambda n=said: len(people[0].acked) > n + 200, people, "they talk")
            clock.jump(jump)
        said = len(people[0].acked)
        wait_for(lambda: len(people[0].acked) > said + 200, people, "they go on talking")
        verdict = finish(server, people)
        server = Server(folder, server.address[1], environment=clock.environment)
        with closing(Asker(server.address, "Asker", ROOMS)) as asker:
            asker.say("#lobby", "after-1")
            records = [record for room in ROOMS for record in asker.history(room)]
    finally:
        server.close()
    records.sort(key=lambda record: record["seq"])
    times = [record["time"] for record in records]
    print(f"\n{verdict}; from {times[0]} to {times[-1]}")
    assert verdict.tried > 400
    assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.faults) == (0, 0, 0, [])
    assert [person.returns for person in people] == [0, 0, 0], "nobody was disconnected"
    assert all(before <= after for before, after in pairwise(times))
    assert (times[-1][:10] > times[0][:10]) == (DAY_S in jumps), "the clock did jump"
    assert not [record for record in records if record["t"] == "leave" and record["why"] == "lost"]
