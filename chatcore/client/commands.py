"""What a person types → what to do: chat, a command, or an answer given here.

Invariant: a line that begins with `/` is never sent as chat unless it begins with `//`; a command that does not
exist is answered with the nearest one that does. One table row a command: `/help` is made of it. Pure.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from chatcore.client.editor import MASK
from chatcore.client.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable


class Place(Protocol):
    """Where the person is: what a command may depend on."""

    @property
    def current(self) -> str: ...
    @property
    def operator(self) -> bool:
        """What is done to somebody is then done on the whole server, elsewhere in the room."""

    def joined(self, room: str) -> str | None: ...


class Tell(NamedTuple):
    """An answer given here; the server hears nothing of it."""

    lines: tuple[str, ...]


class Mistake(NamedTuple):
    """It cannot be done; the server hears nothing of it."""

    words: str


class Switch(NamedTuple):
    """Make a room that one is in the current one."""

    room: str


class Quit(NamedTuple):
    words: str


class Retry(NamedTuple):
    """Send again what was refused last."""


class Reconnect(NamedTuple):
    """Do not wait for the next try."""


Action: TypeAlias = Request | Tell | Mistake | Switch | Quit | Retry | Reconnect

Act: TypeAlias = "Callable[[str, Place], Action | None]"
"""Its words, and where the person is; None: the words do not fit the usage."""

OPER = re.compile(r"(\s*/oper\s+\S+\s+)(?=\S)", re.IGNORECASE)
PERIOD = re.compile(r"\d+[smhdw]")
"""How the server writes how long; whatever it is not is the beginning of a reason."""
NO_ROOM = Mistake("You are in no room. /join #room goes to one.")


class Command(NamedTuple):
    usage: str
    summary: str
    act: Act


def interpret(text: str, place: Place) -> Action:
    if not text.startswith("/") or text.startswith("//"):
        return _in_room("say", text.removeprefix("/"), place)
    name, _, words = text[1:].partition(" ")
    command = COMMANDS.get(name.casefold())
    if command is None:
        return Mistake(_unknown(name))
    action = command.act(words.strip(), place)
    return Mistake(f"Usage: {command.usage}") if action is None else action


def _unknown(name: str) -> str:
    near = get_close_matches(name.casefold(), COMMANDS, n=1)
    hint = f"Did you mean /{near[0]}?" if near else "/help lists the commands."
    return f"There is no command /{name}. {hint}"


def _in_room(kind: str, text: str, place: Place) -> Action:
    return Request(kind, room=place.current, text=text) if place.current else NO_ROOM


def concealed(text: str) -> str:
    """The line with a mask for what nobody may see of it: an operator's password."""
    found = OPER.match(text)
    return text if found is None else found[1] + MASK * len(text[found.end() :])


def is_without_password(request: Request) -> bool:
    """It is one that needs a password, and none was typed: better so, it can be asked for unseen."""
    return request.kind == "oper" and not request.password


def is_about_connection(text: str, place: Place) -> bool:
    """It may be done while nothing else may: the server hears nothing of the words."""
    return isinstance(interpret(text, place), Quit | Reconnect)


def _with_sign(room: str) -> str:
    return room if room.startswith("#") else f"#{room}"


def _help(words: str, place: Place) -> Action:
    if not words:
        width = max(len(command.usage) for command in COMMANDS.values())
        return Tell(tuple(f"{each.usage:{width}}  {each.summary}" for each in COMMANDS.values()))
    name = words.removeprefix("/").casefold()
    command = COMMANDS.get(name)
    if command is None:
        return Mistake(_unknown(name))
    return Tell((f"{command.usage}  {command.summary}",))


def _join(words: str, place: Place) -> Action | None:
    room, _, topic = words.partition(" ")
    if not room:
        return None
    room = _with_sign(room)
    joined = place.joined(room)
    if joined is not None:
        return Switch(joined)
    return Request("join", room=room, text=topic.strip() or None)


def _room(words: str, place: Place) -> Action | None:
    if not words:
        return None
    room = _with_sign(words)
    joined = place.joined(room)
    return Switch(joined) if joined else Mistake(f"You are not in {room}. /join {room} goes there.")


def _part(words: str, place: Place) -> Action:
    room = _with_sign(words) if words else place.current
    return Request("part", room=place.joined(room) or room) if room else NO_ROOM


def _who(words: str, place: Place) -> Action:
    return Request("who", room=_with_sign(words) if words else place.current)


def _msg(words: str, place: Place) -> Action | None:
    to, _, text = words.partition(" ")
    return Request("dm", to=to, text=text.strip()) if to and text.strip() else None


def _me(words: str, place: Place) -> Action | None:
    return _in_room("me", words, place) if words else None


def _nick(words: str, place: Place) -> Action | None:
    return Request("nick", alias=words) if words else None


def _topic(words: str, place: Place) -> Action:
    if not place.current:
        return NO_ROOM
    return Request("topic", room=place.current, text=words or None)


def _history(  # noqa: PLR0911 - one arm a form
    words: str, place: Place
) -> Action | None:
    if not place.current:
        return NO_ROOM
    given = words.split()
    limit = DEFAULT_HISTORY
    if given and given[0] not in ("before", "after", "since"):
        limit = _whole(given.pop(0), MAX_HISTORY) or 0
    page = Request("history", room=place.current, limit=limit)
    match given:
        case _ if not limit:
            return None
        case []:
            return page
        case ["before", seq] if (number := _whole(seq, MAX_SEQ)) is not None:
            return page._replace(before=number)
        case ["after", seq] if (number := _whole(seq, MAX_SEQ)) is not None:
            return page._replace(after=number)
        case ["since", moment]:
            return page._replace(since=moment)
        case _:
            return None


def _last(words: str, place: Place) -> Action | None:
    if not place.current:
        return NO_ROOM
    match words.split():
        case [name]:
            return Request("last", room=place.current, alias=name, limit=DEFAULT_LAST)
        case [name, lines] if limit := _whole(lines, MAX_HISTORY):
            return Request("last", room=place.current, alias=name, limit=limit)
        case _:
            return None


def _search(words: str, place: Place) -> Action | None:
    """The server knows the little language of searches; whoever searches uses the same."""
    return Request("search", text=words) if words else None


def _oper(words: str, place: Place) -> Action | None:
    name, _, password = words.partition(" ")
    return Request("oper", name=name, password=password.strip()) if name else None


def _in_the_house(kind: str, *, timed: bool = False) -> Act:
    """`NAME [#room] [10m] [reason]`; an operator who names no room means the whole server."""

    def act(words: str, place: Place) -> Action | None:
        name, room, rest = _somebody_somewhere(words)
        period, text = _period(rest) if timed else ("", rest)
        room = room or ("" if place.operator else place.current)
        return (
            Request(kind, name=name, room=room, period=period, text=text or None) if name else None
        )

    return act


def _in_a_room(kind: str) -> Act:
    """`NAME [#room]`."""

    def act(words: str, place: Place) -> Action | None:
        name, room, rest = _somebody_somewhere(words)
        return Request(kind, name=name, room=room or place.current) if name and not rest else None

    return act


def _mute(words: str, place: Place) -> Action | None:
    name, _, rest = words.partition(" ")
    period, text = _period(rest.strip())
    return Request("mute", name=name, period=period, text=text or None) if name else None


def _unmute(words: str, place: Place) -> Action | None:
    return Request("unmute", name=words) if words and " " not in words else None


def _unban(words: str, place: Place) -> Action | None:
    name, room, rest = _somebody_somewhere(words)
    room = room or ("" if place.operator else place.current)
    return Request("unban", name=name, room=room) if name and not rest else None


def _bans(words: str, place: Place) -> Action:
    room = _with_sign(words) if words else "" if place.operator else place.current
    return Request("bans", room=room)


def _somebody_somewhere(words: str) -> tuple[str, str, str]:
    """A name, a room if one is named, and what follows."""
    name, _, rest = words.partition(" ")
    first, _, others = rest.strip().partition(" ")
    return (name, first, others.strip()) if first.startswith("#") else (name, "", rest.strip())


def _period(words: str) -> tuple[str, str]:
    first, _, rest = words.partition(" ")
    return (first, rest.strip()) if PERIOD.fullmatch(first) else ("", words)


def _lock(words: str, place: Place) -> Action:
    return Request("lock", room=place.current, key=words) if place.current else NO_ROOM


def _modlog(words: str, place: Place) -> Action | None:
    limit = _whole(words, MAX_HISTORY) if words else DEFAULT_HISTORY
    return Request("modlog", limit=limit) if limit else None


def _whole(text: str, most: int) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS
    return int(text) if is_number and int(text) <= most else None


DEFAULT_HISTORY = 20
"""Lines: a screen."""
DEFAULT_LAST = 10
"""Lines: what somebody just said."""
MAX_SEQ = 2**53 - 1
"""PROTOCOL.md: the largest number on the wire."""
MAX_DIGITS = 18
"""Digits that are worth a conversion."""
MAX_HISTORY = 500
"""PROTOCOL.md: the longest page."""

COMMANDS: dict[str, Command] = {
    "help": Command("/help [command]", "lists the commands, or explains one", _help),
    "join": Command(
        "/join #room [topic]",
        "goes to one more room, and makes it if it is new; a locked one: /join #room KEY",
        _join,
    ),
    "room": Command("/room #room", "talks in another of your rooms", _room),
    "part": Command("/part [#room]", "leaves a room", _part),
    "rooms": Command("/rooms", "lists the rooms, the fullest first", lambda *_: Request("rooms")),
    "who": Command("/who [#room]", "says who is in the room", _who),
    "msg": Command("/msg NAME text", "says something to one person only", _msg),
    "me": Command("/me text", "says what you do: * Alice waves", _me),
    "nick": Command("/nick NAME", "changes your alias", _nick),
    "topic": Command("/topic [text]", "sets the room's topic, or says what it is", _topic),
    "away": Command(
        "/away [text]",
        "says that you are away; without text: that you are back",
        lambda words, _: Request("away", text=words or None),
    ),
    "back": Command("/back", "says that you are back", lambda *_: Request("away")),
    "history": Command(
        "/history [n] [since 2h]",
        "shows the last n lines of the room, or the first since then; also: before SEQ, after SEQ",
        _history,
    ),
    "last": Command(
        "/last NAME [n]", "shows the last n lines that somebody said in the room", _last
    ),
    "search": Command(
        "/search words",
        'finds lines of your rooms; also: "a phrase" from:NAME in:#room since:2d before:2026-11-01',
        _search,
    ),
    "invite": Command(
        "/invite NAME [#room]",
        "lets somebody into your room once, locked or not",
        _in_a_room("invite"),
    ),
    "lock": Command("/lock [KEY]", "locks your room with a key; without one: opens it", _lock),
    "op": Command("/op NAME [#room]", "makes somebody a moderator of your room", _in_a_room("op")),
    "deop": Command("/deop NAME [#room]", "takes the moderation back", _in_a_room("deop")),
    "kick": Command(
        "/kick NAME [#room] [reason]",
        "puts somebody out of your room; from operators, without a room: out of the server",
        _in_the_house("kick"),
    ),
    "ban": Command(
        "/ban NAME [#room] [10m] [reason]",
        "keeps somebody out, likewise; operators may name an address or a network",
        _in_the_house("ban", timed=True),
    ),
    "unban": Command("/unban NAME [#room]", "takes a ban back", _unban),
    "bans": Command("/bans [#room]", "lists who is banned", _bans),
    "mute": Command(
        "/mute NAME [10m] [reason]", "keeps somebody from speaking, for operators", _mute
    ),
    "unmute": Command("/unmute NAME", "lets somebody speak again, for operators", _unmute),
    "announce": Command(
        "/announce text",
        "says something in all rooms, for operators",
        lambda words, _: Request("announce", text=words) if words else None,
    ),
    "modlog": Command(
        "/modlog [n]",
        "lists who was kicked, banned or muted, by whom and why, for operators",
        _modlog,
    ),
    "oper": Command(
        "/oper NAME", "makes you an operator of the server; the password is asked for", _oper
    ),
    "lag": Command(
        "/lag", "says who is behind with reading, for operators", lambda *_: Request("lag")
    ),
    "retry": Command("/retry", "sends what was refused last again", lambda *_: Retry()),
    "reconnect": Command("/reconnect", "connects now, without waiting", lambda *_: Reconnect()),
    "ping": Command("/ping", "asks the server for a sign of life", lambda *_: Request("ping")),
    "quit": Command(
        "/quit [text]", "leaves, with a last word if you like", lambda words, _: Quit(words)
    ),
}
