"""Signals under load: nothing acknowledged is lost, nobody is disconnected by a reload, and the process lives."""

from __future__ import annotations

import random
import re
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.prove.process import tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Native, Server, Start

LEAVE_S = 8.0
READ_S = 60.0
SENDERS = 4
READERS = 4
LINES = 25
WORDS = "x" * 4_000
"""A hundred of these are more than the sockets of one who does not read can hold."""

BEHIND_BUFFER = 16 * 1024
LONG_DRAIN_S = 30.0
LONG_LINES = 200_000
"""Lines of a configuration that takes some tenths of a second to read."""

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
            client.send("say", id=line_id, room="#lobby", text=f"{line_id} {WORDS}")
        except OSError:
            return
        message = client.read_until(
            lambda message, line_id=line_id: message["t"] == "bye" or message.get("id") == line_id
        )
        if message["t"] == "bye":
            return
        number += 1


def first_words(texts: list[str]) -> list[str]:
    return [text.partition(" ")[0] for text in texts]


def check_stop_under_load(start: Start, data: Path, patience: float, life: int) -> set[str]:
    """O1: what was acknowledged has reached every reader before its goodbye. Returns the ids of that."""
    server = start.server(data=data)
    names = [f"{life}-{number}" for number in range(SENDERS)]
    senders = [start.native(f"sender{life}x{number}") for number in range(SENDERS)]
    readers = [start.native(f"reader{life}x{number}") for number in range(READERS)]
    plain = start.plain("Plain")
    behind = start.plain("Behind", receive_buffer=BEHIND_BUFFER)
    stopped = threading.Event()
    threads = [
        threading.Thread(target=talk, args=(client, name, stopped))
        for client, name in zip(senders, names, strict=True)
    ]
    threads += [threading.Thread(target=client.read_messages_to_end) for client in readers]
    for thread in threads:
        thread.start()
    plain.read_until(f"{life}-0-{LINES} ", READ_S)
    server.signal(signal.SIGTERM)
    plain.read_to_end(READ_S)
    # The one who is behind is still owed much, so it has not left yet; but nobody comes in any more.
    assert server.running
    with pytest.raises(ConnectionRefusedError):
        start.unkept()
    behind.read_to_end(READ_S)
    for thread in threads:
        thread.join(READ_S * patience)
    for client in senders:
        client.read_messages_to_end()
    assert server.wait(LEAVE_S) == 0
    acked = {
        message["id"]
        for client, name in zip(senders, names, strict=True)
        for message in client.messages
        if message["t"] == "say" and message["id"].startswith(f"{name}-")
    }
    for client in [*readers, *senders]:
        assert client.messages[-1] == {"t": "bye", "reason": "stopping"}
        texts = first_words(client.texts())
        assert len(texts) == len(set(texts))
        if client in readers:
            assert acked <= set(texts)
        client.close()
    for client in (plain, behind):
        assert client.lines[-1] == "-- The server is stopping."
        assert acked <= set(first_words([line.partition(": ")[2] for line in client.lines]))
        client.close()
    return acked


@pytest.mark.parametrize(
    "times", [10, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_a_stop_under_load_loses_nothing_that_was_acknowledged(
    start: Start, tmp_path: Path, patience: float, times: int
) -> None:
    data = tmp_path / "data"
    acked = [check_stop_under_load(start, data, patience, life) for life in range(times)]
    exported = tool("export", "--data", str(data))
    assert exported.returncode == 0, exported.stderr
    kept = set(re.findall(r"\b\d+-\d+-\d+\b", exported.stdout))
    lost = set().union(*acked) - kept
    print(
        f"\nstopped under load {times} times after {[len(each) for each in acked]} acknowledged lines; "
        f"lost {len(lost)}"
    )
    assert not lost


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
    """O2. A good one is in force from then on; a bad one changes nothing, and says so once."""
    server = start.server(config=GOOD)
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.settle()
    random_ = random.Random(2)
    good, bad, in_force = 0, 0, ""
    for number in range(times):
        motd = f"configuration {number}"
        if random_.random() < 0.5:
            server.config_path.write_text(GOOD + in_words(motd))
            good, in_force = good + 1, motd
        else:
            # The good half of a bad one is not taken either: flood control would hold back what is said below.
            server.config_path.write_text(in_words(motd) + random_.choice(BAD))
            bad += 1
        server.signal(signal.SIGHUP)
        wait_for(
            lambda due=(good, bad): (server.log.count(RELOADED), server.log.count(KEPT)) == due,
            f"it has answered signal {number}: {server.config_path.read_text()!r}",
        )
        with start.unkept() as late:
            told = [line for line in late.join(f"late{number}") if "configuration" in line]
        assert told == ([f"-- {in_force}"] if in_force else [])
        alice.send(*(f"line {number} {count}" for count in range(10)))
        bob.read_until(f"^Alice: line {number} 9$")
    print(f"\n{times} reloads: {good} taken, {bad} with mistakes, disconnects 0")
    said = [line for line in bob.lines if line.startswith("Alice: ")]
    assert said == [f"Alice: line {n} {count}" for n in range(times) for count in range(10)]
    assert not any(line.startswith("Alice has") for line in bob.lines[1:])
    assert "internal error" not in server.log


def in_words(motd: str) -> str:
    return f'[server]\nmotd = "{motd}"\n'


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


@pytest.mark.parametrize(
    "count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_stop_is_not_lost_behind_signals_that_came_while_the_loop_was_busy(
    start: Start, wait_for: Callable[..., None], count: int
) -> None:
    """O3. It reads a long configuration meanwhile; each signal is delivered before the next is sent."""
    server = start.server(config=GOOD + "#\n" * LONG_LINES)
    alice = start.plain("Alice")
    server.signal(signal.SIGHUP)
    wait_for(lambda: server.log.count(RELOADED) == 1, "it reloads")
    for _ in range(count):
        server.signal(signal.SIGHUP)
        while is_pending(server):
            pass
    server.signal(signal.SIGTERM)
    assert alice.read_to_end()[-1] == "-- The server is stopping."
    assert server.wait() == 0
    print(f"\n{count} signals were delivered during {server.log.count(RELOADED) - 1} reloads")
    assert "Exception ignored" not in server.log
    assert "internal error" not in server.log


def is_pending(server: Server) -> bool:
    """A signal was sent, and it has not been taken yet."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("ShdPnd:")[2].split()[0], 16) != 0


def test_a_stopped_process_goes_on_where_it_was(start: Start, server: Server) -> None:
    alice, bob = start.native("Alice"), start.plain("Bob")
    server.signal(signal.SIGSTOP)
    for number in range(100):
        alice.send("say", id=str(number), room="#lobby", text=f"line {number}")
    server.signal(signal.SIGCONT)
    assert bob.read_until("line 99")[-100:] == [f"Alice: line {number}" for number in range(100)]
