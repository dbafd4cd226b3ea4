"""The state of the house: sessions, held aliases and rooms.

Invariant: it is the fold of the log over `apply` and nothing else. `decide` reads it, and only `apply` writes.

A session and a room are its *pieces*. Whoever writes to a piece says so before (`State.changing`): a snapshot that
is under way takes it as it was, and the next one knows what is new. `epoch` makes that cheap: a piece that has been
told of in this epoch need not be told of again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.names import Folded, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.hub.session import Session

LOBBY = "#lobby"
"""Where everybody starts. It is always there."""


class Room:
    """A room. It stays while somebody is in it, or while it has something to come back for: a topic or history."""

    __slots__ = ("arrived", "departed", "epoch", "history", "members", "name", "topic")

    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = ""
        self.history = False
        self.members: dict[str, Session] = {}
        self.arrived: dict[str, str] = {}
        """Sid → alias of quiet joins that no `Crowd` has told of yet; `departed` likewise."""
        self.departed: dict[str, str] = {}
        self.epoch = 0
        """As in `Session`."""


class State:
    __slots__ = (
        "_forgotten",
        "aliases",
        "epoch",
        "lapsed",
        "named",
        "on_change",
        "rooms",
        "sessions",
        "tokens",
    )

    def __init__(self) -> None:
        self.epoch = 0
        """Goes up with each snapshot that is begun; 0 where nobody takes any: then nothing is told of."""
        self.on_change: Callable[[Session | Room], None] = _nobody_watches
        """Called before a piece changes for the first time in an epoch."""
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

    def changing(self, piece: Session | Room) -> None:
        """To be called before a piece is changed, added or dropped."""
        if piece.epoch != self.epoch:
            piece.epoch = self.epoch
            self.on_change(piece)

    def add_session(self, session: Session) -> None:
        self.changing(session)
        self.sessions[session.sid] = session
        if session.token_hash is not None:
            self.tokens[session.token_hash] = session

    def forget(self, session: Session) -> None:
        """Nothing brings this session back any more."""
        self.changing(session)
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
        self.changing(room)
        self.rooms[fold(room.name)] = self.named[room.name] = room
        return room

    def drop_room(self, room: Room) -> None:
        self.changing(room)
        del self.rooms[fold(room.name)]
        del self.named[room.name]

    def room(self, name: str) -> Room | None:
        """The room of that name, however it is spelt."""
        return self.rooms.get(fold(name))

    def holder(self, alias: str) -> Session | None:
        """Who holds that alias, however it is spelt."""
        return self.aliases.get(fold(alias))


def _nobody_watches(piece: Session | Room) -> None:
    """Until somebody takes snapshots."""
