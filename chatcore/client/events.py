"""What the link tells the person's side, besides the server's records, presence, gaps and history pages.

Values only; `chatcore.client.model` turns them into what is shown.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from chatcore.client.messages import (
    Gap,
    History,
    Lag,
    Modlog,
    Ok,
    Presence,
    Record,
    Request,
    Welcome,
)


class Welcomed(NamedTuple):
    welcome: Welcome
    returning: bool
    """False: the first time in this process."""


class Back(NamedTuple):
    """After a loss; what was missed, and what happened since, follows."""

    away_s: float
    missed: int
    more: bool
    """There were more than `missed`: counting ended early."""
    fresh: bool
    """The server did not know the session any more."""


class Stored(NamedTuple):
    """A line of one's own is stored: acknowledged."""

    key: str


class Answer(NamedTuple):
    """`ok` is None for a pong."""

    request: Request
    ok: Ok | None
    took_s: float


class Refusal(NamedTuple):
    """Nothing was stored. `request` is None if the server could not tell what it refused."""

    request: Request | None
    code: str
    words: str


class Lost(NamedTuple):
    """The connection was lost, or could not be made."""

    reason: str
    retry_s: float
    waiting: int
    again: bool
    """Not the first failure since the connection was last good."""
    joined: bool
    """One was in; False: it never came to a welcome."""


class Held(NamedTuple):
    """The server wants one to wait (the alias may be kept for somebody); the link says hello again in `retry_s`."""

    words: str
    retry_s: float
    alias: str = ""
    """Given if it is what one waits for."""


class AliasRefused(NamedTuple):
    """Another one must be chosen."""

    alias: str
    code: str
    words: str


class PasswordRefused(NamedTuple):
    """The server wants its password, or another one than it was given."""

    code: str
    words: str


class Ended(NamedTuple):
    """For good. `how`: `quit`, `protocol` (no server of ours), `refused`, or `removed` by somebody."""

    how: str
    words: str


Event: TypeAlias = (
    Welcomed
    | Back
    | Stored
    | Answer
    | Refusal
    | Lost
    | Held
    | AliasRefused
    | PasswordRefused
    | Ended
    | Record
    | Presence
    | Gap
    | History
    | Lag
    | Modlog
)
