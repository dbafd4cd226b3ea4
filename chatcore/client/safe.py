"""No string that came from elsewhere reaches the terminal before it went through here.

A control character can move the cursor, rename the window, make the terminal answer into the input line; a
bidirectional override can make a text read as another one. Each becomes a visible stand-in, so that a person sees
that something was there. Pure.
"""

from __future__ import annotations

from chatcore.dialects.wording import shown


def safe(text: str) -> str:
    """One line: also a line end becomes its picture."""
    return shown(text)


def safe_lines(text: str) -> list[str]:
    return [safe(line) for line in text.split("\n")]
