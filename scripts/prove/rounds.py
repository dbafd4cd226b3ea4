"""The rounds in which people talk while something is broken: the server is killed, or the network is cut."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from .network import Network
from .people import THE_END, Person, Talker, Typist, wait_for
from .process import Server, tool
from .verdict import History, Verdict, judge
from .wire import Asker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROOMS = ("#lobby", "#dev", "#ops")

WINDOW = 8
"""Lines under way of each writer: enough that a kill finds some in every state between socket and disk."""

SHORTEST_S, LONGEST_S = 0.02, 2.0
"""From one breakage to the next, drawn at random: from before everybody is back to long after."""


def crowd(address: tuple[str, int]) -> list[Person]:
    """Eight who write, four of each dialect, and one of each who only reads."""
    people: list[Person] = [
        Talker(f"native{number}", address, ROOMS, window=WINDOW) for number in range(4)
    ]
    people += [
        Typist(f"plain{number}", address, (ROOMS[number % len(ROOMS)],), window=WINDOW)
        for number in range(4)
    ]
    return [*people, Talker("reader", address, ROOMS), Typist("watcher", address, ROOMS[:1])]


def begin(people: Sequence[Person]) -> None:
    """Returns when all of them have joined: before that, nobody has a token to come back with."""
    for person in people:
        person.start()
    wait_for(lambda: all(each.joined.is_set() for each in people), people, "everybody has joined")


def finish(server: Server, people: Sequence[Person]) -> Verdict:
    """Let everything that is under way arrive, page the history out, stop the server, and compare."""
    for person in people:
        person.hush()
    wait_for(lambda: all(each.quiet for each in people), people, "every line is acknowledged")
    rooms = tuple(dict.fromkeys(room for person in people for room in person.rooms))
    asker = Asker(server.address, "End", rooms)
    for room in rooms:
        asker.say(room, THE_END)
    for person in people:
        person.join()
    kept = {room: asker.history(room) for room in rooms}
    asker.close()
    for records in kept.values():
        records[:] = [record for record in records if record.get("text") != THE_END]
    verdict = judge(History(kept), people)
    verdict.notes.append(f"acknowledged {sum(len(each.acked) for each in people):,}")
    if code := server.stop():
        verdict.faults.append(f"the server ended with {code}")
    checked = tool("check", "--data", str(server.data))
    if checked.returncode:
        verdict.faults.append(f"chatcore check: {checked.stderr.strip()}")
    if "Traceback" in server.log:
        verdict.faults.append("the server crashed; see its log")
    return verdict


def kill_rounds(folder: Path, kills: int, seed: int) -> Verdict:
    """`kill -9` the server while eight people write, start it again on the same folder and port, so many times."""
    rng, pause = random.Random(seed), threading.Event()
    server = Server(folder)
    people = crowd(server.address)
    worst_s = 0.0
    try:
        begin(people)
        for _ in range(kills):
            pause.wait(rng.uniform(SHORTEST_S, LONGEST_S))
            server.kill()
            server = Server(folder, server.address[1])
            worst_s = max(worst_s, server.started_s)
        verdict = finish(server, people)
    finally:
        server.close()
    verdict.notes.append(f"{kills:,} kills, worst start {worst_s:.2f} s")
    return verdict


def cut_rounds(folder: Path, cuts: int, seed: int) -> Verdict:
    """Cut the network between the server and four people who write and one who reads, so many times.

    Before each cut one direction, or neither, or both, swallows what is sent: lines that never arrive, and lines
    whose acknowledgement does not.
    """
    rng, pause = random.Random(seed), threading.Event()
    server = Server(folder)
    network = Network(server.address)
    people: list[Person] = [
        Talker(f"native{number}", network.address, ROOMS, window=WINDOW) for number in range(4)
    ]
    people += [
        Talker("reader", network.address, ROOMS),
        Typist("watcher", server.address, ROOMS[:1]),
    ]
    try:
        begin(people)
        for _ in range(cuts):
            pause.wait(rng.uniform(SHORTEST_S, LONGEST_S / 10))
            network.swallow(rng.choice([(), ("up",), ("down",), ("up", "down")]))
            pause.wait(SHORTEST_S)
            network.cut()
        verdict = finish(server, people)
    finally:
        network.close()
        server.close()
    verdict.notes.append(f"{cuts:,} cuts, {sum(each.returns for each in people):,} returns")
    return verdict
