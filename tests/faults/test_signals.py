"""Signals under load: nothing acknowledged is lost, nobody is disconnected by a reload, and the process lives."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Native, Server, Start

ROOT = Path(__file__).parents[2]
LEAVE_S = 8.0
READ_S = 60.0
SENDERS = 4
PEOPLE = 300
READERS = 4
LONG_DRAIN_S = 30.0
GOOD = "[flood]\nenabled = false\n"
BAD = [
    "[flood]\nenabled = true\nburst = 1\nper_second = 0.01\n[nonsense]\nkey = 1\n",
    "[flood]\nenabled = true\nburst = 1\nper_second = -1\n",
    "[flood]\nenabled = true\nburst = 1\n[limits",
    "\0",
]
RELOADED = "configuration reloaded"
KEPT = "the old one stays"


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


@pytest.mark.parametrize(
    "times", [10, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_a_stop_under_load_loses_nothing_that_was_acknowledged(
    start: Start, patience: float, times: int
) -> None:
    acked = [check_stop_under_load(start, patience) for _ in range(times)]
    print(f"\nstopped under load {len(acked)} times after {acked} acknowledged lines; lost 0")


def test_a_stop_does_not_wait_for_people_who_keep_their_side_open(start: Start) -> None:
    """Their machines have everything, so there is nothing to wait for."""
    server = start.server(
        config=f"[flood]\nenabled = false\n[timeouts]\ndrain_s = {LONG_DRAIN_S}\n"
    )
    people = [start.plain(f"user{number}") for number in range(20)]
    talker, program = start.plain("Talker"), start.native("Program")
    talker.send("last words")
    server.signal(signal.SIGTERM)
    for client in [*people, talker]:
        heard = client.read_to_end()
        assert heard[-1] == "-- The server is stopping."
    assert program.read_messages_to_end()[-1] == {"t": "bye", "reason": "stopping"}
    # Nobody has closed, and nothing else can end it within its drain time.
    assert server.wait() == 0


@pytest.mark.parametrize("times", [100])
def test_reloads_of_good_and_bad_configurations_disconnect_nobody(
    start: Start, wait_for: Callable[..., None], times: int
) -> None:
    """O2. A bad one changes nothing, and says so once."""
    server = start.server(config=GOOD)
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.settle()
    random_ = random.Random(2)
    good = bad = 0
    for number in range(times):
        if random_.random() < 0.5:
            server.config_path.write_text(GOOD)
            good += 1
        else:
            # The good half of a bad one is not taken either: flood control would hold back what is said below.
            server.config_path.write_text(random_.choice(BAD))
            bad += 1
        server.signal(signal.SIGHUP)
        wait_for(
            lambda due=(good, bad): (server.log.count(RELOADED), server.log.count(KEPT)) == due,
            f"it has answered signal {number}: {server.config_path.read_text()!r}",
        )
        alice.send(*(f"line {number} {count}" for count in range(10)))
        bob.read_until(f"^Alice: line {number} 9$")
    print(f"\n{times} reloads: {good} taken, {bad} with mistakes, disconnects 0")
    said = [line for line in bob.lines if line.startswith("Alice: ")]
    assert said == [f"Alice: line {n} {count}" for n in range(times) for count in range(10)]
    assert not any("has left" in line for line in bob.lines)
    assert "internal error" not in server.log


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
