"""`apply`: what a record does to the state. It never refuses, and it asks nobody: the same log gives the same state.

A restart, a second node and the property tests are this function over the log, and nothing else. Each arm says
what it is about to change (`State.changing`) before it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from chatcore.hub.acts import apply_act, mute_arrival
from chatcore.hub.session import SESSIONS_LAPSED, Session
from chatcore.hub.state import LOBBY, Room
from chatcore.log.record import (
    Act,
    Closed,
    Crowd,
    Direct,
    Joined,
    Left,
    Opened,
    Renamed,
    Said,
    TopicSet,
)

if TYPE_CHECKING:
    from chatcore.hub.state import State
    from chatcore.log.record import Record


def apply(state: State, record: Record) -> None:  # noqa: C901 - one arm a kind of record
    match record:
        case Said():
            apply_said(state, record)
        case Direct():
            _direct(state, record)
        case Joined():
            _join(state, record)
        case Left():
            _leave(state, record)
        case Renamed():
            _rename(state, record)
        case TopicSet():
            room = state.named[record.room]
            state.changing(room)
            room.topic = record.text
        case Crowd():
            room = state.named[record.room]
            state.changing(room)
            room.arrived.clear()
            room.departed.clear()
        case Opened():
            _open(state, record)
        case Closed():
            _close(state, record)
        case Act():
            apply_act(state, record)
        case _:
            assert_never(record)


def apply_said(state: State, record: Said) -> None:
    """The arm that nearly every record takes; the hub calls it directly."""
    room = state.named[record.room]
    if not room.history:
        state.changing(room)
        room.history = True
    if record.ids:
        session = state.sessions[record.sid]
        # As `State.changing` does, without the call: it is nearly always not the first time.
        if session.epoch != state.epoch:
            state.changing(session)
        session.ids.add(record.ids, record.seq)


def _direct(state: State, record: Direct) -> None:
    for sid in (record.sid, record.to_sid):
        session = state.sessions[sid]
        if not session.private:
            state.changing(session)
            session.private = True
    if record.id is not None:
        session = state.sessions[record.sid]
        state.changing(session)
        session.ids.add((record.id,), record.seq)


def _open(state: State, record: Opened) -> None:
    session = state.sessions.get(record.sid)
    if session is None:
        session = Session(record.sid, record.alias, record.token_hash)
        state.add_session(session)
    state.changing(session)
    session.alias = record.alias
    mute_arrival(state, session, record.time_ms)
    session.come_back(record.seq)
    session.lapsed_ms, session.lapsed_seq = None, 0
    state.lapsed.pop(record.sid, None)
    state.hold(session)


def _close(state: State, record: Closed) -> None:
    session = state.sessions[record.sid]
    state.release(session)
    if not record.lapsed:
        state.forget(session)
        return
    state.changing(session)
    session.lapsed_ms, session.lapsed_seq = record.time_ms, record.seq
    state.lapsed[record.sid] = session
    if len(state.lapsed) > SESSIONS_LAPSED:
        state.forget(state.lapsed[next(iter(state.lapsed))])


def _join(state: State, record: Joined) -> None:
    room = state.named.get(record.room)
    if room is None:
        state.make_room()
        room = state.add_room(Room(record.room))
        room.since = record.seq
        # Whoever makes a room moderates it.
        state.name(room.moderators, room, record.sid)
    if record.sid in room.invited:
        state.changing(room)
        state.unname(room.invited, room, record.sid)
    session = state.sessions[record.sid]
    state.changing(session)
    room.members[record.sid] = session
    if room.idle_seq:
        state.weigh(room, record.seq)
    session.enter(record.room, record.seq)
    if record.quiet:
        state.changing(room)
        if room.departed.pop(record.sid, None) is None:
            room.arrived[record.sid] = record.alias


def _leave(state: State, record: Left) -> None:
    room = state.named[record.room]
    room.members.pop(record.sid, None)
    session = state.sessions[record.sid]
    if record.why != "lost" or session.token_hash is None:
        state.changing(session)
        # Whoever lost the connection comes back to the rooms it was in.
        session.leave(record.room)
    if record.quiet:
        state.changing(room)
        if room.arrived.pop(record.sid, None) is None:
            room.departed[record.sid] = record.alias
    if not (room.members or room.topic or room.history or record.room == LOBBY):
        state.drop_room(room)
    elif not room.members:
        state.weigh(room, record.seq)


def _rename(state: State, record: Renamed) -> None:
    session = state.sessions[record.sid]
    if session.alias != record.to:
        state.changing(session)
        state.release(session)
        session.alias = record.to
        state.hold(session)
