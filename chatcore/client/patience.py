"""How long one waits: for the server's first answer, for what is to be acknowledged, and until a wait is worth showing.

Whoever types decides that alone; nobody does so for a pipe, which therefore gives up. Invariant: as long as what
waits becomes less, nothing is late. Pure: the time is an argument.
"""

from __future__ import annotations

FIRST_CONNECT_S = 30.0
"""Piped: how long to try to reach a server for the first time, unless `--timeout` says otherwise."""
PENDING_SHOWN_S = 0.3
"""A line that is acknowledged faster is not shown as waiting: it would only flicker."""


class Patience:
    """`timeout_s`: `--timeout`, if it was given. `forever`: there is somebody who types."""

    def __init__(self, timeout_s: float | None, now: float, *, forever: bool) -> None:
        self.waiting = 0
        """Requests that are not answered yet."""
        self._timeout_s, self._forever = timeout_s, forever
        self._started_at = self._progress_at = now
        self._was_joined = self._is_offline = False

    def note(self, waiting: int, now: float, *, joined: bool, offline: bool) -> None:
        if waiting < self.waiting or not self.waiting:
            self._progress_at = now
        self.waiting = waiting
        self._was_joined |= joined
        self._is_offline = offline

    def is_pending_shown(self, now: float) -> bool:
        return bool(self.waiting) and now >= self._progress_at + PENDING_SHOWN_S

    @property
    def was_joined(self) -> bool:
        """Once, at least."""
        return self._was_joined

    @property
    def connect_by(self) -> float | None:
        """When to give up if one is not in by then."""
        if self._forever or self._was_joined or not (self._timeout_s or self._is_offline):
            return None
        return self._started_at + (self._timeout_s or FIRST_CONNECT_S)

    @property
    def acknowledge_by(self) -> float | None:
        """When to give up what is not acknowledged."""
        if self._forever or not (self._was_joined and self.waiting and self._timeout_s):
            return None
        return self._progress_at + self._timeout_s

    def deadlines(self, now: float) -> list[float | None]:
        shown_at = self._progress_at + PENDING_SHOWN_S
        pending = shown_at if self.waiting and not self.is_pending_shown(now) else None
        return [self.connect_by, self.acknowledge_by, pending]
