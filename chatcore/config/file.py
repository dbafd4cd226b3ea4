"""The settings file: TOML, read into dotted keys; what it should not hold becomes a mistake that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatcore.config.rows import BY_KEY
from chatcore.config.spelling import shown

SECTIONS = {key.partition(".")[0] for key in BY_KEY if "." in key}


def read(path: str, mistakes: list[str]) -> dict[str, Any]:
    """The file's settings by dotted key; what it should not hold goes to the mistakes."""
    import tomllib

    where = shown(path)
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        mistakes.append(f"{where}: {why}. Name another file with --config, or leave it out")
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
    # Right but for its section, or for having none: likelier than a slip of the finger.
    near = [known for known in BY_KEY if _last_part(known) == _last_part(key)]
    near = near or get_close_matches(key, (*BY_KEY, *sorted(SECTIONS)), n=1)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no setting {shown(key)}{hint}"


def _last_part(key: str) -> str:
    return key.rpartition(".")[2]
