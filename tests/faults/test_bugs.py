"""Bugs inside: whatever raises, the process lives, only the connection it met is cut off, and every one is counted.

The one exception is the writer of the log: after a fault there nothing more may be acknowledged, so the server stops.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.conftest import Plain, Start

ROOT = Path(__file__).parents[2]
PEOPLE = 300
READERS = 40
LINES = 100
LEAVE_S = 60.0
STORAGE_FAILED = 74

FAULTY = """
import random, sys
from chatcore.connection import connection
from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain
from chatcore.reactor import loop
from chatcore.server import main
from chatcore.store import journal

where, seed, argv = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
random_ = random.Random(seed)
FAULTS = [ValueError, OSError, MemoryError, RecursionError, KeyError, AssertionError, TypeError]
injected = 0
reactors = []
calls = 0


def sometimes(work):
    def faulty(*args):
        global injected
        if random_.random() < 0.01:
            injected += 1
            raise random_.choice(FAULTS)("injected")
        return work(*args)

    return faulty


def once(work, fault, when):
    def faulty(*args):
        global calls
        calls += 1
        if calls == when:
            raise fault("injected")
        return work(*args)

    return faulty


class Reactor(loop.Reactor):
    def __init__(self):
        super().__init__()
        reactors.append(self)


later, soon = loop.Reactor.call_later, loop.Reactor.call_soon
if where == "handlers":
    connection.Connection.on_readable = sometimes(connection.Connection.on_readable)
    connection.Connection.on_writable = sometimes(connection.Connection.on_writable)
elif where == "deciding":
    for dialect in (Plain, Native):
        dialect.run = sometimes(dialect.run)
        dialect.next = sometimes(dialect.next)
elif where == "sends":
    FAULTS.remove(OSError)  # No bug there, but the way that a socket tells of its end.
    class Connection(connection.Connection):
        __slots__ = ()
        def __init__(self, *args):
            super().__init__(*args)
            self.send = sometimes(self.send)
    from chatcore.connection import listener
    listener.Connection = Connection
elif where == "timers":
    # Those that belong to a connection.
    def faulty_later(self, delay_s, work, owner=None):
        return later(self, delay_s, work if owner is None else sometimes(work), owner)
    Reactor.call_later = faulty_later
else:
    fault = dict((each.__name__, each) for each in FAULTS)[where]
    journal.SqliteJournal._insert = once(journal.SqliteJournal._insert, fault, seed)
import chatcore.start
chatcore.start.Reactor = Reactor
code = main(argv)
print(f"injected {injected} counted {reactors[0].stats.faults}", flush=True)
sys.exit(code)
"""


class Faulty:
    """A server in a process of its own, whose inside raises."""

    def __init__(self, folder: Path, where: str, seed: int, arguments: Sequence[str]) -> None:
        config = folder / "faulty.toml"
        config.write_text("[flood]\nenabled = false\n")
        self._log_path = folder / "faulty.log"
        command = [sys.executable, "-c", FAULTY, where, str(seed), "--port", "0"]
        with self._log_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*command, "--config", str(config), *arguments],
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        found = re.search(r"listening on (\S+):(\d+)\n", self.process.stdout.readline())
        if not found:
            self.close()
            pytest.fail(self.log)
        self.address = (found[1], int(found[2]))

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def stop(self) -> int:
        """The faults that were injected, all of them counted and logged by the server."""
        assert self.process.poll() is None, self.log
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=LEAVE_S)
        assert self.process.returncode == 0, self.log
        counts = re.search(r"injected (\d+) counted (\d+)", said)
        assert counts, self.log
        injected, counted = int(counts[1]), int(counts[2])
        assert injected == counted == self.log.count("internal error in ")
        return injected

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LEAVE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Callable[..., Faulty]]:
    """`faulty(where)`: a server with faults in its handlers, exchange, timers or sends, or one in its writer."""
    made: list[Faulty] = []

    def make(where: str, seed: int = 5, *arguments: str) -> Faulty:
        made.append(Faulty(tmp_path, where, seed, arguments or ["--ephemeral"]))
        return made[-1]

    yield make
    for each in made:
        each.close()


def is_served(client: Plain, alias: str) -> bool:
    """It joins, speaks, asks and leaves; False if it is cut off on the way."""
    try:
        for line, answer in (
            (alias, f"^{alias} has connected"),
            ("hi", f"^{alias}: hi$"),
            ("/ping", "^-- pong$"),
            ("/quit", "^-- Goodbye.$"),
        ):
            client.send(line)
            client.read_until(answer)
    except (OSError, pytest.fail.Exception):
        return False
    return True


@pytest.mark.parametrize("where", ["handlers", "deciding", "sends"])
def test_a_fault_inside_costs_its_own_connection_only(
    start: Start, faulty: Callable[..., Faulty], where: str
) -> None:
    """O5. Whose bytes met a fault is cut off; everybody else is served whole, and every fault is counted."""
    server = faulty(where)
    served = 0
    for number in range(PEOPLE):
        with start.unkept(server.address) as client:
            served += is_served(client, f"user{number}")
    injected = server.stop()
    print(f"\n{where}: {injected} faults, {PEOPLE - served} of {PEOPLE} connections cut")
    assert injected > 0
    assert PEOPLE - served <= injected
    assert served > 0


def test_a_fault_in_a_timer_costs_the_one_who_waited_for_it_only(
    start: Start, faulty: Callable[..., Faulty], wait_for: Callable[..., None]
) -> None:
    """O5. The timer that greets raises for some: those are closed, or nothing would ever end their wait to join."""
    server = faulty("timers")
    silent = [start.unkept(server.address) for _ in range(PEOPLE)]
    wait_for(lambda: "internal error in Connection" in server.log, "a timer met a fault")
    served = 0
    for number, client in enumerate(silent):
        with client:
            served += is_served(client, f"user{number}")
    injected = server.stop()
    print(f"\ntimers: {injected} faults, {PEOPLE - served} of {PEOPLE} connections cut")
    assert injected == PEOPLE - served > 0


def test_a_fault_in_the_middle_of_a_fan_out_loses_nobody_else_a_line(
    start: Start, faulty: Callable[..., Faulty]
) -> None:
    """O5. One send in a hundred raises; who is left at the end has read every line, once and in order."""
    server = faulty("sends", 9)
    readers: list[Plain] = []
    while len(readers) < READERS:
        client = start.unkept(server.address)
        try:
            client.join(f"reader{len(readers)}x{client.sock.getsockname()[1]}")
        except (OSError, pytest.fail.Exception):
            client.close()
        else:
            readers.append(client)
    said, speaker = 0, start.unkept(server.address)
    for number in range(LINES):
        # The one who speaks may be hit as well: another one goes on, if the line was not said.
        while True:
            try:
                if not speaker.lines:
                    speaker.join(f"speaker{number}")
                speaker.send(f"line {said}")
                speaker.read_until(rf": line {said}$")
            except (OSError, pytest.fail.Exception):
                speaker.close()
                speaker = start.unkept(server.address)
                continue
            said += 1
            break
    whole = 0
    for reader in readers:
        with reader:
            try:
                reader.send("/ping")
                reader.read_until("^-- pong$")
            except (OSError, pytest.fail.Exception):
                continue
            heard = [
                int(found[1])
                for line in reader.lines
                if (found := re.search(r": line (\d+)$", line))
            ]
            # What was said again by the next speaker, as the first one was cut off before its echo, is there twice.
            assert list(dict.fromkeys(heard)) == list(range(said))
            whole += 1
    speaker.close()
    injected = server.stop()
    print(
        f"\nsends: {injected} faults, {READERS - whole} of {READERS} readers cut, {said} lines at the others"
    )
    assert injected > 0
    assert whole > 0


def say_until_the_end(client: Plain) -> list[str]:
    """Says one line after the other; those that were echoed before the server ended it."""
    acked = []
    for number in range(LINES):
        client.send(f"line {number}")
        try:
            client.read_until(f"^Alice: line {number}$")
        except (OSError, pytest.fail.Exception):
            break
        acked.append(f"line {number}")
    return acked


@pytest.mark.parametrize("fault", ["MemoryError", "RecursionError", "OSError", "KeyError"])
def test_after_a_fault_in_the_writer_nothing_is_acknowledged_and_the_server_stops(
    start: Start, faulty: Callable[..., Faulty], tmp_path: Path, fault: str
) -> None:
    """O5. What was acknowledged is there after the next start."""
    data = tmp_path / "data"
    server = faulty(fault, LINES // 2, "--data", str(data))
    with start.unkept(server.address) as client:
        client.join("Alice")
        acked = say_until_the_end(client)
    assert server.process.wait(LEAVE_S) == STORAGE_FAILED
    start.server(data=data)
    again = start.native("Bob")
    page = again.ask("history", room="#lobby", limit=LINES)
    kept = [record["text"] for record in page["records"] if record["t"] == "say"]
    print(f"\n{fault} in the writer: {len(acked)} of {LINES} acknowledged, {len(kept)} kept")
    assert 0 < len(acked) < LINES
    assert kept[: len(acked)] == acked
    assert len(kept) <= len(acked) + 1
