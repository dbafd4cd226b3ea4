"""A snapshot of the state, in pieces: what a start reads instead of the whole log.

Theory: each snapshot holds the pieces (sessions, rooms, the house) that changed since the one before, exactly as they were
at one `seq`. It is taken a few pieces at a time, between which commands go on: `begin` fixes what belongs to it, and
a piece that is about to change before its turn is frozen first (copy on write). So all of it is as of `begin`.

Invariant: the pieces of all snapshots up to one, the newest of each key, together with the records after it, give
the state (`restore`, then `apply`). It may be begun only between commands, never between the records of one: who is
in a room is not kept with the room, because its sessions know.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chatcore.hub.bans import Ban
from chatcore.hub.session import Session
from chatcore.hub.state import Room

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.hub.bans import Bans
    from chatcore.hub.state import House, Piece, State
    from chatcore.log.journal import Change

SESSION, ROOM, HOUSE = "session", "room", "house"

FROZEN_A_STEP = 20
"""Pieces frozen at a time. A session with a full window of ids takes 0.1 to 0.2 ms (measured), most take 5 µs; so a
step stays well below 10 ms of the loop."""


class Snapshot:
    """One state's, over and over: `begin`, `step` until it is done, take `changes`; then again.

    While it exists it keeps the keys of all that changed since the last `begin`.
    """

    __slots__ = ("_changed", "_frozen", "_pending", "_state", "seq")

    def __init__(self, state: State) -> None:
        """Watch the state from now on; what it holds already is taken for saved."""
        self._state = state
        self._changed: dict[tuple[str, str], None] = {}
        self._pending: dict[tuple[str, str], None] = {}
        """Belongs to the snapshot under way and is not frozen yet. Dicts, because they keep the order."""
        self._frozen: list[Change] = []
        self.seq = 0
        """The snapshot is the state as of this `seq`."""
        state.epoch += 1
        state.on_change = self._on_change

    def begin(self, seq: int) -> None:
        """Take the state as it is now, with all records up to `seq` applied and none after. The last one is done."""
        assert not self._pending
        self.seq = seq
        self._pending, self._changed = self._changed, {}
        self._frozen = []
        # From here on every piece tells again of its first change.
        self._state.epoch += 1

    def step(self, most: int = FROZEN_A_STEP) -> bool:
        """Freeze up to `most` pieces; True when none are left. What changed meanwhile is not in it."""
        for _ in range(min(most, len(self._pending))):
            key = next(iter(self._pending))
            self._freeze(key)
        return not self._pending

    def take_changes(self) -> list[Change]:
        """All pieces of the snapshot, once `step` said that it is done; they are the caller's."""
        assert not self._pending
        changes, self._frozen = self._frozen, []
        return changes

    def _on_change(self, piece: Piece) -> None:
        if isinstance(piece, Session):
            key = (SESSION, piece.sid)
        else:
            key = (ROOM, piece.name) if isinstance(piece, Room) else (HOUSE, "")
        if key in self._pending:
            self._freeze(key)
        self._changed[key] = None

    def _freeze(self, key: tuple[str, str]) -> None:
        del self._pending[key]
        kind, name = key
        body: str | None = None
        # Looked up, because a room of that name may have been dropped, and another one be about to be added.
        if kind == SESSION:
            session = self._state.sessions.get(name)
            body = None if session is None else _json(_session(session))
        elif kind == HOUSE:
            body = _json(_house(self._state.house))
        else:
            room = self._state.named.get(name)
            body = None if room is None else _json(_room(room))
        self._frozen.append((kind, name, body))


def restore(pieces: Iterable[Change], state: State) -> None:
    """Fill a fresh state with the pieces of a snapshot, the newest of each. ValueError: one is damaged."""
    for kind, key, body in pieces:
        if body is None:
            continue
        try:
            fields = json.loads(body)
            if kind == SESSION:
                state.add_session(_thawed_session(key, fields))
            elif kind == ROOM:
                state.add_room(_thawed_room(key, fields))
            elif kind == HOUSE:
                _put_bans(state.house.bans, fields["bans"])
                _put_bans(state.house.mutes, fields["mutes"])
            else:
                raise ValueError("there is no such kind")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"the {kind} {key!r} of the snapshot cannot be read: {error}"
            ) from error
    _derive(state)


def _derive(state: State) -> None:
    """What the pieces do not hold because it follows from them: held aliases, the lapsed, who is in which room."""
    sessions = state.sessions.values()
    lapsed = sorted((each for each in sessions if each.lapsed_ms is not None), key=_lapsed_seq)
    state.lapsed.update((each.sid, each) for each in lapsed)
    there: list[tuple[int, str, Session]] = []
    for session in sessions:
        if session.lapsed_ms is None:
            state.hold(session)
            there += (
                (seq, room, session)
                for seq, room in zip(session.joined, session.rooms, strict=True)
            )
    # In the order in which they came; those who came back stand where they stood before.
    for _, name, session in sorted(there, key=_joined_seq):
        room = state.named.get(name)
        if room is None:
            raise ValueError(f"the snapshot has no room {name}, but {session.sid} is in it")
        room.members[session.sid] = session
    for room in state.named.values():
        if not room.idle_seq:
            # Saved by a version that knew of no idle rooms: since it was made, for want of a better number.
            state.weigh(room, max(room.since, 1))
    state.idle.clear()
    idle = (room for room in state.named.values() if room.idle_seq)
    state.idle.update((room.name, room) for room in sorted(idle, key=_idle_seq))
    for room in state.named.values():
        for sids in (room.moderators, room.invited):
            for sid in sids:
                state.name(sids, room, sid)


def _lapsed_seq(session: Session) -> int:
    return session.lapsed_seq


def _idle_seq(room: Room) -> int:
    return room.idle_seq


def _joined_seq(place: tuple[int, str, Session]) -> int:
    return place[0]


def _session(session: Session) -> dict[str, Any]:
    """What is as in a new session is left out: most of them are small."""
    fields = {"alias": session.alias, "token_hash": session.token_hash, **session.places()}
    if session.lapsed_ms is not None:
        fields |= {"lapsed_ms": session.lapsed_ms, "lapsed_seq": session.lapsed_seq}
    if session.muted_ms:
        fields["muted_ms"] = session.muted_ms
    if session.private:
        fields["private"] = True
    if session.has_ids:
        fields["ids"] = session.ids.seqs()
    return fields


def _thawed_session(sid: str, fields: dict[str, Any]) -> Session:
    session = Session(sid, fields["alias"], fields["token_hash"])
    session.put_back(fields["rooms"], fields.get("left"), fields.get("back_seq", 0))
    session.lapsed_ms = fields.get("lapsed_ms")
    session.lapsed_seq = fields.get("lapsed_seq", 0)
    session.muted_ms = fields.get("muted_ms", 0)
    session.private = fields.get("private", False)
    if "ids" in fields:
        session.ids.put_back(fields["ids"])
    return session


def _room(room: Room) -> dict[str, Any]:
    fields: dict[str, Any] = {"topic": room.topic, "history": room.history}
    if room.since:
        fields["since"] = room.since
    if room.idle_seq:
        fields["idle_seq"] = room.idle_seq
    if room.arrived:
        fields["arrived"] = room.arrived
    if room.departed:
        fields["departed"] = room.departed
    if room.moderators:
        fields["moderators"] = list(room.moderators)
    if room.invited:
        fields["invited"] = list(room.invited)
    if room.key:
        fields["key"] = room.key
    if room.has_bans:
        fields["bans"] = room.bans.saved()
    return fields


def _thawed_room(name: str, fields: dict[str, Any]) -> Room:
    room = Room(name)
    room.topic, room.history = fields["topic"], fields["history"]
    room.since = fields.get("since", 0)
    room.idle_seq = fields.get("idle_seq", 0)
    room.arrived.update(fields.get("arrived", {}))
    room.departed.update(fields.get("departed", {}))
    room.moderators.update(dict.fromkeys(fields.get("moderators", ())))
    room.invited.update(dict.fromkeys(fields.get("invited", ())))
    room.key = fields.get("key", "")
    if "bans" in fields:
        _put_bans(room.bans, fields["bans"])
    return room


def _house(house: House) -> dict[str, Any]:
    return {"bans": house.bans.saved(), "mutes": house.mutes.saved()}


def _put_bans(bans: Bans, saved: list[list[Any]]) -> None:
    for each in saved:
        bans.put(Ban(*each))


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
