"""Lag: which readers are behind, by how many lines, and for how long.

A reader that is behind is a cursor further back, so nothing is counted while it falls behind: the streams know how
many of their lines stand between two positions. Asking costs a few microseconds a reader that is behind, and nothing
for one that is not.
"""

from __future__ import annotations

from heapq import nlargest
from time import monotonic
from typing import TYPE_CHECKING

from chatcore.hub.reply import Behind

if TYPE_CHECKING:
    from chatcore.connection.connection import Connection
    from chatcore.connection.delivery import Delivery

READERS_SHOWN = 50
"""Readers named to whoever asks, the worst first: a screen or two; beyond that it is the server that is slow."""


def worst(delivery: Delivery) -> tuple[Behind, ...]:
    """The readers that are furthest behind, worst first."""
    now = monotonic()
    readers = [_row(each, delivery, now) for each in _furthest(delivery, READERS_SHOWN)]
    readers.sort(key=lambda row: (row.lines, row.seconds), reverse=True)
    return tuple(readers)


def most_lines(delivery: Delivery) -> int:
    """By how many lines the reader that is furthest behind is behind."""
    return max((_lines(each, delivery) for each in _furthest(delivery, 1)), default=0)


def _row(connection: Connection, delivery: Delivery, now: float) -> Behind:
    return Behind(
        connection.session.alias if connection.session is not None else "",
        connection.dialect.name if connection.dialect is not None else "",
        _lines(connection, delivery),
        round(now - delivery.behind[connection], 1),
    )


def _furthest(delivery: Delivery, count: int) -> list[Connection]:
    """So many of those with the most unread lines; of equals, those that have been behind for longest."""
    durable_seq = delivery.durable_seq
    return nlargest(
        count,
        (each for each in delivery.behind if not each.closing),
        key=lambda each: (_unread(each, durable_seq), -delivery.behind[each]),
    )


def _lines(connection: Connection, delivery: Delivery) -> int:
    """Lines that stand in its streams, and those it has in hand (a page at most) that its socket has not taken.

    The latter are counted by their ends, which takes too long to be done for everybody.
    """
    in_hand = bytes(connection.pending).count(b"\n")
    return _unread(connection, delivery.durable_seq) + in_hand


def _unread(connection: Connection, durable_seq: int) -> int:
    """Too low for a reader so far back that the streams have stopped counting."""
    reader = connection.reader
    lines = 0
    for each in reader.subscriptions:
        begin = max(reader.position, each.after)
        end = durable_seq if each.until is None else min(each.until, durable_seq)
        if begin < end:
            lines += each.stream.lines_up_to(end) - each.stream.lines_up_to(begin)
    return lines
