"""The settings file: TOML, read into dotted keys; what it should not hold becomes a mistake that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatcore.config.rows import BY_KEY
from chatcore.config.values import MOST

SHOWN_CHARS = 60
"""Of a wrong value: a line of the terminal."""


def read(path: str, mistakes: list[str]) -> dict[str, Any]:
    """The file's settings by dotted key; what it should not hold goes to the mistakes."""
    import tomllib

    where = shown(path)
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        mistakes.append(f"{where}: cannot be read: {error.strerror}")
        return {}
    except (ValueError, RecursionError) as error:
        mistakes.append(f"{where}: is not valid TOML: {shown(str(error))}")
        return {}
    found: dict[str, Any] = {}
    for section, entries in content.items():
        of_section = isinstance(entries, dict) and section not in BY_KEY
        pairs = entries.items() if of_section else [(None, entries)]
        for name, value in pairs:
            key = section if name is None else f"{section}.{name}"
            if key in BY_KEY:
                found[key] = value
            else:
                mistakes.append(f"{where}: there is no setting {shown(key)}{_hint(key)}")
    return found


def _hint(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, BY_KEY, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def shown(text: str) -> str:
    """What stands in a file must not reach the terminal raw."""
    return text if text.isprintable() else ascii(text)


def short(value: object) -> str:
    """A wrong value, as far as it helps to find it; a number may have more digits than Python is willing to print."""
    text = hex(value) if isinstance(value, int) and abs(value) > MOST else ascii(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
