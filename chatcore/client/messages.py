"""What goes over the wire of the native dialect, as values (docs/PROTOCOL.md, "Native").

Invariant: strings are as they were typed, so whoever shows one makes it safe first (`chatcore.client.style`).
The messages of the server are named as the records of `chatcore.log` are; `Request` is what a client asks.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

MAX_SEQ = 2**63


class Person(NamedTuple):
    alias: str
    state: str
    text: str


class Room(NamedTuple):
    room: str
    topic: str
    people: tuple[Person, ...]
    """The first of them; `size` says how many there are."""
    size: int


class Said(NamedTuple):
    seq: int
    time: str
    room: str
    alias: str
    sid: str
    id: str
    text: str
    me: bool


class Direct(NamedTuple):
    seq: int
    time: str
    alias: str
    to: str
    sid: str
    id: str
    text: str


class Joined(NamedTuple):
    seq: int
    time: str
    room: str
    alias: str
    sid: str


class Left(NamedTuple):
    seq: int
    time: str
    room: str
    alias: str
    sid: str
    why: str
    text: str


class Renamed(NamedTuple):
    seq: int
    time: str
    room: str
    alias: str
    to: str
    sid: str


class TopicSet(NamedTuple):
    seq: int
    time: str
    room: str
    alias: str
    sid: str
    text: str


class Act(NamedTuple):
    """Something that a moderator or an operator did. `room` empty: on the whole server; `until` empty: for good."""

    seq: int
    time: str
    room: str
    act: str
    """`kick`, `ban`, `mute`, `op`, `lock`, `invite`, `announce` …; there may come others."""
    alias: str
    sid: str
    to: str
    text: str
    until: str


class Names(NamedTuple):
    aliases: tuple[str, ...]
    more: int


class Crowd(NamedTuple):
    seq: int
    time: str
    room: str
    joined: Names
    left: Names


Record: TypeAlias = Said | Direct | Joined | Left | Renamed | TopicSet | Act | Crowd


class Welcome(NamedTuple):
    log: str
    sid: str
    token: str
    alias: str
    resumed: bool
    seq: int
    rooms: tuple[Room, ...]
    kept: str = ""
    """How long history is kept, in words; empty: for ever."""
    motd: str = ""
    """What the server says to everyone who arrives."""


class Ack(NamedTuple):
    id: str
    seq: int


class Ok(NamedTuple):
    """The answer to a command; fields that it does not have are empty."""

    re: str
    room: str
    topic: str
    alias: str
    state: str
    people: tuple[Person, ...]
    size: int
    rooms: tuple[Room, ...]
    more: int
    """Rooms that are not listed."""
    bans: tuple[Ban, ...] = ()


class Ban(NamedTuple):
    name: str
    by: str
    until: str
    text: str


class Behind(NamedTuple):
    """A reader that has not read all that it could."""

    alias: str
    dialect: str
    lines: int
    seconds: float


class Lag(NamedTuple):
    re: str
    readers: tuple[Behind, ...]


class Modlog(NamedTuple):
    re: str
    acts: tuple[Act, ...]
    """Oldest first."""
    more: bool


class History(NamedTuple):
    re: str
    room: str
    """Empty for what a search found, in any of one's rooms and newest first; a page of a room is oldest first."""
    records: tuple[Record, ...]
    more: bool


class Presence(NamedTuple):
    person: Person


class Gap(NamedTuple):
    room: str
    missed: int
    next: int


class Refused(NamedTuple):
    key: str
    """The id of the line or the `re` of the command; empty if the server could not tell."""
    code: str
    words: str
    retry_s: float


class Pong(NamedTuple):
    re: str


class Bye(NamedTuple):
    reason: str
    words: str = ""
    """Why, for people."""


Answer: TypeAlias = Ok | History | Lag | Modlog | Pong
Message: TypeAlias = Record | Answer | Welcome | Ack | Presence | Gap | Refused | Bye


class Request(NamedTuple):
    """What a person asks of the server. `text` None leaves the field out."""

    kind: str
    """`say`, `me`, `dm`: a line, carrying an id. Any other: a command, carrying `re`."""
    room: str = ""
    text: str | None = None
    to: str = ""
    alias: str = ""
    limit: int = 0
    before: int | None = None
    after: int | None = None
    since: str = ""
    """A moment as it was typed: `2h`, `2026-11-20`. The server reads it."""
    name: str = ""
    """Of somebody, or an address; of an operator."""
    period: str = ""
    """How long, as it was typed: `10m`."""
    key: str = ""
    """Of a room. None may see it, nor the password."""
    password: str = ""

    @property
    def is_line(self) -> bool:
        return self.kind in {"say", "me", "dm"}
