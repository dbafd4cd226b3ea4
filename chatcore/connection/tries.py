"""Tries: how often somebody has been wrong lately, and when they may try again.

A key (an address, an account) may be wrong so many times in a minute; each wrong one comes back after its share of
the minute. Invariant: one number a key, gone a minute after it was last wrong, and never more than `KEYS_MOST`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

KEYS_MOST = 4_096
"""More than can be wrong in a minute: each costs the one thread that checks some 0.2 s. With cheaper hashes the
longest ago is forgotten first."""

MINUTE_S = 60.0


class Tries:
    __slots__ = ("_settled",)

    def __init__(self) -> None:
        self._settled: dict[Hashable, float] = {}
        """When all that a key did wrong is forgotten; whoever was wrong last stands last."""

    def __len__(self) -> int:
        return len(self._settled)

    def left(self, key: Hashable, now: float, a_minute: int) -> int:
        """How often it may still be wrong now."""
        debt_s = self._settled.get(key, now) - now
        share_s = MINUTE_S / a_minute
        # A share that has begun to come back has not come back; what rounding leaves of one is none.
        return max(0, a_minute - int(max(0.0, debt_s) / share_s + 1 - 1e-9))

    def wait_s(self, key: Hashable, now: float, a_minute: int) -> float:
        """Seconds until it may be wrong once."""
        debt_s = self._settled.get(key, now) - now
        return max(0.0, debt_s - (MINUTE_S - MINUTE_S / a_minute))

    def wrong(self, key: Hashable, now: float, a_minute: int) -> None:
        """It was wrong just now."""
        settled = max(self._settled.pop(key, now), now) + MINUTE_S / a_minute
        self._settled[key] = settled
        self._expire(now)

    def _expire(self, now: float) -> None:
        while self._settled:
            key = next(iter(self._settled))
            if self._settled[key] > now and len(self._settled) <= KEYS_MOST:
                return
            del self._settled[key]
