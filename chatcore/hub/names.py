"""Aliases and names of rooms: which are allowed, and when two are the same.

Invariants: what is accepted is NFC, 1 to 32 characters long after that, and holds no character that could move a
cursor, reorder text, show nothing, or be taken for one of our own signs; `fold` is idempotent, and two names that
differ only in case or in how their accents are composed fold to the same.

Names that look alike without being the same are told by `chatcore.hub.skeleton`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NewType

from chatcore.hub.invisible import UNSEEN
from chatcore.hub.reply import Refusal

Folded = NewType("Folded", str)
"""A name as it is compared, never shown."""

NAME_CHARACTERS = 32
"""Characters of the longest name, after normalisation: fits a column, and every name that people go by."""

LOOKED_AT_CHARACTERS = 4 * NAME_CHARACTERS
"""Longer input is refused unnormalised, so that its cost is bounded. Exact: no character of NFC stands for more than
four (U+1F82), so what is longer than this is still too long when it is composed."""

FORBIDDEN = ",:!@*?"
"""Separators and wildcards of the dialects: `Alice:` ends a name, masks and addresses use the others."""

FORBIDDEN_FIRST = "/#{&$+~"
"""`/` begins a command, `#` a room, `{` the native dialect; the others mean ranks or rooms in IRC."""

RESERVED = frozenset(("--", "—"))
"""Aliases that would look like the server's own lines: `-- words`, `— 1,204 lines missed —`."""

ALLOWED_CATEGORIES = frozenset("LMNSP")
"""First letters of the general categories: letters, marks, numbers, symbols, punctuation. Not Z (spaces) and not
C (controls, format and bidi characters, private use, unassigned, surrogates)."""

ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3,}(/[0-9.]*)?")
"""What reads as an IPv4 address or network. It is no alias, because bans name those by the same word."""

MARKS_IN_A_ROW = 4
"""Marks that may stand on one letter, decomposed (UTS #39, 5.4): enough for every script that is written, and too few
to reach into the lines above and below."""

JAMO = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb]")
"""Vowels and finals of Hangul: no marks by category, but they take no place of their own."""

ALLOWED = (
    "Allowed are letters, marks, numbers, symbols and punctuation, "
    f"but not {' '.join(FORBIDDEN)} anywhere, nor {' '.join(FORBIDDEN_FIRST)} at the start."
)


def fold(name: str) -> Folded:
    """The name as it is compared: case-folded and composed."""
    if name.isascii():
        return Folded(name.lower())
    composed = unicodedata.normalize("NFC", name)
    # Folding can leave something to compose, and composing something to fold (Unicode 3.13, D145).
    folded = unicodedata.normalize("NFD", composed).casefold()
    return Folded(unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).casefold()))


def alias(text: str) -> str | Refusal:
    """The alias as it will be shown, or what is wrong with it."""
    if not text:
        return Refusal("alias_empty", "An alias cannot be empty. Choose an alias.")
    name = _composed(text)
    if name is None or len(name) > NAME_CHARACTERS:
        return Refusal(
            "alias_too_long",
            f"An alias has at most {NAME_CHARACTERS} characters. Choose a shorter alias.",
        )
    if name in RESERVED:
        return Refusal(
            "alias_not_allowed", f"{name} is how the server signs. Choose another alias."
        )
    broken = _broken_rule(name)
    if broken:
        return Refusal("alias_not_allowed", f"An alias {broken} Choose another alias.")
    if ADDRESS.fullmatch(name):
        return Refusal("alias_not_allowed", f"{name} looks like an address. Choose another alias.")
    return name


def room(text: str) -> str | Refusal:
    """The room's name as it will be shown, with its `#`, or what is wrong with it."""
    if not text:
        return Refusal("room_empty", "Say which room, for example #dev.")
    if text[0] != "#":
        near = room("#" + text)
        hint = f" Did you mean {near}?" if type(near) is str else ""
        return Refusal("room_not_allowed", f"A room's name begins with #.{hint}")
    name = _composed(text[1:])
    if name is None or len(name) > NAME_CHARACTERS:
        return Refusal(
            "room_too_long",
            f"A room's name has # and at most {NAME_CHARACTERS} characters. Choose a shorter name.",
        )
    if not name:
        return Refusal("room_empty", "A room's name needs something after the #, for example #dev.")
    broken = _broken_rule(name)
    if broken:
        return Refusal(
            "room_not_allowed",
            f"After its #, a room's name {broken} Choose another name.",
        )
    return "#" + name


def _composed(text: str) -> str | None:
    """The text in NFC; None when it is far too long to be worth that."""
    if len(text) > LOOKED_AT_CHARACTERS:
        return None
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _broken_rule(name: str) -> str | None:
    """Which rule the name breaks, in words to follow "An alias"; None if it keeps them all."""
    if name.isascii() and name.isalnum():
        return None
    if " " in name:
        # What people try: no more need be said of it.
        return "has no spaces."
    broken = _broken(name)
    return f"{broken}. {ALLOWED}" if broken else None


def _broken(name: str) -> str | None:
    if name[0] in FORBIDDEN_FIRST:
        return f"cannot begin with {name[0]}"
    for character in name:
        if unwanted := _unwanted(character):
            return f"cannot contain {unwanted}"
    if unseen := UNSEEN.search(name):
        return f"cannot contain invisible characters ({called(unseen[0])})"
    if unicodedata.category(name[0])[0] == "M" or JAMO.match(name):
        return f"cannot begin with a combining mark ({called(name[0])})"
    return None if name.isascii() else _broken_by_marks(name)


def _broken_by_marks(name: str) -> str | None:
    """Marks that are too many for the eye: heaps of them, and those that cover one another."""
    row, before = 0, ""
    for character in unicodedata.normalize("NFD", name):
        is_mark = unicodedata.category(character) in ("Mn", "Me")
        if is_mark and character == before:
            return f"cannot have the same mark twice on a letter ({called(character)})"
        row = row + 1 if is_mark or JAMO.match(character) else 0
        if row > MARKS_IN_A_ROW:
            return f"cannot have more than {MARKS_IN_A_ROW} marks on a letter ({called(character)})"
        before = character
    return None


def _unwanted(character: str) -> str | None:
    """What it is, if no name may contain it."""
    if character in FORBIDDEN:
        return character
    if character == "\ufffd":
        return "what is no valid UTF-8"
    category = unicodedata.category(character)
    if category[0] == "Z" or character.isspace():
        return f"white space ({called(character)})"
    if category[0] not in ALLOWED_CATEGORIES:
        return f"{_KINDS[category]} ({called(character)})"
    return None


# Every category that begins with C; Z and the allowed ones never get here.
_KINDS = {
    "Cc": "control characters",
    "Cf": "invisible format characters",
    "Cs": "half characters",
    "Co": "private-use characters",
    "Cn": "unassigned characters",
}


def called(character: str) -> str:
    """The character by code point and name, never itself: it may be the one that does harm."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}{' ' + name if name else ''}"
