"""The others: somebody in a process of its own who asks all the time, and how long the answers take.

An attack is judged by what it adds, on the machine as it is: they ask in peace, then while it goes on, and in peace again.
In a process, because an attacker has thousands of sockets to see to, and a thread of the same interpreter waits for that.
What does not count is the time in which the server or they could run and had no processor: an attacker, and whatever else
runs here, has a machine of its own in life.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

from scripts.prove.wire import Asker, form
from tests.conftest import ROOT, clean_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Server

MOST_RISE_MS = 10.0
"""By which an attack may raise the 99th percentile (C10, T1)."""

PAUSE_S = 0.004
"""Between an answer and the next question."""

PEACE = 400
"""Questions in peace, before and again after: 2 s each."""

SAY_EVERY = 10
"""Every so many questions is a line to the room; the others are pings."""


def p99_ms(took_s: Sequence[float]) -> float:
    return sorted(took_s)[len(took_s) * 99 // 100] * 1e3


class Others:
    """See the module. `with Others(server) as others:` holds the attack; the figures are there after it."""

    def __init__(self, server: Server) -> None:
        self.peace_s: list[float] = []
        self.attack_s: list[float] = []
        host, port = server.address
        command = [sys.executable, "-m", "tests.others", host, str(port), str(server.pid)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Returns when the first peace is over."""
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            self._end()
            raise AssertionError("the others are not served in peace")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._end()
            return
        # Every wait of that process has a deadline, so this one has.
        answer, _error = self._process.communicate("the attack is over\n")
        assert self._process.returncode == 0, "the others were not served"
        self.peace_s, self.attack_s = json.loads(answer)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def rise_ms(self) -> float:
        """What the attack added to the 99th percentile."""
        return p99_ms(self.attack_s) - p99_ms(self.peace_s)

    @property
    def p99_ms(self) -> float:
        """Under attack."""
        return p99_ms(self.attack_s)

    @property
    def figures(self) -> str:
        return (
            f"others: {len(self.attack_s)} questions, p99 {self.p99_ms:.1f} ms, worst {max(self.attack_s) * 1e3:.1f} ms; "
            f"in peace {len(self.peace_s)}, p99 {p99_ms(self.peace_s):.1f} ms: {self.rise_ms:+.1f} ms"
        )


class Questions:
    """What that process does."""

    def __init__(self, asker: Asker, server: str) -> None:
        self._asker = asker
        self._runners = [Path(f"/proc/{each}/schedstat") for each in (server, "self")]
        self._asked = 0

    def ask(self) -> float:
        """The next question; the seconds until its answer."""
        self._asked += 1
        began, waited_s = time.perf_counter(), self._waited_s()
        if self._asked % SAY_EVERY:
            self._asker.wait_for(form("ping", re=self._asked), "re", self._asked)
        else:
            self._asker.say("#lobby", f"o{self._asked}")
        waited_s = self._waited_s() - waited_s
        return max(time.perf_counter() - began - waited_s, 0.0)

    def _waited_s(self) -> float:
        """For a processor, since they began: the second number of each (Documentation/scheduler/sched-stats.rst)."""
        return sum(int(each.read_text().split()[1]) for each in self._runners) / 1e9

    def in_peace(self) -> list[float]:
        return [self._later() for _ in range(PEACE)]

    def under_attack(self) -> list[float]:
        """Until a line comes in; at least once."""
        took = [self.ask()]
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            took.append(self.ask())
        return took

    def _later(self) -> float:
        select.select([], [], [], PAUSE_S)
        return self.ask()


def main(host: str, port: str, server: str) -> None:
    with closing(Asker((host, int(port)), "Other", ("#lobby",))) as asker:
        questions = Questions(asker, server)
        peace = questions.in_peace()
        print("go on", flush=True)
        attack = questions.under_attack()
        print(json.dumps([peace + questions.in_peace(), attack]))


if __name__ == "__main__":
    main(*sys.argv[1:])
