"""The map: which parts the server is made of, and what a tick does.

A tick has a fixed order: read what is ready and decide it (the reactor's handlers); hand the records to the
journal as one batch; deliver what has become durable, one send a reader; close, in one place, what is to be closed.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from chatcore.connection.exchange import Exchange
from chatcore.connection.listener import Crowd, Listener
from chatcore.hub.decision import World
from chatcore.hub.flood import FloodLimits
from chatcore.hub.hub import Hub
from chatcore.hub.presence import Presence
from chatcore.hub.state import State
from chatcore.log.journal import MemoryJournal
from chatcore.log.log import Log
from chatcore.log.order import LocalOrderer
from chatcore.reactor.loop import Reactor

if TYPE_CHECKING:
    import socket

    from chatcore.config import Settings
    from chatcore.log.journal import Journal

COMMIT_WAIT_S = 0.002
"""How long a tick waits for its batch: a healthy disk needs a tenth of it, and a sick one costs the loop no more."""

STOP_S = 5.0
"""From the signal to the exit, whatever the peers do."""

LOG_NAME_BYTES = 8

logger = logging.getLogger("chatcore.server")


class Server:
    """All parts of one server, wired. `tick` is the heart."""

    def __init__(self, settings: Settings, sockets: list[socket.socket]) -> None:
        self.reactor = Reactor()
        self.log = Log(secrets.token_hex(LOG_NAME_BYTES))
        self.journal: Journal = MemoryJournal()
        world = World(State(), self.log, Presence(settings.grace_s), settings.history_on_join)
        self.crowd = Crowd(settings.connections_per_address)
        self.exchange = Exchange(
            Hub(world, LocalOrderer()), self.reactor, self.crowd, _flood(settings)
        )
        self.listeners = [
            Listener(sock, self.reactor, self.exchange, self.exchange.accepted, self.crowd)
            for sock in sockets
        ]
        self.reactor.after_turn = self.tick
        self._stopping = False

    def tick(self) -> None:
        batch = self.log.take_batch()
        if batch:
            self.journal.commit(batch)
        fresh = (
            self.log.durable(self.journal.durable_seq(COMMIT_WAIT_S)) if self.log.under_way else []
        )
        self.exchange.delivery.deliver(fresh)
        self.exchange.reap()
        if self.exchange.delivery.has_due():
            self.reactor.call_soon(_nothing)
        if self._stopping and not self.exchange.connections:
            self.reactor.stop()

    def stop(self) -> None:
        """Stop accepting, tell everybody, send what is due; leave when they have it, or after `STOP_S`. Twice: now."""
        if self._stopping:
            self.reactor.stop()
            return
        self._stopping = True
        logger.info("stopping: telling %d connections", len(self.exchange.connections))
        for listener in self.listeners:
            listener.close()
        self.exchange.stop()
        self.reactor.call_later(STOP_S, self.reactor.stop)

    def configure(self, settings: Settings) -> None:
        """Take over what can change while running; the rest waits for a restart."""
        self.exchange.flood = _flood(settings)
        self.crowd.most = settings.connections_per_address
        world = self.exchange.hub.world
        world.presence.grace_s = settings.grace_s
        world.history_on_join = settings.history_on_join


def _flood(settings: Settings) -> FloodLimits:
    return FloodLimits(settings.flood_enabled, settings.flood_burst, settings.flood_per_second)


def _nothing() -> None:
    """Makes the next turn not wait: a reader that catches up could take more at once."""


def main(argv: list[str]) -> int:
    """Run a server until it is told to stop. Returns the exit code: 0, 64, 69, 74 or 78."""
    from chatcore.start import start  # it is made of what stands above

    return start(argv)
