"""Attendance: which connections belong to which session, what they follow, and what time does to those who are lost.

It follows the records as they are made: a join subscribes the session's readers, a leave ends that, a close ends
their connections. Invariant: what a reader follows is a function of the log. Timers (grace, gathering) end here
as commands to the hub.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatcore.hub.command import Gather, Quit
from chatcore.hub.decision import BIG_ROOM, PEOPLE_ON_JOIN, view_of
from chatcore.hub.moments import span_words
from chatcore.hub.reply import Bye, Entered, Presence
from chatcore.log.record import Act, Closed, Direct, Joined, Left, Renamed, Said, is_told_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Connection
    from chatcore.connection.delivery import Delivery
    from chatcore.hub.hub import Hub
    from chatcore.hub.session import Session
    from chatcore.log.record import Record
    from chatcore.log.stream import Stream
    from chatcore.reactor.loop import Reactor
    from chatcore.reactor.timers import Timer

GATHER_S = 0.25
"""Joins and leaves of a big room are told this much later, in one notice; nobody feels a quarter of a second."""

RESTART_GRACE_S = 60.0
"""After a start everybody has lost the connection at once, and may be some time in coming to try again."""

log = logging.getLogger("chatcore.room")


class Attendance:
    """See the module. `tell` tells a connection of somebody's presence, behind the records up to a position."""

    def __init__(
        self,
        hub: Hub,
        delivery: Delivery,
        reactor: Reactor,
        tell: Callable[[Connection, Presence, int], None],
    ) -> None:
        self._hub = hub
        self._world = hub.world
        self._delivery = delivery
        self._reactor = reactor
        self._tell = tell
        self._here: dict[str, tuple[Connection, ...]] = {}
        """The connections of each session that has any."""
        self._lapses: dict[str, Timer] = {}
        """The end of the grace of each session that is in it."""
        self.stopping = False
        """Everybody is told that the server stops: that they go then is nobody's loss, and not logged."""
        self._gathering: set[str] = set()
        """Big rooms whose comings and goings are to be told shortly."""

    def enter(self, connection: Connection, session: Session, position: int) -> None:
        """The connection is one of the session's from now on, and reads what comes after `position`."""
        # It may have caught up already, with the answer to a hello that was refused; now it begins elsewhere.
        self._delivery.detach(connection)
        connection.session = session
        reader, streams = connection.reader, self._world.log
        reader.position = position
        for room, joined in zip(session.rooms, session.joined, strict=True):
            reader.follow(streams.stream(room), joined - 1)
        if session.private:
            reader.follow(streams.stream(session.sid), 0)
        self._here[session.sid] = (*self._here.get(session.sid, ()), connection)
        lapse = self._lapses.pop(session.sid, None)
        if lapse is not None:
            lapse.cancel()
        if self._world.presence.back(session.sid):
            self.announce(session)
            log.info("%(alias)s is back from %(peer)s", _who(session, connection))
        else:
            log.info("%(alias)s connected from %(peer)s", _who(session, connection))

    def drop(self, connection: Connection, reason: str) -> None:
        """The connection is gone. Without another one, the session leaves at once, or is given its grace."""
        session = connection.session
        if session is None:
            return
        connection.session = None
        others = tuple(each for each in self._here.get(session.sid, ()) if each is not connection)
        if others:
            self._here[session.sid] = others
            self._world.presence.went(session.sid, connection.peer[0])
            return
        self._here.pop(session.sid, None)
        if session.token_hash is None:
            self.follow(self._hub.execute(session, Quit("", "lost")).records)
            if not self.stopping:
                who = _who(session, connection)
                log.info("%(alias)s left (%(peer)s, %(reason)s)", who | {"reason": reason})
            return
        presence = self._world.presence
        presence.lost(session.sid, self._reactor.now)
        self._lapse_later(session, presence.grace_s)
        if not self.stopping:
            log.info(
                "%(alias)s lost the connection (%(reason)s); may return within %(grace_s)g s",
                _who(session, connection) | {"reason": reason, "grace_s": presence.grace_s},
            )
        self.announce(session)

    def await_returns(self) -> None:
        """The server has just started: who had no token has left, the others may return for `RESTART_GRACE_S`."""
        records, sessions = self._hub.restart()
        self.follow(records)
        presence = self._world.presence
        for session in sessions:
            presence.lost(session.sid, self._reactor.now, RESTART_GRACE_S)
            self._lapse_later(session, RESTART_GRACE_S)

    def _lapse_later(self, session: Session, grace_s: float) -> None:
        self._lapses[session.sid] = self._reactor.call_later(grace_s, lambda: self._lapse(session))

    def _lapse(self, session: Session) -> None:
        del self._lapses[session.sid]
        log.info("%(alias)s did not return and has left", {"alias": session.alias})
        self.follow(self._hub.lapse(session).records)

    def announce(self, session: Session, asker: Connection | None = None) -> None:
        """Tell those who share a room with it how it is now. Big rooms are not told: `who` answers those who ask.

        With an `asker`, whose answer says it, its own other connections are told as well.
        """
        reply, position = Presence(self._world.presence.person(session)), self._world.told_seq
        if asker is not None:
            for connection in self._here.get(session.sid, ()):
                if connection is not asker:
                    self._tell(connection, reply, position)
        told = {session.sid}
        for name in session.rooms:
            room = self._world.state.named.get(name)
            if room is None or len(room.members) > BIG_ROOM:
                continue
            for sid in room.members.keys() - told:
                for connection in self._here.get(sid, ()):
                    self._tell(connection, reply, position)
            told |= room.members.keys()

    def follow(  # noqa: C901 - one arm a kind of record
        self, records: Iterable[Record], asker: Connection | None = None
    ) -> None:
        """Let everybody follow what the records say they follow. The `asker` gets its own answer."""
        bye, kicked = Bye("quit"), ""
        for record in records:
            match record:
                case Said():
                    pass
                case Joined():
                    if record.sid == kicked:
                        self._tell_where(record)
                    self._joined(record)
                case Left():
                    self._left(record)
                    kicked = record.sid if record.why == "kicked" else ""
                case Direct():
                    for sid in {record.sid, record.to_sid}:
                        self._follow_private(sid, record.seq)
                case Act():
                    bye = self._acted(record, bye)
                case Closed():
                    self._closed(record, asker, bye)
                case Renamed():
                    if (
                        not record.room
                        or record.room == self._world.state.sessions[record.sid].rooms[0]
                    ):
                        self._log_new_name(record)
                case _:
                    pass

    def _acted(self, act: Act, bye: Bye) -> Bye:
        """Tell whom it concerns; the last words to those whom it puts out of the server."""
        if is_told_person(act):
            self._follow_private(act.to_sid, act.seq)
        if act.act != "announce" or not act.room:
            fields = {"alias": act.alias, "act": act.act, "to": act.to, "room": act.room}
            command = " ".join(filter(None, (act.act, act.to, act.room)))
            log.info("%(alias)s used /%(command)s", fields | {"command": command})
        if act.room or act.act not in {"kick", "ban"}:
            return bye
        if bye.reason == "banned":
            # With a network, each of its people is kicked because of the ban.
            return bye
        reason = "banned" if act.act == "ban" else "kicked"
        span = f" for {span_words(act.until_ms - act.time_ms)}" if act.until_ms else ""
        why = f": {act.text}" if act.text else "."
        return Bye(reason, words=f"You were {reason} by {act.alias}{span}{why}")

    def _tell_where(self, record: Joined) -> None:
        """A plain reader was put out of its room and is in another now, without having asked for anything."""
        room = self._world.state.named[record.room]
        entered = Entered(view_of(self._world, room, PEOPLE_ON_JOIN))
        for connection in self._here.get(record.sid, ()):
            if connection.dialect is not None and not connection.dialect.returns:
                self._delivery.detach(connection)
                words = connection.dialect.reply(entered)
                connection.reader.reply(words, record.seq - 1, record.seq)

    def _log_new_name(self, record: Renamed) -> None:
        fields = {"alias": record.alias, "to": record.to}
        for connection in self._here.get(record.sid, ())[:1]:
            fields["peer"] = connection.address
        log.info("%(alias)s is now known as %(to)s", fields)

    def _joined(self, record: Joined) -> None:
        self._drop_forgotten()
        stream = self._world.log.stream(record.room)
        for connection in self._here.get(record.sid, ()):
            self._delivery.detach(connection)
            connection.reader.follow(stream, record.seq - 1)
        if record.quiet:
            self._gather_soon(record.room)

    def _left(self, record: Left) -> None:
        stream = self._world.log.stream(record.room)
        for connection in self._here.get(record.sid, ()):
            self._delivery.detach(connection)
            # A plain reader moves: its own leave line would only puzzle it.
            sees_it = connection.dialect is not None and connection.dialect.returns
            connection.reader.leave(stream, record.seq if sees_it else record.seq - 1)
        if record.room not in self._world.state.named:
            self._world.log.drop_stream(record.room)
        elif record.quiet:
            self._gather_soon(record.room)

    def _gather_soon(self, room: str) -> None:
        if room not in self._gathering:
            self._gathering.add(room)
            self._reactor.call_later(GATHER_S, lambda: self._gather(room))

    def _gather(self, room: str) -> None:
        self._gathering.discard(room)
        self._hub.gather(Gather(room))

    def _follow_private(self, sid: str, seq: int) -> None:
        stream: Stream = self._world.log.stream(sid)
        for connection in self._here.get(sid, ()):
            if all(each.stream is not stream for each in connection.reader.subscriptions):
                self._delivery.detach(connection)
                connection.reader.follow(stream, seq - 1)

    def _closed(self, record: Closed, asker: Connection | None, bye: Bye) -> None:
        if (lapse := self._lapses.pop(record.sid, None)) is not None:
            lapse.cancel()
        for connection in self._here.pop(record.sid, ()):
            if connection.session is not None:
                who = _who(connection.session, connection)
                log.info("%(alias)s left (%(peer)s, %(reason)s)", who | {"reason": bye.reason})
            if connection is not asker and connection.dialect is not None:
                words = connection.dialect.reply(bye)
                connection.reader.reply(words, record.seq, record.seq)
            connection.session = None
            self._delivery.finish(connection)
        self._drop_forgotten()

    def _drop_forgotten(self) -> None:
        """Nobody reads these any more."""
        for name in self._world.state.take_forgotten():
            self._world.log.drop_stream(name)


def _who(session: Session, connection: Connection) -> dict[str, object]:
    """Whom the log tells of."""
    return {"alias": session.alias, "peer": connection.address}
