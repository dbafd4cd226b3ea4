"""What was sent before, to be called back with Up and Down.

Invariants: at most `MAX_LINES`, none the same as the one before it; the unsent line is kept while one looks at the
others, and is there again after the last of them. In memory only. Pure.
"""

from __future__ import annotations

from collections import deque

MAX_LINES = 500
"""As much as readline keeps by default; 2 MB if every line were as long as it may be."""


class History:
    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=MAX_LINES)
        self._at = 0
        """Which of `lines` is looked at; their number: none."""
        self._unsent = ""

    def add(self, line: str) -> None:
        if not self.lines or self.lines[-1] != line:
            self.lines.append(line)
        self.leave()

    def leave(self) -> None:
        """None is looked at any more."""
        self._at = len(self.lines)
        self._unsent = ""

    def browse(self, step: int, current: str) -> str | None:
        """The line one `step` further; None: there is none. `current`: what stands in the editor now."""
        if self._at == len(self.lines):
            self._unsent = current
        place = self._at + step
        if not 0 <= place <= len(self.lines):
            return None
        self._at = place
        return self._unsent if place == len(self.lines) else self.lines[place]
