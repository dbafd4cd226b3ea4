"""Who may do what: one place for the questions that the verbs of rooms, talk and moderation ask before they answer.

Operators may do everything that moderators may, in every room. Nobody but an operator acts on an operator, and nobody
on themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub import keys
from chatcore.hub.moments import span_words
from chatcore.hub.reply import Refusal
from chatcore.hub.session import NO_END, hash_of
from chatcore.hub.state import LOBBY

if TYPE_CHECKING:
    from chatcore.hub.bans import Ban
    from chatcore.hub.command import Hello
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session
    from chatcore.hub.state import Room


def is_operator(world: World, session: Session) -> bool:
    return world.presence.is_operator(session.sid)


def not_operator(world: World, session: Session) -> Refusal | None:
    """Why an operator's command is refused; None for an operator."""
    if is_operator(world, session):
        return None
    return Refusal("not_operator", "Only operators can do that. Become one: /oper NAME password")


def moderated_room(world: World, session: Session, name: str | None) -> Room | Refusal:
    """The room that the session may moderate; without a name, the only one that it is in."""
    if name is None:
        if len(session.rooms) != 1:
            return Refusal("bad_field", "Say which room: you are in several, or in none.")
        name = session.rooms[0]
    room = world.state.room(name)
    if room is None:
        return Refusal("no_such_room", f"There is no room {name}. /rooms lists them.")
    if room.name == LOBBY:
        return Refusal(
            "not_moderator",
            f"{LOBBY} is everybody's and has no moderators. Name another room; operators keep people out of the server.",
        )
    if is_operator(world, session):
        return room
    if moderates(session, room):
        # Reasons are words too.
        return muted(world, session) or room
    return Refusal(
        "not_moderator",
        f"Only the moderators of {room.name} can do that, from inside. Whoever makes a room moderates it: /join #yours",
    )


def moderates(session: Session, room: Room) -> bool:
    return session.sid in room.moderators and room.name in session.rooms


def protected(world: World, session: Session, to: Session) -> Refusal | None:
    """Why the session may not act on that one; None if it may."""
    if to is session:
        return Refusal("bad_field", "That is you. Name somebody else; /quit leaves.")
    if is_operator(world, to) and not is_operator(world, session):
        return Refusal(
            "not_operator", f"{to.alias} is an operator: only another operator can do that."
        )
    return None


def muted(world: World, session: Session) -> Refusal | None:
    """Why what the session says is refused; None if it may speak. Asked only of those with `muted_ms`."""
    left_ms = session.muted_ms - world.now_ms
    if left_ms <= 0:
        return None
    mutes = world.state.house.mutes
    mute = mutes.of_sid(session.sid, world.now_ms) or mutes.of_name(session.alias, world.now_ms)
    why = f" by {mute.by}{_reason(mute)}" if mute else ""
    if session.muted_ms == NO_END:
        return Refusal("muted", f"You are muted{why}, until an operator lets you speak again.")
    return Refusal(
        "muted",
        f"You are muted{why}. You can speak again in {span_words(left_ms)}.",
        round(left_ms / 1000, 1),
    )


def banned_hello(world: World, hello: Hello, known: Session | None, address: str) -> Refusal | None:
    """Why nobody with this token, or from this address, comes in; of the alias, see `banned_alias`."""
    bans, now_ms = world.state.house.bans, world.now_ms
    if not bans.entries:
        return None
    ban = bans.of_address(address, now_ms)
    if ban is None and hello.token is not None:
        ban = bans.of_token(hash_of(hello.token), now_ms)
    if ban is None and known is not None:
        ban = bans.of_sid(known.sid, now_ms)
        if known.lapsed_ms is None:
            ban = ban or bans.of_name(known.alias, now_ms)
    return None if ban is None else banned("You are banned from this server", ban, now_ms)


def banned_alias(world: World, alias: str) -> Refusal | None:
    ban = world.state.house.bans.of_name(alias, world.now_ms)
    return None if ban is None else banned(f"{alias} is banned from this server", ban, world.now_ms)


def kept_out(
    world: World, room: Room, sid: str, alias: str, *, key: str | None = None, had: bool = False
) -> Refusal | None:
    """Why somebody may not go into the room; None if they may. `had`: they come back to it, and need no key."""
    if not room.key and not room.has_bans:
        return None
    if world.presence.is_operator(sid):
        return None
    if ban := room_ban(world, room, sid, alias):
        return banned(f"You are banned from {room.name}", ban, world.now_ms)
    if not room.key or had or sid in room.moderators or sid in room.invited:
        return None
    if key is not None and keys.fits(key, room.key):
        return None
    what = "that is not its key" if key else "it needs a key"
    return Refusal(
        "room_locked",
        f"{room.name} is locked: {what}. /join {room.name} KEY, or have somebody there invite you.",
    )


def room_ban(world: World, room: Room, sid: str, alias: str) -> Ban | None:
    """The ban that keeps somebody out of the room."""
    if not room.has_bans:
        return None
    return room.bans.of_sid(sid, world.now_ms) or room.bans.of_name(alias, world.now_ms)


def banned(what: str, ban: Ban, now_ms: int) -> Refusal:
    if not ban.until_ms:
        return Refusal("banned", f"{what}{_reason(ban)}, until the ban is taken back.")
    left_ms = ban.until_ms - now_ms
    return Refusal(
        "banned",
        f"{what}{_reason(ban)}, for another {span_words(left_ms)}.",
        round(left_ms / 1000, 1),
    )


def _reason(ban: Ban) -> str:
    return f" ({ban.text})" if ban.text else ""
