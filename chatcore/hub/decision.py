"""What `decide` looks at, and what it answers: the two ends of every verb.

A verb reads a `World` and returns a `Decision` or a `Refusal`. It changes nothing: the hub numbers the drafts,
appends them and applies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, final

from chatcore.hub.reply import RoomView

if TYPE_CHECKING:
    from chatcore.hub.presence import Presence
    from chatcore.hub.reply import Reply
    from chatcore.hub.session import Session
    from chatcore.hub.state import Room, State
    from chatcore.log.log import Log
    from chatcore.log.record import Record

PEOPLE_ON_JOIN = 100
"""People listed to somebody who joins. In a join storm every name more is sent once to everybody who comes after."""

PEOPLE_ON_WHO = 1_000
"""People listed to somebody who asks."""

BIG_ROOM = 100
"""Members from which on joins and leaves are gathered, and presence is no longer told: n people cause n² notices."""


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
    trouble: str = ""
    """Why nothing can be stored for now, for people; empty when all is well. See `chatcore.log.journal`."""
    kept_words: str = ""
    """For how long history is kept, told to those who join; empty: for ever."""
    motd: str = ""
    """What the server tells those who arrive, in lines; empty: nothing."""
    operator_names: frozenset[str] = frozenset()
    """The names of the operators, as they are compared: nobody else may be called so."""
    changed_seq: int = 0
    """The last record that changed who is here, under which name, in which room, or which rooms there are."""

    @property
    def past_seq(self) -> int:
        """Up to where a page of the past tells of what happened, and then has to wait for: the end of the log.

        While nothing can be stored that wait may be long, and a page ends with what is durable.
        """
        return self.log.durable_seq if self.trouble else self.log.head_seq

    @property
    def told_seq(self) -> int:
        """What an answer that tells of the state has to wait for: likewise, unless people or rooms have changed since."""
        past_seq = self.past_seq
        return past_seq if self.changed_seq <= past_seq else self.log.head_seq


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
    people = world.presence.people(islice(members, most))
    size = len(members)
    if joining is not None and joining.sid not in room.members:
        people += (world.presence.person(joining),)
        size += 1
    return RoomView(room.name, room.topic, size, people)
