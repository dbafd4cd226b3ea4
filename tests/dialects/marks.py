"""What runs of different ways are compared without: the mark that a text needs no care."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.command import Say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.dialects.dialect import Event

CLEAN = frozenset(map(chr, [*range(0x20, 0x7F), 0x0A]))


def unmarked(events: Iterable[Event | None]) -> list[Event]:
    """The events without the mark that a run needs no care; it may be missing, but never lie."""
    found: list[Event] = []
    for event in events:
        assert event is not None
        if type(event) is Say and event.clean:
            assert set(event.text) <= CLEAN
            event = event._replace(clean=False)
        found.append(event)
    return found
