"""Commands: what a person, or a timer, asks for, free of wire syntax. All that a dialect produces besides `Hangup`.

`re` is the tag that a native client put on its request; the answer repeats it. Strings are as they were typed:
names are checked and rooms are found when the command is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, final

if TYPE_CHECKING:
    from chatcore.hub.moments import Moment
    from chatcore.hub.reply import Refusal

Tag: TypeAlias = str | int | None


@final
class Hello(NamedTuple):
    alias: str
    rooms: tuple[str, ...] = ()
    """Rooms to be in; empty: the lobby, or where one was."""
    token: str | None = None
    log: str | None = None
    after: int | None = None
    re: Tag = None
    password: str | None = None
    """The server's, where it has one; whoever makes an `Arrival` of this has looked at it."""


@final
class Arrival(NamedTuple):
    """A `Hello` with what the hub may not make by itself: a fresh sid, and a token for dialects that can return."""

    hello: Hello
    sid: str
    token: str | None
    address: str = ""
    """The peer's IP address; empty: not known, and then no ban of an address holds."""


@final
class Say(NamedTuple):
    """A run of lines to one room; `room` None means the only one that the person is in."""

    room: str | None
    text: str
    lines: int = 1
    """As in `chatcore.log.record.Said`."""
    ids: tuple[str, ...] = ()
    me: bool = False
    re: Tag = None
    clean: bool = False
    """As in `chatcore.log.record.Said`."""


Run: TypeAlias = tuple[str | None, str, int, tuple[str, ...], bool, Tag, bool]
"""The fields of a `Say`, which is one of these, too. A bare tuple is made and taken apart in a third of the time."""


@final
class Dm(NamedTuple):
    to: str
    text: str
    id: str | None = None
    re: Tag = None


@final
class Join(NamedTuple):
    room: str
    topic: str | None = None
    move: bool = False
    """Leave the other rooms: a plain client is in one room at a time."""
    re: Tag = None
    key: str | None = None
    """Of a locked room. Without one, the topic is it: in a plain line, it is what follows the room."""


@final
class Part(NamedTuple):
    room: str
    re: Tag = None


@final
class Nick(NamedTuple):
    alias: str
    re: Tag = None


@final
class Topic(NamedTuple):
    """Set the topic; text None asks what it is."""

    room: str | None = None
    text: str | None = None
    re: Tag = None


@final
class Away(NamedTuple):
    text: str | None = None
    re: Tag = None


@final
class Who(NamedTuple):
    room: str | None = None
    re: Tag = None


@final
class Rooms(NamedTuple):
    re: Tag = None


@final
class Help(NamedTuple):
    command: str | None = None
    re: Tag = None


@final
class History(NamedTuple):
    room: str | None = None
    limit: int | None = None
    before: int | None = None
    after: int | None = None
    since: Moment | None = None
    re: Tag = None


@final
class Last(NamedTuple):
    """What was said last under an alias."""

    alias: str
    limit: int | None = None
    room: str | None = None
    re: Tag = None


@final
class Search(NamedTuple):
    """`text` is as it was typed, in the little language of `chatcore.hub.verbs.query`; the others say the same."""

    text: str = ""
    room: str | None = None
    alias: str | None = None
    since: Moment | None = None
    before: Moment | None = None
    limit: int | None = None
    re: Tag = None


@final
class Oper(NamedTuple):
    """Become an operator. Nobody but whoever checks the password looks at it."""

    name: str
    password: str
    re: Tag = None


@final
class Kick(NamedTuple):
    """Out of a room, or out of the server."""

    name: str
    room: str | None = None
    text: str = ""
    re: Tag = None


@final
class Ban(NamedTuple):
    name: str
    """An alias, an address or a network."""
    room: str | None = None
    for_ms: int | None = None
    """None: until it is taken back."""
    text: str = ""
    re: Tag = None


@final
class Unban(NamedTuple):
    name: str
    room: str | None = None
    re: Tag = None


@final
class Bans(NamedTuple):
    room: str | None = None
    re: Tag = None


@final
class Mute(NamedTuple):
    name: str
    for_ms: int | None = None
    text: str = ""
    re: Tag = None


@final
class Unmute(NamedTuple):
    name: str
    re: Tag = None


@final
class Announce(NamedTuple):
    text: str
    re: Tag = None


@final
class Op(NamedTuple):
    """Make somebody a moderator of a room; with `take`, no longer one."""

    name: str
    room: str | None = None
    take: bool = False
    re: Tag = None


@final
class Lock(NamedTuple):
    """Only who has the key comes in; without a key, everybody again."""

    key: str | None = None
    room: str | None = None
    re: Tag = None


@final
class Invite(NamedTuple):
    name: str
    room: str | None = None
    re: Tag = None


@final
class Modlog(NamedTuple):
    limit: int | None = None
    re: Tag = None


@final
class Ping(NamedTuple):
    re: Tag = None


@final
class Lag(NamedTuple):
    """Who is behind with reading."""

    re: Tag = None


@final
class Quit(NamedTuple):
    text: str = ""
    why: str = "quit"
    """`quit`, or `lost` when it is the connection that asks."""
    re: Tag = None


@final
class Mistake(NamedTuple):
    """Input that is no command; its answer is the refusal."""

    refusal: Refusal
    id: str | None = None
    re: Tag = None


@final
class Gather(NamedTuple):
    """A timer's: tell a big room who came and went."""

    room: str


Command: TypeAlias = (
    Say
    | Dm
    | Join
    | Part
    | Nick
    | Topic
    | Away
    | Who
    | Rooms
    | Help
    | History
    | Last
    | Search
    | Oper
    | Kick
    | Ban
    | Unban
    | Bans
    | Mute
    | Unmute
    | Announce
    | Op
    | Lock
    | Invite
    | Modlog
    | Lag
    | Ping
    | Quit
    | Mistake
)
"""What a person in the room may ask."""
