"""Timers: what is to happen later, soonest first.

Invariants: a cancelled timer never runs and holds nothing alive; what is due is collected before any of it runs,
so that a timer which sets another one for now cannot keep the loop from its sockets (tornado's lesson).
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SWEEP_AT_LEAST = 512
"""Cancelled timers that are let lie before the heap is rebuilt without them, if they are also half of it."""


class Timer:
    """One thing to happen. `cancel` may be called at any time, any number of times."""

    __slots__ = ("_number", "_taken", "_timers", "_when", "callback")

    def __init__(
        self, timers: Timers, when: float, number: int, callback: Callable[[], None]
    ) -> None:
        self._timers = timers
        self._when = when
        self._number = number
        self._taken = False
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            if not self._taken:
                self._timers.note_cancelled()

    def fire(self) -> None:
        """For the reactor. Another timer of the same moment may have cancelled this one."""
        callback = self.callback
        if callback is not None:
            self.callback = None
            callback()

    def take(self) -> Callable[[], None]:
        """For the heap, which holds it no longer: a late `cancel` must not be counted there."""
        self._taken = True
        return self.fire

    def __lt__(self, other: Timer) -> bool:
        return (self._when, self._number) < (other._when, other._number)

    @property
    def when(self) -> float:
        return self._when


class Timers:
    __slots__ = ("_cancelled", "_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._numbers = count()
        self._cancelled = 0

    def add(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self, when, next(self._numbers), callback)
        heapq.heappush(self._heap, timer)
        return timer

    def note_cancelled(self) -> None:
        """Ten thousand connections each cancel a deadline long before it is due: do not keep those."""
        self._cancelled += 1
        if self._cancelled > SWEEP_AT_LEAST and self._cancelled * 2 > len(self._heap):
            self._heap = [timer for timer in self._heap if timer.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next_at(self) -> float | None:
        """When the next one is due; None if there is none."""
        heap = self._heap
        while heap and heap[0].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0].when if heap else None

    def due(self, now: float) -> list[Callable[[], None]]:
        """Take out what is due by `now`, in order."""
        callbacks: list[Callable[[], None]] = []
        while (when := self.next_at()) is not None and when <= now:
            callbacks.append(heapq.heappop(self._heap).take())
        return callbacks
