"""The round in which some stop reading, of both dialects, while much more is said than memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .people import Person, Talker, Typist, wait_for
from .process import Server
from .rounds import begin, finish

if TYPE_CHECKING:
    from pathlib import Path

    from .verdict import Verdict

ROOM = ("#lobby",)
WINDOW = 256
PADDING = 1_000
"""30,000 such lines are 30 MB: more than the 8 MiB that the server's memory holds of a room and the 10 MB that the
system's buffers take for one who does not read."""

RECEIVE_BUFFER = 4096
"""Bytes that the system holds for one who does not read: few, so that nearly all must wait in the server."""

MOST_MIB = 32
"""By how much the server's memory may grow in all, whatever is said."""


def stall_round(
    folder: Path, lines: int, *, asleep: int = 2, others: int = 2, padding: int = PADDING
) -> Verdict:
    """None of them is closed or told of a gap; awake, they see every line once, in order."""
    server = Server(folder)
    address = server.address
    talker = Talker("talker", address, ROOM, window=WINDOW, most=lines, padding=padding)
    kinds = (Talker, Typist)
    sleepers: list[Person] = [
        kinds[number % 2](f"sleeper{number}", address, ROOM, receive_buffer=RECEIVE_BUFFER)
        for number in range(asleep)
    ]
    readers: list[Person] = [
        kinds[number % 2](f"reader{number}", address, ROOM) for number in range(others)
    ]
    try:
        begin([*sleepers, *readers])
        for person in sleepers:
            person.nap()
        before_kib = server.rss_kib
        talker.start()
        people = [*sleepers, *readers, talker]
        wait_for(lambda: talker.quiet, people, "everything is said")
        grown_mib = (server.rss_kib - before_kib) / 1024
        most = max(len(person.seen) for person in sleepers)
        for person in sleepers:
            person.wake()
        verdict = finish(server, people)
    finally:
        server.close()
    verdict.notes.append(f"{asleep} asleep, server memory +{grown_mib:.1f} MiB")
    if grown_mib > MOST_MIB:
        verdict.faults.append(f"more than {MOST_MIB} MiB")
    if most > lines // 2 or any(person.returns for person in sleepers):
        verdict.faults.append("they did not stall, or were closed")
    return verdict
