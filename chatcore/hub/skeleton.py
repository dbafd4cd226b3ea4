"""Look-alikes: two names that people cannot tell apart have the same key, `look`. UTS #39, section 4.

Theory: the skeleton of UTS #39 is NFD, without what shows nothing, each character replaced by its prototype (Cyrillic
а by a, I and 1 by l, m by rn). Names are compared without regard to case, so the key goes on: it folds the prototypes
and replaces again, until nothing changes. The table holds that end for each character, so one `translate` does it.
To the published table are added: i is l, because I is (else `ian` could pass for `Ian`, and that for `lan`);
fullwidth letters are their usual selves, small capitals are capitals, and the light line of a box is a bar.

Invariants: names with equal skeletons have equal keys; ASCII names that differ only in case have equal keys; `look`
is idempotent. Beyond that it is not blind to case: г looks like r, and Г does not. So whoever asks
whether a name passes for another looks for its `look` among the `looks` of that one.

The big table is read when the first name comes that is not ASCII: a start does not pay for it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NewType

from chatcore.hub.invisible import dropped
from chatcore.hub.names import called, fold

Look = NewType("Look", str)
"""What a name looks like, to be compared and never shown."""

DASHES = "-\u30fc"
"""The looks of most dashes. The server signs with them: `-- words`, `— 1,204 lines missed —`."""

_ASCII = str.maketrans(
    {chr(code): chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
    | dict.fromkeys("0", "o")
    | dict.fromkeys("1Ii|", "l")
    | dict.fromkeys("Mm", "rn")
    | {'"': "''", "`": "'", "%": "º/₀"}
)


_DOTTED = re.compile("([LlJj][\u0323-\u0333]*)\u0307")
"""A dot on a letter that has one: it replaces it, and nothing shows (UTS #39, 5.4). An i is an l here already."""


def look(name: str) -> Look:
    """What the name looks like: equal for names that people would take for one another."""
    if name.isascii():
        return Look(name.translate(_ASCII))
    replaced = unicodedata.normalize("NFD", name).translate(_table())
    return Look(fold(_DOTTED.sub(r"\1", replaced)))


def looks(name: str) -> tuple[Look, ...]:
    """The look of the name, and those of its other spellings: in capitals, in small letters, with one capital."""
    if name.isascii():
        return (look(name),)
    spellings = (name, name.upper(), name.lower(), name.capitalize())
    return tuple(dict.fromkeys(map(look, spellings)))


def difference(name: str, other: str) -> str:
    """The character of `name` that makes it another name than `other`, by code point and name."""
    for mine, theirs in zip(name, other, strict=False):
        if fold(mine) != fold(theirs):
            return called(mine)
    return called(name[len(other)] if len(name) > len(other) else name[-1])


@cache
def _table() -> dict[int, str]:
    from chatcore.hub.confusables import DATA

    return dropped() | prototypes(DATA)


def prototypes(data: str) -> dict[int, str]:
    """Code point → what it looks like, folded."""
    table: dict[int, str] = {}
    for group in data.split(";"):
        looks, _, codes = group.partition("=")
        text = "".join(chr(int(code, 16)) for code in looks.split())
        at = 0
        for step in codes.split():
            at += int(step, 16)
            table[at] = text
    return table
