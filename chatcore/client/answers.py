"""Answers of the server in words: who is here, which rooms there are, why something was refused. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.client.acts import local_time
from chatcore.client.events import Refusal

if TYPE_CHECKING:
    from chatcore.client.events import Answer, Back, Lost
    from chatcore.client.messages import Ban, Lag, Ok, Person, Request, Room

HINT = "/help lists the commands."
NAMES_SHOWN = 20
"""People that a line lists on joining: three lines of a narrow terminal; /who lists more."""
EXCERPT_CHARACTERS = 60
"""Of a text that is too long to be sent: enough to recognise it."""
UNACKNOWLEDGED = "unacknowledged"
"""In the place of a refusal's code: nobody refused it, and nobody said that it is stored."""
MINUTE_S, HOUR_S = 60, 3600
DONE = {
    "ban": "{name} is banned from {where}{span}.",
    "unban": "{name} is not banned from {where} any more.",
    "mute": "{name} is muted{span}.",
    "unmute": "{name} may speak again.",
    "invite": "{name} is invited to {where}, for once.",
}
"""Commands of which nobody else is told."""
UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
"""Of a span as it is typed, `10m`."""
OPER_IN_ONE_LINE, OPER = "/oper NAME password", "/oper NAME"
"""How the server says it to those who cannot be asked unseen, and how it is done here."""


def room_words(room: Room, hint: str) -> tuple[str, str]:
    topic = f" Topic: {room.topic}" if room.topic else ""
    names = tuple(person.alias for person in room.people[:NAMES_SHOWN])
    here = f"Here: {and_others(names, room.size - len(names))} ({room.size:,})."
    return f"You are in {room.room}.{topic}", f"{here} {hint}".rstrip()


def and_others(names: tuple[str, ...], others: int) -> str:
    """`Ann, Bob`; with others, `Ann, Bob and 62 others`."""
    listed = ", ".join(names)
    if others <= 0:
        return listed
    return f"{listed} and {others:,} other{'s' if others > 1 else ''}"


def answer_words(answer: Answer) -> list[str]:  # noqa: PLR0911 - one arm a kind
    """What is said about a command that was carried out; nothing where a record of it says enough."""
    ok, request = answer.ok, answer.request
    if ok is None:
        return [f"pong ({answer.took_s * 1000:.0f} ms)"]
    match request.kind:
        case "who":
            return [_who(room) for room in ok.rooms]
        case "rooms":
            return _rooms(ok)
        case "topic" if request.text is None:
            return [f"Topic of {ok.room}: {ok.topic}" if ok.topic else f"{ok.room} has no topic."]
        case "oper":
            return [f"You are the operator {request.name} now, until you leave."]
        case "kick" if not request.room:
            return [f"{ok.alias or request.name} is out of the server."]
        case "bans":
            return [_ban(each) for each in ok.bans] or ["Nobody is banned."]
        case kind if kind in DONE:
            where = ok.room or request.room
            span = _span(request.period)
            return [DONE[kind].format(name=request.name, where=where or "the server", span=span)]
        case "away":
            return [f"You are away: {request.text}" if ok.state == "away" else "You are back."]
        case _:
            return []


def lag_words(lag: Lag) -> list[str]:
    words = [
        f"{each.alias or '(not joined)'}: {each.lines:,} lines, {each.seconds:,.1f} s ({each.dialect})"
        for each in lag.readers
    ]
    return words or ["Nobody is behind."]


def _span(period: str) -> str:
    number, unit = period[:-1].lstrip("0") or "0", UNITS.get(period[-1:])
    if not unit:
        return ", until it is taken back"
    return f" for {number} {unit}" if number == "1" else f" for {number} {unit}s"


def _ban(ban: Ban) -> str:
    until = f", until {local_time(ban.until) or ban.until}" if ban.until else ""
    return f"{ban.name}, by {ban.by}{until}{f' ({ban.text})' if ban.text else ''}"


def _who(room: Room) -> str:
    people = and_others(tuple(map(_person, room.people)), room.size - len(room.people))
    return f"In {room.room} ({room.size:,}): {people}"


def _person(person: Person) -> str:
    if person.state == "away":
        return f"{person.alias} (away: {person.text})" if person.text else f"{person.alias} (away)"
    return f"{person.alias} (connection lost)" if person.state == "grace" else person.alias


def _rooms(ok: Ok) -> list[str]:
    words = [
        f"{each.room} ({each.size:,}){f' {each.topic}' if each.topic else ''}" for each in ok.rooms
    ]
    return [*words, f"and {ok.more:,} more"] if ok.more else words


def page_words(count: int, room: str) -> str:
    """Behind a page of history, which looks like what is said now."""
    return f"{count:,} line{'s' if count > 1 else ''} of {room}."


def away_words(person: Person) -> str:
    return f"{person.alias} is away{f': {person.text}' if person.text else '.'}"


def found_words(count: int, more: bool) -> str:
    """How many lines a search found."""
    if not count and more:
        return "Nothing found yet: the search index is still being made. Try again in a while."
    if not count:
        return "Nothing found."
    older = "; there may be older ones: add before: and a day, or more words" if more else ""
    return f"{count:,} line{'s' if count > 1 else ''} found{older}."


def refusal_words(refusal: Refusal) -> str:
    """Never without the text: nothing that was typed is lost in silence."""
    request = refusal.request
    if request is None or not request.is_line:
        return refusal.words.replace(OPER_IN_ONE_LINE, OPER)
    head = "Not acknowledged" if refusal.code == UNACKNOWLEDGED else "Not sent"
    return f"{head}: “{_excerpt(request, refusal.code)}” ({refusal.words.rstrip('.')})"


def left_behind(line: Request, was_sent: bool) -> Refusal:
    """A line that waits when its speaker leaves. One that was sent may have been said: typed again, it would be twice."""
    if was_sent:
        return Refusal(line, UNACKNOWLEDGED, "you left before; it may have been said")
    return Refusal(line, "", "you left before")


def left_behind_words(sent: int, unsent: int) -> list[str]:
    """The same of the lines of a pipe, which are too many to be told one by one."""
    words = []
    if sent:
        may = "it may" if sent == 1 else "they may"
        words.append(f"{_lines(sent)} sent and not acknowledged: {may} have been said.")
    if unsent:
        words.append(f"{_lines(unsent)} not sent.")
    return words


def _lines(count: int) -> str:
    return "1 line was" if count == 1 else f"{count:,} lines were"


def withdrawn_words(count: int) -> str:
    lines, one = ("1 line", "it") if count == 1 else (f"{count:,} lines", "one of them")
    return (
        f"Not sent: {lines} that you typed before the password was asked for; {one} may be the"
        " password. /retry sends what was not sent."
    )


def _excerpt(request: Request, code: str) -> str:
    text = request.text or ""
    if code == "too_long" and len(text) > EXCERPT_CHARACTERS:
        return f"{text[:EXCERPT_CHARACTERS]}…"
    return text


def lost_parts(lost: Lost, reconnect: bool) -> tuple[str, ...]:
    parts = [f"retry in {lost.retry_s:.0f} s"] if reconnect else []
    if lost.waiting:
        parts.append(f"{lost.waiting:,} line{'s' if lost.waiting > 1 else ''} waiting")
    return tuple(parts)


def back_parts(back: Back) -> tuple[str, ...]:
    head = f"back after {_duration(back.away_s)}"
    if back.fresh:
        return head, "the server has forgotten this session: you are a new arrival"
    if not back.missed:
        return head, "nothing missed"
    lines = f"{back.missed:,}{'+' if back.more else ''} missed line{'s' if back.missed > 1 else ''}"
    return head, f"{lines} below"


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.0f} h"
