"""The map: which parts the server is made of, and what a tick does.

A tick has a fixed order: read what is ready (the reactor's handlers); decide it; hand the records to the journal as
one batch; deliver what has become durable, one send a reader; close, in one place, what is to be closed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatcore.certificates import Certificates
from chatcore.config import EXIT_STORAGE, SCRIPT
from chatcore.connection.crowd import Crowd
from chatcore.connection.exchange import STORAGE, Exchange
from chatcore.connection.listener import Listener
from chatcore.connection.vitals import Vitals
from chatcore.hub.hub import Hub
from chatcore.log.journal import CLOSE_S
from chatcore.page import Page
from chatcore.passwords import Keyring

if TYPE_CHECKING:
    import socket

    from chatcore.config import Settings
    from chatcore.keeping import Keeping
    from chatcore.reactor.loop import Reactor

COMMIT_WAIT_S = 0.002
"""How long a tick waits for its batch: a healthy disk needs a tenth of it, and a sick one costs the loop no more."""

STOP_S = 5.0
"""From the signal to the exit, whatever the peers do."""

logger = logging.getLogger("chatcore.server")


class Server:
    """All parts of one server, wired. `tick` is the heart."""

    def __init__(
        self, settings: Settings, sockets: list[socket.socket], reactor: Reactor, keeping: Keeping
    ) -> None:
        self.reactor = reactor
        self.keeping = keeping
        self.world = keeping.world
        self.limits = settings.limits
        self.crowd = Crowd(self.limits)
        hub = Hub(self.world, keeping.orderer)
        keys = Keyring(settings.password, settings.operators)
        self.exchange = Exchange(
            hub, reactor, self.crowd, settings.flood, self.limits, keys, keeping.archive
        )
        self.certificates = Certificates(self.exchange.door)
        self.page = Page(self.exchange.door)
        self.exchange.clock()
        self.exchange.attendance.await_returns()
        self.listeners = [
            Listener(sock, reactor, self.exchange, self.exchange.accepted, self.crowd, self.limits)
            for sock in sockets
        ]
        self.vitals = Vitals(reactor, self.limits, self.exchange.connections, self.exchange.lost)
        reactor.before_turn = self.exchange.clock
        reactor.after_reading = self.exchange.settle
        reactor.after_turn = self.tick
        self.exit_code = 0
        self.stopping = False

    def tick(self) -> None:
        log, journal = self.world.log, self.keeping.journal
        batch = log.take_batch()
        if batch:
            self.keeping.commit(batch)
        news = log.durable(journal.durable_seq(COMMIT_WAIT_S))
        self.exchange.delivery.deliver(news)
        self.exchange.reap()
        if journal.trouble != self.world.trouble or journal.failure:
            self._disk_changed(journal.trouble, journal.failure)
        if self.exchange.delivery.has_due():
            self.reactor.go_on()
        if self.stopping and not self.exchange.connections:
            self.reactor.stop()

    def _disk_changed(self, trouble: str, failure: str) -> None:
        """New lines are refused while the disk is in trouble; if it has failed, there is no going on."""
        if failure and not self.exit_code:
            self.exit_code = EXIT_STORAGE
            logger.critical("the disk failed: %(reason)s", {"reason": failure})
            self._leave(STORAGE)
        elif trouble != self.world.trouble:
            tell = logger.error if trouble else logger.info
            tell("storing: %(reason)s", {"reason": trouble or "the disk takes what is said again"})
        self.world.trouble = trouble

    def stop(self) -> None:
        """Stop accepting, tell everybody, send what is due; leave when they have it, or in time. Twice: now."""
        if self.stopping:
            self.reactor.stop()
        else:
            self._leave("stopping")

    def _leave(self, reason: str) -> None:
        self.stopping = True
        people, stall_ms = len(self.exchange.connections), self.reactor.stats.longest_stall_ms
        words = "stopping: telling %(people)d; the longest turn took %(stall_ms).0f ms"
        logger.info(words, {"people": people, "stall_ms": stall_ms})
        for listener in self.listeners:
            listener.close()
        self.exchange.stop(reason)
        self.vitals.let_go()
        self.reactor.call_later(STOP_S - CLOSE_S, self.reactor.stop)


def main(argv: list[str], prog: str = SCRIPT) -> int:
    """Run a server until it is told to stop. Returns the exit code: 0, 64, 69, 74 or 78."""
    from chatcore.start import start  # it is made of what stands above

    return start(argv, prog)
