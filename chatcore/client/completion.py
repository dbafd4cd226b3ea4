"""What Tab offers in place of the word before the cursor: commands, rooms, and the people who are here. Pure.

Invariants: never oneself; who spoke last is offered first; case and accents do not matter; a name that could not be
typed (a server may lie) is not offered.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from chatcore.client.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.client.model import Model


class Completer:
    def __init__(self, model: Model) -> None:
        self._model = model

    def __call__(self, text: str, cursor: int) -> list[str]:
        before = text[:cursor]
        word = "" if not before or before[-1].isspace() else before.split()[-1]
        is_first = before.strip() == word
        if word.startswith("/") and is_first:
            return [f"{each} " for each in _beginning(word, (f"/{name}" for name in COMMANDS))]
        if word.startswith("#"):
            return [f"{each} " for each in _beginning(word, self._model.room_names())]
        # At the beginning of a line it is said to somebody.
        end = ": " if is_first else " "
        return [f"{each}{end}" for each in _beginning(word, self._model.people_here())]


def _beginning(word: str, names: Iterable[str]) -> list[str]:
    wanted = _bare(word)
    return [name for name in names if _bare(name).startswith(wanted) and _can_be_typed(name)]


def _bare(text: str) -> str:
    """Without case and accents."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "".join(each for each in parts if not unicodedata.combining(each))


def _can_be_typed(name: str) -> bool:
    return name.isprintable() and not any(map(str.isspace, name))
