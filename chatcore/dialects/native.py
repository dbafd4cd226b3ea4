"""The native dialect, from the wire: JSON lines of the bundled clients, the page and bots. See docs/PROTOCOL.md.

Every field is checked against the table of commands before anything inside sees it: types, sizes, lone
surrogates. Whatever comes gives a command or a `Mistake`; nothing here raises. Consecutive `say`s to one room
become one run.
"""

from __future__ import annotations

import json
import re
from collections import deque
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

from chatcore.dialects.dialect import Event, Hangup
from chatcore.dialects.lines import OVERLONG, Lines
from chatcore.dialects.native_form import PROTOCOL, NativeForm, native_reply
from chatcore.dialects.wording import LINE_BYTES, TEXT_LINES, TRIES, too_long
from chatcore.hub.command import Hello, Mistake, Say
from chatcore.hub.moments import EXAMPLES, SPAN_EXAMPLES, moment, span
from chatcore.hub.reply import Refusal, Refused, Reply, Welcome
from chatcore.hub.text import replace_surrogates
from chatcore.hub.verbs import NATIVE
from chatcore.hub.verbs.info import unknown_command
from chatcore.hub.verbs.table import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatcore.hub.command import Run
    from chatcore.hub.moments import Moment
    from chatcore.hub.verbs.table import Param
    from chatcore.log.reader import Form

LF = 0x0A

NATIVE_LINE_BYTES = 32 * 1024
"""Bytes of the longest message: a text of 4,096 bytes, every one written as `\\u001b`, and the other fields."""

NAME_BYTES = 512
"""Bytes of a name, token or tag looked at: far beyond any that is allowed, so that the refusal can be exact."""

LINES_AT_ONCE = 512
"""Lines read before the first of them is answered. One read may hold thousands that are no JSON, at 8 µs each;
who gets that many answers is not read until they are read."""

_BLANK = re.compile(rb"(?:[ \t\r]*\n)+")
"""Lines that are no message: see `_events`."""

_ID_CHARACTERS = "[A-Za-z0-9_-]{1,64}"
_ID = re.compile(rf"{_ID_CHARACTERS}\Z")
_TAG_CHARACTERS = 64
_LARGEST = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259 6)."""


class _Bad(Exception):
    """A field is wrong; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


class Native(Lines):
    __slots__ = ("_joined", "_todo", "_tries")

    name: ClassVar[str] = "native"
    form: ClassVar[Form] = NativeForm()
    returns: ClassVar[bool] = True
    negotiates: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(NATIVE_LINE_BYTES)
        self._joined = False
        self._tries = 0
        self._todo: deque[Event] | None = None

    def answers(self) -> bytes:
        return b""

    def run(self, data: bytes) -> Run | None:
        """The short cut for a read of whole lines that are one run; None, and nothing kept, if it is anything else."""
        if not self.idle or data[-1] != LF or len(data) > NATIVE_LINE_BYTES:
            return None  # a longer one is cut into lots of `LINES_AT_ONCE` first
        return simple_run(data[:-1])

    def next(self, most: int) -> Event | None:
        while not self._todo:
            block = self.take(min(most, LINES_AT_ONCE) if self._joined else 1)
            if block is None:
                self.idle = self._joined and self.empty
                return None
            if block is OVERLONG:
                return Mistake(too_long("Your message", f"{NATIVE_LINE_BYTES // 1024} KiB"))
            self._todo = self._events(block)
            if not self._todo:
                self.skip_blank(_BLANK)
        return self._todo.popleft()

    def _events(self, block: bytes) -> deque[Event]:
        if self._joined and (run := simple_run(block)) is not None:
            return deque((Say(*run),))
        events: deque[Event] = deque()
        ids: set[str] = set()
        said: list[Say] = []
        """What can become one run."""
        for line in block.split(b"\n"):
            if not line.strip(b" \t\r"):
                continue
            event = self._event(line)
            if type(event) is Say:
                # A retry is decided when what it repeats is stored, so that it is acknowledged.
                is_retry = not ids.isdisjoint(event.ids)
                ids.update(event.ids)
                if said and not is_retry and _one_run(said[0], event):
                    said.append(event)
                    continue
            if said:
                events.append(_run_of(said))
            said = []
            if type(event) is Say:
                said.append(event)
            else:
                events.append(event)
        if said:
            events.append(_run_of(said))
        return events

    def _event(self, line: bytes) -> Event:
        if not self._joined:
            self._tries += 1
            if self._tries > TRIES:
                refusal = Refusal("hello_first", "Too many messages before a hello. Connect again.")
                return Hangup("no hello", native_reply(Refused(refusal)))
        try:
            message = json.loads(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            # Malformed, an integer of thousands of digits, or nested too deep.
            return Mistake(
                Refusal("bad_json", "That line is not a JSON object. Send one object a line.")
            )
        if not isinstance(message, dict):
            return Mistake(Refusal("bad_json", "A message is a JSON object: {...}."))
        tag, line_id = _tag(message), _id_or_none(message.get("id"))
        try:
            return self._command(message, tag)
        except _Bad as bad:
            return Mistake(bad.refusal, line_id, tag)

    def _command(self, message: dict[str, Any], tag: str | int | None) -> Event:
        kind = message.get("t")
        if not isinstance(kind, str):
            raise _bad("t", "the kind of message, a string")
        if kind == "hello":
            if self._joined:
                raise _Bad(Refusal("already_joined", "You have joined already."))
            return _hello(message, tag)
        if not self._joined:
            raise _Bad(Refusal("hello_first", 'Say hello first: {"t":"hello","v":1,"alias":…}.'))
        verb = NATIVE.get(kind)
        if verb is None:
            raise _Bad(unknown_command(replace_surrogates(kind[:NAME_BYTES]), [*NATIVE], ""))
        given = {param.argument: _value(message, param) for param in verb.params}
        command = verb.build(**{name: value for name, value in given.items() if value is not None})
        return command if tag is None else command._replace(re=tag)

    def rest(self) -> bytes:
        return b""

    def reply(self, reply: Reply) -> bytes:
        if type(reply) is Welcome:
            self._joined = True
        return native_reply(reply)


def simple_run(block: bytes) -> Run | None:
    """The short cut for what nearly all reads bring: lines of printable ASCII for one room, each with its id.

    It gives what `_event` and `_one_run` would, in a quarter of the time, and None for all that needs a closer look.
    """
    text = block.decode("latin-1")
    names = text.split('"', TOKENS)[5::4]  # behind {"t":"say",
    if len(names) != len(_STRINGS) or (says := _says(*names)) is None:
        return None
    pattern, pick = says
    said = pattern.findall(text)
    lines = len(said)
    if not said or lines != text.count("\n") + 1:
        return None
    rooms, texts, ids = pick([*zip(*said, strict=True)])
    room = rooms[0]
    if len(room) > NAME_BYTES or rooms.count(room) < lines or len(set(ids)) < lines:
        return None
    if len(block) > LINE_BYTES and max(map(len, texts)) > LINE_BYTES:
        return None
    return room, "\n".join(texts), lines, ids, False, None, True


TOKENS = 14
"""Quotation marks up to the end of the last field's name."""

_STRINGS = {
    "room": r'"([ !#-\[\]-~]+)"',
    "text": r'"( *[!#-\[\]-~][ !#-\[\]-~]*)"',
    "id": f'"({_ID_CHARACTERS})"',
}
"""The fields as JSON strings of printable ASCII without escapes, which are what they say; a text is more than space."""


@lru_cache
def _says(*names: str) -> tuple[re.Pattern[str], Callable[[Sequence[Any]], Any]] | None:
    """A line that is a `say` with its fields in that order, and what brings them into ours; None if it has others.

    JSON allows space at more places than this; programs write it at these, or nowhere.
    """
    if set(names) != _STRINGS.keys():
        return None
    fields = "".join([f', ?"{name}": ?{_STRINGS[name]}' for name in names])
    pattern = re.compile(rf'^\{{"t": ?"say"{fields}\}}$', re.MULTILINE)
    return pattern, itemgetter(*map(names.index, _STRINGS))


def _one_run(first: Say, say: Say) -> bool:
    """They can be one run: the same room and kind, nobody waits for a tagged answer, and lines are lines."""
    return (
        first.room == say.room
        and first.me is say.me
        and first.re is None
        and say.re is None
        and "\n" not in say.text
        and "\n" not in first.text
    )


def _run_of(said: list[Say]) -> Say:
    if len(said) == 1:
        return said[0]
    ids = tuple(line_id for say in said for line_id in say.ids)
    text = "\n".join([say.text for say in said])
    return said[0]._replace(text=text, lines=len(said), ids=ids)


def _hello(message: dict[str, Any], tag: str | int | None) -> Hello:
    if message.get("v") != PROTOCOL or isinstance(message.get("v"), bool):
        raise _Bad(
            Refusal("bad_version", f'This server speaks version {PROTOCOL}: send "v":{PROTOCOL}.')
        )
    rooms = message.get("rooms")
    if rooms is not None and not (
        isinstance(rooms, list) and all(isinstance(r, str) for r in rooms)
    ):
        raise _bad("rooms", "a list of room names")
    return Hello(
        _string(message, "alias", NAME_BYTES) or "",
        tuple(replace_surrogates(room[:NAME_BYTES]) for room in rooms or ()),
        _string(message, "token", NAME_BYTES),
        _string(message, "log", NAME_BYTES),
        _whole_number(message, "after"),
        tag,
        _string(message, "password", NAME_BYTES),
    )


def _value(message: dict[str, Any], param: Param) -> Any:  # noqa: PLR0911 - one arm a kind of parameter
    """The parameter's value, None if it is absent and may be."""
    if message.get(param.name) is None:
        if param.required:
            raise _bad(param.name, "is missing")
        return None
    match param.kind:
        case Kind.NAME | Kind.ROOM:
            return _string(message, param.name, NAME_BYTES)
        case Kind.WORDS:
            return _words(message, param)
        case Kind.NUMBER:
            return _whole_number(message, param.name)
        case Kind.TIME:
            return _time(message, param.name)
        case Kind.SPAN:
            return _span(message, param.name)
        case Kind.ID:
            line_id = _id_or_none(message[param.name])
            if line_id is None:
                raise _bad(param.name, "1 to 64 of A-Z a-z 0-9 - _")
            return line_id
        case _:
            assert_never(param.kind)


def _words(message: dict[str, Any], param: Param) -> str:
    text = replace_surrogates(_typed(message, param.name, str, "a string"))
    # A character is 1 to 4 bytes, so most texts need no encoding to be measured.
    if len(text) * 4 > LINE_BYTES and len(text.encode()) > LINE_BYTES:
        raise _Bad(too_long(f"Your {param.name}", f"{LINE_BYTES:,} bytes"))
    if text.count("\n") >= TEXT_LINES:
        raise _Bad(too_long(f"Your {param.name}", f"{TEXT_LINES} lines"))
    if param.required and (not text or text.isspace()):
        raise _bad(param.name, "is nothing but white space" if text else "is empty")
    return text


def _typed(message: dict[str, Any], name: str, kind: type, what: str) -> Any:
    value = message[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _bad(name, what)
    return value


def _string(message: dict[str, Any], name: str, most: int) -> str | None:
    if message.get(name) is None:
        return None
    return replace_surrogates(_typed(message, name, str, "a string")[:most])


def _whole_number(message: dict[str, Any], name: str) -> int | None:
    if message.get(name) is None:
        return None
    number = _typed(message, name, int, "a whole number")
    if not 0 <= number <= _LARGEST:
        raise _bad(name, "a whole number from 0 to 2^53-1")
    return int(number)


def _time(message: dict[str, Any], name: str) -> Moment:
    then = moment(_typed(message, name, str, EXAMPLES))
    if then is None:
        raise _bad(name, EXAMPLES)
    return then


def _span(message: dict[str, Any], name: str) -> int:
    ms = span(_typed(message, name, str, SPAN_EXAMPLES))
    if ms is None:
        raise _bad(name, SPAN_EXAMPLES)
    return ms


def _tag(message: dict[str, Any]) -> str | int | None:
    """The tag that an answer repeats; one that is none of the allowed is ignored like an unknown field."""
    tag = message.get("re")
    if isinstance(tag, str) and len(tag) <= _TAG_CHARACTERS:
        return replace_surrogates(tag)
    if isinstance(tag, int) and not isinstance(tag, bool) and abs(tag) <= _LARGEST:
        return tag
    return None


def _id_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and _ID.match(value) else None


def _bad(field: str, what: str) -> _Bad:
    words = f"{field} {what}." if what.startswith("is ") else f"{field} must be {what}."
    return _Bad(Refusal("bad_field", words))
