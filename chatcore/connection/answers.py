"""Answers: how what one person is told takes its place among what the connection reads.

A reply that tells of state stands behind the records that were there when it was decided, and waits until they are
durable; one that tells nothing of state may overtake; and one that has to be read from the archive is promised.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from chatcore.connection.lag import worst
from chatcore.hub.reply import STORAGE_FULL, Ack, LagPage, Presence, Refused, Wanted
from chatcore.hub.verbs import TELLS_NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Connection
    from chatcore.connection.delivery import Delivery
    from chatcore.connection.limits import Limits
    from chatcore.connection.lookups import Lookups
    from chatcore.dialects.dialect import Event
    from chatcore.hub.reply import Reply

REPLIES_BYTES_MOST = 1024 * 1024
"""Replies waiting beyond which a connection is closed. Its commands wait and presence is not queued long before, so
only a fault of ours gets there."""


class Answers:
    """See the module. Without `lookups` nothing is ever promised; `lost` ends a connection."""

    def __init__(
        self,
        delivery: Delivery,
        lookups: Lookups | None,
        limits: Limits,
        lost: Callable[[Connection, str], None],
    ) -> None:
        self._delivery = delivery
        self._lookups = lookups
        self._limits = limits
        self._lost = lost
        self.refused: Counter[str] = Counter()
        """Refusals by code, since the start."""

    def reply(
        self,
        connection: Connection,
        replies: Iterable[Reply],
        position: int,
        needs: int,
        asked: type[Event],
    ) -> None:
        """Queue the answers to a command, in their place among the records."""
        self._count(replies)
        if asked in TELLS_NOTHING:
            self.send_now(connection, _written(connection, replies))
            return
        plain: list[Reply] = []
        for reply in replies:
            if type(reply) is Refused and reply.refusal.code == STORAGE_FULL:
                # What it would wait for is just what it tells of.
                self.send_now(connection, _written(connection, (reply,)))
            elif type(reply) is Ack and reply.seq > needs:
                # Of a line that was sent again while the first one still waits for the disk.
                self._queue(connection, plain, position, needs)
                plain = []
                self._queue(connection, (reply,), position, reply.seq)
            elif type(reply) is LagPage:
                plain.append(reply._replace(readers=worst(self._delivery)))
            elif type(reply) is not Wanted:
                plain.append(reply)
            elif self._lookups is not None:
                self._queue(connection, plain, position, needs)
                plain = []
                self._lookups.promise(connection, reply, position, needs)
        self._queue(connection, plain, position, needs)

    def _count(self, replies: Iterable[Reply]) -> None:
        for reply in replies:
            if type(reply) is Refused:
                self.refused[reply.refusal.code] += 1

    def _queue(
        self, connection: Connection, replies: Iterable[Reply], position: int, needs: int
    ) -> None:
        if data := _written(connection, replies):
            self._delivery.detach(connection)
            connection.reader.reply(data, position, needs)

    def tell(self, connection: Connection, reply: Reply) -> None:
        """Send a reply that has no place among the records."""
        self._count((reply,))
        if connection.dialect is None or not (data := connection.dialect.reply(reply)):
            return
        if connection.session is None:
            # Before there is a position, answers simply keep their order.
            self._delivery.detach(connection)
            connection.reader.reply(data, 0, 0)
        else:
            self.send_now(connection, data)

    def tell_presence(self, connection: Connection, reply: Presence, position: int) -> None:
        """Tell how somebody is now, behind the records up to there: only they say who that is."""
        # It is not worth a slow reader's memory: `who` tells it later.
        if connection.reader.queued_bytes < self._limits.reply_bytes:
            self._queue(connection, (reply,), position, position)

    def send_now(self, connection: Connection, data: bytes) -> None:
        if not data:
            return
        self._delivery.detach(connection)
        connection.reader.reply_now(data)
        if connection.reader.queued_bytes > REPLIES_BYTES_MOST:
            self._lost(connection, "does not read its replies")


def _written(connection: Connection, replies: Iterable[Reply]) -> bytes:
    assert connection.dialect is not None
    return b"".join(map(connection.dialect.reply, replies))
