"""Rooms: going in, going out, the topic, who is there, which there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub import names
from chatcore.hub.decision import (
    BIG_ROOM,
    PEOPLE_ON_JOIN,
    PEOPLE_ON_WHO,
    Decision,
    view_of,
)
from chatcore.hub.pages import recent
from chatcore.hub.reply import Done, Entered, People, Refusal, Reply, RoomList, RoomView
from chatcore.hub.state import LOBBY, MOST_ROOMS, Room
from chatcore.hub.verbs.rights import is_operator, kept_out, muted
from chatcore.hub.verbs.talk import member_room
from chatcore.log.record import CROWD_NAMES, DRAFT, Crowd, Joined, Left, Record, TopicSet

if TYPE_CHECKING:
    from chatcore.hub.command import Gather, Join, Part, Rooms, Topic, Who
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session

ROOMS_A_SESSION = 100
"""Rooms one session may be in: each makes the merge of its streams a little dearer."""

NEW_ROOMS_A_HELLO = 10
"""Rooms that one hello may make: making all of `MOST_ROOMS` must not be a matter of a second."""

TOPIC_LISTED = 200
"""Characters of a topic shown in the list of rooms; whoever joins reads all of it."""

ROOMS_LISTED = 500
"""Rooms that a list shows, the fullest first."""


def decide_join(world: World, session: Session, command: Join) -> Decision | Refusal:
    name = names.room(command.room)
    if type(name) is Refusal:
        return name
    found = find_or_make(world, name)
    if type(found) is Refusal:
        return found
    room, is_new = found
    if room.name in session.rooms:
        view = view_of(world, room, PEOPLE_ON_JOIN)
        return Decision(replies=(Entered(view, command.re),))
    if refusal := _kept_out(world, session, room, command, is_new=is_new):
        return refusal
    if len(session.rooms) >= ROOMS_A_SESSION and not command.move:
        return Refusal(
            "too_many_rooms", f"You are in {ROOMS_A_SESSION} rooms. Leave one first: /part #room"
        )
    drafts: list[Record] = []
    if command.move:
        drafts += [left(world, session, name, "moved", "") for name in session.rooms]
    drafts.append(joined(room, session.sid, session.alias))
    if is_new and command.topic:
        drafts.append(TopicSet(DRAFT, DRAFT, room.name, session.sid, session.alias, command.topic))
    replies: list[Reply] = [Entered(view_of(world, room, PEOPLE_ON_JOIN, session), command.re)]
    if page := recent(world, room.name):
        replies.append(page)
    return Decision(tuple(drafts), tuple(replies))


def _kept_out(
    world: World, session: Session, room: Room, command: Join, *, is_new: bool
) -> Refusal | None:
    if is_new:
        has_topic = session.muted_ms and command.topic
        return muted(world, session) if has_topic else None
    # In a plain line, the key is what would be the topic of a new room.
    key = command.topic if command.key is None else command.key
    return kept_out(world, room, session.sid, session.alias, key=key)


def find_or_make(world: World, name: str) -> tuple[Room, bool] | Refusal:
    """The room of that name, or one that would be new; nothing is changed."""
    room = world.state.room(name)
    if room is not None:
        return room, False
    return (Room(name), True) if world.state.has_room else _too_many()


def _too_many() -> Refusal:
    return Refusal(
        "too_many_rooms",
        f"There are {MOST_ROOMS:,} rooms already. /rooms lists the fullest; join one of them.",
    )


def joined(room: Room, sid: str, alias: str) -> Joined:
    # Whose going is still to be told comes back quietly, whatever the size: the notice would say the opposite.
    quiet = len(room.members) >= BIG_ROOM or sid in room.departed
    return Joined(DRAFT, DRAFT, room.name, sid, alias, quiet)


def left(world: World, session: Session, room: str, why: str, text: str) -> Left:
    there = world.state.named[room]
    quiet = len(there.members) > BIG_ROOM or session.sid in there.arrived
    return Left(DRAFT, DRAFT, room, session.sid, session.alias, why, text, quiet)


def decide_part(world: World, session: Session, command: Part) -> Decision | Refusal:
    room = member_room(world, session, command.room)
    if type(room) is Refusal:
        return room
    done = Done(f"You have left {room}.", {"room": room}, command.re)
    return Decision((left(world, session, room, "quit", ""),), then=(done,))


def decide_topic(world: World, session: Session, command: Topic) -> Decision | Refusal:
    name = member_room(world, session, command.room)
    if type(name) is Refusal:
        return name
    if command.text is None:
        topic = world.state.named[name].topic
        words = (
            f"Topic of {name}: {topic}" if topic else f"{name} has no topic. Set one: /topic words"
        )
        return Decision(replies=(Done(words, {"room": name, "topic": topic}, command.re),))
    if session.muted_ms and (refusal := muted(world, session)):
        return refusal
    draft = TopicSet(DRAFT, DRAFT, name, session.sid, session.alias, command.text)
    return Decision((draft,), then=(Done("", {"room": name}, command.re),))


def decide_who(world: World, session: Session, command: Who) -> Decision | Refusal:
    if command.room is None:
        names_asked = session.rooms
    else:
        found = member_room(world, session, command.room)
        if type(found) is Refusal:
            return found
        names_asked = (found,)
    most = PEOPLE_ON_WHO // max(1, len(names_asked))
    views = tuple(view_of(world, world.state.named[name], most) for name in names_asked)
    return Decision(replies=(People(views, command.re),))


def decide_rooms(world: World, session: Session, command: Rooms) -> Decision:
    is_told = is_operator(world, session)
    rows = [
        (room.name, "", 0, True)
        if room.key and not is_told and session.sid not in room.members
        else (room.name, room.topic[:TOPIC_LISTED], len(room.members), bool(room.key))
        for room in world.state.rooms.values()
    ]
    rows.sort(key=_fullest_first)
    more = max(0, len(rows) - ROOMS_LISTED)
    return Decision(replies=(RoomList(tuple(rows[:ROOMS_LISTED]), more, command.re),))


def _fullest_first(row: tuple[str, str, int, bool]) -> tuple[int, str]:
    return -row[2], row[0]


def decide_gather(world: World, command: Gather) -> Decision:
    """Who came to and went from a big room since the last time, as one record. Empty if it comes to nothing."""
    room = world.state.named.get(command.room)
    if room is None or not (room.arrived or room.departed):
        return Decision()
    came, went = list(room.arrived.values()), list(room.departed.values())
    crowd = Crowd(
        DRAFT,
        DRAFT,
        room.name,
        tuple(came[:CROWD_NAMES]),
        len(came),
        tuple(went[:CROWD_NAMES]),
        len(went),
        len(room.members),
    )
    return Decision((crowd,))


def views_on_welcome(
    world: World, rooms: list[Room], session: Session | None
) -> tuple[RoomView, ...]:
    most = max(1, PEOPLE_ON_JOIN // max(1, len(rooms)))
    return tuple(view_of(world, room, most, session) for room in rooms)


def rooms_wanted(
    world: World, wanted: tuple[str, ...], had: tuple[str, ...] = ()
) -> list[Room] | Refusal:
    """The rooms that a hello names, each once; the lobby if it names none. `had`: those that it comes back to."""
    if len(wanted) > ROOMS_A_SESSION:
        return Refusal("too_many_rooms", f"A hello may name at most {ROOMS_A_SESSION} rooms.")
    rooms: dict[str, Room] = {}
    new = 0
    for each in wanted or (LOBBY,):
        name = names.room(each)
        if type(name) is Refusal:
            return name
        found = find_or_make(world, name)
        if type(found) is Refusal:
            return found
        new += found[1] and found[0].name not in had
        if new > NEW_ROOMS_A_HELLO:
            return Refusal(
                "too_many_rooms", f"A hello may make at most {NEW_ROOMS_A_HELLO} new rooms."
            )
        rooms.setdefault(names.fold(found[0].name), found[0])
    return _with_room_for(world, list(rooms.values()))


def _with_room_for(world: World, rooms: list[Room]) -> list[Room] | Refusal:
    """The rooms, if there may be so many new ones."""
    state = world.state
    there = [room for room in rooms if room.name in state.named]
    new = len(rooms) - len(there)
    surplus = new - state.places
    if not new or surplus <= 0:
        return rooms
    if surplus > len(state.idle) - sum(room.name in state.idle for room in there):
        return _too_many()
    # Those that are there first: they are idle no more when the new ones take the place of idle ones.
    return there + [room for room in rooms if room.name not in state.named]
