"""The state of the house: sessions, held aliases and rooms.

Invariant: it is the fold of the log over `apply` and nothing else. `decide` reads it, and only `apply` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.names import Folded, fold

if TYPE_CHECKING:
    from chatcore.hub.session import Session

LOBBY = "#lobby"
"""Where everybody starts. It is always there."""


class Room:
    """A room. It stays while somebody is in it, or while it has something to come back for: a topic or history."""

    __slots__ = ("arrived", "departed", "history", "members", "name", "topic")

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = ""
        self.history = False
        self.members: dict[str, Session] = {}
        self.arrived: dict[str, str] = {}
        """Sid → alias of quiet joins that no `Crowd` has told of yet; `departed` likewise."""
        self.departed: dict[str, str] = {}


class State:
    __slots__ = ("_forgotten", "aliases", "lapsed", "named", "rooms", "sessions", "tokens")

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.tokens: dict[str, Session] = {}
        self.aliases: dict[Folded, Session] = {}
        self.lapsed: dict[str, Session] = {}
        """Lapsed sessions by sid, the longest lapsed first."""
        self._forgotten: list[str] = []
        self.rooms: dict[Folded, Room] = {}
        self.named: dict[str, Room] = {}
        """The same rooms by their exact name: what records carry needs no folding."""
        self.add_room(Room(LOBBY))

    def forget(self, session: Session) -> None:
        """Nothing brings this session back any more."""
        self.sessions.pop(session.sid, None)
        self.lapsed.pop(session.sid, None)
        if session.token_hash is not None:
            self.tokens.pop(session.token_hash, None)
        self._forgotten.append(session.sid)

    def take_forgotten(self) -> list[str]:
        """The sids forgotten since the last call: nobody reads their private streams any more."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def add_room(self, room: Room) -> Room:
        self.rooms[fold(room.name)] = self.named[room.name] = room
        return room

    def drop_room(self, room: Room) -> None:
        del self.rooms[fold(room.name)]
        del self.named[room.name]

    def room(self, name: str) -> Room | None:
        """The room of that name, however it is spelt."""
        return self.rooms.get(fold(name))

    def holder(self, alias: str) -> Session | None:
        """Who holds that alias, however it is spelt."""
        return self.aliases.get(fold(alias))
