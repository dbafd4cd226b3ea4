"""Farewell: a connection that is ending has the server's patience and nobody else's, and that ends, too.

Invariant: whoever takes what is due gets all of it, however slowly; whoever takes nothing for `progress_s`, or does not
end its side within `drain_s`, is let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.connection.connection import Connection
    from chatcore.connection.limits import Limits


class Farewell:
    """`lost` closes a connection, for a reason."""

    def __init__(self, limits: Limits, lost: Callable[[Connection, str], None]) -> None:
        self._limits = limits
        self._lost = lost

    def expect_progress(self, connection: Connection, seen: object = None) -> None:
        """A finishing connection must go on taking what is due."""
        reader = connection.reader
        now = (reader.position, reader.queued_bytes, len(connection.pending))
        progress_s = self._limits.progress_s
        if now == seen:
            self._lost(connection, f"took nothing for {progress_s:g} s")
        else:
            connection.wait(progress_s, lambda: self.expect_progress(connection, now))

    def done(self, connection: Connection) -> None:
        """Everything due to a finishing connection has been sent."""
        if connection.say_goodbye():
            self._lost(connection, "done")
        else:
            connection.wait(self._limits.drain_s, lambda: self._lost(connection, "done"))
