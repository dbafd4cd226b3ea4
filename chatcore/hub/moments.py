"""Moments and spans as people write them: `2h` for two hours, or so long ago, `2026-11-01` for a day, or RFC 3339.

A day is the server's: it begins at its local midnight.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple, TypeAlias, final


@final
class Ago(NamedTuple):
    """So long before the command is decided."""

    ms: int


Moment: TypeAlias = int | Ago
"""Milliseconds since the epoch, or back from now."""

EXAMPLES = "a time, as 2h, 3d, 2026-11-20 or 2026-11-20T14:02:11Z"

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def moment(text: str) -> Moment | None:
    """What is meant; None if it is no moment."""
    if span := _SPAN.fullmatch(text):
        return Ago(int(span[1]) * _UNIT_MS[span[2]])
    try:
        then = datetime.fromisoformat(text)
        if then.tzinfo is None:
            # A time of day without its offset could be anybody's.
            if not _DAY.fullmatch(text):
                return None
            then = then.astimezone()
        return max(0, int(then.timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        # Not in the calendar, or before what the system's clock can tell.
        return None


SPAN_EXAMPLES = "a time of at least a second and at most ten years, as 10m, 2h or 3d"

SPAN_MOST_MS = 3_650 * _UNIT_MS["d"]
"""The longest span: what is to last longer has no end, and every calendar can still write when it is over."""


def looks_like_span(text: str) -> bool:
    """It was meant as one, possible or not."""
    return _SPAN.fullmatch(text) is not None


def span(text: str) -> int | None:
    """Milliseconds; None if it is no span, or not a possible one."""
    found = _SPAN.fullmatch(text)
    ms = int(found[1]) * _UNIT_MS[found[2]] if found else 0
    return ms if 0 < ms <= SPAN_MOST_MS else None


_UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


def span_words(ms: int) -> str:
    """As a person says it: in the largest unit that it has two of, and exact where it is whole in a larger one."""
    for name, unit in _UNITS:
        if ms >= 2 * unit or (ms >= unit and ms % unit == 0):
            count = round(ms / unit)
            return f"{count:,} {name}{'s' if count > 1 else ''}"
    return "1 second"


def at_ms(then: Moment, now_ms: int) -> int:
    return max(0, now_ms - then.ms) if type(then) is Ago else then
