"""Records: everything that ever happens, as values; state, history and the wire are all made from them.

Invariants: a record is self-contained (rendering it needs no state), and it is never changed after it got its
number. A *draft* is a record whose `seq` and `time_ms` are still 0; `chatcore.log.order` gives them.

They are named tuples and not frozen dataclasses for one reason: one is made for every read of a busy
connection, and a frozen dataclass costs three times as much to make (its `__init__` goes through
`object.__setattr__` once a field).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, final

DRAFT = 0
"""`seq` and `time_ms` of a record that has not been numbered yet; numbering starts at 1."""


@final
class Said(NamedTuple):
    """A run: what one session said to one room in one read. Line *k* has `seq` + *k*."""

    seq: int
    time_ms: int
    room: str
    sid: str
    alias: str
    text: str
    lines: int
    """How many numbers the run takes. With one, `text` is that line whole, and may hold `\\n`; with more, `\\n`
    ends each line but the last. A run stays one string until somebody needs its lines apart."""
    ids: tuple[str, ...]
    """The client's ids, one a line; empty when the dialect has none."""
    me: bool
    clean: bool = False
    """Known to be printable ASCII and `\\n` only, so that nobody has to make it safe; False: not known."""


@final
class Direct(NamedTuple):
    """A line from one person to another; it stands in the private streams of the two."""

    seq: int
    time_ms: int
    sid: str
    alias: str
    to_sid: str
    to_alias: str
    text: str
    id: str | None


@final
class Opened(NamedTuple):
    """A session began, or one that had lapsed came back, under `alias`. Shown to nobody."""

    seq: int
    time_ms: int
    sid: str
    alias: str
    token_hash: str | None
    """Hex SHA-256 of the token that brings the session back; None: it ends with its connection."""


@final
class Closed(NamedTuple):
    """A session gave its alias free. Shown to nobody."""

    seq: int
    time_ms: int
    sid: str
    lapsed: bool
    """True: the grace was over, but the token, the ids and the position go on. False: ended for good."""


@final
class Joined(NamedTuple):
    seq: int
    time_ms: int
    room: str
    sid: str
    alias: str
    quiet: bool
    """In a big room: rendered as nothing, and told by the next `Crowd`."""


@final
class Left(NamedTuple):
    seq: int
    time_ms: int
    room: str
    sid: str
    alias: str
    why: str
    """`quit`, `lost`, `moved` or `kicked`."""
    text: str
    quiet: bool


@final
class Renamed(NamedTuple):
    """One for each room of the session, applied idempotently; room is empty if it is in none."""

    seq: int
    time_ms: int
    room: str
    sid: str
    alias: str
    to: str


@final
class TopicSet(NamedTuple):
    seq: int
    time_ms: int
    room: str
    sid: str
    alias: str
    text: str


@final
class Crowd(NamedTuple):
    """Who came to and went from a big room since its last `Crowd`."""

    seq: int
    time_ms: int
    room: str
    joined: tuple[str, ...]
    """At most `CROWD_NAMES` aliases; `joined_count` counts all."""
    joined_count: int
    left: tuple[str, ...]
    left_count: int
    people: int = -1
    """How many are in the room after it; -1 in a record of an earlier version, which does not say so."""


@final
class Act(NamedTuple):
    """Something that a moderator or an operator did, kept in the moderation stream; some are told to people as well."""

    seq: int
    time_ms: int
    room: str
    """Where it holds; empty: in the whole server."""
    sid: str
    alias: str
    """Who did it."""
    act: str
    """One of `ACTS`."""
    to: str
    """To whom: an alias, an address or a network; for `oper` the operator's name; empty: to nobody."""
    to_sid: str
    """That person's session, if there is one."""
    text: str
    """The reason, what was announced; of a lock, what is kept of its key, and shown to nobody."""
    until_ms: int
    """When it ends by itself; 0: it does not."""


ACTS = frozenset(
    {
        *("kick", "ban", "unban", "mute", "unmute", "announce", "oper"),
        *("op", "deop", "lock", "unlock", "invite"),
    }
)
"""What operators do, and what is done in rooms alone."""

MODERATION = "moderation"
"""The stream of all acts. Nobody follows it; pages are read from it. No room and no sid has that name."""

TOLD_ROOM = frozenset({"op", "deop", "lock", "unlock"})
"""Acts that everybody in the room reads."""

TOLD_PERSON = frozenset({"mute", "unmute", "invite", "kick", "ban"})
"""Acts that the person reads whom they concern; a kick or a ban only when it is from a room: the other ends the session."""

CROWD_NAMES = 2
"""Names that a crowd notice spells out: `Ann, Bob and 62 others`. More would make a join storm quadratic in bytes."""

Record: TypeAlias = (
    Said | Direct | Opened | Closed | Joined | Left | Renamed | TopicSet | Crowd | Act
)


def lines_of(record: Record) -> int:
    """How many numbers, and shown lines, the record takes."""
    return record.lines if type(record) is Said else 1


def last_seq(record: Record) -> int:
    return record.seq + record.lines - 1 if type(record) is Said else record.seq


def streams_of(record: Record) -> tuple[str, ...]:
    """The names of the streams that the record stands in: a room's name, or the `sid`s of two people.

    A record that is shown to nobody (a session's begin and end, a quiet join) stands in none.
    """
    match record:
        case Said() | TopicSet() | Crowd():
            return (record.room,)
        case Joined() | Left():
            return () if record.quiet else (record.room,)
        case Renamed():
            return (record.room,) if record.room else ()
        case Direct():
            return (record.sid, record.to_sid) if record.sid != record.to_sid else (record.sid,)
        case Act():
            return _streams_of_act(record)
        case _:
            return ()


def _streams_of_act(act: Act) -> tuple[str, ...]:
    if act.act == "announce" and act.room:
        # What the rooms read; the moderation stream has it once, for the whole server.
        return (act.room,)
    if act.act in TOLD_ROOM:
        return (act.room, MODERATION)
    return (act.to_sid, MODERATION) if is_told_person(act) else (MODERATION,)


def is_room(stream: str) -> bool:
    """It is a room's; the others are private, or the moderation's."""
    return stream.startswith("#")


def is_told_person(act: Act) -> bool:
    """It stands in the private stream of whom it concerns."""
    if not act.to_sid or act.act not in TOLD_PERSON:
        return False
    return bool(act.room) or act.act in {"mute", "unmute"}


def size_of(record: Record) -> int:
    """Bytes of memory that keeping the record costs, near enough to bound a window by."""
    # Not a union of them: that would be made anew each time, and this is asked of every record that a window drops.
    if isinstance(record, _WITH_TEXT):
        return RECORD_BYTES + record.text.__sizeof__()
    return RECORD_BYTES


_WITH_TEXT = (Said, Left, Direct, TopicSet, Act)


RECORD_BYTES = 240
"""A named tuple of nine fields, its numbers, and its place in a stream's three lists (measured: 200–260)."""


def texts_of(record: Said) -> list[str]:
    """The run's lines, one string each."""
    return [record.text] if record.lines == 1 else record.text.split("\n")


def from_line(record: Said, line: int) -> Said:
    """The run without its first `line` lines: what a reader whose cursor stands inside it still has to read."""
    rest = texts_of(record)[line:]
    return record._replace(
        seq=record.seq + line, text="\n".join(rest), lines=len(rest), ids=record.ids[line:]
    )


def first_lines(record: Said, lines: int) -> Said:
    """The run's first `lines` lines."""
    return record._replace(
        text="\n".join(texts_of(record)[:lines]), lines=lines, ids=record.ids[:lines]
    )
