"""Framing by `\\n`: bytes in any split to blocks of whole lines, with a bound on a line.

Invariants: work is linear in the bytes fed and memory at most one read plus one unfinished line, whatever comes;
a line that is too long is reported once, in its place, and skipped up to its end. Lines are told apart by `\\n`
alone: `splitlines` would also split at form feeds and seven other characters.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re


class Overlong(enum.Enum):
    LINE = "a line beyond the limit"


OVERLONG: Final = Overlong.LINE


class Lines:
    __slots__ = ("_at", "_block", "_blocks", "_limit", "_partial", "_skipping", "idle")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        """Bytes of a line without its line end (`\\n` or `\\r\\n`)."""
        self._block: bytes | None = None
        """The one block there is most of the time; more wait in `_blocks`, behind it."""
        self._at = 0
        """How much of that block has been taken: cutting it off every time would copy the rest every time."""
        # Each made when first needed: an idle connection has neither.
        self._blocks: deque[bytes | Overlong] | None = None
        self._partial: bytearray | None = None
        self._skipping = False
        self.idle = False
        """Set by whoever takes lines, when it has taken all there are and may take a short cut past `feed`."""

    def feed(self, data: bytes) -> None:
        self.idle = False
        if (
            self._partial is None
            and not self._skipping
            and len(data) <= self._limit
            and data.endswith(b"\n")
        ):
            # The hot path: whole lines, and none of them can be too long.
            if self._block is None and self._blocks is None:
                self._block = data[:-1]
            else:
                self._push(data[:-1])
            return
        if self._skipping:
            end = data.find(b"\n")
            if end < 0:
                return
            self._skipping = False
            data = data[end + 1 :]
        if self._partial is not None:
            end = data.find(b"\n")
            if end < 0:
                self._partial += data
                self._bound_partial()
                return
            self._partial += data[: end + 1]
            first, self._partial = bytes(self._partial), None
            self._add(first[:-1])
            data = data[end + 1 :]
        end = data.rfind(b"\n")
        if end >= 0:
            self._add(data[:end])
            data = data[end + 1 :]
        if data:
            self._partial = bytearray(data)
            self._bound_partial()

    def _bound_partial(self) -> None:
        """An unfinished line may be one byte over: its `\\r`."""
        if self._partial is not None and len(self._partial) > self._limit + 1:
            self._partial = None
            self._skipping = True
            self._push(OVERLONG)

    def _add(self, block: bytes) -> None:
        """Take whole lines; `block` lacks the last `\\n`."""
        if len(block) <= self._limit:
            self._push(block)
            return
        lines = block.split(b"\n")
        if max(map(len, lines)) <= self._limit:
            self._push(block)
            return
        for line in lines:
            too_long = len(line) - line.endswith(b"\r") > self._limit
            self._push(OVERLONG if too_long else line)

    def _push(self, block: bytes | Overlong) -> None:
        if self._block is None and self._blocks is None and block is not OVERLONG:
            self._block = block
            return
        if self._blocks is None:
            self._blocks = deque()
        self._blocks.append(block)

    def take(self, most: int) -> bytes | Overlong | None:
        """A block of 1 to `most` whole lines without its last `\\n`; `OVERLONG` in a line's place; None for nothing."""
        block = self._block
        if block is None:
            if self._blocks is None:
                return None
            first = self._blocks.popleft()
            if not self._blocks:
                self._blocks = None
            if first is OVERLONG:
                return first
            block = first
        # A block has no more lines than bytes, and one: most of the time there is nothing to count.
        at = self._at
        end = _end_of_lines(block, at, most) if most <= len(block) - at else -1
        if end < 0:
            self._block = None
            self._at = 0
            return block[at:]
        self._block = block
        self._at = end + 1
        return block[at:end]

    def skip_blank(self, blank: re.Pattern[bytes]) -> None:
        """Pass over the blank lines that come next: a read full of them costs one search and not 65,536 turns.

        `blank` matches any number of whole lines that are none to the dialect.
        """
        if self._block is not None and (found := blank.match(self._block, self._at)):
            self._at = found.end()

    @property
    def empty(self) -> bool:
        """Nothing is fed that has not been taken."""
        return (
            self._block is None
            and self._partial is None
            and self._blocks is None
            and not self._skipping
        )

    @property
    def unfinished(self) -> bool:
        """There is the beginning of a line."""
        return self._partial is not None or self._skipping


def _end_of_lines(block: bytes, at: int, lines: int) -> int:
    """Where the first `lines` lines from `at` on end, or -1 if the block has no more than that."""
    end = at - 1
    for _ in range(lines):
        end = block.find(b"\n", end + 1)
        if end < 0:
            break
    return end
