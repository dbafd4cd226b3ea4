"""The plain dialect, to the wire: records and replies as lines that a person reads in a raw terminal.

Invariant: nothing that anybody typed reaches the terminal as a control character, whatever field it came in.
Aliases and room names cannot hold any (`hub.names`); everything else goes through `hub.text.shown`.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, assert_never

from chatcore.dialects.act_form import act_line, ban_list, moderation_log
from chatcore.dialects.wording import and_others, missed_words, notice
from chatcore.hub.reply import (
    Ack,
    BanList,
    Bye,
    Done,
    Entered,
    HelpPage,
    HistoryPage,
    LagPage,
    People,
    Person,
    Pong,
    Presence,
    Refused,
    Reply,
    RoomList,
    RoomView,
    SearchPage,
    Wanted,
    Welcome,
)
from chatcore.hub.text import shown, shown_lines
from chatcore.log.record import (
    MODERATION,
    Act,
    Closed,
    Crowd,
    Direct,
    Joined,
    Left,
    Opened,
    Record,
    Renamed,
    Said,
    TopicSet,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTED = "Connected to the server!"
GREETING = b"Choose an alias:\n"

BYE = {
    "quit": "Goodbye.",
    "stopping": "The server is stopping.",
    "kicked": "You were kicked out.",
    "banned": "You are banned.",
    "storage": "The server could not write to its disk and is stopping: nothing after this was stored.",
}
"""The last words, by the reason."""

NAMES_SHOWN = 20
"""People that a line lists on joining: three lines of a narrow terminal; /who lists more."""


class PlainForm:
    """How plain readers see records; see `chatcore.log.reader.Form`."""

    @staticmethod
    def record(record: Record) -> bytes:
        if type(record) is Said:
            # The hot path: one check and one replace for a whole run; of bytes, which are searched three times faster.
            text = record.text if record.clean else shown_lines(record.text)
            name, next_name = _names(record.alias, record.me)
            return name + text.encode().replace(b"\n", next_name) + b"\n"
        line = event_line(record)
        return f"{line}\n".encode() if line else b""

    @staticmethod
    def gap(stream: str, missed: int, next_seq: int) -> bytes:
        return f"{missed_words(missed)}\n".encode()


@lru_cache(1024)  # people who speak at one time
def _names(alias: str, me: bool) -> tuple[bytes, bytes]:
    """Whose line it is: as it stands before the first line, and between two."""
    name = (f"* {alias} " if me else f"{alias}: ").encode()
    return name, b"\n" + name


def event_line(record: Record) -> str:  # noqa: PLR0911 - one arm a kind of record
    """What plain readers see of a record that is no run; empty for what nobody is shown."""
    match record:
        case Joined(quiet=False):
            return f"{record.alias} has connected to the chat room"
        case Left(quiet=False):
            words = f" ({shown(record.text)})" if record.text else ""
            return f"{record.alias} has left the chat room!{words}"
        case Renamed():
            return f"{record.alias} is now known as {record.to}"
        case TopicSet():
            if not record.text:
                return f"{record.alias} cleared the topic"
            return f"{record.alias} set the topic: {shown(record.text)}"
        case Direct():
            prefix = f"[{record.alias} -> {record.to_alias}] "
            return prefix + shown_lines(record.text).replace("\n", "\n" + prefix)
        case Crowd():
            return "\n".join(_crowd_lines(record))
        case Act():
            return act_line(record)
        case Joined() | Left() | Opened() | Closed() | Said():
            return ""
        case _:
            assert_never(record)


def _crowd_lines(crowd: Crowd) -> Iterator[str]:
    if crowd.joined_count:
        have = "has" if crowd.joined_count == 1 else "have"
        yield f"{and_others(crowd.joined, crowd.joined_count)} {have} connected to the chat room"
    if crowd.left_count:
        have = "has" if crowd.left_count == 1 else "have"
        yield f"{and_others(crowd.left, crowd.left_count)} {have} left the chat room!"


def plain_reply(reply: Reply) -> bytes:  # noqa: C901, PLR0911, PLR0912 - one arm a kind of reply
    match reply:
        case Refused():
            return notice(shown(reply.refusal.words))
        case Welcome():
            rooms = [_room_lines(view, "/help lists the commands.") for view in reply.rooms]
            kept = notice(shown(reply.kept)) if reply.kept else b""
            motd = [notice(shown(line)) for line in reply.motd.split("\n")] if reply.motd else []
            return b"".join((f"{CONNECTED}\n".encode(), *rooms, kept, *motd))
        case Entered():
            return _room_lines(reply.view, "")
        case HistoryPage(room=room) if room == MODERATION:
            return moderation_log(reply)
        case HistoryPage():
            return _history(reply)
        case SearchPage():
            return _search(reply)
        case Done():
            return notice(shown(reply.words)) if reply.words else b""
        case People():
            return b"".join(_people(view) for view in reply.rooms)
        case RoomList():
            return _room_list(reply)
        case BanList():
            return ban_list(reply)
        case HelpPage():
            width = max(len(row.usage) for row in reply.rows)
            rows = [row for row in reply.rows if row.usage]
            return b"".join(notice(f"{row.usage:{width}}  {row.summary}") for row in rows)
        case Pong():
            return notice("pong")
        case LagPage():
            return _lag(reply)
        case Bye():
            return notice(shown(reply.words) if reply.words else BYE[reply.reason])
        case Presence() | Ack() | Wanted():
            return b""
        case _:
            assert_never(reply)


def _room_lines(view: RoomView, hint: str) -> bytes:
    topic = f" Topic: {shown(view.topic)}" if view.topic else ""
    names = tuple(person.alias for person in view.people[:NAMES_SHOWN])
    here = f"Here: {and_others(names, view.size)} ({view.size:,})."
    if len(names) == view.size:
        here = f"Here: {', '.join(names)} ({view.size})."
    return notice(f"You are in {view.room}.{topic}") + notice(f"{here} {hint}".rstrip())


def _people(view: RoomView) -> bytes:
    names = ", ".join(map(_person, view.people))
    more = view.size - len(view.people)
    return notice(
        f"In {view.room} ({view.size:,}): {names}{f' and {more:,} others' if more else ''}"
    )


def _person(person: Person) -> str:
    if person.state == "away":
        return f"{person.alias} (away: {shown(person.text)})"
    return f"{person.alias} (connection lost)" if person.state == "grace" else person.alias


def _room_list(reply: RoomList) -> bytes:
    lines = [
        notice(
            f"{room} ({'locked' if is_locked and not count else f'{count:,}'}){f' {shown(topic)}' if topic else ''}"
        )
        for room, topic, count, is_locked in reply.rooms
    ]
    if reply.more:
        lines.append(notice(f"and {reply.more:,} more"))
    return b"".join(lines)


def _history(page: HistoryPage) -> bytes:
    lines = [
        f"{_when(record.time_ms, page.now_ms)} {line}\n"
        for record in page.records
        for line in PlainForm.record(record).decode().split("\n")
        if line
    ]
    if page.asked and not lines:
        who = f" by {shown(page.by)}" if page.by else ""
        return notice(f"Nothing{who} was found in {page.room}.")
    return "".join(lines).encode()


def _lag(page: LagPage) -> bytes:
    """A table: alias, lines behind, seconds behind, what it speaks."""
    rows = [
        (each.alias or "(not joined)", f"{each.lines:,}", f"{each.seconds:,.1f} s", each.dialect)
        for each in page.readers
    ]
    if not rows:
        return notice("Nobody is behind.")
    wide, lines, since = (max(len(row[column]) for row in rows) for column in range(3))
    return b"".join(
        notice(f"{alias:{wide}}  {count:>{lines}} lines  {time:>{since}}  {dialect}")
        for alias, count, time, dialect in rows
    )


NOT_YET = "Nothing found yet: the search index is still being made. Try again in a while."


def _search(page: SearchPage) -> bytes:
    """Each line with its date and where it was said; then how many they are."""
    lines = [
        f"{_date(record.time_ms)} {_where(record)}{line}\n"
        for record in page.records
        for line in PlainForm.record(record).decode().split("\n")
        if line
    ]
    if not lines:
        return notice(NOT_YET if page.more else "Nothing found.")
    count = len(page.records)
    words = f"{count:,} line{'s' if count > 1 else ''} found"
    more = "; there may be older ones: add before: and a day, or more words" if page.more else ""
    return "".join(lines).encode() + notice(f"{words}{more}.")


def _where(record: Record) -> str:
    return f"{record.room} " if type(record) is Said else ""


def _date(time_ms: int) -> str:
    return f"[{datetime.fromtimestamp(time_ms / 1000).astimezone():%Y-%m-%d %H:%M}]"


def _when(time_ms: int, now_ms: int) -> str:
    """`[14:02]`, with the date when it is another day; the server's local time."""
    then = datetime.fromtimestamp(time_ms / 1000).astimezone()
    today = datetime.fromtimestamp(now_ms / 1000).astimezone().date()
    return f"[{then:%H:%M}]" if then.date() == today else _date(time_ms)
