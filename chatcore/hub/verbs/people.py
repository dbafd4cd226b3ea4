"""People: arriving, coming back, a new alias, away, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub import names, skeleton
from chatcore.hub.decision import Decision
from chatcore.hub.pages import recent
from chatcore.hub.reply import Bye, Done, Refusal, Reply, Welcome
from chatcore.hub.session import TOKEN_DAYS, Session, hash_of
from chatcore.hub.state import LOBBY
from chatcore.hub.verbs.rights import banned_alias, banned_hello, kept_out, muted
from chatcore.hub.verbs.rooms import joined, left, rooms_wanted, views_on_welcome
from chatcore.log.record import DRAFT, Closed, Opened, Record, Renamed

if TYPE_CHECKING:
    from chatcore.hub.command import Arrival, Away, Hello, Nick, Quit
    from chatcore.hub.decision import World
    from chatcore.hub.state import Room

AWAY_CHARACTERS = 200
"""Characters of the words on being away: they are listed with everybody's name, to everybody who asks."""

MS_A_DAY = 24 * 60 * 60 * 1000


def decide_arrival(world: World, command: Arrival) -> Decision | Refusal:
    """A hello: a return to a session that is held, to one that has lapsed, or a fresh arrival."""
    hello = command.hello
    session = known(world, hello)
    if refusal := banned_hello(world, hello, session, command.address):
        return refusal
    if session is None:
        return _arrive(world, hello, command.sid, command.token, None)
    if session.lapsed_ms is not None:
        return _arrive(world, hello, session.sid, hello.token, session)
    rooms = [world.state.named[name] for name in session.rooms]
    return Decision(replies=(_welcome(world, hello, session, hello.token, rooms, resumed=True),))


def known(world: World, hello: Hello) -> Session | None:
    """Whom the hello's token belongs to, as far as one can still come back with it."""
    if hello.token is None or hello.log != world.log.name:
        return None
    session = world.state.tokens.get(hash_of(hello.token))
    if session is None or session.lapsed_ms is None:
        return session
    return session if world.now_ms - session.lapsed_ms <= TOKEN_DAYS * MS_A_DAY else None


def _arrive(
    world: World, hello: Hello, sid: str, token: str | None, lapsed: Session | None
) -> Decision | Refusal:
    alias = alias_free(world, hello.alias, None)
    if type(alias) is Refusal:
        return alias
    had = lapsed.rooms if lapsed else ()
    rooms = rooms_wanted(world, hello.rooms or had, had)
    if type(rooms) is not Refusal:
        rooms = _rooms_open(world, rooms, sid, alias, lapsed)
    if type(rooms) is Refusal:
        return rooms
    drafts: list[Record] = [
        Opened(DRAFT, DRAFT, sid, alias, None if token is None else hash_of(token))
    ]
    drafts += [joined(room, sid, alias) for room in rooms]
    as_if = Session(sid, alias, None)
    welcome = _welcome(world, hello, as_if, token, rooms, resumed=lapsed is not None)
    replies: list[Reply] = [welcome]
    if lapsed is None:
        replies[0] = welcome._replace(motd=world.motd)
        replies += [page for room in rooms if (page := recent(world, room.name))]
    return Decision(tuple(drafts), tuple(replies))


def _rooms_open(
    world: World, rooms: list[Room], sid: str, alias: str, lapsed: Session | None
) -> list[Room] | Refusal:
    """Those of the rooms that one may go into. Whoever comes back is let in without the others."""
    had = dict(zip(lapsed.rooms, lapsed.joined, strict=True)) if lapsed else {}
    opened: list[Room] = []
    for room in rooms:
        # Not in one of that name that was there before.
        was_in = room.since <= had.get(room.name, -1)
        refusal = kept_out(world, room, sid, alias, had=was_in)
        if refusal is None:
            opened.append(room)
        elif lapsed is None:
            return refusal
    return opened or [world.state.named[LOBBY]]


def _welcome(
    world: World,
    hello: Hello,
    session: Session,
    token: str | None,
    rooms: list[Room],
    *,
    resumed: bool,
) -> Welcome:
    head = world.told_seq
    seq = min(hello.after, head) if resumed and hello.after is not None else head
    return Welcome(
        world.log.name,
        session.sid,
        token,
        session.alias,
        resumed,
        seq,
        world.presence.grace_s,
        views_on_welcome(world, rooms, session),
        hello.re,
        world.kept_words,
    )


def alias_free(world: World, wanted: str, asker: Session | None) -> str | Refusal:
    """The alias as it would be shown, if the asker may have it."""
    alias = names.alias(wanted)
    if type(alias) is Refusal:
        return alias
    if refusal := banned_alias(world, alias) or _look_alike(world, alias, asker):
        return refusal
    holder = world.state.holder(alias)
    if holder is None or holder is asker:
        return alias
    left_s = world.presence.grace_left_s(holder.sid, world.now)
    if left_s is None:
        return Refusal("alias_taken", f"{alias} is taken. Choose another alias.")
    return Refusal(
        "alias_in_grace",
        f"{alias} is held for somebody who lost the connection. Free in {left_s:.0f} s unless they return; "
        "or choose another alias.",
        round(left_s, 1),
    )


def _look_alike(world: World, alias: str, asker: Session | None) -> Refusal | None:
    """Why nobody may have this alias next to the names there are, if it is not one of them."""
    key = skeleton.look(alias)
    if not key.strip(skeleton.DASHES):
        return Refusal(
            "alias_not_allowed",
            f"{alias} looks like how the server signs. Choose another alias.",
        )
    if key in world.operator_names and not _is_operator(world, asker, key):
        return Refusal(
            "alias_of_operator",
            f"{alias} is, or looks like, the name of an operator. Choose another alias; an operator takes the name "
            "with /nick after /oper.",
        )
    for other in world.state.looks.get(key, ()):
        if other is not asker and names.fold(other.alias) != names.fold(alias):
            return Refusal(
                "alias_looks_like",
                f"{alias} looks like {other.alias}, who is here, by its {skeleton.difference(alias, other.alias)}. "
                "Choose an alias that nobody can take for another.",
            )
    return None


def _is_operator(world: World, asker: Session | None, key: skeleton.Look) -> bool:
    """The asker has proved to be the operator of that name."""
    name = None if asker is None else world.presence.operators.get(asker.sid)
    return name is not None and key in skeleton.looks(name)


def decide_nick(world: World, session: Session, command: Nick) -> Decision | Refusal:
    if session.muted_ms and (refusal := muted(world, session)):
        return refusal
    alias = alias_free(world, command.alias, session)
    if type(alias) is Refusal:
        return alias
    if alias == session.alias:
        return Decision(replies=(Done(f"You are {alias} already.", {"alias": alias}, command.re),))
    drafts = tuple(
        Renamed(DRAFT, DRAFT, room, session.sid, session.alias, alias)
        for room in session.rooms or ("",)
    )
    return Decision(drafts, then=(Done("", {"alias": alias}, command.re),))


def decide_away(world: World, session: Session, command: Away) -> Decision | Refusal:
    """The hub carries it out: presence is not in the log."""
    if session.muted_ms and command.text and (refusal := muted(world, session)):
        return refusal
    if command.text and len(command.text) > AWAY_CHARACTERS:
        return Refusal(
            "too_long", f"Words on being away have at most {AWAY_CHARACTERS} characters."
        )
    if command.text:
        done = Done(f"You are away: {command.text}", {"state": "away"}, command.re)
    else:
        done = Done("You are back.", {"state": "here"}, command.re)
    return Decision(replies=(done,))


def decide_quit(world: World, session: Session, command: Quit) -> Decision:
    # Nobody is kept from leaving, only from having the last word.
    text = "" if session.muted_ms and muted(world, session) else command.text
    drafts = [left(world, session, room, command.why, text) for room in session.rooms]
    closed = Closed(DRAFT, DRAFT, session.sid, lapsed=False)
    return Decision((*drafts, closed), then=(Bye("quit", command.re),))


def decide_lapse(world: World, session: Session) -> Decision:
    """The grace is over: it has left, and may still come back with its token."""
    drafts = [left(world, session, room, "lost", "") for room in session.rooms]
    return Decision((*drafts, Closed(DRAFT, DRAFT, session.sid, lapsed=True)))
