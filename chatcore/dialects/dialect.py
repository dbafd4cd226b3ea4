"""What every dialect is: a pure translator between bytes and commands, one a connection.

Contract: `feed` takes bytes in any split; `next` gives one command after the other, and parses no further than
it must, because what a line means can depend on what came of the one before. Neither ever raises.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, TypeAlias, final

from chatcore.hub.command import Command, Hello

if TYPE_CHECKING:
    from chatcore.hub.command import Run
    from chatcore.hub.reply import Reply
    from chatcore.log.reader import Form


class Ending(enum.Enum):
    """How a connection ends that is hung up."""

    REFUSED = "refused"
    SERVED = "served"
    """It got what it came for: a file of the page."""
    VISITED = "visited"
    """Likewise: the page itself, with which every visit begins."""
    CLOSED = "closed"
    """It said itself that this is the end."""


@final
class Hangup(NamedTuple):
    """The peer is to be told `farewell` and then left; `reason` goes to the log."""

    reason: str
    farewell: bytes
    ending: Ending = Ending.REFUSED


Event: TypeAlias = Command | Hello | Hangup


class Dialect(Protocol):
    name: ClassVar[str]
    """For the log: `plain`, `native`."""
    form: ClassVar[Form]
    """How it writes what everyone reads."""
    returns: ClassVar[bool]
    """Its sessions get a token, outlive the connection, and see their own leaving as a record."""

    negotiates: ClassVar[bool]
    """Its framing has answers of its own."""

    def run(self, data: bytes) -> Run | None:
        """A short cut for the hot path: the run that `data` is, if it is one run, whole, and nothing else is there.

        It gives what `feed` and `next` would; None, and nothing taken, if it cannot tell at once.
        """

    def feed(self, data: bytes) -> None:
        """Take what the peer sent."""

    def next(self, most: int) -> Event | None:
        """The next command, or a run of at most `most` lines; None when more bytes are needed."""

    def answers(self) -> bytes:
        """What the framing itself owes the peer: telnet's refusals."""

    def rest(self) -> bytes:
        """The peer will send no more: words about an unfinished last line, if there is one."""

    def reply(self, reply: Reply) -> bytes:
        """The reply in this dialect's words; empty when it has none for it."""
