"""Moderating a room: who else does, who may come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub import keys
from chatcore.hub.decision import Decision
from chatcore.hub.names import fold
from chatcore.hub.reply import Done, Refusal
from chatcore.hub.verbs.moderation import act, person, unless_read
from chatcore.hub.verbs.rights import moderated_room, protected, room_ban

if TYPE_CHECKING:
    from chatcore.hub.command import Invite, Lock, Op
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session
    from chatcore.hub.state import Room

MODERATORS_MOST = 100
"""Moderators of a room: more than any room has use for."""


def decide_op(world: World, session: Session, command: Op) -> Decision | Refusal:
    room = moderated_room(world, session, command.room)
    if type(room) is Refusal:
        return room
    if command.take:
        return _deop(world, session, room, command)
    to = person(world, command.name, room)
    if type(to) is Refusal:
        return to
    fields = {"room": room.name, "alias": to.alias}
    if to.sid in room.moderators:
        words = f"{to.alias} moderates {room.name} already."
        return Decision(replies=(Done(words, fields, command.re),))
    if len(room.moderators) >= MODERATORS_MOST:
        return Refusal(
            "too_many_moderators",
            f"{room.name} has {MODERATORS_MOST} moderators. Take it from one first: /deop NAME",
        )
    draft = act(session, "op", room=room.name, to=to.alias, to_sid=to.sid)
    words = unless_read(session, room, f"{to.alias} moderates {room.name} now.")
    return Decision((draft,), then=(Done(words, fields, command.re),))


def _deop(world: World, session: Session, room: Room, command: Op) -> Decision | Refusal:
    """Also of somebody who is not there, and may come back."""
    to = world.state.holder(command.name)
    sid = None if to is None else to.sid
    if sid not in room.moderators:
        named, sessions = fold(command.name), world.state.sessions
        sid = next((each for each in room.moderators if fold(sessions[each].alias) == named), None)
    if sid is None:
        return Refusal("not_moderator", f"{command.name} does not moderate {room.name}.")
    holder = world.state.sessions[sid]
    if holder is not session and (refusal := protected(world, session, holder)):
        return refusal
    alias = holder.alias
    draft = act(session, "deop", room=room.name, to=alias, to_sid=sid)
    words = unless_read(session, room, f"{alias} does not moderate {room.name} any more.")
    return Decision((draft,), then=(Done(words, {"room": room.name, "alias": alias}, command.re),))


def decide_lock(world: World, session: Session, command: Lock) -> Decision | Refusal:
    room = moderated_room(world, session, command.room)
    if type(room) is Refusal:
        return room
    fields = {"room": room.name, "locked": bool(command.key)}
    if not command.key:
        if not room.key:
            words = f"{room.name} is open. Lock it: /lock KEY"
            return Decision(replies=(Done(words, fields, command.re),))
        return Decision(
            (act(session, "unlock", room=room.name),), then=(Done("", fields, command.re),)
        )
    if len(command.key) > keys.KEY_CHARACTERS:
        return Refusal("too_long", f"A key has at most {keys.KEY_CHARACTERS} characters.")
    # No two locks are made after the same record of the same log.
    salt = f"{world.log.name} {room.name} {world.log.head_seq}"
    draft = act(session, "lock", room=room.name, text=keys.kept(command.key, salt))
    return Decision((draft,), then=(Done("", fields, command.re),))


def decide_invite(world: World, session: Session, command: Invite) -> Decision | Refusal:
    room = moderated_room(world, session, command.room)
    if type(room) is Refusal:
        return room
    to = person(world, command.name, None)
    if type(to) is Refusal:
        return to
    fields = {"room": room.name, "alias": to.alias}
    if room.name in to.rooms:
        words = f"{to.alias} is in {room.name} already."
        return Decision(replies=(Done(words, fields, command.re),))
    if room_ban(world, room, to.sid, to.alias):
        return Refusal(
            "banned",
            f"{to.alias} is banned from {room.name}. Take that back first: /unban {to.alias}",
        )
    draft = act(session, "invite", room=room.name, to=to.alias, to_sid=to.sid)
    done = Done(f"{to.alias} is invited to {room.name}, for once.", fields, command.re)
    return Decision((draft,), then=(done,))
