"""Questions that wait for the library, and whose turn it is.

Every other turn goes to whoever has waited longest, the turns between to the reader that is farthest behind. So those
who are behind come together, and read the same pages from there on (`chatcore.log.shelf`): two hundred that fell behind
a busy room at different moments catch up in a tenth of the time. And nobody waits for one that has to read a year:
whoever waits longest has half of all turns.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from chatcore.log.archive import Rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.log.archive import Answer, Question

    Then = Callable[[Answer], None]


class Asked:
    """A question, and who is to be told the answer."""

    __slots__ = ("question", "taken", "then")

    def __init__(self, question: Question, then: Then) -> None:
        self.question = question
        self.then = then
        self.taken = False
        """It has had its turn. It may still stand in one of the two orders."""


class Waiting:
    """See the module. Used by one thread."""

    def __init__(self) -> None:
        self._in_order: deque[Asked] = deque()
        self._behind: list[tuple[int, int, Asked]] = []
        """A heap of those who read on from a position."""
        self._numbers = count()
        self._longest_next = True
        self._left = 0

    def __len__(self) -> int:
        return self._left

    def add(self, asked: Asked) -> None:
        self._left += 1
        self._in_order.append(asked)
        if type(asked.question) is Rest:
            heappush(self._behind, (asked.question.position, next(self._numbers), asked))

    def take(self) -> Asked:
        """The next one; there must be one."""
        asked = self._longest() if self._longest_next or not self._behind else self._farthest()
        self._longest_next = not self._longest_next
        asked.taken = True
        self._left -= 1
        if not self._left:
            self._in_order.clear()
            self._behind.clear()
        return asked

    def _longest(self) -> Asked:
        while (asked := self._in_order.popleft()).taken:
            pass
        return asked

    def _farthest(self) -> Asked:
        """Who is farthest behind; if none of those who are has not had its turn, who has waited longest."""
        while self._behind:
            asked = heappop(self._behind)[-1]
            if not asked.taken:
                return asked
        return self._longest()
