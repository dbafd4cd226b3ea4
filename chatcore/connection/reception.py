"""Reception: a connection before anybody knows who it is. It is greeted, its dialect is found, its time runs.

Invariants: the first bytes decide the dialect, once; the greeting decides nothing; and the deadline to join counts
from the accept, whatever is sent meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.connection.opening import open_dialect
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.plain_form import GREETING
from chatcore.dialects.sniff import sniff
from chatcore.hub.reply import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.connection.connection import Connection
    from chatcore.dialects.dialect import Dialect
    from chatcore.reactor.loop import Reactor

GREETING_S = 0.5
"""Silence before a connection is greeted: a program that speaks first has done so, a person has not noticed yet."""

JOIN_S = 60.0
"""From accept to joined: Ergo's measure; a person who reads the greeting and thinks of a name needs half of it."""

TOO_LATE = b"-- Nobody chose an alias in time. Connect again.\n"
UNFINISHED = b"-- Your alias had no line end, so it was not taken: it may have been cut short.\n"


class Reception:
    """See the module. `opened` gets a connection whose dialect is known, with its first bytes; `refuse` ends one."""

    def __init__(
        self,
        reactor: Reactor,
        opened: Callable[[Connection, Dialect, bytes], None],
        refuse: Callable[[Connection, Hangup], None],
        lost: Callable[[Connection, str], None],
    ) -> None:
        self._reactor = reactor
        self._opened = opened
        self._refuse = refuse
        self._lost = lost

    def admit(self, connection: Connection) -> None:
        """It has just been accepted."""
        connection.timer = self._reactor.call_later(GREETING_S, lambda: self._greet(connection))

    def _greet(self, connection: Connection) -> None:
        """Half a second has passed; the deadline to join runs on."""
        connection.timer = self._reactor.call_later(
            JOIN_S - GREETING_S, lambda: self._too_late(connection)
        )
        if connection.dialect is None and not connection.first and not connection.input_ended:
            try:
                connection.send(GREETING)
            except OSError:
                # Broken or full: the reactor will tell, or nobody reads it anyway.
                return

    def received(self, connection: Connection, data: bytes) -> None:
        """Its first bytes, or more of them."""
        first = (connection.first or b"") + data
        kind = sniff(first)
        if kind is None:
            connection.first = first
            return
        connection.first = None
        dialect = open_dialect(kind, first)
        if type(dialect) is Hangup:
            self._refuse(connection, dialect)
        else:
            self._opened(connection, dialect, first)

    def ended(self, connection: Connection) -> None:
        """The peer ended its side, and nobody knows what it would have spoken."""
        if connection.first:
            self._refuse(connection, Hangup("its first line had no end", UNFINISHED))
        else:
            self._lost(connection, "left without a word")

    def _too_late(self, connection: Connection) -> None:
        words = TOO_LATE
        if connection.dialect is not None:
            refusal = Refusal("hello_first", "You did not join in time. Connect again.")
            words = connection.dialect.reply(Refused(refusal))
        self._refuse(connection, Hangup("did not join in time", words))
