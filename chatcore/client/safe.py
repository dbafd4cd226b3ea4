"""No string that came from elsewhere reaches the terminal before it went through here.

A control character can move the cursor, rename the window, make the terminal answer into the input line; a
bidirectional override can make a text read as another one. Each becomes a visible stand-in, so that a person sees
that something was there. Pure.
"""

from __future__ import annotations

import re

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1 (0x9b alone begins an escape sequence in some terminals)
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides, isolates
    "\ud800-\udfff]"  # lone surrogates: JSON can carry them, UTF-8 cannot
)
CONTROL_PICTURES = 0x2400
"""U+2400 + a C0 code is its picture: ␛ for ESC, ␇ for BEL."""
DELETE = "\x7f"
DELETE_PICTURE = "\u2421"
REPLACEMENT = "\ufffd"


def safe(text: str) -> str:
    """One line: also a line end becomes its picture."""
    return text if text.isprintable() else UNSAFE.sub(_stand_in, text)


def safe_lines(text: str) -> list[str]:
    return [safe(line) for line in text.split("\n")]


def _stand_in(match: re.Match[str]) -> str:
    character = match[0]
    if character < " ":
        return chr(CONTROL_PICTURES + ord(character))
    return DELETE_PICTURE if character == DELETE else REPLACEMENT
