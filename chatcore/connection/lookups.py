"""Lookups: answers that have to be read from the archive first. They keep their place, and the asker waits for them.

Invariants: a command's lookups come before the next command is decided (a hello may have one for each of its rooms,
and the first answer lets the commands go on); and the archive is asked only when all that the answer must hold is
durable.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chatcore.connection.connection import Pause
from chatcore.hub.pages import complete

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.connection.connection import Connection
    from chatcore.connection.delivery import Delivery
    from chatcore.hub.reply import Wanted
    from chatcore.log.archive import Answer, Archive
    from chatcore.log.log import Log
    from chatcore.log.reader import Due


class Lookups:
    """See the module. `resume` lets a connection's commands go on, `lost` ends it."""

    def __init__(
        self,
        log: Log,
        archive: Archive,
        delivery: Delivery,
        resume: Callable[[Connection, Pause], None],
        lost: Callable[[Connection, str], None],
    ) -> None:
        self._log = log
        self._archive = archive
        self._delivery = delivery
        self._resume = resume
        self._lost = lost
        self._early: list[tuple[int, Callable[[], None]]] = []
        """What is to be asked when the disk has come to a position."""

    def promise(self, connection: Connection, wanted: Wanted, position: int, needs: int) -> None:
        """Keep the answer's place among what the connection reads, and have it looked up."""
        self._delivery.detach(connection)
        due = connection.reader.promise(position, needs)
        connection.pause(Pause.LOOKUP)
        ask = partial(
            self._archive.ask, wanted.question, partial(self._answered, connection, wanted, due)
        )
        if wanted.needs <= self._log.durable_seq:
            ask()
        else:
            self._early.append((wanted.needs, ask))

    def durable(self) -> None:
        """The disk has come further."""
        if self._early:
            early, self._early = self._early, []
            for needs, ask in early:
                if needs <= self._log.durable_seq:
                    ask()
                else:
                    self._early.append((needs, ask))

    def _answered(self, connection: Connection, wanted: Wanted, due: Due, answer: Answer) -> None:
        if connection.closing or connection.dialect is None:
            return
        fulfilled = False
        try:
            data = connection.dialect.reply(complete(wanted, answer))
            self._delivery.fulfil(connection, due, data)
            fulfilled = True
        finally:
            # A fault of ours: without its answer nothing behind it would ever be sent.
            if not fulfilled:
                self._lost(connection, "internal error")
        self._resume(connection, Pause.LOOKUP)
