"""What `decide` looks at, and what it answers: the two ends of every verb.

A verb reads a `World` and returns a `Decision` or a `Refusal`. It changes nothing: the hub numbers the drafts,
appends them and applies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, final

from chatcore.hub.reply import HistoryPage, RoomView
from chatcore.log.record import Said, first_lines, from_line, lines_of, size_of

if TYPE_CHECKING:
    from chatcore.hub.presence import Presence
    from chatcore.hub.reply import Reply
    from chatcore.hub.session import Session
    from chatcore.hub.state import Room, State
    from chatcore.log.log import Log
    from chatcore.log.record import Record
    from chatcore.log.stream import Stream

PEOPLE_ON_JOIN = 100
"""People listed to somebody who joins. In a join storm every name more is sent once to everybody who comes after."""

PEOPLE_ON_WHO = 1_000
"""People listed to somebody who asks."""

BIG_ROOM = 100
"""Members from which on joins and leaves are gathered, and presence is no longer told: n people cause n² notices."""

PAGE_TEXT_BYTES = 256 * 1024
"""Text of one page of history. 500 lines of the longest kind would be megabytes, made by one request."""

SCANNED_ON_JOIN = 1_024
"""Records looked through for the last lines said, so that a room full of comings and goings stays cheap to join."""


@dataclass(slots=True)
class World:
    """All that a decision may depend on."""

    state: State
    log: Log
    presence: Presence
    history_on_join: int
    """Lines shown to those who join."""
    now_ms: int = 0
    """Wall clock, milliseconds since the epoch."""
    now: float = 0.0
    """Monotonic seconds, for deadlines."""


@final
class Decision(NamedTuple):
    drafts: tuple[Record, ...] = ()
    replies: tuple[Reply, ...] = ()
    """To the asker, before the drafts' records."""
    then: tuple[Reply, ...] = ()
    """To the asker, after them."""


def view_of(world: World, room: Room, most: int, joining: Session | None = None) -> RoomView:
    """The room as its people see it; `joining` counts as there already."""
    members = room.members.values()
    person = world.presence.person
    people = tuple(person(member) for member in islice(members, most))
    size = len(members)
    if joining is not None and joining.sid not in room.members:
        people += (person(joining),)
        size += 1
    return RoomView(room.name, room.topic, size, people)


def recent(world: World, room: str) -> HistoryPage | None:
    """The last lines said, for somebody who joins. None where nothing was said."""
    stream = world.log.streams.get(room)
    if stream is None or not world.history_on_join:
        return None
    records, more = last_lines(
        stream, world.log.head_seq + 1, world.history_on_join, talk_only=True
    )
    return HistoryPage(room, records, more, world.now_ms, asked=False) if records else None


def last_lines(
    stream: Stream, before: int, lines: int, *, talk_only: bool
) -> tuple[tuple[Record, ...], bool]:
    """The last lines before a `seq`, oldest first, and whether there are older ones."""
    found: list[Record] = []
    room = PAGE_TEXT_BYTES
    scanned = islice(stream.before(before), SCANNED_ON_JOIN if talk_only else None)
    for record in scanned:
        if talk_only and type(record) is not Said:
            continue
        if lines == 0 or room <= 0:
            return tuple(reversed(found)), True
        room -= size_of(record)
        surplus = lines_of(record) - lines
        if surplus > 0 and type(record) is Said:
            found.append(from_line(record, surplus))
            return tuple(reversed(found)), True
        found.append(record)
        lines -= lines_of(record)
    return tuple(reversed(found)), False


def first_lines_after(
    stream: Stream, after: int, until: int, lines: int
) -> tuple[tuple[Record, ...], bool]:
    """The first lines after a `seq`, and whether there are newer ones."""
    found: list[Record] = []
    room = PAGE_TEXT_BYTES
    for record in stream.after(after, until):
        if lines == 0 or room <= 0:
            return tuple(found), True
        room -= size_of(record)
        if lines_of(record) > lines and type(record) is Said:
            return (*found, first_lines(record, lines)), True
        found.append(record)
        lines -= lines_of(record)
    return tuple(found), False
