"""How values are shown: as they would stand in the settings file.

What stands in a file or in the environment must not reach the terminal raw, and no secret is ever given to this.
"""

from __future__ import annotations

import json

from chatcore.config.operators import Operator
from chatcore.config.values import MOST, Address

SHOWN_CHARS = 60
"""Of a wrong value: a line of the terminal."""

SHOWN_DEPTH = 8
"""Lists and tables in one another: no setting has more than two, and Python does not count far."""


def spelt(value: object, depth: int = 0) -> str:  # noqa: PLR0911 - one arm a kind of value
    """In TOML, but for what TOML has no word for: `none`."""
    if depth > SHOWN_DEPTH:
        return "…"
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int():
            # It may have more digits than Python is willing to print.
            return hex(value) if abs(value) > MOST else str(value)
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return text if text.isprintable() else json.dumps(value)
        case Address():
            return f'"{value}"'
        case Operator():
            return spelt({"name": value.name}, depth)
        case list() | tuple():
            return f"[{', '.join([spelt(each, depth + 1) for each in value])}]"
        case dict():
            pairs = [f"{shown(key)} = {spelt(each, depth + 1)}" for key, each in value.items()]
            return f"{{{', '.join(pairs)}}}"
        case _:
            return str(value)


def short(value: object) -> str:
    """A wrong value, as far as it helps to find it."""
    text = spelt(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


def shown(text: str) -> str:
    """A name as it stands there, unless it could do harm."""
    return text if text.isprintable() else ascii(text)
