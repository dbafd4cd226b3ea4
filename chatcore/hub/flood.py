"""Flood control, the policy: how many lines a connection may have decided now, and how long it waits for the next.

A token bucket: a burst at once, then a steady rate. It never punishes: whoever says too much is read later, and
TCP holds the sender back. The mechanism (pausing, the timer) is the exchange's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FloodLimits:
    enabled: bool = True
    burst: int = 20
    """At least 1. Lines at once: a pasted paragraph goes through; Ergo allows 5, InspIRCd some 10."""
    per_second: float = 5.0
    """Above 0. Lines a second after that: faster than anybody types or reads; Ergo allows 2, ssh-chat 1."""


class Allowance:
    """What one connection may still say. The limits come with each call, so that a reload takes effect at once."""

    __slots__ = ("_at", "_spent")

    def __init__(self) -> None:
        self._spent = 0.0
        """Lines said that have not been earned back."""
        self._at = 0.0

    def available(self, now: float, limits: FloodLimits) -> int:
        """Whole lines that may be said at `now` (monotonic seconds)."""
        # A clock that goes back earns nothing, and takes nothing away.
        self._spent = max(0.0, self._spent - max(0.0, now - self._at) * limits.per_second)
        self._at = now
        return max(0, int(limits.burst - self._spent + _ROUNDING))

    def spend(self, lines: int) -> None:
        self._spent += lines

    def wait_s(self, now: float, limits: FloodLimits) -> float:
        """Seconds until one more line may be said; 0 if it may be now."""
        if self.available(now, limits):
            return 0.0
        return (self._spent - limits.burst + 1) / limits.per_second


_ROUNDING = 1e-6
"""Lines that rounding may hide: a wait of exactly `wait_s` must be enough."""
