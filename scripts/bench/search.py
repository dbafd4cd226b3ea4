"""The highest rate that holds, found in a bounded number of tries. Pure: the try itself is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GROWTH = 2.0
MISSES = 2  # a rate is given up after two misses: one alone may be the machine's doing


class Outcome(Enum):
    HELD = "held"
    MISSED = "missed"
    LOAD_FULL = (
        "load full"  # missed, but the load itself could not keep up: says nothing of the server
    )


@dataclass(frozen=True, slots=True)
class Plan:
    start: float
    floor: float
    ceiling: float
    bisections: int


@dataclass(frozen=True, slots=True)
class Peak:
    """`at_least`: no server limit was met below the load's own."""

    rate: float
    at_least: bool


def highest(attempt: Callable[[float], Outcome], plan: Plan) -> Peak:
    """Doubles from `start` until a miss (or halves until it holds), then narrows the gap between."""
    held, missed, load_full = 0.0, 0.0, False
    rate = plan.start
    while plan.floor <= rate <= plan.ceiling:
        outcome = _try(attempt, rate)
        if outcome is Outcome.HELD:
            held = rate
            if missed:
                break
            rate *= GROWTH
        else:
            missed, load_full = rate, outcome is Outcome.LOAD_FULL
            if held:
                break
            rate /= GROWTH
    if not missed:
        return Peak(held, at_least=held > 0)
    for _ in range(plan.bisections if held else 0):
        middle = (held * missed) ** 0.5
        outcome = _try(attempt, middle)
        if outcome is Outcome.HELD:
            held = middle
        else:
            missed, load_full = middle, outcome is Outcome.LOAD_FULL
    return Peak(held, at_least=load_full and held > 0)


def _try(attempt: Callable[[float], Outcome], rate: float) -> Outcome:
    """A miss that is the server's own weighs more than one that the load may have caused."""
    seen = []
    for _ in range(MISSES):
        seen.append(attempt(rate))
        if seen[-1] is Outcome.HELD:
            return Outcome.HELD
    return Outcome.MISSED if Outcome.MISSED in seen else Outcome.LOAD_FULL
