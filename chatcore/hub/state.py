"""The state of the house: sessions, held aliases and rooms.

Invariant: it is the fold of the log over `apply` and nothing else. `decide` reads it, and only `apply` writes.

A session and a room are its *pieces*. Whoever writes to a piece says so before (`State.changing`): a snapshot that
is under way takes it as it was, and the next one knows what is new. `epoch` makes that cheap: a piece that has been
told of in this epoch need not be told of again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from chatcore.hub.bans import Bans
from chatcore.hub.names import Folded, fold
from chatcore.hub.skeleton import Look, looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.hub.session import Session

LOBBY = "#lobby"
"""Where everybody starts. It is always there."""


MOST_ROOMS = 10_000
"""Rooms there may be: each costs a few KiB, and a list of more is no use to anybody."""


class Room:
    """A room. It stays while somebody is in it, or while it has something to come back for: a topic or history.

    One that has nothing but history is *idle*: it makes room for another when there are `MOST_ROOMS`, the longest idle
    first. What was said there is in the log, for whoever makes a room of that name.
    """

    __slots__ = (
        "_bans",
        "arrived",
        "departed",
        "epoch",
        "history",
        "idle_seq",
        "invited",
        "key",
        "members",
        "moderators",
        "name",
        "since",
        "topic",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.since = 0
        """The `seq` of the join that made it: whoever was in a room of that name before was in another one."""
        self.topic = ""
        self.history = False
        self.members: dict[str, Session] = {}
        self.arrived: dict[str, str] = {}
        """Sid → alias of quiet joins that no `Crowd` has told of yet; `departed` likewise."""
        self.departed: dict[str, str] = {}
        self.moderators: dict[str, None] = {}
        """Sids, in the order in which they became it; `State.name` adds one. None in the lobby."""
        self.invited: dict[str, None] = {}
        """Sids that may come in once, locked or not."""
        self.key = ""
        """What is kept of the key (`chatcore.hub.keys`); empty: the room is open."""
        self.idle_seq = 0
        """Since when it is idle; 0: it is not."""
        # Made with the first ban: most rooms have none.
        self._bans: Bans | None = None
        self.epoch = 0
        """As in `Session`."""

    @property
    def bans(self) -> Bans:
        if self._bans is None:
            self._bans = Bans()
        return self._bans

    @property
    def has_bans(self) -> bool:
        return self._bans is not None and bool(self._bans.entries)


class House:
    """What holds in the whole server."""

    __slots__ = ("bans", "epoch", "mutes")

    def __init__(self) -> None:
        self.bans = Bans()
        self.mutes = Bans()
        self.epoch = 0
        """As in `Session`."""


Piece: TypeAlias = "Session | Room | House"


class State:
    __slots__ = (
        "_forgotten",
        "_named_in",
        "aliases",
        "epoch",
        "house",
        "idle",
        "lapsed",
        "looks",
        "named",
        "on_change",
        "rooms",
        "sessions",
        "tokens",
    )

    def __init__(self) -> None:
        self.epoch = 0
        """Goes up with each snapshot that is begun; 0 where nobody takes any: then nothing is told of."""
        self.on_change: Callable[[Piece], None] = _nobody_watches
        """Called before a piece changes for the first time in an epoch."""
        self.house = House()
        self.sessions: dict[str, Session] = {}
        self.tokens: dict[str, Session] = {}
        self.aliases: dict[Folded, Session] = {}
        self.looks: dict[Look, tuple[Session, ...]] = {}
        """The same by what the alias looks like, in all its spellings (`skeleton.looks`)."""
        self.lapsed: dict[str, Session] = {}
        """Lapsed sessions by sid, the longest lapsed first."""
        self._forgotten: list[str] = []
        self._named_in: dict[str, dict[str, None]] = {}
        """Sid → the rooms that have it for a moderator, or invited it."""
        self.rooms: dict[Folded, Room] = {}
        self.idle: dict[str, Room] = {}
        """Idle rooms by their exact name, the longest idle first."""
        self.named: dict[str, Room] = {}
        """The same rooms by their exact name: what records carry needs no folding."""
        self.add_room(Room(LOBBY))

    def changing(self, piece: Piece) -> None:
        """To be called before a piece is changed, added or dropped."""
        if piece.epoch != self.epoch:
            piece.epoch = self.epoch
            self.on_change(piece)

    def add_session(self, session: Session) -> None:
        self.changing(session)
        self.sessions[session.sid] = session
        if session.token_hash is not None:
            self.tokens[session.token_hash] = session

    def hold(self, session: Session) -> None:
        """Its alias is held for it."""
        self.aliases[fold(session.alias)] = session
        for key in looks(session.alias):
            self.looks[key] = (*self.looks.get(key, ()), session)

    def release(self, session: Session) -> None:
        """Its alias is anybody's."""
        self.aliases.pop(fold(session.alias), None)
        for key in looks(session.alias):
            others = tuple(each for each in self.looks.get(key, ()) if each is not session)
            if others:
                self.looks[key] = others
            else:
                self.looks.pop(key, None)

    def forget(self, session: Session) -> None:
        """Nothing brings this session back any more."""
        self.changing(session)
        self.sessions.pop(session.sid, None)
        self.lapsed.pop(session.sid, None)
        if session.token_hash is not None:
            self.tokens.pop(session.token_hash, None)
        for name in list(self._named_in.get(session.sid, ())):
            room = self.named[name]
            self.changing(room)
            self.unname(room.moderators, room, session.sid)
            self.unname(room.invited, room, session.sid)
        self._forgotten.append(session.sid)

    def take_forgotten(self) -> list[str]:
        """Sids and idle rooms forgotten since the last call: nobody reads the streams of these names any more."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def add_room(self, room: Room) -> Room:
        self.changing(room)
        self.rooms[fold(room.name)] = self.named[room.name] = room
        return room

    @property
    def people(self) -> int:
        """In the house, those in grace among them; not those who have left and may return."""
        return len(self.sessions) - len(self.lapsed)

    @property
    def places(self) -> int:
        """Rooms that may be made without forgetting an idle one."""
        return MOST_ROOMS - len(self.rooms)

    @property
    def has_room(self) -> bool:
        """Another room may be made."""
        return self.places > 0 or bool(self.idle)

    def make_room(self) -> None:
        """If there are as many as there may be, the longest idle one is forgotten."""
        if len(self.rooms) >= MOST_ROOMS and self.idle:
            room = next(iter(self.idle.values()))
            self.drop_room(room)
            self._forgotten.append(room.name)

    def weigh(self, room: Room, seq: int) -> None:
        """With this record it may have become idle, or be idle no more. A lock or a ban is not forgotten."""
        idle = not (room.members or room.topic or room.key or room.has_bans or room.name == LOBBY)
        if idle != bool(room.idle_seq):
            self.changing(room)
            room.idle_seq = seq if idle else 0
            if idle:
                self.idle[room.name] = room
            else:
                del self.idle[room.name]

    def drop_room(self, room: Room) -> None:
        self.changing(room)
        self.idle.pop(room.name, None)
        for sid in (*room.moderators, *room.invited):
            self._unlist(room, sid)
        del self.rooms[fold(room.name)]
        del self.named[room.name]

    def name(self, sids: dict[str, None], room: Room, sid: str) -> None:
        """Put a session among the room's `moderators` or `invited`, until it is forgotten."""
        sids[sid] = None
        self._named_in.setdefault(sid, {})[room.name] = None

    def unname(self, sids: dict[str, None], room: Room, sid: str) -> None:
        """Take it out again, if it is there."""
        sids.pop(sid, None)
        if sid not in room.moderators and sid not in room.invited:
            self._unlist(room, sid)

    def _unlist(self, room: Room, sid: str) -> None:
        rooms = self._named_in.get(sid)
        if rooms is not None:
            rooms.pop(room.name, None)
            if not rooms:
                del self._named_in[sid]

    def room(self, name: str) -> Room | None:
        """The room of that name, however it is spelt."""
        return self.rooms.get(fold(name))

    def holder(self, alias: str) -> Session | None:
        """Who holds that alias, however it is spelt."""
        return self.aliases.get(fold(alias))


def _nobody_watches(piece: Piece) -> None:
    """Until somebody takes snapshots."""
