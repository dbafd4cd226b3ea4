"""The round in which some stop reading, of every kind of people, while much more is said than memory holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .people import Talker, Typist, wait_for
from .process import Server
from .rounds import begin, finish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .people import Person
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
    folder: Path,
    lines: int,
    *,
    asleep: int = 2,
    others: int = 2,
    padding: int = PADDING,
    kinds: Sequence[Callable[..., Person]] = (Talker, Typist),
    talking: Sequence[Callable[..., Person]] = (Talker,),
) -> Verdict:
    """None of them is closed or told of a gap; awake, they see every line once, in the order of all. `lines` is shared
    out among those who talk."""
    server = Server(folder)

    def people(name: str, count: int, **more: int) -> list[Person]:
        return [
            kinds[number % len(kinds)](f"{name}{number}", server.address, ROOM, **more)
            for number in range(count)
        ]

    sleepers = people("sleeper", asleep, receive_buffer=RECEIVE_BUFFER)
    readers = people("reader", others)
    share = {"most": lines // len(talking), "window": WINDOW // len(talking), "padding": padding}
    talkers = [
        kind(f"talker{number}", server.address, ROOM, **share)
        for number, kind in enumerate(talking)
    ]
    everybody = [*sleepers, *readers, *talkers]
    try:
        begin([*sleepers, *readers])
        for person in sleepers:
            person.nap()
        before_kib = server.rss_kib
        for person in talkers:
            person.start()
        wait_for(lambda: all(each.quiet for each in talkers), everybody, "everything is said")
        grown_mib = (server.rss_kib - before_kib) / 1024
        most = max(len(person.seen) for person in sleepers)
        for person in sleepers:
            person.wake()
        verdict = finish(server, everybody)
    finally:
        server.close()
    verdict.notes.append(f"{asleep} asleep, server memory +{grown_mib:.1f} MiB")
    if grown_mib > MOST_MIB:
        verdict.faults.append(f"more than {MOST_MIB} MiB")
    if most > lines // 2 or any(person.returns for person in sleepers):
        verdict.faults.append("they did not stall, or were closed")
    orders = {hash(tuple(line for _, line in each.seen)) for each in [*sleepers, *readers]}
    if len(orders) != 1 or len(readers[0].seen) != verdict.tried:
        verdict.faults.append("they did not all read every line in the one order")
    return verdict
