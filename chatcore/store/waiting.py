"""Questions that wait for the library, and whose turn it is.

Every other turn goes to whoever has waited longest, the turns between to the reader that is farthest behind. So those
who are behind come together, and read the same pages from there on (`chatcore.log.shelf`): two hundred that fell behind
a busy room at different moments soon read as one. And nobody waits for one that has to read a year:
whoever waits longest has half of all turns.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from chatcore.log.archive import Rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.log.archive import Answer, Question

    Then = Callable[[Answer], None]

TAKEN_MOST = 16
"""Requests in the heap that have had their turn, beside as many as wait: so that it is not made anew for each."""


class Request:
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
        self._in_order: deque[Request] = deque()
        self._behind: list[tuple[int, int, Request]] = []
        """A heap of those who read on from a position."""
        self._numbers = count()
        self._longest_next = True
        self._waiting = 0
        """How many have not had their turn."""

    def __len__(self) -> int:
        return self._waiting

    def add(self, request: Request) -> None:
        self._waiting += 1
        self._in_order.append(request)
        if type(request.question) is Rest:
            heappush(self._behind, (request.question.position, next(self._numbers), request))

    def take(self) -> Request:
        """The next one; there must be one."""
        request = self._longest() if self._longest_next else self._farthest()
        self._longest_next = not self._longest_next
        request.taken = True
        self._waiting -= 1
        # One that reads far back stays at the top, and those that had their turn meanwhile lie below it.
        if len(self._behind) > 2 * self._waiting + TAKEN_MOST:
            self._behind = [each for each in self._behind if not each[-1].taken]
            heapify(self._behind)
        return request

    def _longest(self) -> Request:
        while (request := self._in_order.popleft()).taken:
            pass
        return request

    def _farthest(self) -> Request:
        """Who is farthest behind; if all of those have had their turn, who has waited longest."""
        while self._behind:
            request = heappop(self._behind)[-1]
            if not request.taken:
                return request
        return self._longest()
