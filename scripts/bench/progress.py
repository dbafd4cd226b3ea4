"""One line on stderr that says how far the bench is: rewritten at a terminal, a new one elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

CLEAR = "\r\033[K"


class Progress:
    def __init__(self, total: int, stream: TextIO) -> None:
        self._total, self._stream = total, stream
        self._done, self._started = 0, time.monotonic()
        self._rewrite = stream.isatty()

    def step(self, what: str) -> None:
        """Says what is being measured now."""
        self._done += 1
        text = f"[{self._done}/{self._total}] {what}{self._left()}"
        print(
            f"{CLEAR}{text}" if self._rewrite else text,
            end=self._end,
            file=self._stream,
            flush=True,
        )

    def say(self, text: str) -> None:
        """A line that stays."""
        print(f"{CLEAR if self._rewrite else ''}{text}", file=self._stream, flush=True)

    def finish(self) -> None:
        if self._rewrite:
            print(CLEAR, end="", file=self._stream, flush=True)

    @property
    def _end(self) -> str:
        return "" if self._rewrite else "\n"

    def _left(self) -> str:
        before = self._done - 1
        if not before:
            return ""
        left_s = (time.monotonic() - self._started) / before * (self._total - before)
        return f", about {left_s // 60:.0f}:{left_s % 60:02.0f} left"
