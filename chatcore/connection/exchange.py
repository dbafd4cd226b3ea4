"""The exchange: takes what connections send to the hub, and what the hub answers to the connections.

It knows which connections belong to which session, and what everyone follows. Invariants: commands are decided one
at a time in the order they came; a connection that may not be decided now (flood, unread replies) keeps its input
undecided and is not read; connections are closed in one place, `reap`.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from chatcore.connection.attendance import Attendance
from chatcore.connection.connection import Pause
from chatcore.connection.delivery import Delivery
from chatcore.connection.opening import open_dialect
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.plain_form import GREETING, plain_reply
from chatcore.dialects.sniff import sniff
from chatcore.hub.command import Arrival, Away, Dm, Hello, Mistake, Quit, Say
from chatcore.hub.flood import Allowance
from chatcore.hub.reply import Bye, Presence, Refusal, Refused, Welcome
from chatcore.hub.verbs import TELLS_NOTHING
from chatcore.log.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Connection
    from chatcore.connection.listener import Crowd
    from chatcore.dialects.dialect import Dialect, Event
    from chatcore.hub.command import Command
    from chatcore.hub.flood import FloodLimits
    from chatcore.hub.hub import Hub, Outcome
    from chatcore.hub.reply import Reply
    from chatcore.reactor.loop import Reactor

GREETING_S = 0.5
"""Silence before a connection is greeted: a program that speaks first has done so, a person has not noticed yet."""

JOIN_S = 60.0
"""From accept to joined: Ergo's measure; a person who reads the greeting and thinks of a name needs half of it."""

DRAIN_S = 2.0
"""How long a peer that we are done with may take to end its side."""

PROGRESS_S = 60.0
"""How long a connection that is to be closed may take nothing of what is still due to it."""

TOO_LATE = b"-- Nobody chose an alias in time. Connect again.\n"
UNFINISHED = b"-- Your alias had no line end, so it was not taken: it may have been cut short.\n"

REPLIES_BYTES = 64 * 1024
"""Replies waiting to be read beyond which a connection's commands wait."""

REPLIES_BYTES_MOST = 1024 * 1024
"""Replies waiting beyond which a connection is closed. Its commands wait and presence is not queued long before, so
only a fault of ours gets there."""

ALL = 1_000_000
"""Lines decided at a time where no flood control bounds them: more than one read can hold."""

SID_BYTES = 8
"""Random bytes of a sid: public, but never met twice."""

TOKEN_BYTES = 24
"""Random bytes of a token: 192 bits cannot be guessed."""

log = logging.getLogger("chatcore.room")


class Exchange:
    def __init__(self, hub: Hub, reactor: Reactor, crowd: Crowd, flood: FloodLimits) -> None:
        self.hub = hub
        self._crowd = crowd
        self.flood = flood
        self.connections: set[Connection] = set()
        self.delivery = Delivery(hub.world.log, self.lost, self.done, self._expect_progress)
        self.attendance = Attendance(hub, self.delivery, reactor, self._tell, self.clock)
        self._reactor = reactor
        self._world = hub.world
        self._dying: list[tuple[Connection, str]] = []
        self._unread: set[Connection] = set()
        """Connections whose commands wait until they have read their replies."""

    # From the connections

    def accepted(self, connection: Connection) -> None:
        self.connections.add(connection)
        connection.timer = self._reactor.call_later(GREETING_S, lambda: self._greet(connection))

    def _greet(self, connection: Connection) -> None:
        """Half a second has passed. The greeting decides nothing; the deadline to join runs on."""
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
        dialect = connection.dialect
        if connection.finishing:
            # Nothing it still says will be decided, so nothing of it is kept.
            return
        if dialect is None:
            self._sniff(connection, data)
            return
        session = connection.session
        if session is not None and not (connection.pauses or self.flood.enabled):
            # The hot path: one run from one read, and nobody to answer but the record. The loop in `_decide` would
            # do the same with five calls more.
            run = dialect.run(data)
            if run is not None:
                if self._world.now != self._reactor.now:
                    self.clock()
                if (outcome := self.hub.say(session, run)) is not None:
                    self._answer(connection, run, outcome)
                return
        dialect.feed(data)
        if not connection.pauses:
            self._decide(connection, dialect)

    def _sniff(self, connection: Connection, data: bytes) -> None:
        first = (connection.first or b"") + data
        kind = sniff(first)
        if kind is None:
            connection.first = first
            return
        connection.first = None
        opened = open_dialect(kind, first)
        if type(opened) is Hangup:
            self._refuse(connection, opened)
            return
        connection.dialect = opened
        connection.reader = Reader(opened.form, self.delivery.delivered_seq)
        opened.feed(first)
        self._decide(connection, opened)

    def ended(self, connection: Connection) -> None:
        """The peer will send no more; what it sent is handled first."""
        if connection.first:
            self._refuse(connection, Hangup("its first line had no end", UNFINISHED))
        elif connection.dialect is None:
            self.lost(connection, "left without a word")
        elif not connection.pauses:
            self._decide(connection, connection.dialect)

    def writable(self, connection: Connection) -> None:
        self.delivery.writable(connection)

    def lost(self, connection: Connection, reason: str) -> None:
        """To be closed at the end of this tick."""
        if not connection.closing:
            connection.closing = True
            self._dying.append((connection, reason))

    def done(self, connection: Connection) -> None:
        """Everything due to a finishing connection has been sent."""
        if connection.say_goodbye():
            self.lost(connection, "done")
        else:
            self._wait(connection, DRAIN_S, lambda: self.lost(connection, "done"))

    # Deciding

    def _decide(self, connection: Connection, dialect: Dialect) -> None:  # noqa: C901 - the hot path
        """Decide what the connection has sent, as far as it may be decided now."""
        if self._world.now != self._reactor.now:
            self.clock()
        most = ALL
        while not (connection.finishing or connection.closing):
            if self.flood.enabled and not (most := self._allowed(connection)):
                return
            event = dialect.next(most)
            if event is None:
                break
            session = connection.session
            if type(event) is Say and session is not None:
                if connection.allowance is not None:
                    # A text of several lines costs as many: that is what readers see.
                    connection.allowance.spend(max(event.lines, event.text.count("\n") + 1))
                outcome = self.hub.say(session, event)
                if outcome is None:
                    continue
                self._answer(connection, event, outcome)
            else:
                self._carry_out(connection, event)
            if connection.reader.queued_bytes > REPLIES_BYTES:
                connection.pause(Pause.REPLIES)
                self._unread.add(connection)
                return
        if dialect.negotiates and (answers := dialect.answers()):
            self._send_now(connection, answers)
        if connection.input_ended:
            self._finish_if_ended(connection, dialect)

    def clock(self) -> None:
        """Give the hub the time of this turn."""
        self._world.now = self._reactor.now
        self._world.now_ms = time.time_ns() // 1_000_000

    def _allowed(self, connection: Connection) -> int:
        """Lines it may say now; at 0 it is paused until it may say more."""
        if connection.session is None:
            return ALL
        if connection.allowance is None:
            connection.allowance = Allowance()
        most = connection.allowance.available(self._world.now, self.flood)
        if not most:
            wait_s = connection.allowance.wait_s(self._world.now, self.flood)
            connection.pause(Pause.FLOOD)
            self._wait(connection, wait_s, lambda: self._resume(connection, Pause.FLOOD))
        return most

    def _wait(self, connection: Connection, delay_s: float, then: Callable[[], None]) -> None:
        if connection.timer is not None:
            connection.timer.cancel()
        connection.timer = self._reactor.call_later(delay_s, then)

    def _resume(self, connection: Connection, reason: Pause) -> None:
        connection.resume(reason)
        if not connection.pauses and connection.dialect is not None:
            self._decide(connection, connection.dialect)

    def _carry_out(self, connection: Connection, event: Event) -> None:
        session = connection.session
        if type(event) is Hangup:
            self._refuse(connection, event)
        elif type(event) is Hello:
            self._arrive(connection, event)
        elif session is not None:
            if connection.allowance is not None:
                connection.allowance.spend(event.text.count("\n") + 1 if type(event) is Dm else 1)
            self._answer(connection, event, self.hub.execute(session, event))
            if type(event) is Away:
                self.attendance.announce(session)
        elif type(event) is Mistake:
            self._tell(connection, Refused(event.refusal, event.id, event.re))

    def _answer(self, connection: Connection, command: Command, outcome: Outcome) -> None:
        """Queue the replies around the records, and follow what the records say."""
        if outcome.replies:
            before = outcome.records[0].seq - 1 if outcome.records else self._world.log.head_seq
            self._reply(connection, outcome.replies, before, before, type(command))
        if outcome.records:
            self.attendance.follow(outcome.records, connection)
        if outcome.then:
            head = self._world.log.head_seq
            self._reply(connection, outcome.then, head, head, type(command))

    def _arrive(self, connection: Connection, hello: Hello) -> None:
        dialect = connection.dialect
        assert dialect is not None
        token = secrets.token_urlsafe(TOKEN_BYTES) if dialect.returns else None
        head = self._world.log.head_seq
        outcome = self.hub.arrive(Arrival(hello, secrets.token_hex(SID_BYTES), token))
        welcome = outcome.replies[0]
        if type(welcome) is not Welcome:
            self._tell(connection, welcome)
            return
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        session = self._world.state.sessions[welcome.sid]
        self.attendance.follow(outcome.records)
        self.attendance.enter(connection, session, welcome.seq)
        self._reply(connection, outcome.replies, welcome.seq, head, Hello)

    def _reply(
        self,
        connection: Connection,
        replies: Iterable[Reply],
        position: int,
        needs: int,
        asked: type[Event],
    ) -> None:
        """Queue the answers to a command, in their place among the records."""
        dialect = connection.dialect
        assert dialect is not None
        data = b"".join(map(dialect.reply, replies))
        if not data:
            return
        if asked in TELLS_NOTHING:
            self._send_now(connection, data)
        else:
            self.delivery.detach(connection)
            connection.reader.reply(data, position, needs)

    def _tell(self, connection: Connection, reply: Reply) -> None:
        """Send a reply that has no place among the records."""
        if connection.dialect is None or not (data := connection.dialect.reply(reply)):
            return
        if connection.session is None:
            # Before there is a position, answers simply keep their order.
            self.delivery.detach(connection)
            connection.reader.reply(data, 0, 0)
        elif type(reply) is not Presence or connection.reader.queued_bytes < REPLIES_BYTES:
            # Presence is not worth a slow reader's memory: `who` tells it later.
            self._send_now(connection, data)

    def _send_now(self, connection: Connection, data: bytes) -> None:
        self.delivery.detach(connection)
        connection.reader.reply_now(data)
        if connection.reader.queued_bytes > REPLIES_BYTES_MOST:
            self.lost(connection, "does not read its replies")

    # Ending

    def _expect_progress(self, connection: Connection, seen: object = None) -> None:
        """A finishing connection has nobody's patience but the server's: it must go on taking what is due."""
        reader = connection.reader
        now = (reader.position, reader.queued_bytes, len(connection.pending))
        if now == seen:
            self.lost(connection, f"took nothing for {PROGRESS_S:g} s")
        else:
            self._wait(connection, PROGRESS_S, lambda: self._expect_progress(connection, now))

    def _refuse(self, connection: Connection, hangup: Hangup) -> None:
        """Say the last words, then close."""
        log.info("%s was turned away: %s", connection.address, hangup.reason)
        if connection.dialect is not None:
            self._send_now(connection, hangup.farewell)
            self.delivery.finish(connection)
            return
        connection.finishing = True
        # No dialect, no reader: the words are short and the socket is fresh.
        try:
            connection.send(hangup.farewell)
        except OSError:
            self.lost(connection, hangup.reason)
        else:
            self.done(connection)

    def _too_late(self, connection: Connection) -> None:
        words = TOO_LATE
        if connection.dialect is not None:
            refusal = Refusal("hello_first", "You did not join in time. Connect again.")
            words = connection.dialect.reply(Refused(refusal))
        self._refuse(connection, Hangup("did not join in time", words))

    def _finish_if_ended(self, connection: Connection, dialect: Dialect) -> None:
        """All input has been decided; if there will be no more, what is due is sent and the connection closed."""
        if connection.finishing:
            return
        if rest := dialect.rest():
            self._send_now(connection, rest)
        session = connection.session
        if session is not None and session.token_hash is None:
            # A plain client that ends its input has left, as if it had said so.
            self.attendance.follow(self.hub.execute(session, Quit()).records, connection)
        self.delivery.finish(connection)

    def stop(self) -> None:
        """The server stops: tell everybody, send what is due, close."""
        for connection in self.connections:
            if connection.dialect is None:
                if not connection.first:
                    # It may still be a person who has not typed yet.
                    with suppress(OSError):
                        connection.send(plain_reply(Bye("stopping")))
                self.lost(connection, "the server stops")
                continue
            connection.pause(Pause.FLOOD)
            head = self._world.log.head_seq
            self._reply(connection, (Bye("stopping"),), head, head, Quit)
            self.delivery.finish(connection)

    def reap(self) -> None:
        """The end of a tick, after delivery: let those who have read their replies go on, and close the dead."""
        for connection in list(self._unread):
            if connection.closing or connection.reader.queued_bytes <= REPLIES_BYTES // 2:
                self._unread.discard(connection)
                self._reactor.call_soon(partial(self._resume, connection, Pause.REPLIES))
        dying, self._dying = self._dying, []
        for connection, reason in dying:
            self._close(connection, reason)

    def _close(self, connection: Connection, reason: str) -> None:
        """The only place where connections end."""
        self.connections.discard(connection)
        if connection.dialect is not None:
            self.delivery.forget(connection)
        if connection.session is None and not connection.finishing:
            log.info("%s left without joining (%s)", connection.address, reason)
        connection.close()
        self._crowd.leave(connection.peer[0])
        # What others are told of it is news of the next tick.
        self._reactor.call_soon(lambda: self._dropped(connection, reason))

    def _dropped(self, connection: Connection, reason: str) -> None:
        self.clock()
        self.attendance.drop(connection, reason)
