"""What the server tells of itself to those who run it: alive, ready, and how it does.

Over the Unix socket, which only its owner can open, it names people; over TCP, which every user of the machine can
reach, it only counts them.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from chatcore import __version__
from chatcore.connection.lag import worst
from chatcore.metrics import CONTENT_TYPE, connections_by_dialect, exposition

if TYPE_CHECKING:
    from typing import Any

    from chatcore.metrics import Sources

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

MEDIAN = 0.5
NEARLY_ALL = 0.99


class Report:
    """Answers by path; see the module."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._server = sources.server
        self._began_s = time.monotonic()

    def answer(self, path: str, *, private: bool) -> tuple[int, str, str] | None:
        """Status, content type and body of what is at that path; None if nothing is. `private`: names may be told."""
        match path:
            case "/metrics":
                return 200, CONTENT_TYPE, exposition(self._sources)
            case "/healthz":
                return 200, TEXT, self._health()
            case "/readyz":
                reason = self.not_ready()
                return (503, TEXT, f"{reason}\n") if reason else (200, TEXT, "ready\n")
            case "/status":
                return 200, JSON, json.dumps(self.status(private=private)) + "\n"
            case _:
                return None

    def _health(self) -> str:
        """The answer itself is the sign of life: it comes from the loop that serves everybody."""
        stats = self._server.reactor.stats
        age_ms = (time.monotonic() - self._server.reactor.now) * 1000
        return (
            f"alive: turn {stats.turns + 1}, {age_ms:.1f} ms old; "
            f"the longest took {stats.longest_stall_ms:.1f} ms\n"
        )

    def not_ready(self) -> str:
        """Why nobody should be sent here for now; empty when all is well."""
        journal = self._server.keeping.journal
        if self._server.stopping:
            return "the server is stopping"
        return journal.failure or journal.trouble

    def status(self, *, private: bool) -> dict[str, Any]:
        server, stats = self._server, self._server.reactor.stats
        delivery, measured = server.exchange.delivery, self._sources.measured
        state = server.world.state
        behind: dict[str, Any] = {"readers": len(delivery.behind), "parked": delivery.parked}
        if private:
            behind["worst"] = [each._asdict() for each in worst(delivery)]
        return {
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._began_s, 1),
            "ready": not self.not_ready(),
            "reason": self.not_ready(),
            "people": state.people,
            "rooms": len(state.rooms),
            "connections": [
                {"dialect": dialect, "encrypted": encrypted, "count": count}
                for (dialect, encrypted), count in sorted(
                    connections_by_dialect(server.exchange).items()
                )
            ],
            "messages": delivery.delivered.lines,
            "loop": {
                "turns": stats.turns,
                "busy_s": round(stats.busy_s, 3),
                "longest_turn_s": round(stats.longest_stall_s, 6),
                "internal_errors": stats.faults,
            },
            "storage": {
                "kept": server.keeping.archive is not None,
                "commits": measured.commits,
                "commit_p50_s": measured.commit_quantile_s(MEDIAN),
                "commit_p99_s": measured.commit_quantile_s(NEARLY_ALL),
                "commit_longest_s": round(measured.longest_commit_s, 6),
                "unsaved_characters": server.world.log.unsaved_chars,
            },
            "behind": behind,
        }
