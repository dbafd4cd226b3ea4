"""The native dialect as a client reads and writes it: bytes ↔ values.

Invariant: the server's bytes are hostile. Any input, in any split, gives messages or ends in `Inbox.broken`; a
message whose fields have the wrong type is ignored like one of an unknown kind. Memory is bounded by
`MAX_SERVER_LINE_BYTES`. Strings come out as they were typed: `chatcore.client.style` makes them safe to show.
Pure: no socket, no clock.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chatcore.client.messages import (
    MAX_SEQ,
    Ack,
    Act,
    Ban,
    Behind,
    Bye,
    Crowd,
    Direct,
    Gap,
    History,
    Joined,
    Lag,
    Left,
    Message,
    Modlog,
    Names,
    Ok,
    Person,
    Pong,
    Presence,
    Record,
    Refused,
    Renamed,
    Request,
    Room,
    Said,
    TopicSet,
    Welcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
MAX_LINE_BYTES = 32 * 1024
"""PROTOCOL.md: what the server accepts as one message."""
MAX_TEXT_BYTES = 4096
"""PROTOCOL.md: what the server accepts as one text. Checked here too, because a message that is refused unread
is refused without its id, and its line would wait for ever."""
MAX_TEXT_LINES = 256
MAX_SERVER_LINE_BYTES = 16 * 1024 * 1024
"""A page of 500 records of 4,096 bytes, each byte a `\\u` escape, is 12 MiB; more than this is no chat server."""
MAX_SKIPPED_BYTES = 64 * 1024
"""What may precede the server's first `{`. A greeting is one line; a web page is refused before it is all read."""
GREETING = b"Choose an alias:"
NOTICE = b"-- "
NAMES = {"period": "for"}
"""What Python lets no field be called."""


def encode(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"  # a lone surrogate is not UTF-8


def encode_request(request: Request, key: str) -> bytes:
    fields: dict[str, Any] = {"t": request.kind, ("id" if request.is_line else "re"): key}
    for name in ("room", "to", "alias", "limit", "since", "name", "period", "key", "password"):
        if value := getattr(request, name):
            fields[
                "from" if name == "alias" and request.kind == "last" else NAMES.get(name, name)
            ] = value
    for name in ("before", "after"):
        if (seq := getattr(request, name)) is not None:
            fields[name] = seq
    if request.text is not None:
        fields["topic" if request.kind == "join" else "text"] = request.text
    return encode(fields)


class Inbox:
    """Bytes as they arrive → JSON objects; what precedes the server's first `{` is skipped."""

    def __init__(self) -> None:
        self.broken: str | None = None
        """Set once, in words: the stream cannot be trusted from here on."""
        self._buffer = bytearray()
        self._scanned = 0  # no line end before this offset: each byte is looked at once
        self._started = False
        self._skipped = 0
        self._foreign = False

    @property
    def foreign(self) -> bool:
        """Something spoke, and it was no chat server (whose greeting and notices may precede the first `{`)."""
        return self._foreign and not self._started

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        objects: list[dict[str, Any]] = []
        self._buffer += data
        while self.broken is None and (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._scanned = 0
            self._take(line, objects)
        self._scanned = len(self._buffer)
        if not self._started and not self._buffer.startswith(b"{"):
            self._check_skipped(self._skipped + len(self._buffer))
        elif len(self._buffer) > MAX_SERVER_LINE_BYTES:
            self._break("a message without end")
        return objects

    def _take(self, line: bytes, objects: list[dict[str, Any]]) -> None:
        if not self._started and not line.startswith(b"{"):
            self._skipped += len(line) + 1
            words = line.strip()
            self._foreign |= not (words == b"" or words == GREETING or line.startswith(NOTICE))
            self._check_skipped(self._skipped)
            return
        self._started = True
        if not line.strip():
            return
        try:
            value = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested too deep to read
            self._break("a message that is not JSON")
            return
        if isinstance(value, dict):
            objects.append(value)

    def _check_skipped(self, skipped: int) -> None:
        if skipped > MAX_SKIPPED_BYTES:
            self._break("this is no chat server of ours")

    def _break(self, words: str) -> None:
        self.broken = words
        self._buffer.clear()


class _MalformedError(ValueError):
    """A field of the wrong type; never leaves `parse`."""


def parse(fields: dict[str, Any]) -> Message | None:
    """None: of a kind that this client does not know, or malformed."""
    kind = fields.get("t")
    if not isinstance(kind, str) or kind in _RECORDS:
        return _record(fields)
    parser = _OTHERS.get(kind)
    try:
        return parser(fields) if parser else None
    except _MalformedError:
        return None


def _record(fields: dict[str, Any]) -> Record | None:
    kind = fields.get("t")
    parser = _RECORDS.get(kind) if isinstance(kind, str) else None
    try:
        return parser(fields) if parser else None
    except _MalformedError:
        return None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _MalformedError
    return value


def _maybe(fields: dict[str, Any], name: str) -> str:
    return _text(fields, name) if fields.get(name) is not None else ""


def _key(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < MAX_SEQ:  # True is an int to Python, not to us
        raise _MalformedError
    return value


def _items(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = fields.get(name, [])
    if not isinstance(value, list):
        raise _MalformedError
    return [item for item in value if isinstance(item, dict)]


def _stamp(fields: dict[str, Any]) -> tuple[int, str]:
    return _number(fields, "seq"), _text(fields, "time")


def _said(fields: dict[str, Any]) -> Said:
    room, alias, sid = _text(fields, "room"), _text(fields, "from"), _text(fields, "sid")
    text = _text(fields, "text")
    return Said(*_stamp(fields), room, alias, sid, _maybe(fields, "id"), text, fields["t"] == "me")


def _direct(fields: dict[str, Any]) -> Direct:
    alias, to, sid = _text(fields, "from"), _text(fields, "to"), _text(fields, "sid")
    return Direct(*_stamp(fields), alias, to, sid, _maybe(fields, "id"), _text(fields, "text"))


def _joined(fields: dict[str, Any]) -> Joined:
    return Joined(*_stamp(fields), *(_text(fields, name) for name in ("room", "alias", "sid")))


def _left(fields: dict[str, Any]) -> Left:
    room, alias, sid = (_text(fields, name) for name in ("room", "alias", "sid"))
    return Left(*_stamp(fields), room, alias, sid, _maybe(fields, "why"), _maybe(fields, "text"))


def _renamed(fields: dict[str, Any]) -> Renamed:
    room = _maybe(fields, "room")
    return Renamed(
        *_stamp(fields), room, _text(fields, "from"), _text(fields, "to"), _text(fields, "sid")
    )


def _topic_set(fields: dict[str, Any]) -> TopicSet:
    room, alias, sid = (_text(fields, name) for name in ("room", "from", "sid"))
    return TopicSet(*_stamp(fields), room, alias, sid, _text(fields, "text"))


def _act(fields: dict[str, Any]) -> Act:
    room, act, alias = _maybe(fields, "room"), _text(fields, "act"), _text(fields, "from")
    to, text, until = (_maybe(fields, name) for name in ("to", "text", "until"))
    return Act(*_stamp(fields), room, act, alias, _text(fields, "sid"), to, text, until)


def _names(fields: dict[str, Any], name: str) -> Names:
    value = fields.get(name)
    if value is None:
        return Names((), 0)
    if not isinstance(value, dict) or not isinstance(value.get("aliases", []), list):
        raise _MalformedError
    aliases = tuple(alias for alias in value.get("aliases", []) if isinstance(alias, str))
    return Names(aliases, _number(value, "more") if "more" in value else 0)


def _crowd(fields: dict[str, Any]) -> Crowd:
    room = _text(fields, "room")
    return Crowd(*_stamp(fields), room, _names(fields, "joined"), _names(fields, "left"))


def _people(fields: dict[str, Any]) -> tuple[tuple[Person, ...], int]:
    """`people` is a list, perhaps only the first of `count`; or just a number, in the answer to `rooms`."""
    value = fields.get("people")
    if type(value) is int:
        return (), _number(fields, "people")
    people = tuple(_person(item) for item in _items(fields, "people"))
    return people, _number(fields, "count") if "count" in fields else len(people)


def _person(fields: dict[str, Any]) -> Person:
    return Person(_text(fields, "alias"), _maybe(fields, "state") or "here", _maybe(fields, "text"))


def _room(fields: dict[str, Any]) -> Room:
    people, count = _people(fields)
    return Room(_text(fields, "room"), _maybe(fields, "topic"), people, count)


def _rooms(fields: dict[str, Any]) -> tuple[Room, ...]:
    if type(fields.get("rooms")) is int:  # how many an announcement went to
        return ()
    return tuple(_room(item) for item in _items(fields, "rooms"))


def _welcome(fields: dict[str, Any]) -> Welcome:
    log, sid, alias = (_text(fields, name) for name in ("log", "sid", "alias"))
    resumed = fields.get("resumed") is True
    seq = _number(fields, "seq")
    rooms, kept, motd = _rooms(fields), _maybe(fields, "kept"), _maybe(fields, "motd")
    return Welcome(log, sid, _maybe(fields, "token"), alias, resumed, seq, rooms, kept, motd)


def _ban(fields: dict[str, Any]) -> Ban:
    by, until, text = (_maybe(fields, name) for name in ("by", "until", "text"))
    return Ban(_text(fields, "name"), by, until, text)


def _behind(fields: dict[str, Any]) -> Behind:
    alias, dialect = _maybe(fields, "alias"), _maybe(fields, "dialect")
    return Behind(alias, dialect, _number(fields, "lines"), _seconds(fields, "seconds"))


def _lag(fields: dict[str, Any]) -> Lag:
    return Lag(_key(fields, "re"), tuple(map(_behind, _items(fields, "readers"))))


def _modlog(fields: dict[str, Any]) -> Modlog:
    records = (_record(item) for item in _items(fields, "records"))
    acts = tuple(each for each in records if isinstance(each, Act))
    return Modlog(_key(fields, "re"), acts, fields.get("more") is True)


def _ok(fields: dict[str, Any]) -> Ok:
    people, count = _people(fields)
    room, topic, alias, state = (
        _maybe(fields, name) for name in ("room", "topic", "alias", "state")
    )
    key, rooms, more = _key(fields, "re"), _rooms(fields), _more(fields)
    bans = tuple(map(_ban, _items(fields, "bans")))
    return Ok(key, room, topic, alias, state, people, count, rooms, more, bans)


def _more(fields: dict[str, Any]) -> int:
    return _number(fields, "more") if type(fields.get("more")) is int else 0


def _history(fields: dict[str, Any]) -> History:
    records = tuple(
        record for item in _items(fields, "records") if (record := _record(item)) is not None
    )
    more = fields.get("more") is True
    room = "" if fields["t"] == "search" else _text(fields, "room")
    return History(_key(fields, "re"), room, records, more)


def _gap(fields: dict[str, Any]) -> Gap:
    return Gap(_text(fields, "room"), _number(fields, "missed"), _number(fields, "next"))


def _seconds(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    is_one = isinstance(value, int | float) and 0 <= value < MAX_SEQ  # no NaN
    return float(value) if value is not None and is_one else 0.0


def _refused(fields: dict[str, Any]) -> Refused:
    retry_s = _seconds(fields, "retry_s")
    key = _key(fields, "id") or _key(fields, "re")
    return Refused(key, _maybe(fields, "code"), _maybe(fields, "words"), retry_s)


_RECORDS: dict[str, Callable[[dict[str, Any]], Record]] = {
    "say": _said,
    "me": _said,
    "dm": _direct,
    "join": _joined,
    "leave": _left,
    "nick": _renamed,
    "topic": _topic_set,
    "act": _act,
    "crowd": _crowd,
}
_OTHERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "welcome": _welcome,
    "ack": lambda fields: Ack(_text(fields, "id"), _number(fields, "seq")),
    "ok": _ok,
    "history": _history,
    "search": _history,
    "modlog": _modlog,
    "lag": _lag,
    "presence": lambda fields: Presence(_person(fields)),
    "gap": _gap,
    "refused": _refused,
    "pong": lambda fields: Pong(_key(fields, "re")),
    "bye": lambda fields: Bye(_maybe(fields, "reason"), _maybe(fields, "words")),
}
