"""What moderators and operators did, in the words that every reader of the room gets. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chatcore.client.safe import safe
from chatcore.dialects.act_form import LISTED, act_line, listed
from chatcore.log import record as log

if TYPE_CHECKING:
    from chatcore.client.messages import Act

TOLD = "the reader"
"""Whom an act concerns: what is told to one person comes to that person only."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Years that every zone can tell."""


def act_words(act: Act) -> str:
    """Empty: it is only listed, or of a kind that this client does not know."""
    return act_line(_as_logged(act))


def listed_words(act: Act) -> str:
    """As the moderation log lists it, with its time; empty: of a kind that this client does not know."""
    return listed(_as_logged(act)) if act.act in LISTED else ""


def local_time(time: str) -> str:
    """A moment as the moderation log writes it, to the minute; empty: it is not a time."""
    moment_ms = _milliseconds(time)
    moment = datetime.fromtimestamp(moment_ms / 1000).astimezone()
    return f"{moment:%Y-%m-%d %H:%M}" if moment_ms else ""


def _as_logged(act: Act) -> log.Act:
    time_ms, until_ms = _milliseconds(act.time), _milliseconds(act.until)
    until_ms = until_ms if until_ms > time_ms else 0
    # A server may lie: the server's own words trust its names, ours do not.
    room, alias, to = safe(act.room), safe(act.alias), safe(act.to)
    return log.Act(act.seq, time_ms, room, act.sid, alias, act.act, to, TOLD, act.text, until_ms)


def _milliseconds(time: str) -> int:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:  # not a time: then it has none
        return 0
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return 0
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
