"""Acts of moderators and operators as lines that a person reads: as they happen, and as the moderation log lists them.

Invariant: as in `chatcore.dialects.plain_form`, nothing that anybody typed reaches the terminal raw. What is kept of
a lock's key is never shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from chatcore.dialects.wording import notice
from chatcore.hub.moments import span_words
from chatcore.hub.text import shown, shown_lines
from chatcore.log.record import TOLD_ROOM, Act, is_told_person

if TYPE_CHECKING:
    from chatcore.hub.reply import BanList, BanRow, HistoryPage

LIVE = {
    "op": "{who} made {whom} a moderator",
    "deop": "{who} took the moderation from {whom}",
    "lock": "{who} locked the room: it needs a key now",
    "unlock": "{who} opened the room again",
    "mute": "-- {who} muted you{span}{why}",
    "unmute": "-- {who} lets you speak again",
    "invite": "-- {who} invites you to {room}: /join {room}",
    "kick": "-- {who} kicked you out of {room}{why}",
    "ban": "-- {who} banned you from {room}{span}{why}",
}
"""What those read whom an act is told."""

LISTED = {
    "op": "{who} made {whom} a moderator of {room}",
    "deop": "{who} took the moderation of {room} from {whom}",
    "lock": "{who} locked {room}",
    "unlock": "{who} opened {room} again",
    "mute": "{who} muted {whom}{span}{why}",
    "unmute": "{who} lets {whom} speak again",
    "invite": "{who} invited {whom} to {room}",
    "kick": "{who} kicked {whom} out of {place}{why}",
    "ban": "{who} banned {whom} from {place}{span}{why}",
    "unban": "{who} took back the ban of {whom} from {place}",
    "announce": "{who} announced: {words}",
    "oper": "{who} became the operator {whom}",
}
"""How the moderation log tells of each act."""


def act_line(act: Act) -> str:
    """What a plain reader sees of it, without the line end; empty for what is only listed."""
    if act.act == "announce":
        head = f"-- Announcement from {act.alias}: "
        return head + shown_lines(act.text).replace("\n", "\n" + head)
    if act.act in TOLD_ROOM or is_told_person(act):
        return _filled(LIVE[act.act], act)
    return ""


def listed(act: Act) -> str:
    """One line of the moderation log, with its date in the server's local time."""
    when = f"[{_local(act.time_ms)}]"
    until = f", until {_local(act.until_ms)}" if act.until_ms else ""
    return f"{when} {_filled(LISTED[act.act], act)}{until}"


def moderation_log(page: HistoryPage) -> bytes:
    lines = [f"{listed(record)}\n" for record in page.records if type(record) is Act]
    return "".join(lines).encode() or notice("The moderation log is empty.")


def ban_list(page: BanList) -> bytes:
    where = page.room or "this server"
    head = (
        f"Banned from {where}: {len(page.bans):,}."
        if page.bans
        else f"Nobody is banned from {where}."
    )
    lines = [notice(head), *map(_ban_line, page.bans)]
    if page.mutes:
        lines += [notice(f"Muted: {len(page.mutes):,}."), *map(_ban_line, page.mutes)]
    return b"".join(lines)


def _ban_line(row: BanRow) -> bytes:
    until = f" until {_local(row.until_ms)}" if row.until_ms else ""
    return notice(f"{shown(row.to)}{until}, by {row.by}{_why(row.text)}")


def _filled(line: str, act: Act) -> str:
    return line.format(
        who=act.alias,
        whom=shown(act.to),
        room=act.room,
        place=act.room or "the server",
        span=f" for {span_words(act.until_ms - act.time_ms)}" if act.until_ms else "",
        why=_why(act.text),
        words=shown(act.text),
    )


def _why(text: str) -> str:
    return f" ({shown(text)})" if text else ""


def _local(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000).astimezone():%Y-%m-%d %H:%M}"
