"""A return: what was missed is gathered first, so that its number can be said before it is shown.

Behind the welcome the link asks for something small. The server merges that answer behind every record that was
missed (its position is where the log stood), so when it comes, all of them have come. Pure, bounded in time and size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatcore.client.events import Back

if TYPE_CHECKING:
    from chatcore.client.events import Event

MAX_GATHER_S = 2.0
"""A person waits no longer for the number of what was missed."""
MAX_GATHERED = 1000
"""Events; beyond it the number is a lower bound."""


@dataclass(slots=True)
class Reunion:
    barrier: str
    """The key of the request whose answer ends the gathering."""
    away_s: float
    due_at: float
    fresh: bool
    """The server did not know the session any more."""
    missed: int = 0
    events: list[Event] = field(default_factory=list)

    def ended(self, *, more: bool) -> list[Event]:
        return [Back(self.away_s, self.missed, more, self.fresh), *self.events]
