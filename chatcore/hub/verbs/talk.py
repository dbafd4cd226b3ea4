"""Saying things: to a room, or to one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.decision import Decision
from chatcore.hub.presence import AWAY
from chatcore.hub.reply import Ack, Done, Refusal
from chatcore.hub.verbs.rights import is_operator, muted
from chatcore.log.record import DRAFT, Direct, Said

if TYPE_CHECKING:
    from chatcore.hub.command import Dm, Say
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session


def decide_say(world: World, session: Session, command: Say) -> Decision | Refusal:
    """One check and one draft for a whole run. The hub itself carries out those that nothing speaks against."""
    if session.muted_ms and (refusal := muted(world, session)):
        return refusal
    room, text, lines, ids, me, _, clean = command
    if room is None:
        room = session.rooms[0]
    elif room not in session.rooms:
        found = member_room(world, session, room)
        if type(found) is Refusal:
            return found
        room = found
    if repeats(session, ids):
        return _without_retries(session, command, room)
    return Decision(
        (Said(DRAFT, DRAFT, room, session.sid, session.alias, text, lines, ids, me, clean),)
    )


def repeats(session: Session, ids: tuple[str, ...]) -> bool:
    """One of the ids is known already, or stands twice."""
    return bool(ids) and (session.ids.knows_any(ids) or len(set(ids)) != len(ids))


def _without_retries(session: Session, command: Say, room: str) -> Decision:
    """What is stored already is acknowledged; the rest of the run is said. An id that stands twice counts once."""
    acks: list[Ack] = []
    new: dict[str, str] = {}
    texts = [command.text] if command.lines == 1 else command.text.split("\n")
    for line_id, text in zip(command.ids, texts, strict=True):
        seq = session.ids.seq_of(line_id)
        if seq is not None:
            acks.append(Ack(line_id, seq))
        else:
            new.setdefault(line_id, text)
    if not new:
        return Decision(replies=tuple(acks))
    text = "\n".join(new.values())
    draft = Said(
        DRAFT, DRAFT, room, session.sid, session.alias, text, len(new), tuple(new), command.me
    )
    return Decision((draft,), tuple(acks))


def decide_dm(world: World, session: Session, command: Dm) -> Decision | Refusal:
    if command.id is not None:
        seq = session.ids.seq_of(command.id)
        if seq is not None:
            return Decision(replies=(Ack(command.id, seq),))
    to = world.state.holder(command.to)
    if to is None:
        return no_such_person(command.to)
    # Operators hear the muted too: they are whom one asks.
    if session.muted_ms and not is_operator(world, to) and (refusal := muted(world, session)):
        return refusal
    draft = Direct(
        DRAFT, DRAFT, session.sid, session.alias, to.sid, to.alias, command.text, command.id
    )
    person = world.presence.person(to)
    if person.state != AWAY or session.token_hash is not None:
        # Clients that can return are told who is away when it changes.
        return Decision((draft,))
    return Decision((draft,), then=(Done(f"{person.alias} is away: {person.text}", {}),))


def no_such_person(alias: str) -> Refusal:
    return Refusal(
        "no_such_person", f"Nobody here is called {alias}. /who lists the people in your room."
    )


def member_room(world: World, session: Session, name: str | None) -> str | Refusal:
    """The exact name of a room that the session is in; without a name, of the only one."""
    if name is None:
        if len(session.rooms) == 1:
            return session.rooms[0]
        return Refusal("bad_field", "Say which room: you are in several, or in none.")
    room = world.state.room(name)
    if room is None:
        return Refusal(
            "no_such_room", f"There is no room {name}. /rooms lists them, /join makes one."
        )
    if room.name not in session.rooms:
        return Refusal(
            "not_in_room", f"You are not in {room.name}. Join it first: /join {room.name}"
        )
    return room.name
