"""A session: a person's place in the house. It outlives its connections.

Owned by `State` and written by `apply` alone. What is known of its connections (away, grace) is not here but in
`chatcore.hub.presence`, because it is not in the log.
"""

from __future__ import annotations

import hashlib

from chatcore.log.dedup import IdWindow

TOKEN_DAYS = 7
"""How long a session without connection and grace can still be returned to: a week's absence, a laptop left at work."""

SESSIONS_LAPSED = 10_000
"""Lapsed sessions kept, oldest forgotten first: with their ids they cost some 100 MiB at worst."""


def hash_of(token: str) -> str:
    """What is kept of a token. It has 192 random bits, so one round of a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


NO_END = 2**53 - 1
"""A time that never comes, in milliseconds: the largest number that every JSON reader keeps exact."""


class Session:
    __slots__ = (
        "_back_seq",
        "_ids",
        "_left",
        "alias",
        "epoch",
        "joined",
        "lapsed_ms",
        "lapsed_seq",
        "muted_ms",
        "private",
        "rooms",
        "sid",
        "token_hash",
    )

    def __init__(self, sid: str, alias: str, token_hash: str | None) -> None:
        self.sid = sid
        self.alias = alias
        self.token_hash = token_hash
        self.rooms: tuple[str, ...] = ()
        """Names of the rooms it is in; of a lapsed session, those it was in."""
        self.joined: tuple[int, ...] = ()
        """For each of `rooms`, the `seq` from which on its records are this session's."""
        self._left: dict[str, int] | None = None
        """Where its rooms began, when it comes back after having lapsed; `_back_seq` is when."""
        self._back_seq = 0
        self.lapsed_ms: int | None = None
        """When the grace was over; None while the alias is held."""
        self.lapsed_seq = 0
        """The `seq` of that, because times can be the same; 0 while the alias is held."""
        self.muted_ms = 0
        """Until when what it says is refused; 0: it is not muted, or no longer."""
        self.private = False
        """Direct messages were sent or got: there is a private stream, named by the sid."""
        self.epoch = 0
        """The last `State.epoch` in which it was told of that this session changes."""
        # Made with the first id: plain sessions have none.
        self._ids: IdWindow | None = None

    def enter(self, room: str, seq: int) -> None:
        if room in self.rooms:
            return
        if self._left and seq == self._back_seq + len(self.rooms) + 1:
            # Back after having lapsed, and this is one of the joins that came with it: what was said in between is
            # still to be read. A room that is joined later begins with that join.
            seq = self._left.pop(room, seq)
        self.rooms += (room,)
        self.joined += (seq,)

    def leave(self, room: str) -> None:
        kept = [
            (name, seq) for name, seq in zip(self.rooms, self.joined, strict=True) if name != room
        ]
        self.rooms = tuple(name for name, _ in kept)
        self.joined = tuple(seq for _, seq in kept)

    def come_back(self, seq: int) -> None:
        """Out of every room, to come back to them with the records right after `seq`."""
        self._back_seq = seq
        self._left = dict(zip(self.rooms, self.joined, strict=True)) or None
        self.rooms = self.joined = ()

    def places(self) -> dict[str, object]:
        """What brings it back to its rooms, in values of JSON; `put_back` takes it."""
        places: dict[str, object] = {"rooms": dict(zip(self.rooms, self.joined, strict=True))}
        if self._left:
            places |= {"left": self._left, "back_seq": self._back_seq}
        return places

    def put_back(
        self, rooms: dict[str, int], left: dict[str, int] | None = None, back_seq: int = 0
    ) -> None:
        self.rooms, self.joined = tuple(rooms), tuple(rooms.values())
        self._left, self._back_seq = left, back_seq

    @property
    def ids(self) -> IdWindow:
        if self._ids is None:
            self._ids = IdWindow()
        return self._ids

    @property
    def has_ids(self) -> bool:
        return self._ids is not None
