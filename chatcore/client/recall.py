"""Ctrl-R: the last line sent that holds what is typed now, and the one before it, and so on. Pure.

Invariant: what is found is a line of the history, or the line that was being typed when the search began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_QUERY_CHARACTERS = 64
"""A longer one finds nothing that a shorter does not."""


class Recall:
    """`line` and `cursor`: what was being typed."""

    def __init__(self, lines: Iterable[str], line: str, cursor: int) -> None:
        self.query = ""
        self.before = (line, cursor)
        self._lines = [*lines]
        self._at = len(self._lines)
        """Of `_lines`, the one that is shown; their number: the line that was being typed."""

    @property
    def prompt(self) -> str:
        return f"(search: {self.query}) "

    @property
    def found(self) -> tuple[str, int]:
        """A line, and where in it the query stands."""
        if self._at == len(self._lines):
            return self.before
        line = self._lines[self._at]
        return line, max(line.casefold().find(self.query.casefold()), 0)

    def type(self, text: str) -> bool:
        """False: no line holds that; what was found before stays."""
        query = (self.query + text)[:MAX_QUERY_CHARACTERS]
        return self._find(query, min(self._at, len(self._lines) - 1))

    def older(self) -> bool:
        return bool(self.query) and self._find(self.query, self._at - 1)

    def erase(self) -> bool:
        """The last character of the query; the search begins anew."""
        query = self.query[:-1]
        if query:
            return self._find(query, len(self._lines) - 1)
        self.erase_all()
        return True

    def erase_all(self) -> None:
        """Nothing was looked for: what was being typed is the line again."""
        self.query, self._at = "", len(self._lines)

    def _find(self, query: str, start: int) -> bool:
        wanted = query.casefold()
        for at in range(start, -1, -1):
            if wanted in self._lines[at].casefold():
                self.query, self._at = query, at
                return True
        return False
