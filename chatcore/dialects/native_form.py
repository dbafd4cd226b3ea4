"""The native dialect, to the wire: records and replies as JSON lines.

Invariant: one object a line, valid UTF-8, and raw bytes that are safe on a terminal: every character that could
move a cursor or reorder text is a `\\u` escape. What was typed arrives unchanged when it is decoded.

Records are written by hand around C-encoded strings: they are what everybody reads, and `json.dumps` of a dict
costs three times as much.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, assert_never

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
from chatcore.hub.text import UNSAFE
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
    is_room,
    texts_of,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from chatcore.hub.reply import BanRow, Person

PROTOCOL = 1

TIMES_KEPT = 16
"""Times that are kept as text: all that one turn decides has the same, and to write it costs as much as three lines."""

SPEAKERS_KEPT = 1024
"""Who speaks where, as text: people who speak at one time."""


class NativeForm:
    """How native readers see records; see `chatcore.log.reader.Form`."""

    @staticmethod
    def record(record: Record) -> bytes:
        return record_lines(record).encode()

    @staticmethod
    def gap(stream: str, missed: int, next_seq: int) -> bytes:
        # A private stream is named by a sid, which is nobody's business.
        room = stream if is_room(stream) else ""
        return _line({"t": "gap", "room": room, "missed": missed, "next": next_seq})


def quoted(text: str) -> str:
    """A JSON string, with whatever is unsafe on a terminal as escapes."""
    encoded = encode_basestring(text)
    return encoded if encoded.isprintable() else UNSAFE.sub(_escape, encoded)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


@lru_cache(maxsize=TIMES_KEPT)
def rfc3339(time_ms: int) -> str:
    then = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{then:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def record_lines(record: Record) -> str:  # noqa: PLR0911 - one arm a kind of record
    """The record's lines with their line ends; empty for what nobody is shown."""
    match record:
        case Said():
            return "\n".join([*said_lines(record), ""])
        case Direct():
            line_id = f'"id":"{record.id}",' if record.id is not None else ""
            return (
                f'{_head("dm", record)},"from":{quoted(record.alias)},"to":{quoted(record.to_alias)},'
                f'"sid":"{record.sid}",{line_id}"text":{quoted(record.text)}}}\n'
            )
        case Joined(quiet=False):
            return f'{_in_room("join", record)},"alias":{quoted(record.alias)},"sid":"{record.sid}"}}\n'
        case Left(quiet=False):
            text = f',"text":{quoted(record.text)}' if record.text else ""
            return (
                f'{_in_room("leave", record)},"alias":{quoted(record.alias)},"sid":"{record.sid}",'
                f'"why":"{record.why}"{text}}}\n'
            )
        case Renamed():
            return (
                f'{_in_room("nick", record)},"from":{quoted(record.alias)},"to":{quoted(record.to)},'
                f'"sid":"{record.sid}"}}\n'
            )
        case TopicSet():
            return (
                f'{_in_room("topic", record)},"from":{quoted(record.alias)},"sid":"{record.sid}",'
                f'"text":{quoted(record.text)}}}\n'
            )
        case Crowd():
            joined = _crowd(record.joined, record.joined_count)
            left = _crowd(record.left, record.left_count)
            count = f',"count":{record.people}' if record.people >= 0 else ""
            return f'{_in_room("crowd", record)},"joined":{joined},"left":{left}{count}}}\n'
        case Act():
            return _act(record)
        case Joined() | Left() | Opened() | Closed():
            return ""
        case _:
            assert_never(record)


def said_lines(record: Said) -> list[str]:
    """The lines of a run, without their line ends."""
    before = _ME if record.me else _SAY
    speaker = _speaker(record.room, record.alias, record.sid)
    middle = f',"time":"{rfc3339(record.time_ms)}"{speaker}'
    texts: Iterable[str] = texts_of(record)
    mark = '"'
    if not record.clean or '"' in record.text or "\\" in record.text:
        mark, texts = "", map(quoted, texts)
    if record.ids:
        middle += '"id":"'
        behind = f'","text":{mark}'
        seqs = range(record.seq, record.seq + record.lines)
        return [
            f"{before}{seq}{middle}{line_id}{behind}{text}{mark}}}"
            for seq, line_id, text in zip(seqs, record.ids, texts, strict=True)
        ]
    middle += f'"text":{mark}'
    return [f"{before}{seq}{middle}{text}{mark}}}" for seq, text in enumerate(texts, record.seq)]


_SAY, _ME = '{"t":"say","seq":', '{"t":"me","seq":'


@lru_cache(maxsize=SPEAKERS_KEPT)
def _speaker(room: str, alias: str, sid: str) -> str:
    return f',"room":{quoted(room)},"from":{quoted(alias)},"sid":"{sid}",'


def _act(act: Act) -> str:
    room = f',"room":{quoted(act.room)}' if act.room else ""
    to = f',"to":{quoted(act.to)}' if act.to else ""
    # What is kept of a lock's key is nobody's business.
    text = f',"text":{quoted(act.text)}' if act.text and act.act != "lock" else ""
    until = f',"until":"{rfc3339(act.until_ms)}"' if act.until_ms else ""
    return (
        f'{_head("act", act)}{room},"act":"{act.act}","from":{quoted(act.alias)},"sid":"{act.sid}"'
        f"{to}{text}{until}}}\n"
    )


def _head(kind: str, record: Record) -> str:
    return f'{{"t":"{kind}","seq":{record.seq},"time":"{rfc3339(record.time_ms)}"'


def _in_room(kind: str, record: Joined | Left | Renamed | TopicSet | Crowd) -> str:
    return f'{_head(kind, record)},"room":{quoted(record.room)}'


def _crowd(aliases: tuple[str, ...], count: int) -> str:
    names = ",".join(map(quoted, aliases))
    return f'{{"aliases":[{names}],"more":{count - len(aliases)}}}'


def _line(message: dict[str, Any]) -> bytes:
    """One object as a line. ASCII only: everything else is escaped, so it needs no further care."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def native_reply(reply: Reply) -> bytes:  # noqa: C901, PLR0912 - one arm a kind of reply
    match reply:
        case HistoryPage() | SearchPage():
            return _page(reply)
        case Wanted():
            # A promise: its page is the reply.
            return b""
        case Welcome():
            message = _welcome(reply)
        case Entered():
            message = {"t": "ok", **_view(reply.view)}
        case Done():
            message = {"t": "ok", **reply.fields}
        case People():
            message = {"t": "ok", "rooms": [_view(view) for view in reply.rooms]}
        case RoomList():
            message = {"t": "ok", "rooms": [*map(_listed, reply.rooms)], "more": reply.more}
        case BanList():
            message = {"t": "ok", "bans": [*map(_ban, reply.bans)]}
            if reply.room:
                message["room"] = reply.room
            else:
                message["mutes"] = [*map(_ban, reply.mutes)]
        case HelpPage():
            message = {"t": "ok", "commands": [row._asdict() for row in reply.rows]}
        case Refused():
            message = _refused(reply)
        case Ack():
            return _line({"t": "ack", "id": reply.id, "seq": reply.seq})
        case Presence():
            return _line({"t": "presence", **_person(reply.person)})
        case LagPage():
            message = {"t": "lag", "readers": [each._asdict() for each in reply.readers]}
        case Pong():
            message = {"t": "pong"}
        case Bye():
            message = {"t": "bye", "reason": reply.reason}
            if reply.words:
                message["words"] = reply.words
        case _:
            assert_never(reply)
    if reply.re is not None:
        message["re"] = reply.re
    return _line(message)


def _welcome(reply: Welcome) -> dict[str, Any]:
    kept = {"kept": reply.kept} if reply.kept else {}
    motd = {"motd": reply.motd} if reply.motd else {}
    return {
        "t": "welcome",
        "v": PROTOCOL,
        "log": reply.log,
        "sid": reply.sid,
        "token": reply.token,
        "alias": reply.alias,
        "resumed": reply.resumed,
        "seq": reply.seq,
        "grace_s": reply.grace_s,
        "rooms": [_view(view) for view in reply.rooms],
        **kept,
        **motd,
    }


def _view(view: RoomView) -> dict[str, Any]:
    return {
        "room": view.room,
        "topic": view.topic,
        "count": view.size,
        "people": [_person(person) for person in view.people],
    }


def _listed(row: tuple[str, str, int, bool]) -> dict[str, Any]:
    name, topic, people, is_locked = row
    locked = {"locked": True} if is_locked else {}
    return {"room": name, "topic": topic, "people": people, **locked}


def _ban(row: BanRow) -> dict[str, Any]:
    until = {"until": rfc3339(row.until_ms)} if row.until_ms else {}
    text = {"text": row.text} if row.text else {}
    return {"name": row.to, "by": row.by, **until, **text}


def _person(person: Person) -> dict[str, Any]:
    text = {"text": person.text} if person.text else {}
    return {"alias": person.alias, "state": person.state, **text}


def _refused(reply: Refused) -> dict[str, Any]:
    message: dict[str, Any] = {"t": "refused"}
    if reply.id is not None:
        message["id"] = reply.id
    message |= {"code": reply.refusal.code, "words": reply.refusal.words}
    if reply.refusal.retry_s is not None:
        message["retry_s"] = reply.refusal.retry_s
    return message


def _page(page: HistoryPage | SearchPage) -> bytes:
    """The records as they were live; they are JSON already."""
    if isinstance(page, SearchPage):
        kind, room = "search", ""
    elif page.room == MODERATION:
        kind, room = "modlog", ""
    else:
        kind, room = "history", f'"room":{quoted(page.room)},'
    tag = f'"re":{json.dumps(page.re)},' if page.re is not None else ""
    records = "".join(map(record_lines, page.records)).rstrip("\n").replace("\n", ",")
    more = "true" if page.more else "false"
    return f'{{"t":"{kind}",{tag}{room}"records":[{records}],"more":{more}}}\n'.encode()
