"""The shape of the table of commands: one row a verb, from which parsing, `/help`, the README and deciding are driven.

Nothing about a verb stands anywhere else: a new command is its value in `chatcore.hub.command`, its `decide`
function, and its row in `chatcore.hub.verbs`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from chatcore.hub.moments import EXAMPLES, SPAN_EXAMPLES, looks_like_span, moment, span
from chatcore.hub.reply import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.hub.command import Command
    from chatcore.hub.decision import Decision, World
    from chatcore.hub.session import Session

Decide: TypeAlias = "Callable[[World, Session, Any], Decision | Refusal]"


class Kind(enum.Enum):
    """What a parameter is; a dialect checks the type, the verb the meaning."""

    NAME = "name"
    """An alias, a room, a command: one word."""
    WORDS = "words"
    """Free text: the rest of a plain line, a JSON string."""
    ID = "id"
    """A client's line id; native only."""
    NUMBER = "number"
    TIME = "time"
    """As `chatcore.hub.moments` reads it."""
    ROOM = "room"
    """A room; in a plain line a word with its `#`, and without one it is left out."""
    SPAN = "span"
    """For how long; in a plain line, what does not look like a time is left out."""


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    kind: Kind
    required: bool = True
    plain: bool = True
    """False: plain clients never give it."""
    keyed: bool = False
    """Plain clients give it after the others, and with its name: `before 1234`."""
    field: str = ""
    """The command's name for it, if that is another one."""

    @property
    def argument(self) -> str:
        """What `Verb.build` calls it."""
        return self.field or self.name


@dataclass(frozen=True, slots=True)
class Verb:
    name: str
    params: tuple[Param, ...]
    build: Callable[..., Command]
    """Makes the command from the parameters, by name."""
    decide: Decide
    usage: str
    """As a person types it; empty: the plain dialect has no such command."""
    summary: str
    native: bool = True
    tells_state: bool = True
    """False: the answer is the same whatever happened, so it need not wait for the disk."""

    @property
    def plain(self) -> bool:
        return bool(self.usage)


def parse_words(verb: Verb, words: str) -> Command | Refusal:
    """A plain command from what follows its name. A refusal says how the command is used."""
    given: dict[str, Any] = {}
    rest = words.strip(" ")
    keyed = {param.name: param for param in verb.params if param.keyed}
    for param in verb.params:
        if not param.plain or param.keyed:
            continue
        if rest.isspace():
            # It says nothing, like an empty line; around words, all white space but spaces may be meant.
            rest = ""
        word, after = (rest, "") if param.kind is Kind.WORDS else _first_word(rest)
        if _is_left_out(param, word):
            continue
        if not word or word in keyed:
            if param.required:
                return _misused(verb, f"/{verb.name} needs {_a(param.name)}")
            break
        rest = after
        if wrong := _take(given, param, word):
            return _misused(verb, wrong)
    if wrong := _take_keyed(given, verb, keyed, rest):
        return _misused(verb, wrong)
    return verb.build(**given)


def _take_keyed(
    given: dict[str, Any], verb: Verb, keyed: dict[str, Param], rest: str
) -> str | None:
    """Take the parameters that stand behind their names, as in `since 2h`, or say what is wrong."""
    while rest:
        name, rest = _first_word(rest)
        word, rest = _first_word(rest)
        if name not in keyed or keyed[name].argument in given:
            return f"/{verb.name} takes no more than that"
        if wrong := _take(given, keyed[name], word):
            return wrong
    return None


def _is_left_out(param: Param, word: str) -> bool:
    """The word belongs to the next parameter."""
    if param.kind is Kind.ROOM:
        return not word.startswith("#")
    return param.kind is Kind.SPAN and not looks_like_span(word)


def _take(given: dict[str, Any], param: Param, word: str) -> str | None:
    """Take what was typed for a parameter, or say what is wrong with it."""
    value: object = word
    if param.kind is Kind.NUMBER:
        if not _is_number(word):
            return f"{param.name} must be a whole number"
        value = int(word)
    elif param.kind is Kind.TIME:
        value = moment(word)
        if value is None:
            return f"{param.name} must be {EXAMPLES}"
    elif param.kind is Kind.SPAN:
        value = span(word)
        if value is None:
            return f"{param.name} must be {SPAN_EXAMPLES}"
    given[param.argument] = value
    return None


def _misused(verb: Verb, what: str) -> Refusal:
    return Refusal("bad_field", f"{what}. Usage: {verb.usage}")


def _a(name: str) -> str:
    if name in {"to", "from"}:
        return "the name of a person"
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _first_word(text: str) -> tuple[str, str]:
    """Split at spaces only: `str.split` would also take 28 other characters for white space."""
    word, _, rest = text.partition(" ")
    return word, rest.lstrip(" ")


NUMBER_DIGITS = 18
"""Digits of the longest number taken: all that fits a signed 64-bit integer, and nothing that is slow to convert."""


def _is_number(text: str) -> bool:
    """ASCII digits only: `int` would also take signs, underscores and other scripts' digits."""
    return text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS
