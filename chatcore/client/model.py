"""What a person is shown: the link's events become lines, and rooms, people and the own alias are kept.

Invariants: a line of one's own is shown once, when its record comes. A line of another room than the current one
carries its room. Strings are still as they were typed; `chatcore.client.style` makes them safe. Pure.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chatcore.client import events, messages
from chatcore.client.acts import act_words, listed_words
from chatcore.client.answers import (
    HINT,
    answer_words,
    away_words,
    back_parts,
    found_words,
    lag_words,
    lost_parts,
    page_words,
    refusal_words,
    room_words,
    withdrawn_words,
)
from chatcore.client.lines import Kind, Line, notice
from chatcore.client.names import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.client.messages import Person, Request

MAX_REFUSED = 1024
"""Lines that a server refused, for `/retry`: more than anybody types before it answers."""

OF_ROOM = {"op", "deop", "lock", "unlock"}
"""Acts whose words do not say where."""


@dataclass(slots=True)
class Place:
    """A room that one is in. People of a big room are not all known."""

    name: str
    topic: str
    people: dict[str, Person] = field(default_factory=dict)
    spoke: dict[str, str] = field(default_factory=dict)
    """Who said something, folded and as shown; the last of them last."""


class Model:
    """`server` is how a person names it; `is_own` tells one's own sessions by sid."""

    def __init__(self, alias: str, room: str, server: str, is_own: Callable[[str], bool]) -> None:
        self.current = room
        """The room that a line typed now goes to; empty: none."""
        self.rooms: dict[str, Place] = {}
        self.away = False
        self.operator = False
        """As far as the server has told: a return may have ended it, which the next refusal shows."""
        self.reconnect = True
        """False: a loss is not told as one that will be repaired."""
        self.is_called_back = False
        """Somebody asked for the try that goes on: its failure is told, too."""
        self.leaving = False
        """Rooms that one leaves now are left for good, all of them."""
        self._server = server
        self._is_own = is_own
        self._joining = ""  # asked for, not answered yet
        self._parting = ""
        self._before = room  # where one was when one asked for another room
        self._refused: deque[Request] = deque(maxlen=MAX_REFUSED)
        self._withdrawn: list[Request] = []
        """All of them: they waited in the outbox, and nobody was shown their words."""
        self._last_reason = ""
        self._last_rename = ("", "", "")
        self._told_away: set[str] = set()
        """Folded: whose absence has been told, since they last went or came."""
        self._last_announced = ("", "", "")
        self._called(alias)

    def joined(self, room: str) -> str | None:
        """The room's name as it is shown, if one is in it."""
        place = self.rooms.get(fold(room))
        return place.name if place else None

    def room_names(self) -> list[str]:
        return [place.name for place in self.rooms.values()]

    def people_here(self) -> list[str]:
        """In the current room, oneself apart: those who spoke, the last first, then the others."""
        place = self.rooms.get(fold(self.current))
        if place is None:
            return []
        quiet = sorted(each.alias for key, each in place.people.items() if key not in place.spoke)
        names = [*reversed(place.spoke.values()), *quiet]
        return [name for name in names if fold(name) != fold(self.alias)]

    def asked(self, request: Request) -> None:
        """What is typed after a `/join` or a `/part` is meant for where that leads, answered or not."""
        if request.kind == "join":
            self._before = self.current
            self.current = self._joining = request.room
        elif request.kind == "part" and fold(request.room) == fold(self.current):
            self._joining, self._parting = "", fold(request.room)
            others = [place.name for place in self.rooms.values()]
            staying = [each for each in (self._before, *others) if fold(each) != self._parting]
            self.current = next(iter(staying), "")

    def switch(self, room: str) -> list[Line]:
        self.current = room
        place = self.rooms.get(fold(room))
        topic = f" Topic: {place.topic}" if place and place.topic else ""
        return notice(f"You are in {room} now.{topic}")

    def take_refused(self) -> list[Request]:
        """The lines that were refused or withdrawn since the last time, in their order."""
        unsent = [*self._withdrawn, *self._refused]
        self._withdrawn.clear()
        self._refused.clear()
        return unsent

    def withdrawn(self, lines: list[Request]) -> list[Line]:
        """Lines were typed before the server asked for its password. They are not shown: one of them may be it."""
        self._withdrawn += [*self._refused, *lines]
        self._refused.clear()
        return notice(withdrawn_words(len(lines))) if lines else []

    def show(self, event: events.Event) -> list[Line]:  # noqa: C901, PLR0911 - one arm a kind of event
        match event:
            case events.Welcomed():
                return self._on_welcomed(event)
            case events.Answer():
                return self._on_answer(event)
            case messages.Lag():
                return notice(*lag_words(event))
            case messages.Modlog():
                acts = map(listed_words, event.acts)
                return notice(*filter(None, acts)) or notice("Nothing was done.")
            case events.Refusal():
                return self._on_refusal(event)
            case events.Lost():
                return self._on_lost(event)
            case events.Back():
                self._last_reason = ""
                return [Line(Kind.BACK, parts=back_parts(event))]
            case events.Held():
                what = f" for {event.alias}" if event.alias else ""
                return notice(event.words, f"Waiting {event.retry_s:.0f} s{what}.")
            case events.AliasRefused() | events.PasswordRefused():
                return [Line(Kind.REFUSED, event.words)]
            case events.Stored() | events.Ended():
                return []
            case _:
                return self._on_news(event)

    # The connection

    def _on_welcomed(self, event: events.Welcomed) -> list[Line]:
        self._called(event.welcome.alias)
        self.operator = self.operator and event.welcome.resumed
        self._last_reason, self.is_called_back = "", False
        self._told_away.clear()
        self.rooms = {fold(each.room): _place(each) for each in event.welcome.rooms}
        if not self._joining:
            self._stay_or_move()
        if event.returning:
            return []
        lines = [Line(Kind.CONNECTED)]
        for number, room in enumerate(event.welcome.rooms, 1):
            hint = HINT if number == len(event.welcome.rooms) else ""
            lines += notice(*room_words(room, hint))
        return lines + notice(*filter(None, (event.welcome.motd, event.welcome.kept)))

    def _on_lost(self, lost: events.Lost) -> list[Line]:
        """A long loss is told once, not at every try; again when its reason changes, or somebody asked for the try."""
        if lost.again and lost.reason == self._last_reason and not self.is_called_back:
            return []
        self._last_reason, self.is_called_back = lost.reason, False
        name = "disconnected" if lost.joined else f"cannot connect to {self._server}"
        parts = lost_parts(lost, self.reconnect)
        return [Line(Kind.LOST, lost.reason, name=name, own=lost.joined, parts=parts)]

    # Answers

    def _on_answer(self, answer: events.Answer) -> list[Line]:
        ok, request = answer.ok, answer.request
        if ok is not None and request.kind == "join":
            return self._on_joined(ok, request)
        if ok is not None and request.kind == "part":
            return self._gone_from(ok.room or request.room)
        if ok is not None and request.kind == "nick":
            self._called(ok.alias or request.alias)
        if ok is not None and request.kind == "oper":
            self.operator = True
        if ok is not None and request.kind == "away":
            self.away = ok.state == "away"
        return notice(*answer_words(answer))

    def _on_joined(self, ok: messages.Ok, request: Request) -> list[Line]:
        room = messages.Room(ok.room or request.room, ok.topic, ok.people, ok.size)
        self.rooms[fold(room.room)] = _place(room)
        if fold(self._joining) == fold(request.room):
            self._joining, self.current = "", room.room
        return notice(*room_words(room, ""))

    def _on_refusal(self, refusal: events.Refusal) -> list[Line]:
        request = refusal.request
        lines = [Line(Kind.REFUSED, refusal_words(refusal))]
        everywhere = request is not None and not request.room
        if refusal.code == "not_operator" or (refusal.code == "not_moderator" and everywhere):
            self.operator = False
        if request is not None and request.is_line:
            self._refused.append(request)
        if request is not None and request.kind == "join":
            self._joining = ""
            self._stay_or_move()
        return lines

    def _gone_from(self, room: str) -> list[Line]:
        if self.leaving or self.rooms.pop(fold(room), None) is None:
            return []
        was_here = fold(room) in {fold(self.current), self._parting}
        self._parting = ""
        if not self._joining:
            self._stay_or_move()
        if not was_here:
            return []
        return self.switch(self.current) if self.current else notice("You are in no room now.")

    def _stay_or_move(self) -> None:
        """The current room is one that one is in; if it is not, the first of them."""
        first = next((place.name for place in self.rooms.values()), "")
        self.current = self.joined(self.current) or first

    # What others, and oneself, did

    def _on_news(
        self, event: messages.Record | messages.Presence | messages.Gap | messages.History
    ) -> list[Line]:
        match event:
            case messages.Presence():
                self._told_away.discard(fold(event.person.alias))
                for place in self.rooms.values():
                    if fold(event.person.alias) in place.people:
                        place.people[fold(event.person.alias)] = event.person
                return []
            case messages.Gap():
                return [Line(Kind.MISSED, room=self._where(event.room), count=event.missed)]
            case messages.History():
                return self._on_history(event)
            case _:
                lines = self._record(event, past=False)
                return lines + self._follow(event)

    def _on_history(self, history: messages.History) -> list[Line]:
        lines = [line for each in history.records for line in self._record(each, past=True)]
        if not history.room:
            return lines + notice(found_words(len(history.records), history.more))
        if not lines:
            return notice(f"Nothing was found in {history.room}.")
        return lines + notice(page_words(len(lines), history.room)) if history.re else lines

    def _record(  # noqa: PLR0911 - one arm a kind of record
        self, record: messages.Record, *, past: bool
    ) -> list[Line]:
        if isinstance(record, messages.Crowd):
            return self._crowd(record, past)
        own = self._is_own(record.sid)
        room = "" if isinstance(record, messages.Direct) else self._where(record.room)
        line = Line(Kind.SAID, name=record.alias, time=record.time, room=room, own=own, past=past)
        match record:
            case messages.Said():
                kind = Kind.ACTION if record.me else Kind.SAID
                mention = not own and self._mentions(record.text)
                return [replace(line, kind=kind, text=record.text, mention=mention)]
            case messages.Direct():
                to = record.to
                return [
                    replace(line, kind=Kind.DIRECT, text=record.text, other=to, mention=not own)
                ]
            case messages.Joined():
                return [replace(line, kind=Kind.JOINED)]
            case messages.Left():
                return [replace(line, kind=Kind.LEFT, text=record.text)]
            case messages.TopicSet():
                return [replace(line, kind=Kind.TOPIC, text=record.text)]
            case messages.Act():
                return self._act(record, line)
            case messages.Renamed():
                return self._renamed(record, line)

    def _act(self, act: messages.Act, line: Line) -> list[Line]:
        """An announcement comes once for each room that one is in; it is one thing that was said."""
        announced = (act.sid, act.time, act.text) if act.act == "announce" else None
        words = act_words(act)
        if not words or (announced and announced == self._last_announced):
            return []
        self._last_announced = announced or self._last_announced
        return [
            replace(line, kind=Kind.ACT, text=words, room=line.room if act.act in OF_ROOM else "")
        ]

    def _renamed(self, record: messages.Renamed, line: Line) -> list[Line]:
        """One record comes for each room that is shared; it is one thing that happened."""
        rename = (record.sid, record.alias, record.to)
        if rename == self._last_rename and not line.past:
            return []
        if not line.past:
            self._last_rename = rename
        return [replace(line, kind=Kind.RENAMED, other=record.to, room="")]

    def _crowd(self, crowd: messages.Crowd, past: bool) -> list[Line]:
        return [
            Line(
                kind,
                time=crowd.time,
                room=self._where(crowd.room),
                past=past,
                parts=names.aliases,
                count=names.more,
            )
            for kind, names in ((Kind.CROWD_JOINED, crowd.joined), (Kind.CROWD_LEFT, crowd.left))
            if names.aliases or names.more
        ]

    def _follow(self, record: messages.Record) -> list[Line]:
        """Keep who is where; lines if one's own place changed by it, or whom one spoke to is away."""
        own = not isinstance(record, messages.Crowd) and self._is_own(record.sid)
        place = self.rooms.get(fold(getattr(record, "room", "")))
        match record:
            case messages.Left() if own:
                return self._gone_from(record.room)
            case messages.Direct() if own:
                return self._away(record.to)
            case messages.Joined() if own and place is None:
                self.rooms[fold(record.room)] = Place(record.room, "")
            case messages.Renamed():
                if own:
                    self._called(record.to)
                self._rename(record)
            case messages.Joined() if place:
                person = messages.Person(record.alias, "here", "")
                place.people[fold(record.alias)] = person
            case messages.Left() if place:
                place.people.pop(fold(record.alias), None)
                place.spoke.pop(fold(record.alias), None)
            case messages.Said() if place:
                place.spoke.pop(fold(record.alias), None)
                place.spoke[fold(record.alias)] = record.alias
            case messages.TopicSet() if place:
                place.topic = record.text
            case _:
                pass
        return []

    def _away(self, alias: str) -> list[Line]:
        """Whoever says something to somebody who is away is told so, once."""
        known = (place.people.get(fold(alias)) for place in self.rooms.values())
        person = next(filter(None, known), None)
        if person is None or person.state != "away" or fold(alias) in self._told_away:
            return []
        self._told_away.add(fold(alias))
        return notice(away_words(person))

    def _rename(self, record: messages.Renamed) -> None:
        for place in self.rooms.values():
            if place.spoke.pop(fold(record.alias), None) is not None:
                place.spoke[fold(record.to)] = record.to
            person = place.people.pop(fold(record.alias), None)
            if person is not None:
                place.people[fold(record.to)] = person._replace(alias=record.to)

    # Names

    def _called(self, alias: str) -> None:
        self.alias = alias
        self._mention = re.compile(rf"(?<!\w){re.escape(fold(alias))}(?!\w)") if alias else None

    def _mentions(self, text: str) -> bool:
        """Whole words, whatever the case: `alice`, not `malice`."""
        return self._mention is not None and self._mention.search(fold(text)) is not None

    def _where(self, room: str) -> str:
        return "" if fold(room) == fold(self.current) else room


def _place(room: messages.Room) -> Place:
    return Place(room.room, room.topic, _by_alias(room.people))


def _by_alias(people: Iterable[Person]) -> dict[str, Person]:
    return {fold(person.alias): person for person in people}
