"""The round in which two people stop reading, one of each dialect, while much more is said than memory holds."""

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
PADDING = 400
"""30,000 such lines are more than the 8 MiB that the server's memory holds of a room."""

RECEIVE_BUFFER = 4096
"""Bytes that the system holds for one who does not read: few, so that nearly all must wait in the server."""

MOST_MIB = 32
"""By how much the server's memory may grow in all, whatever is said."""


def stall_round(folder: Path, lines: int) -> Verdict:
    """Neither of the two is closed or told of a gap; awake, they see every line once, in order."""
    server = Server(folder)
    address = server.address
    talker = Talker("talker", address, ROOM, window=WINDOW, most=lines, padding=PADDING)
    asleep: list[Person] = [
        Talker("sleeper", address, ROOM, receive_buffer=RECEIVE_BUFFER),
        Typist("snorer", address, ROOM, receive_buffer=RECEIVE_BUFFER),
    ]
    others: list[Person] = [Talker("reader", address, ROOM), Typist("watcher", address, ROOM)]
    people = [*asleep, *others, talker]
    try:
        begin([*asleep, *others])
        for person in asleep:
            person.nap()
        before_kib = server.rss_kib
        talker.start()
        wait_for(lambda: talker.quiet, people, "everything is said")
        grown_mib = (server.rss_kib - before_kib) / 1024
        most = max(len(person.seen) for person in asleep)
        for person in asleep:
            person.wake()
        verdict = finish(server, people)
    finally:
        server.close()
    verdict.notes.append(f"server memory +{grown_mib:.1f} MiB")
    if grown_mib > MOST_MIB:
        verdict.faults.append(f"more than {MOST_MIB} MiB")
    if most > lines // 2 or any(person.returns for person in asleep):
        verdict.faults.append("they did not stall, or were closed")
    return verdict
