"""What is shown, as values: one `Line` is one thing that happened, in the words it was typed in.

`chatcore.client.style` knows how each kind looks; whoever writes elsewhere than to a terminal may look at the kinds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    SAID = "Bob: text"
    ACTION = "* Bob waves"
    DIRECT = "[Alice -> Bob] text"
    JOINED = "Bob has connected to the chat room"
    LEFT = "Bob has left the chat room!"
    RENAMED = "Alice is now known as Ally"
    TOPIC = "Alice set the topic: words"
    ACT = "Alice made Bob a moderator"
    CROWD_JOINED = "Ann, Bob and 62 others have connected to the chat room"
    CROWD_LEFT = "Ann, Bob and 62 others have left the chat room!"
    MISSED = "— 1,204 lines missed —"
    CONNECTED = "Connected to the server!"
    NOTICE = "-- words"
    REFUSED = "-- words, about something that was not done"
    LOST = "── disconnected 14:02:11 (server closed) · retry in 4 s ──"
    BACK = "── back after 37 s · 14 missed lines below ──"


@dataclass(frozen=True, slots=True)
class Line:
    kind: Kind
    text: str = ""
    name: str = ""
    """Who did it."""
    other: str = ""
    """To whom, or the new name."""
    time: str = ""
    """RFC 3339, as the server said; empty for what only happened here."""
    room: str = ""
    """Only if it is not the current one."""
    own: bool = False
    mention: bool = False
    """It is for the person who reads: said to, or about, them."""
    past: bool = False
    """A line of history: it always shows its time."""
    count: int = 0
    """Of the missed, or of the others in a crowd."""
    parts: tuple[str, ...] = ()
    """Names of a crowd; clauses of a loss or a return."""


def notice(*texts: str) -> list[Line]:
    return [Line(Kind.NOTICE, text) for text in texts]
