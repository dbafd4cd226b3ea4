"""Replies: what one person is told, as values; each dialect writes them in its own words.

Invariant: a reply holds all that its rendering needs. Whether it must wait for the disk is not its business but
that of the command it answers (`Verb.tells_state`).

One kind is not rendered itself: `Wanted` is the promise of a page that has to be read from the archive first, and
`chatcore.hub.pages.complete` makes the page of what was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chatcore.log.archive import Past, Search
    from chatcore.log.record import Record

    Tag: TypeAlias = str | int | None


@final
class Refusal(NamedTuple):
    """An expected "no": `code` for programs, `words` for people, naming the cause and the way out."""

    code: str
    words: str
    retry_s: float | None = None


STORAGE_FULL = "storage_full"
"""`Refusal.code` while nothing can be stored."""


@final
class Person(NamedTuple):
    alias: str
    state: str
    """`here`, `away` or `grace`."""
    text: str
    """Words on being away."""


@final
class RoomView(NamedTuple):
    """A room as somebody in it sees it."""

    room: str
    topic: str
    size: int
    people: tuple[Person, ...]
    """The first of them; `size` says how many there are."""


@final
class HistoryPage(NamedTuple):
    room: str
    """Or `MODERATION`: then the records are acts."""
    records: tuple[Record, ...]
    more: bool
    now_ms: int
    """A line of another day is shown with its date."""
    re: Tag = None
    asked: bool = True
    """False: shown on joining."""
    by: str = ""
    """Only what was said under this alias, as it was typed."""


@final
class SearchPage(NamedTuple):
    records: tuple[Record, ...]
    """Newest first; a run is cut to the line that was found."""
    more: bool
    re: Tag = None


@final
class Wanted(NamedTuple):
    """A page that memory alone cannot fill."""

    question: Past | Search
    """What the archive is to be asked."""
    page: HistoryPage | SearchPage
    """The answer as far as memory has it: the newer part of it."""
    lines: int
    """How many lines the whole page may have."""
    needs: int
    """The question may be asked once everything up to this `seq` is durable."""


@final
class Welcome(NamedTuple):
    log: str
    sid: str
    token: str | None
    alias: str
    resumed: bool
    seq: int
    """Records after this one follow."""
    grace_s: float
    rooms: tuple[RoomView, ...]
    re: Tag = None
    kept: str = ""
    """As in `World.kept_words`."""
    motd: str = ""
    """As in `World.motd`; empty for those who come back."""


@final
class Entered(NamedTuple):
    view: RoomView
    re: Tag = None


@final
class Done(NamedTuple):
    """Carried out. `words` tell a person (empty: the record that everyone reads says it), `fields` a program."""

    words: str
    fields: Mapping[str, Any]
    re: Tag = None


@final
class People(NamedTuple):
    rooms: tuple[RoomView, ...]
    re: Tag = None


@final
class RoomList(NamedTuple):
    rooms: tuple[tuple[str, str, int, bool], ...]
    """Name, topic, people, and whether it is locked: then outsiders are told no topic and no people."""
    more: int
    re: Tag = None


@final
class BanRow(NamedTuple):
    to: str
    by: str
    text: str
    until_ms: int


@final
class BanList(NamedTuple):
    room: str
    """Empty: from the whole server."""
    bans: tuple[BanRow, ...]
    re: Tag = None
    mutes: tuple[BanRow, ...] = ()
    """Of the server; a room has none."""


@final
class HelpRow(NamedTuple):
    name: str
    usage: str
    summary: str


@final
class HelpPage(NamedTuple):
    rows: tuple[HelpRow, ...]
    re: Tag = None


@final
class Refused(NamedTuple):
    refusal: Refusal
    id: str | None = None
    re: Tag = None


@final
class Ack(NamedTuple):
    """A line that was sent again is stored, as `seq`."""

    id: str
    seq: int


@final
class Pong(NamedTuple):
    re: Tag = None


@final
class Behind(NamedTuple):
    """A reader that has not read all that it could."""

    alias: str
    dialect: str
    lines: int
    seconds: float
    """Since it was up to date."""


@final
class LagPage(NamedTuple):
    """Worst first. The hub knows no connections: it leaves `readers` empty for the connection layer to fill in."""

    readers: tuple[Behind, ...] = ()
    re: Tag = None


@final
class Presence(NamedTuple):
    person: Person


@final
class Bye(NamedTuple):
    reason: str
    """`quit`, `stopping`, `kicked`, `banned`, or `storage`: the disk failed."""
    re: Tag = None
    words: str = ""
    """Why, for people; empty where the reason says it all."""


Reply: TypeAlias = (
    Welcome
    | Entered
    | HistoryPage
    | SearchPage
    | Wanted
    | Done
    | People
    | RoomList
    | BanList
    | HelpPage
    | Refused
    | Ack
    | Pong
    | LagPage
    | Presence
    | Bye
)
