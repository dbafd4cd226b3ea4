"""The Archive: the older end of the log, which memory has let go of and the disk still has.

The port that the loop asks, and its questions as values. Whoever answers does so from a thread of its own; the
answer comes back as a call in the loop. Invariant: an answer holds only what was durable when it was asked for,
because every question says up to where it wants to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.log.reader import Form
    from chatcore.log.record import Record


@final
class Past(NamedTuple):
    """A page of one stream: the last `lines` before a `seq`, or the first after a position or a time."""

    stream: str
    lines: int
    before: int
    """Only lines with a smaller `seq`."""
    after: int | None = None
    """Forwards: the first lines with a greater `seq`; None (and no `since_ms`): the last ones before `before`."""
    since_ms: int | None = None
    """Forwards from this time on, milliseconds since the epoch."""
    talk_only: bool = False
    """Only what was said: no comings and goings."""


@final
class Found(NamedTuple):
    """Records in the order asked for: a page oldest first, a search newest first."""

    records: tuple[Record, ...]
    more: bool
    """There are others beyond these."""


@final
class Part(NamedTuple):
    """What a reader follows, as a value; see `chatcore.log.reader.Subscription`."""

    stream: str
    after: int
    until: int | None


@final
class Rest(NamedTuple):
    """What a reader that is behind memory has to read next: its streams, merged by `seq`, in its wire form."""

    parts: tuple[Part, ...]
    position: int
    until: int
    form: Form


@final
class Stretch(NamedTuple):
    """Rendered whole lines, about a page at most (none is possible), and the position that they end at.

    The position is always beyond the one asked with, so that asking again comes to an end.
    """

    data: bytes
    position: int


@final
class Search(NamedTuple):
    """Lines that hold all the words, newest first."""

    words: tuple[str, ...]
    """As typed; a quoted phrase is one entry with spaces. Empty: whatever the other fields leave."""
    streams: tuple[str, ...]
    """Where to look: rooms, and the asker's own sid."""
    lines: int
    before: int
    """Only lines with a smaller `seq`."""
    alias: str | None = None
    """Only what was said under this alias, as `names.fold` spells it."""
    since_ms: int | None = None
    """From this time on; `until_ms`: before that time."""
    until_ms: int | None = None


@final
class Unreadable(NamedTuple):
    """The archive cannot answer; the words name the cause and the way out."""

    words: str


Question: TypeAlias = Past | Rest | Search
Answer: TypeAlias = Found | Stretch | Unreadable


class Archive(Protocol):
    def ask(self, question: Question, then: Callable[[Answer], None]) -> None:
        """Have it read; `then` is called in a later turn of the loop: Found for Past and Search, Stretch for Rest."""
