"""What the acts of moderators and operators do to the state: a part of `apply`, so it never refuses either.

Who is an operator is not in the log. What an operator did is, and holds whoever is one later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.bans import Ban, key_of
from chatcore.hub.session import NO_END
from chatcore.log.record import is_told_person

if TYPE_CHECKING:
    from chatcore.hub.session import Session
    from chatcore.hub.state import Room, State
    from chatcore.log.record import Act

INVITED_MOST = 100
"""Invitations to a room that wait for those invited; the oldest is forgotten for a new one."""


def apply_act(state: State, act: Act) -> None:
    if is_told_person(act):
        session = state.sessions.get(act.to_sid)
        if session is not None and not session.private:
            state.changing(session)
            session.private = True
    if act.act in {"mute", "unmute"}:
        _mute(state, act)
    elif act.room and (room := state.named.get(act.room)) is not None:
        _in_room(state, room, act)
    elif act.act in {"ban", "unban"} and not act.room:
        state.changing(state.house)
        if act.act == "ban":
            state.house.bans.prune(act.time_ms)
            state.house.bans.put(_ban(state, act))
        else:
            state.house.bans.drop(act.to)


def _in_room(state: State, room: Room, act: Act) -> None:
    match act.act:
        case "ban":
            state.changing(room)
            room.bans.prune(act.time_ms)
            room.bans.put(_ban(state, act))
            state.unname(room.moderators, room, act.to_sid)
            state.unname(room.invited, room, act.to_sid)
        case "unban":
            state.changing(room)
            room.bans.drop(act.to)
        case "op":
            state.changing(room)
            state.name(room.moderators, room, act.to_sid)
        case "deop":
            state.changing(room)
            state.unname(room.moderators, room, act.to_sid)
        case "lock" | "unlock":
            state.changing(room)
            room.key = act.text if act.act == "lock" else ""
        case "invite":
            state.changing(room)
            state.name(room.invited, room, act.to_sid)
            if len(room.invited) > INVITED_MOST:
                state.unname(room.invited, room, next(iter(room.invited)))
        case _:
            pass  # a kick: its `Left` does what there is to do; an announcement does nothing
    state.weigh(room, act.seq)


def _mute(state: State, act: Act) -> None:
    mutes = state.house.mutes
    state.changing(state.house)
    sids = [act.to_sid]
    if act.act == "unmute":
        muted_ms = 0
        if (mute := mutes.entries.get(key_of(act.to))) is not None:
            # Others came under that alias since, and may be gone again.
            sids += [
                mute.sid,
                *(
                    each.sid
                    for each in state.sessions.values()
                    if each.muted_ms and mutes.of_name(each.alias, act.time_ms) is mute
                ),
            ]
            mutes.drop(act.to)
    else:
        muted_ms = act.until_ms or NO_END
        mutes.prune(act.time_ms)
        mutes.put(_ban(state, act))
    for sid in sids:
        if (session := state.sessions.get(sid)) is not None:
            state.changing(session)
            session.muted_ms = muted_ms


def mute_arrival(state: State, session: Session, now_ms: int) -> None:
    """Somebody arrives, or comes back, under an alias that may be muted."""
    mute = state.house.mutes.of_name(session.alias, now_ms)
    if mute is not None:
        session.muted_ms = max(session.muted_ms, mute.until_ms or NO_END)


def _ban(state: State, act: Act) -> Ban:
    session = state.sessions.get(act.to_sid)
    token_hash = None if session is None else session.token_hash
    return Ban(act.to, act.to_sid, token_hash, act.alias, act.text, act.until_ms)
