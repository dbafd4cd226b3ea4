"""Signals under load, and faults in the server's own code: nothing acknowledged is lost, and the process lives."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Native, Plain, Server, Start

ROOT = Path(__file__).parents[2]
LEAVE_S = 8.0
READ_S = 60.0
SENDERS = 4
PEOPLE = 300
READERS = 4


def talk(client: Native, name: str, stopped: threading.Event) -> None:
    """Say line after line, each as soon as the one before is acknowledged, until the server ends it."""
    number = 0
    while not stopped.is_set():
        line_id = f"{name}-{number}"
        try:
            client.send("say", id=line_id, room="#lobby", text=line_id)
        except OSError:
            return
        message = client.read_until(
            lambda message, line_id=line_id: message["t"] == "bye" or message.get("id") == line_id
        )
        if message["t"] == "bye":
            return
        number += 1


def check_stop_under_load(start: Start, patience: float) -> int:
    """O1: what was acknowledged has reached every reader before its goodbye. Returns how much that was."""
    server = start.server()
    senders = [start.native(f"sender{number}") for number in range(SENDERS)]
    readers = [start.native(f"reader{number}") for number in range(READERS)]
    plain = start.plain("Plain")
    stopped = threading.Event()
    threads = [
        threading.Thread(target=talk, args=(client, f"s{number}", stopped))
        for number, client in enumerate(senders)
    ]
    threads += [threading.Thread(target=client.read_messages_to_end) for client in readers]
    for thread in threads:
        thread.start()
    plain.read_until("s0-50$", READ_S)
    server.signal(signal.SIGTERM)
    heard = plain.read_to_end(READ_S)
    plain.close()
    for thread in threads:
        thread.join(READ_S * patience)
    for client in senders:
        client.read_messages_to_end()
    acked = {
        message["id"]
        for number, client in enumerate(senders)
        for message in client.messages
        if message["t"] == "say" and message["id"].startswith(f"s{number}-")
    }
    for client in [*readers, *senders]:
        assert client.messages[-1] == {"t": "bye", "reason": "stopping"}
        texts = client.texts()
        assert len(texts) == len(set(texts))
        if client in readers:
            assert acked <= set(texts)
        client.close()
    assert heard[-1] == "-- The server is stopping."
    assert acked <= {line.partition(": ")[2] for line in plain.lines}
    assert server.wait(LEAVE_S) == 0
    return len(acked)


def test_a_stop_under_load_loses_nothing_that_was_acknowledged(
    start: Start, patience: float
) -> None:
    acked = [check_stop_under_load(start, patience) for _ in range(3)]
    print(f"\nstopped under load {len(acked)} times after {acked} acknowledged lines; lost 0")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_stops_under_load_lose_nothing_that_was_acknowledged(
    start: Start, patience: float
) -> None:
    acked = [check_stop_under_load(start, patience) for _ in range(50)]
    print(f"\nstopped under load {len(acked)} times after {acked} acknowledged lines; lost 0")


def test_ten_thousand_signals_while_people_talk(
    start: Start, server: Server, wait_for: Callable[..., None]
) -> None:
    """O3: those that it handles, and those whose default is to be ignored."""
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.settle()
    kinds = [signal.SIGHUP, signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG, signal.SIGCONT]
    random_ = random.Random(3)
    for number in range(100):
        for _ in range(100):
            server.signal(random_.choice(kinds))
        alice.send(f"line {number}")
    heard = bob.read_until("line 99", READ_S)
    assert heard == [f"Alice: line {number}" for number in range(100)]
    assert server.running
    print(f"\n10,000 signals: {server.log.count('configuration reloaded')} reloads")
    wait_for(lambda: "configuration reloaded" in server.log, "it reloads")
    assert "internal error" not in server.log
    alice.close()
    bob.close()
    assert server.stop() == 0


def test_a_stopped_process_goes_on_where_it_was(start: Start, server: Server) -> None:
    alice, bob = start.native("Alice"), start.plain("Bob")
    server.signal(signal.SIGSTOP)
    for number in range(100):
        alice.send("say", id=str(number), room="#lobby", text=f"line {number}")
    server.signal(signal.SIGCONT)
    assert bob.read_until("line 99")[-100:] == [f"Alice: line {number}" for number in range(100)]


FAULTY = """
import os, random, signal, sys
from chatcore import config, diagnostics
from chatcore.connection import connection
from chatcore.connection.listener import listen
from chatcore.keeping import InMemory
from chatcore.reactor.loop import Reactor
from chatcore.server import Server

random_ = random.Random(int(sys.argv[1]))
FAULTS = [ValueError, OSError, MemoryError, RecursionError, KeyError, AssertionError, TypeError]
injected = 0


def sometimes(work):
    def faulty(*args):
        global injected
        if random_.random() < 0.01:
            injected += 1
            raise random_.choice(FAULTS)("injected")
        return work(*args)

    return faulty


settings = config.load_or_explain(["--ephemeral", "--port", "0", "--config", sys.argv[2]], {})
console = diagnostics.configure("info")
(sock,) = listen("127.0.0.1", 0)
server = Server(settings, [sock], Reactor(), InMemory(settings))
WHERE = sys.argv[3]
if WHERE == "handlers":
    connection.Connection.on_readable = sometimes(connection.Connection.on_readable)
    connection.Connection.on_writable = sometimes(connection.Connection.on_writable)
elif WHERE == "exchange":
    server.exchange.received = sometimes(server.exchange.received)
else:
    later = server.reactor.call_later
    server.reactor.call_later = lambda delay_s, work: later(delay_s, sometimes(work))
server.reactor.on_signal(signal.SIGTERM, server.stop)
print(f"listening on 127.0.0.1:{sock.getsockname()[1]}", flush=True)
server.reactor.run()
print(f"injected {injected} counted {server.reactor.stats.faults}", flush=True)
console.close()
"""


class Faulty:
    """A server in a process of its own, whose inside raises at one call in a hundred."""

    def __init__(self, folder: Path, where: str) -> None:
        config = folder / "faulty.toml"
        config.write_text("[flood]\nenabled = false\n")
        self._log_path = folder / "faulty.log"
        with self._log_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", FAULTY, "5", str(config), where],
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        found = re.match(r"listening on (\S+):(\d+)\n", self.process.stdout.readline())
        assert found, self.log
        self.address = (found[1], int(found[2]))

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def stop(self) -> int:
        """The faults that were injected, all of them counted and logged by the server."""
        assert self.process.poll() is None, self.log
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        counts = re.search(r"injected (\d+) counted (\d+)", said)
        assert counts, self.log
        injected, counted = int(counts[1]), int(counts[2])
        assert injected == counted == self.log.count("error: internal error")
        return injected

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Callable[[str], Faulty]]:
    """`faulty(where)`: a server with faults in its handlers, its exchange or its timers."""
    made: list[Faulty] = []

    def make(where: str) -> Faulty:
        made.append(Faulty(tmp_path, where))
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


@pytest.mark.parametrize("where", ["handlers", "exchange"])
def test_a_fault_inside_costs_its_own_connection_only(
    start: Start, faulty: Callable[[str], Faulty], where: str
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


def test_a_fault_in_a_timer_costs_nobody_the_connection(
    start: Start, faulty: Callable[[str], Faulty], wait_for: Callable[..., None]
) -> None:
    """O5. The timer that greets raises for some: they are not greeted, and join all the same."""
    server = faulty("timers")
    silent = [start.unkept(server.address) for _ in range(PEOPLE)]
    wait_for(lambda: "internal error in a callback" in server.log, "a timer met a fault")
    for number, client in enumerate(silent):
        with client:
            assert is_served(client, f"user{number}")
    injected = server.stop()
    ungreeted = sum("Choose an alias:" not in client.lines for client in silent)
    print(f"\ntimers: {injected} faults, {ungreeted} of {PEOPLE} not greeted")
    assert injected > 0
