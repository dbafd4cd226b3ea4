"""A tiny model of a chat room, and of who moderates it: what the hub is compared with.

It knows nothing of records, folding or sessions: names are compared in lower case, rooms are sets of clients and lists
of lines.
"""

from __future__ import annotations


class ModelRoom:
    def __init__(self, name: str) -> None:
        self.name = name
        self.topic = ""
        self.members: list[int] = []
        self.said: list[str] = []
        self.moderators: set[int] = set()
        self.invited: set[int] = set()
        self.banned: set[str] = set()
        self.banned_clients: set[int] = set()
        self.key = ""


class Model:
    """What a chat room is, in as few words as possible."""

    def __init__(self) -> None:
        self.alias: dict[int, str] = {}
        self.rooms = {"#lobby": ModelRoom("#lobby")}
        self.ids: dict[int, set[str]] = {}

    def alias_fault(self, client: int, alias: str) -> str | None:
        if not alias:
            return "alias_empty"
        if " " in alias:
            return "alias_not_allowed"
        others = {held.lower() for who, held in self.alias.items() if who != client}
        return "alias_taken" if alias.lower() in others else None

    @staticmethod
    def name_fault(room: str) -> str | None:
        if not room.startswith("#"):
            return "room_not_allowed"
        return None if len(room) > 1 else "room_empty"

    def member_fault(self, client: int, room: str) -> str | None:
        if room.lower() not in self.rooms:
            return "no_such_room"
        return None if client in self.rooms[room.lower()].members else "not_in_room"

    def entry_fault(self, client: int, room: str, alias: str, key: str | None) -> str | None:
        there = self.rooms.get(room.lower())
        if there is None or client in there.members:
            return None
        if alias.lower() in there.banned or client in there.banned_clients:
            return "banned"
        is_let_in = client in there.moderators | there.invited or key == there.key
        return "room_locked" if there.key and not is_let_in else None

    def moderation_fault(self, client: int, room: str) -> str | None:
        there = self.rooms.get(room.lower())
        if there is None:
            return "no_such_room"
        is_moderator = client in there.moderators and client in there.members
        return None if is_moderator else "not_moderator"

    def holder(self, alias: str) -> int | None:
        return next(
            (who for who, held in self.alias.items() if held.lower() == alias.lower()), None
        )

    def enter(self, client: int, room: str) -> ModelRoom:
        there = self.rooms.get(room.lower())
        if there is None:
            there = self.rooms[room.lower()] = ModelRoom(room)
            there.moderators.add(client)
        if client not in there.members:
            there.members.append(client)
        there.invited.discard(client)
        return there

    def forget(self, client: int) -> None:
        for room in self.rooms.values():
            for clients in (room.moderators, room.invited, room.banned_clients):
                clients.discard(client)

    def leave(self, client: int, room: str) -> None:
        there = self.rooms[room.lower()]
        there.members.remove(client)
        if not (there.members or there.topic or there.said or room.lower() == "#lobby"):
            del self.rooms[room.lower()]

    def rooms_of(self, client: int) -> list[ModelRoom]:
        return [room for room in self.rooms.values() if client in room.members]

    def act_fault(
        self, what: str, client: int, to: int | None, room: ModelRoom, alias: str
    ) -> str | None:
        if what in {"lock", "open"}:
            return None
        if what == "unban":
            return None if alias.lower() in room.banned else "not_banned"
        if what == "ban":
            fault = self.alias_fault(client, alias)
            return "bad_field" if to == client else None if fault == "alias_taken" else fault
        if to is None or (what != "invite" and to not in room.members):
            return "no_such_person"
        if what == "invite" and to not in room.members:
            is_banned = alias.lower() in room.banned or to in room.banned_clients
            return "banned" if is_banned else None
        return "bad_field" if what == "kick" and to == client else None

    def acted(self, what: str, to: int | None, room: ModelRoom, alias: str) -> None:
        if what in {"lock", "open"}:
            room.key = "tea" if what == "lock" else ""
        elif what == "unban":
            room.banned.discard(alias.lower())
        elif what == "invite" and to is not None and to not in room.members:
            room.invited.add(to)
        elif what == "op" and to is not None:
            room.moderators.add(to)
        if what == "ban":
            room.banned.add(alias.lower())
            if to is not None:
                room.banned_clients.add(to)
                room.moderators.discard(to)
                room.invited.discard(to)
        if what in {"kick", "ban"} and to is not None and to in room.members:
            self.leave(to, room.name)
