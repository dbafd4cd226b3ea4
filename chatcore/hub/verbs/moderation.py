"""Moderation: out of a room or of the server, banned, muted, announced; and what was done, by whom.

Who may is asked of `rights`. Where no room is named, an operator means the server and everybody else the room that
they are in. Each act is a record, the first of its decision: what it does to rooms and sessions follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub import names
from chatcore.hub.bans import BANS_MOST, ROOM_BANS_MOST, SHORTEST_PREFIX, network, shown_network
from chatcore.hub.decision import Decision
from chatcore.hub.moments import span_words
from chatcore.hub.pages import page_before
from chatcore.hub.reply import BanList, BanRow, Done, HistoryPage, Refusal
from chatcore.hub.skeleton import look
from chatcore.hub.state import LOBBY
from chatcore.hub.verbs.rights import (
    is_operator,
    moderated_room,
    not_operator,
    protected,
)
from chatcore.hub.verbs.rooms import joined, left
from chatcore.hub.verbs.talk import no_such_person
from chatcore.log.record import DRAFT, MODERATION, Act, Closed

if TYPE_CHECKING:
    from chatcore.hub.bans import Bans as BanTable
    from chatcore.hub.bans import Network
    from chatcore.hub.command import Announce, Ban, Bans, Kick, Modlog, Mute, Unban, Unmute
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session
    from chatcore.hub.state import Room
    from chatcore.log.record import Record

REASON_CHARACTERS = 200
"""Characters of a reason: it is listed, and told to everybody who is refused for it."""

MODLOG_DEFAULT = 20
"""Acts listed when nobody says how many: a screen."""

MODLOG_MOST = 500
"""Acts of the longest list, as of the longest page of history."""


def act(
    session: Session,
    kind: str,
    *,
    room: str = "",
    to: str = "",
    to_sid: str = "",
    text: str = "",
    until_ms: int = 0,
) -> Act:
    return Act(DRAFT, DRAFT, room, session.sid, session.alias, kind, to, to_sid, text, until_ms)


# Kicking


def decide_kick(world: World, session: Session, command: Kick) -> Decision | Refusal:
    room = _room_meant(world, session, command.room)
    if type(room) is Refusal:
        return room
    if wrong := _reason_too_long(command.text):
        return wrong
    to = person(world, command.name, room)
    if type(to) is Refusal:
        return to
    if refusal := protected(world, session, to):
        return refusal
    fields = {"alias": to.alias}
    if room is None:
        first = act(session, "kick", to=to.alias, to_sid=to.sid, text=command.text)
        done = Done(f"{to.alias} is out of the server.", fields, command.re)
        return Decision((first, *_out_of_server(world, first, to)), then=(done,))
    first = act(session, "kick", room=room.name, to=to.alias, to_sid=to.sid, text=command.text)
    drafts = _out_of_room(world, first, room, to)
    words = unless_read(session, room, f"{to.alias} is out of {room.name}.")
    done = Done(words, {**fields, "room": room.name}, command.re)
    return Decision((first, *drafts), then=(done,))


def _out_of_server(world: World, because: Act, to: Session) -> list[Record]:
    words = _told(because)
    drafts: list[Record] = [left(world, to, room, "kicked", words) for room in to.rooms]
    return [*drafts, Closed(DRAFT, DRAFT, to.sid, lapsed=False)]


def _out_of_room(world: World, because: Act, room: Room, to: Session) -> list[Record]:
    drafts: list[Record] = [left(world, to, room.name, "kicked", _told(because))]
    if to.token_hash is None:
        # A plain client is always in one room.
        drafts.append(joined(world.state.named[LOBBY], to.sid, to.alias))
    return drafts


def _told(because: Act) -> str:
    """What stands in the line that the others read."""
    done = "banned" if because.act == "ban" else "kicked"
    reason = f": {because.text}" if because.text else ""
    return f"{done} by {because.alias}{reason}"


# Banning


def decide_ban(world: World, session: Session, command: Ban) -> Decision | Refusal:
    room = _room_meant(world, session, command.room)
    if type(room) is Refusal:
        return room
    if wrong := _reason_too_long(command.text):
        return wrong
    bans = world.state.house.bans if room is None else room.bans
    most = BANS_MOST if room is None else ROOM_BANS_MOST
    if sum(1 for _ in bans.live(world.now_ms)) >= most:
        return Refusal(
            "too_many_bans",
            f"There are {most:,} bans. Take one back first: /bans, /unban NAME",
        )
    until_ms = 0 if command.for_ms is None else world.now_ms + command.for_ms
    net = network(command.name)
    if net is None:
        return _ban_name(world, session, command, room, until_ms)
    if room is not None:
        return Refusal("bad_field", "From a room only names are banned. Name an alias.")
    return _ban_network(world, session, command, net, until_ms)


def _ban_name(
    world: World, session: Session, command: Ban, room: Room | None, until_ms: int
) -> Decision | Refusal:
    if ":" in command.name or names.ADDRESS.fullmatch(command.name):
        return Refusal(
            "bad_field",
            f"{command.name} is no address and no network, as 10.0.0.7, 10.0.0.0/8 or 2001:db8::/64 are.",
        )
    alias = names.alias(command.name)
    if type(alias) is Refusal:
        return alias
    to = _here_as(world, alias)
    if to is not None:
        alias = to.alias
        if refusal := protected(world, session, to):
            return refusal
    had = to or _lapsed_as(world, alias)
    first = act(
        session,
        "ban",
        room="" if room is None else room.name,
        to=alias,
        to_sid="" if had is None else had.sid,
        text=command.text,
        until_ms=until_ms,
    )
    drafts: list[Record] = [first]
    where = "this server" if room is None else room.name
    if to is not None and room is None:
        drafts += _out_of_server(world, first, to)
    elif to is not None and room is not None and room.name in to.rooms:
        drafts += _out_of_room(world, first, room, to)
    return Decision(tuple(drafts), then=(_banned(command, first, alias, where),))


def _ban_network(
    world: World, session: Session, command: Ban, net: Network, until_ms: int
) -> Decision | Refusal:
    shortest = SHORTEST_PREFIX[net.version]
    if net.prefixlen < shortest:
        return Refusal(
            "bad_field", f"{net} is too large: at least /{shortest} for IPv{net.version}."
        )
    if net.is_loopback:
        return Refusal(
            "bad_field", f"{net} is the server's own machine, which everybody on it shares."
        )
    inside = world.presence.within(net)
    if session.sid in inside:
        return Refusal("bad_field", f"{net} is where you are: that would keep you out as well.")
    to = shown_network(net)
    first = act(session, "ban", to=to, text=command.text, until_ms=until_ms)
    drafts: list[Record] = [first]
    for sid in inside:
        there = world.state.sessions.get(sid)
        if there is not None and not is_operator(world, there):
            kick = act(session, "kick", to=there.alias, to_sid=sid, text=command.text)
            drafts += [kick, *_out_of_server(world, kick, there)]
    return Decision(tuple(drafts), then=(_banned(command, first, to, "this server"),))


def _here_as(world: World, alias: str) -> Session | None:
    """Whoever has that alias, or one that looks like it: whom a ban of it would keep out when they return."""
    held = world.state.holder(alias)
    return held or next(iter(world.state.looks.get(look(alias), ())), None)


def _lapsed_as(world: World, alias: str) -> Session | None:
    """Whoever left under that alias last, and may still come back."""
    folded = names.fold(alias)
    for session in reversed(world.state.lapsed.values()):
        if names.fold(session.alias) == folded:
            return session
    return None


def _banned(command: Ban, ban: Act, to: str, where: str) -> Done:
    fields: dict[str, object] = {"name": to}
    if ban.room:
        fields["room"] = ban.room
    return Done(f"{to} is banned from {where}{_for(command.for_ms)}.", fields, command.re)


def decide_unban(world: World, session: Session, command: Unban) -> Decision | Refusal:
    room = _room_meant(world, session, command.room)
    if type(room) is Refusal:
        return room
    bans = world.state.house.bans if room is None else room.bans
    found = _found(bans, command.name, world.now_ms)
    where = "this server" if room is None else room.name
    if found is None:
        return Refusal(
            "not_banned", f"{command.name} is not banned from {where}. /bans lists who is."
        )
    name = "" if room is None else room.name
    done = Done(f"{found} is not banned from {where} any more.", {"name": found}, command.re)
    return Decision((act(session, "unban", room=name, to=found),), then=(done,))


def _found(bans: BanTable, name: str, now_ms: int) -> str | None:
    """The entry for that name or network, as it was made."""
    net = network(name)
    ban = bans.of_name(name, now_ms) if net is None else bans.of_network(net, now_ms)
    return None if ban is None else ban.to


def decide_bans(world: World, session: Session, command: Bans) -> Decision | Refusal:
    room = _room_meant(world, session, command.room)
    if type(room) is Refusal:
        return room
    if room is not None:
        page = BanList(room.name, _rows(world, room.bans), command.re)
    else:
        house = world.state.house
        page = BanList("", _rows(world, house.bans), command.re, _rows(world, house.mutes))
    return Decision(replies=(page,))


def _rows(world: World, bans: BanTable) -> tuple[BanRow, ...]:
    return tuple(BanRow(ban.to, ban.by, ban.text, ban.until_ms) for ban in bans.live(world.now_ms))


# Muting


def decide_mute(world: World, session: Session, command: Mute) -> Decision | Refusal:
    if refusal := not_operator(world, session) or _reason_too_long(command.text):
        return refusal
    alias = names.alias(command.name)
    if type(alias) is Refusal:
        return alias
    to = _here_as(world, alias)
    if to is not None and (refusal := protected(world, session, to)):
        return refusal
    mutes = world.state.house.mutes
    if sum(1 for _ in mutes.live(world.now_ms)) >= BANS_MOST:
        return Refusal(
            "too_many_bans", f"{BANS_MOST:,} people are muted. Let one speak again first."
        )
    had = to or _lapsed_as(world, alias)
    until_ms = 0 if command.for_ms is None else world.now_ms + command.for_ms
    draft = act(
        session,
        "mute",
        to=alias if to is None else to.alias,
        to_sid="" if had is None else had.sid,
        text=command.text,
        until_ms=until_ms,
    )
    words = f"{draft.to} is muted{_for(command.for_ms)}."
    return Decision((draft,), then=(Done(words, {"name": draft.to}, command.re),))


def decide_unmute(world: World, session: Session, command: Unmute) -> Decision | Refusal:
    if refusal := not_operator(world, session):
        return refusal
    mutes, to = world.state.house.mutes, world.state.holder(command.name)
    mute = mutes.of_name(command.name, world.now_ms)
    if mute is None and to is not None:
        mute = mutes.of_sid(to.sid, world.now_ms)
    if mute is None and (to is None or to.muted_ms <= world.now_ms):
        return Refusal("not_muted", f"{command.name} is not muted.")
    alias = to.alias if mute is None and to is not None else mute.to if mute else command.name
    draft = act(session, "unmute", to=alias, to_sid=to.sid if to else mute.sid if mute else "")
    return Decision(
        (draft,), then=(Done(f"{alias} may speak again.", {"name": alias}, command.re),)
    )


# Telling


def decide_announce(world: World, session: Session, command: Announce) -> Decision | Refusal:
    if refusal := not_operator(world, session):
        return refusal
    rooms = [room.name for room in world.state.rooms.values() if room.members]
    drafts = [act(session, "announce", room=name, text=command.text) for name in ("", *rooms)]
    return Decision(tuple(drafts), then=(Done("", {"rooms": len(rooms)}, command.re),))


def decide_modlog(world: World, session: Session, command: Modlog) -> Decision | Refusal:
    if refusal := not_operator(world, session):
        return refusal
    lines = MODLOG_DEFAULT if command.limit is None else command.limit
    if lines < 1:
        return Refusal("bad_field", f"The limit is a number from 1 to {MODLOG_MOST}.")
    page = HistoryPage(MODERATION, (), False, world.now_ms, command.re)
    before = world.past_seq + 1
    return Decision(replies=(page_before(world, page, min(lines, MODLOG_MOST), before),))


# What several of them ask


def _room_meant(world: World, session: Session, name: str | None) -> Room | Refusal | None:
    """The room to act in; None for the server."""
    if name is None and is_operator(world, session):
        return None
    return moderated_room(world, session, name)


def person(world: World, alias: str, room: Room | None) -> Session | Refusal:
    """Who has that alias; if a room is given, in it."""
    to = world.state.holder(alias)
    if to is None:
        return no_such_person(alias)
    if room is not None and room.name not in to.rooms:
        return Refusal("no_such_person", f"{to.alias} is not in {room.name}. /who lists who is.")
    return to


def unless_read(session: Session, room: Room, words: str) -> str:
    """What is told of an act on a room to who did it; nothing to who reads it there with everybody else."""
    return "" if room.name in session.rooms else words


def _for(span_ms: int | None) -> str:
    """That there is no end is said: a time that was mistyped is taken for the reason."""
    return ", until it is taken back" if span_ms is None else f" for {span_words(span_ms)}"


def _reason_too_long(text: str) -> Refusal | None:
    if len(text) <= REASON_CHARACTERS:
        return None
    return Refusal("too_long", f"A reason has at most {REASON_CHARACTERS} characters.")
