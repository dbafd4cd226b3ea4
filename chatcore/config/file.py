"""The settings file: TOML, read into dotted keys; what it should not hold becomes a mistake that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatcore.config.rows import BY_KEY
from chatcore.config.values import MOST

SECTIONS = {key.partition(".")[0] for key in BY_KEY if "." in key}

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
        pairs = {section: entries}
        if section not in BY_KEY and isinstance(entries, dict) and (entries or section in SECTIONS):
            pairs = {f"{section}.{name}": value for name, value in entries.items()}
        for key, value in pairs.items():
            if key in BY_KEY:
                found[key] = value
            else:
                mistakes.append(f"{where}: {_unknown(key)}")
    return found


def _unknown(key: str) -> str:
    """What is wrong with a key that is no setting's."""
    from difflib import get_close_matches

    if key in SECTIONS:
        return f"{key} must be a section: [{key}], with its settings below"
    near = get_close_matches(key, (*BY_KEY, *sorted(SECTIONS)), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no setting {shown(key)}{hint}"


def shown(text: str) -> str:
    """What stands in a file must not reach the terminal raw."""
    return text if text.isprintable() else ascii(text)


def short(value: object) -> str:
    """A wrong value, as far as it helps to find it; a number may have more digits than Python is willing to print."""
    text = hex(value) if isinstance(value, int) and abs(value) > MOST else ascii(value)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
