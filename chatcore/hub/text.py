"""What people type, made safe to show: nothing that moves a cursor, changes a terminal or reorders a line.

Invariant: what `shown` returns holds none of `UNSAFE`. What is stored is what was typed; every dialect calls this
when it renders, because a person with `nc` has no client that could.
"""

from __future__ import annotations

import re
from functools import cache

_LAST_OF_PLANES = "".join(
    chr(plane | last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)

UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: ESC and CSI begin terminal sequences, CR overwrites the line
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi marks, embeddings, overrides, isolates (UAX #9)
    "\u2028\u2029"  # line and paragraph separators
    "\ufeff\ufff9-\ufffb"  # byte-order mark, interlinear annotation
    f"\ufdd0-\ufdef{_LAST_OF_PLANES}"  # noncharacters: 32, and the last two of each of the 17 planes
    "\ud800-\udfff"  # lone surrogates: they cannot be encoded
    "\U000e0000-\U000e007f"  # tags: invisible text
    "]"
)

_CONTROL_PICTURES = 0x2400
"""U+2400 + n is the picture of the control character n: ␛ for ESC, ␇ for BEL."""

_PRINTABLE_ASCII = bytes(range(0x20, 0x7F)) + b"\n"

_UNSAFE_IN_LINES = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
"""The same without `\\n`."""

_FEW = 64
"""Characters replaced one by one. To look each character of a text up costs less than to find more than these: a read
of nothing but control characters took 90 ms."""


def shown(text: str) -> str:
    """The text as one safe line; a line end is shown as ␊."""
    # `isprintable` is one pass in C, and true for nearly everything that people type; it is never true for anything
    # in UNSAFE.
    return text if text.isprintable() else _replaced(text, UNSAFE)


def shown_lines(text: str) -> str:
    """The text with its line ends, each line safe."""
    # The hot path: for ASCII, taking the printable bytes out leaves nothing three times faster than `isprintable`.
    if text.isascii():
        if not text.encode().translate(None, _PRINTABLE_ASCII):
            return text
    elif text.replace("\n", "").isprintable():
        return text
    return _replaced(text, _UNSAFE_IN_LINES)


def _replaced(text: str, unsafe: re.Pattern[str]) -> str:
    replaced, times = unsafe.subn(_stand_in, text, _FEW)
    return replaced if times < _FEW else replaced.translate(_stand_ins(unsafe))


def _stand_in(match: re.Match[str]) -> str:
    return _picture(ord(match[0]))


def _picture(code: int) -> str:
    if code == 0x09:
        return " "
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "␡" if code == 0x7F else "\ufffd"


@cache
def _stand_ins(unsafe: re.Pattern[str]) -> dict[int, str]:
    """For `str.translate`; the pattern is one class of characters and of ranges of them."""
    spans = re.findall("(.)(?:-(.))?", unsafe.pattern[1:-1], re.DOTALL)
    codes = (range(ord(first), ord(last or first) + 1) for first, last in spans)
    return {code: _picture(code) for span in codes for code in span}


def replace_surrogates(text: str) -> str:
    """Text that can be encoded: pairs of surrogates are joined, lone ones become U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
