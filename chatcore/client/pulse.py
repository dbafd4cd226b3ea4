"""Is anybody there: when to ask the server for a sign of life, and when to take it for gone. Pure."""

from __future__ import annotations

PING_AFTER_S = 30.0
"""Nothing heard for so long: ask. Shorter than the minute after which many home routers forget a connection."""
SPEAK_AFTER_S = 60.0
"""Nothing said for so long: give a sign of life, so that no server takes a silent reader for a ghost (it asks at 90 s)."""
PING_TIMEOUT_S = 15.0


BACKOFF_MIN_S = 1.0
BACKOFF_MAX_S = 60.0
"""Between two tries to connect: at once feels at once, and a server that is down is not hammered."""


def backoff_s(attempt: int, roll: float) -> float:
    """Full jitter over 1 s … 2^attempt s (at most 60): after a restart a thousand clients spread by themselves."""
    ceiling = min(BACKOFF_MAX_S, 2.0 ** min(attempt, 16))
    return BACKOFF_MIN_S + roll * (ceiling - BACKOFF_MIN_S)


class Pulse:
    def __init__(self, now: float) -> None:
        self._heard_at = self._spoke_at = now
        self._ping_at: float | None = None

    @property
    def deadline(self) -> float:
        if self._ping_at is not None:
            return self._ping_at + PING_TIMEOUT_S
        return min(self._heard_at + PING_AFTER_S, self._spoke_at + SPEAK_AFTER_S)

    def heard(self, now: float) -> None:
        self._heard_at, self._ping_at = now, None

    def spoke(self, now: float) -> None:
        self._spoke_at = now

    def pinged(self, now: float) -> None:
        self._ping_at = now

    def is_due(self, now: float) -> bool:
        """Time to ping."""
        return self._ping_at is None and now >= self.deadline

    def is_gone(self, now: float) -> bool:
        return self._ping_at is not None and now >= self.deadline
