"""The exchange: takes what connections send to the hub, and what the hub answers to the connections.

It knows which connections belong to which session, and what everyone follows. Invariants: commands are decided one
at a time in the order they came; a connection that may not be decided now (flood, unread replies) keeps its input
undecided and is not read; connections are closed in one place, `reap`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from chatcore.connection.admission import Admission, Keys
from chatcore.connection.answers import Answers
from chatcore.connection.attendance import Attendance
from chatcore.connection.connection import Pause
from chatcore.connection.delivery import Delivery
from chatcore.connection.door import Door
from chatcore.connection.farewell import Farewell
from chatcore.connection.lookups import Lookups
from chatcore.connection.reception import Reception
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.plain_form import plain_reply
from chatcore.hub.command import Away, Dm, Hello, Mistake, Oper, Quit, Say
from chatcore.hub.flood import Allowance
from chatcore.hub.reply import Bye, Refused, Welcome
from chatcore.hub.verbs import TELLS_PAST
from chatcore.log.reader import Reader

if TYPE_CHECKING:
    from chatcore.connection.connection import Connection
    from chatcore.connection.crowd import Crowd
    from chatcore.connection.limits import Limits
    from chatcore.dialects.dialect import Dialect, Event
    from chatcore.hub.command import Command
    from chatcore.hub.flood import FloodLimits
    from chatcore.hub.hub import Hub, Outcome
    from chatcore.log.archive import Archive
    from chatcore.reactor.loop import Reactor

UNSAVED_CHARS = 8 * 1024 * 1024
"""Of what was said and is not durable yet, beyond which nobody's lines are decided: a disk that hangs for two seconds
under a usual load does not get there, and one that hangs for good costs no more memory than a full window."""

CLOSED_A_TURN = 64
"""Connections closed in one turn: 1 to 3 ms, when thousands go at once."""

STORAGE = "storage"
"""`Bye.reason` when the disk has failed."""

ALL = 1_000_000
"""Lines decided at a time where no flood control bounds them: more than ever wait in a connection's framing."""

log = logging.getLogger("chatcore.room")


class Exchange:
    def __init__(
        self,
        hub: Hub,
        reactor: Reactor,
        crowd: Crowd,
        flood: FloodLimits,
        limits: Limits,
        keys: Keys,
        archive: Archive | None = None,
    ) -> None:
        self.hub = hub
        self._crowd = crowd
        self.flood = flood
        self._limits = limits
        self.connections: set[Connection] = set()
        self._farewell = farewell = Farewell(limits, self.lost)
        self.delivery = Delivery(
            hub.world.log, archive, self.lost, farewell.done, farewell.expect_progress
        )
        self._lookups = (
            None
            if archive is None
            else Lookups(hub.world.log, archive, self.delivery, self._resume, self.lost)
        )
        self.answers = Answers(self.delivery, self._lookups, limits, self.lost)
        self.attendance = Attendance(hub, self.delivery, reactor, self.answers.tell_presence)
        self._reactor = reactor
        self._world = hub.world
        self.admission = Admission(
            hub,
            reactor,
            limits,
            keys,
            self._arrive,
            self._answer,
            self.answers.tell,
            self._resume,
        )
        self.arrived: deque[tuple[Connection, bytes]] = deque()
        """What was read and is not decided yet."""
        self._dying: list[tuple[Connection, str]] = []
        self.door = Door()
        self.reception = Reception(
            reactor, limits, crowd, self.door, self._opened, self._refuse, self.lost
        )
        self._unread: set[Connection] = set()
        """Connections whose commands wait until they have read their replies."""
        self._behind = False
        """The disk is far behind: what is said waits, undecided."""
        self._unbounded = not flood.enabled
        """What comes may be decided at once, as far as flood control and the disk are concerned."""
        self._held: dict[Connection, Say] = {}
        """What waits for the disk, one run a connection."""

    # From the connections

    def accepted(self, connection: Connection) -> None:
        self.connections.add(connection)
        self.reception.admit(connection)

    def clock(self) -> None:
        """Give the world the time of this turn."""
        self._world.now, self._world.now_ms = self._reactor.now, time.time_ns() // 1_000_000

    def settle(self) -> None:
        """Decide what has arrived, in the order it came; of each connection one read at most.

        Reading and deciding take turns by the lot: each finds the processor's caches as it left them.
        """
        arrived, reactor = self.arrived, self._reactor
        if not arrived:
            return
        while arrived:
            connection, data = arrived.popleft()
            reactor.running_now = connection
            dialect, session = connection.dialect, connection.session
            if (
                session is None
                or dialect is None
                or connection.pauses
                or connection.finishing
                or connection.closing
                or not self._unbounded
                or (run := dialect.run(data)) is None
            ):
                self._take(connection, data)
            # The hot path: one run from one read, and nobody to answer but the record. The loop in `_decide` would
            # do the same with five calls more.
            elif (outcome := self.hub.say(session, run)) is not None:
                self._answer(connection, Say(*run), outcome)
        reactor.running_now = None

    def _take(self, connection: Connection, data: bytes) -> None:
        dialect = connection.dialect
        if connection.finishing:
            # Nothing it still says will be decided, so nothing of it is kept.
            return
        if dialect is None:
            self.reception.received(connection, data)
            return
        dialect.feed(data)
        if not connection.pauses:
            self._decide(connection, dialect)

    def _opened(self, connection: Connection, dialect: Dialect, first: bytes) -> None:
        connection.dialect = dialect
        connection.reader = Reader(dialect.form, self.delivery.delivered_seq)
        dialect.feed(first)
        self._decide(connection, dialect)

    def ended(self, connection: Connection) -> None:
        """The peer will send no more; what it sent is handled first."""
        if connection.dialect is None:
            self.reception.ended(connection)
        elif not connection.pauses:
            self._decide(connection, connection.dialect)

    def writable(self, connection: Connection) -> None:
        self.delivery.writable(connection)

    def lost(self, connection: Connection, reason: str) -> None:
        """To be closed at the end of this tick."""
        if not connection.closing:
            connection.closing = True
            self._dying.append((connection, reason))

    # Deciding

    def _decide(self, connection: Connection, dialect: Dialect) -> None:  # noqa: C901 - the hot path
        """Decide what the connection has sent, as far as it may be decided now."""
        most = ALL
        while not (connection.finishing or connection.closing):
            if self.flood.enabled and not (most := self._allowed(connection)):
                return
            event = self._held.pop(connection, None) or dialect.next(most)
            if event is None:
                break
            session = connection.session
            if type(event) is Say and session is not None:
                if self._behind:
                    self._held[connection] = event
                    connection.pause(Pause.DISK)
                    return
                if connection.allowance is not None:
                    # A text of several lines costs as many: that is what readers see.
                    connection.allowance.spend(max(event.lines, event.text.count("\n") + 1))
                outcome = self.hub.say(session, event)
                if outcome is None:
                    continue
                self._answer(connection, event, outcome)
            else:
                self._carry_out(connection, event)
            if self._must_wait(connection):
                return
        if dialect.negotiates and (answers := dialect.answers()):
            self.answers.send_now(connection, answers)
            if self._must_wait(connection):
                return
        if connection.input_ended:
            self._finish_if_ended(connection, dialect)

    def _must_wait(self, connection: Connection) -> bool:
        """Its next command waits for an answer to the one before, or until it has read those that it was sent."""
        if connection.reader.queued_bytes > self._limits.reply_bytes:
            connection.pause(Pause.REPLIES)
            self._unread.add(connection)
        return bool(connection.pauses)

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
            connection.wait(wait_s, lambda: self._resume(connection, Pause.FLOOD))
        return most

    def _resume(self, connection: Connection, reason: Pause) -> None:
        connection.resume(reason)
        if not connection.pauses and connection.dialect is not None:
            self._decide(connection, connection.dialect)

    def _carry_out(self, connection: Connection, event: Event) -> None:
        session = connection.session
        if type(event) is Hangup:
            self._refuse(connection, event)
        elif type(event) is Hello:
            self.admission.hello(connection, event)
        elif session is not None:
            if connection.allowance is not None:
                connection.allowance.spend(event.text.count("\n") + 1 if type(event) is Dm else 1)
            outcome = self.hub.execute(session, event)
            self._answer(connection, event, outcome)
            if type(event) is Away:
                self.attendance.announce(session, connection)
            elif type(event) is Oper and not outcome.replies:
                self.admission.oper(connection, event)
        elif type(event) is Mistake:
            self.answers.tell(connection, Refused(event.refusal, event.id, event.re))

    def _answer(self, connection: Connection, command: Command, outcome: Outcome) -> None:
        """Queue the replies around the records, and follow what the records say."""
        if outcome.replies:
            world = self._world
            before = world.past_seq if type(command) in TELLS_PAST else world.told_seq
            if outcome.records:
                before = outcome.records[0].seq - 1
            self.answers.reply(connection, outcome.replies, before, before, type(command))
        if outcome.records:
            self.attendance.follow(outcome.records, connection)
        if outcome.then:
            head = self._world.log.head_seq
            self.answers.reply(connection, outcome.then, head, head, type(command))

    def _arrive(self, connection: Connection, hello: Hello) -> None:
        head = self._world.told_seq
        outcome = self.hub.arrive(self.admission.arrival(connection, hello))
        welcome = outcome.replies[0]
        if type(welcome) is not Welcome:
            self.answers.tell(connection, welcome)
            return
        connection.wait_no_more()
        session = self._world.state.sessions[welcome.sid]
        self.attendance.follow(outcome.records)
        self.attendance.enter(connection, session, welcome.seq)
        self.answers.reply(connection, outcome.replies, welcome.seq, head, Hello)

    # Ending

    def _refuse(self, connection: Connection, hangup: Hangup) -> None:
        """Say the last words, then close."""
        self.reception.note(connection, hangup)
        if connection.dialect is not None:
            self.answers.send_now(connection, hangup.farewell)
            self.delivery.finish(connection)
            return
        connection.finishing = True
        # No dialect, no reader: the words are short and the socket is fresh.
        try:
            connection.send(hangup.farewell)
        except OSError:
            self.lost(connection, hangup.reason)
        else:
            self._farewell.done(connection)

    def _finish_if_ended(self, connection: Connection, dialect: Dialect) -> None:
        """All input has been decided; if there will be no more, what is due is sent and the connection closed."""
        if connection.finishing:
            return
        if rest := dialect.rest():
            self.answers.send_now(connection, rest)
        session = connection.session
        if session is not None and session.token_hash is None:
            # A plain client that ends its input has left, as if it had said so.
            self.attendance.follow(self.hub.execute(session, Quit()).records, connection)
        self.delivery.finish(connection)

    def stop(self, reason: str) -> None:
        """The server stops: tell everybody, send what is due, close. With `storage`, what is not stored is not due."""
        self.delivery.disk_failed = reason == STORAGE
        self.attendance.stopping = True
        for connection in self.connections:
            if connection.dialect is None:
                if not connection.first:
                    # It may still be a person who has not typed yet.
                    with suppress(OSError):
                        connection.send(plain_reply(Bye(reason)))
                self.lost(connection, "the server stops")
                continue
            connection.pause(Pause.FLOOD)
            if reason == STORAGE:
                self.answers.send_now(connection, connection.dialect.reply(Bye(reason)))
            else:
                head = self._world.log.head_seq
                self.answers.reply(connection, (Bye(reason),), head, head, Quit)
            self.delivery.finish(connection)

    def reap(self) -> None:
        """The end of a tick, after delivery: let those go on whose reason to wait is over, and close the dead."""
        self._behind = self._world.log.unsaved_chars > UNSAVED_CHARS
        self._unbounded = not (self._behind or self.flood.enabled)
        if self._held and not self._behind:
            for connection in self._held:
                # Once: what a finishing connection said will never be decided.
                if connection.pauses & Pause.DISK:
                    resume = partial(self._resume, connection, Pause.DISK)
                    self._reactor.call_soon(resume, connection)
        if self._lookups is not None:
            self._lookups.durable()
        for connection in list(self._unread):
            if (
                connection.closing
                or connection.reader.queued_bytes <= self._limits.reply_bytes // 2
            ):
                self._unread.discard(connection)
                resume = partial(self._resume, connection, Pause.REPLIES)
                self._reactor.call_soon(resume, connection)
        if self._dying:
            dying, self._dying = self._dying[:CLOSED_A_TURN], self._dying[CLOSED_A_TURN:]
            for connection, reason in dying:
                self._close(connection, reason)

    def _close(self, connection: Connection, reason: str) -> None:
        """The only place where connections end."""
        self.connections.discard(connection)
        self._held.pop(connection, None)
        if connection.dialect is not None:
            self.delivery.forget(connection)
        if connection.session is None and not connection.finishing:
            log.info(
                "%(peer)s left without joining (%(reason)s)",
                {"peer": connection.address, "reason": reason},
            )
        connection.close()
        self._crowd.leave(connection.peer[0])
        # What others are told of it is news of the next tick.
        self._reactor.call_soon(lambda: self.attendance.drop(connection, reason))
