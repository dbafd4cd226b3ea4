"""How wide text is on a terminal, and where a cursor may stand in it.

Two ideas: a cluster is what a person takes for one character (a base and its marks, an emoji sequence, a flag); a
cell is one column of the terminal. Invariants: a cluster has 0, 1 or 2 cells; the cells of a text are the sum over
its clusters. It is a small rule set over `unicodedata`, not UAX #29: what it leaves out (conjuncts, prepended
marks) only means one more place where the cursor can stand. Where terminals differ the greater width is taken: a
gap is better than a character drawn over another. Pure.
"""

from __future__ import annotations

import enum
import unicodedata
from functools import lru_cache

KNOWN_CHARACTERS = 4096
"""Characters whose kind is remembered: what one conversation uses, CJK included; about 0.5 MB."""

ZWJ, ZWNJ, EMOJI_STYLE = "\u200d", "\u200c", "\ufe0f"
JAMO_AFTER_THE_FIRST = ((0x1160, 0x11FF), (0xD7B0, 0xD7FF))
"""Vowels and finals of a Hangul syllable: drawn into the cells of its first consonant."""
FILLERS = "\u3164\uffa0"
"""Hangul fillers: letters, but nothing is drawn."""
VISIBLE_FORMATS = (
    "\xad\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Category Cf, yet drawn: the soft hyphen and the signs that stand before or around numbers."""
TAGS = (0xE0020, 0xE007F)
FLAG_LETTERS = (0x1F1E6, 0x1F1FF)
SKIN_TONES = (0x1F3FB, 0x1F3FF)
PICTURES = ((0x2190, 0x2BFF), (0x3030, 0x303D), (0x3297, 0x3299), (0x1F000, 0x1FAFF))
"""The blocks where emoji live; the few others are `LONE_PICTURES`."""
KEYCAPS = "#*0123456789"
"""Pictures with the emoji selector; but nothing joins them to others (UAX #29 GB11: Extended_Pictographic)."""
LONE_PICTURES = KEYCAPS + "\xa9\xae\u203c\u2049\u2122\u2139"
WIDE_WHEN_UNASSIGNED = (
    (0x1F300, 0x1F64F),
    (0x1F680, 0x1F6FF),
    (0x1F7E0, 0x1F7FF),
    (0x1F900, 0x1FAFF),
    (0x20000, 0x3FFFD),
)
"""Emoji and ideographs newer than this Python's tables: the terminal may know them, and they will be wide."""


class Kind(enum.Enum):
    PLAIN = "begins a cluster"
    ALONE = "a control or invisible format character: a cluster of its own"
    JOINS = "belongs to what stands before it"
    SKIN_TONE = "belongs to a picture before it"
    FLAG_LETTER = "two of them are a flag"
    PICTURE = "may be joined with others to one emoji"


def cells(text: str) -> int:
    """Columns that the text takes; a control character counts as one, for its stand-in."""
    if text.isascii():
        return len(text)
    return sum(cluster_cells(cluster) for cluster in clusters(text))


def clusters(text: str) -> list[str]:
    if text.isascii():
        return list(text)
    found = []
    start = 0
    while start < len(text):
        end = after(text, start)
        found.append(text[start:end])
        start = end
    return found


def cluster_cells(cluster: str) -> int:
    if len(cluster) == 1:
        return _look(cluster)[1]
    kind, width = _look(cluster[0])
    if kind is Kind.JOINS:  # marks with nothing before them
        return 0
    is_picture = kind is Kind.PICTURE
    if is_picture and (EMOJI_STYLE in cluster or _look(cluster[-1])[0] is Kind.PICTURE):
        return 2
    if any(unicodedata.category(character) == "Mc" for character in cluster):
        return 2
    return max(width, *(_look(character)[1] for character in cluster[1:]))


def kind_of(cluster: str) -> Kind:
    return _look(cluster[0])[0]


def after(text: str, start: int) -> int:
    """Where the cluster that begins at `start` ends."""
    end = start + 1
    while end < len(text) and _joins(text, start, end):
        end += 1
    return min(end, len(text))


def before(text: str, end: int) -> int:
    """Where the cluster that ends at `end` begins."""
    if end <= 1:
        return 0
    start = _sure_start(text, end - 1)
    while (following := after(text, start)) < end:
        start = following
    return start


def snap(text: str, index: int) -> int:
    """The first place at or after `index` where a cursor may stand."""
    if text.isascii() or index >= len(text):
        return min(index, len(text))
    place = _sure_start(text, index)
    while place < index:
        place = after(text, place)
    return place


def _joins(text: str, start: int, index: int) -> bool:
    """Whether the character at `index` belongs to the cluster that began at `start`."""
    kind = _look(text[index])[0]
    first = _look(text[start])[0]
    match kind:
        case Kind.JOINS:
            return first is not Kind.ALONE
        case Kind.SKIN_TONE:
            return first is Kind.PICTURE
        case Kind.PICTURE:
            is_joint = text[index - 1] == ZWJ and text[index] not in KEYCAPS
            return is_joint and first is Kind.PICTURE and text[start] not in KEYCAPS
        case Kind.FLAG_LETTER:
            return first is Kind.FLAG_LETTER and index == start + 1
        case Kind.PLAIN | Kind.ALONE:
            return False


def _sure_start(text: str, index: int) -> int:
    """The last place up to `index` where a cluster begins whatever stands before it: no need to look at the rest."""
    while index > 0:
        kind = _look(text[index])[0]
        if kind in {Kind.PLAIN, Kind.ALONE}:
            break
        if kind is Kind.PICTURE and text[index - 1] != ZWJ:
            break
        if kind is Kind.FLAG_LETTER and _look(text[index - 1])[0] is not Kind.FLAG_LETTER:
            break
        index -= 1
    return index


@lru_cache(maxsize=KNOWN_CHARACTERS)
def _look(character: str) -> tuple[Kind, int]:
    """The kind and the cells of one character."""
    code, category = ord(character), unicodedata.category(character)
    if character in VISIBLE_FORMATS:
        return Kind.PLAIN, 1
    if _is_joined(character, code, category):
        return Kind.JOINS, 0
    if category in {"Cc", "Cs", "Cf", "Zl", "Zp"} or character in FILLERS:
        return Kind.ALONE, 1 if category in {"Cc", "Cs"} else 0
    if _within(code, FLAG_LETTERS, SKIN_TONES):
        return Kind.FLAG_LETTER if _within(code, FLAG_LETTERS) else Kind.SKIN_TONE, 2
    is_picture = character in LONE_PICTURES or _within(code, *PICTURES)
    return Kind.PICTURE if is_picture else Kind.PLAIN, _base_cells(character, code, category)


def _is_joined(character: str, code: int, category: str) -> bool:
    return (
        category in {"Mn", "Me", "Mc"}
        or character in {ZWJ, ZWNJ}
        or _within(code, *JAMO_AFTER_THE_FIRST, TAGS)
    )


def _base_cells(character: str, code: int, category: str) -> int:
    if category == "Cn":  # `unicodedata` has no width to tell, whatever it answers
        return 2 if _within(code, *WIDE_WHEN_UNASSIGNED) else 1
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _within(code: int, *ranges: tuple[int, int]) -> bool:
    return any(first <= code <= last for first, last in ranges)
