"""Metrics: what the server counts, as Prometheus reads it (text exposition format 0.0.4). One row of `FAMILIES` is one
metric, and nothing about it stands anywhere else.

Invariants: nothing is counted here, only read, so that metrics cost nothing until somebody asks; the values of a label
come from a closed set; and no name of a person or a room is ever among them.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit
from typing import TYPE_CHECKING, TypeAlias

from chatcore import __version__
from chatcore.connection.lag import most_lines
from chatcore.store.measured import COMMIT_BOUNDS_S, Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.crowd import Crowd
    from chatcore.connection.exchange import Exchange
    from chatcore.connection.handshakes import Handshakes
    from chatcore.diagnostics import Console
    from chatcore.hub.decision import World
    from chatcore.reactor.loop import Reactor
    from chatcore.server import Server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

UNDECIDED = "undecided"
"""The dialect of a connection that has not shown it yet."""


class Sources:
    """Where the numbers come from."""

    def __init__(self, server: Server, console: Console) -> None:
        self.server = server
        self.console = console
        self.exchange: Exchange = server.exchange
        self.world: World = server.world
        self.reactor: Reactor = server.reactor
        self.crowd: Crowd = server.crowd
        self.started_s: float = time.time()

    @property
    def measured(self) -> Measured:
        """What the writer of the log measured; zeros when nothing is kept."""
        return getattr(self.server.keeping.journal, "measured", _NOTHING)


_NOTHING = Measured()

Samples: TypeAlias = "Iterable[tuple[str, float]]"
"""What follows the name (nothing, or a suffix and labels), and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    kind: str
    help: str
    read: Callable[[Sources], float | Samples]


def exposition(sources: Sources) -> str:
    """All of them. The longest recent turn begins anew with each call."""
    return "".join(_family(each, sources) for each in FAMILIES)


def _family(family: Family, sources: Sources) -> str:
    found = family.read(sources)
    samples = [("", found)] if isinstance(found, int | float) else found
    lines = (f"{family.name}{labels} {_number(value)}\n" for labels, value in samples)
    head = f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(lines)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))


def _by(label: str, counts: Iterable[tuple[str, float]]) -> Samples:
    return [(f'{{{label}="{value}"}}', count) for value, count in sorted(counts)]


def connections_by_dialect(exchange: Exchange) -> Counter[tuple[str, bool]]:
    """How many connections there are of each dialect, encrypted and not."""
    return Counter(
        (each.dialect.name if each.dialect is not None else UNDECIDED, each.encrypted)
        for each in exchange.connections
    )


def _connections(sources: Sources) -> Samples:
    counts = connections_by_dialect(sources.exchange)
    return [
        (f'{{dialect="{dialect}",encrypted="{str(encrypted).lower()}"}}', count)
        for (dialect, encrypted), count in sorted(counts.items())
    ]


def _commits(sources: Sources) -> Samples:
    """A histogram's buckets hold those of the smaller ones too."""
    measured = sources.measured
    sums = list(accumulate(measured.buckets))
    for bound, count in zip((*map(repr, COMMIT_BOUNDS_S), "+Inf"), sums, strict=True):
        yield f'_bucket{{le="{bound}"}}', count
    yield "_sum", measured.total_commit_s
    yield "_count", sums[-1]


def _paths(push: float, page: float) -> Samples:
    return _by("path", (("push", push), ("page", page)))


def _deliveries(sources: Sources) -> Samples:
    delivered = sources.exchange.delivery.delivered
    return _paths(delivered.pushes, delivered.pages)


def _delivered_bytes(sources: Sources) -> Samples:
    delivered = sources.exchange.delivery.delivered
    return _paths(delivered.push_bytes, delivered.page_bytes)


def _build(sources: Sources) -> Samples:
    return [(f'{{version="{__version__}",python="{sys.version.split()[0]}"}}', 1)]


def _handshakes(handshakes: Handshakes) -> Samples:
    return _by("state", (("under_way", handshakes.under_way), ("waiting", handshakes.waiting)))


PAGE_SIZE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _resident_bytes(sources: Sources) -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_SIZE_BYTES


def _descriptors(sources: Sources) -> float:
    """Linux tells their number since 6.2; before, they have to be listed, 5 ms for 10,000."""
    return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))


FAMILIES = (
    Family("chatcore_build_info", "gauge", "What runs.", _build),
    Family(
        "chatcore_connections",
        "gauge",
        "Connections, by what they speak; undecided: they have not shown it yet.",
        _connections,
    ),
    Family(
        "chatcore_sessions",
        "gauge",
        "People in the house, those whose connection was just lost among them.",
        lambda it: it.world.state.people,
    ),
    Family("chatcore_rooms", "gauge", "Rooms there are.", lambda it: len(it.world.state.rooms)),
    Family(
        "chatcore_messages_total",
        "counter",
        "Lines that people said, rooms and direct messages alike, once they are durable.",
        lambda it: it.exchange.delivery.delivered.lines,
    ),
    Family(
        "chatcore_records_total",
        "counter",
        "Records of the log that have become durable; one holds what somebody said at once.",
        lambda it: it.exchange.delivery.delivered.records,
    ),
    Family(
        "chatcore_deliveries_total",
        "counter",
        "Sends to readers; push: news to those who are up to date, page: answers, and news to those who are not.",
        _deliveries,
    ),
    Family(
        "chatcore_delivered_bytes_total",
        "counter",
        "Bytes of those sends, before encryption; of a push that a full socket cut short, all of them.",
        _delivered_bytes,
    ),
    Family(
        "chatcore_readers_behind",
        "gauge",
        "Readers that have not read all that they could.",
        lambda it: len(it.exchange.delivery.behind),
    ),
    Family(
        "chatcore_readers_parked",
        "gauge",
        "Readers among them that wait for what is read from the disk.",
        lambda it: it.exchange.delivery.parked,
    ),
    Family(
        "chatcore_lag_lines",
        "gauge",
        "Lines by which the reader that is furthest behind is behind.",
        lambda it: most_lines(it.exchange.delivery),
    ),
    Family(
        "chatcore_commit_seconds",
        "histogram",
        "How long writes to the log took until they were durable.",
        _commits,
    ),
    Family(
        "chatcore_unsaved_characters",
        "gauge",
        "Characters that were said and are not durable yet.",
        lambda it: it.world.log.unsaved_chars,
    ),
    Family(
        "chatcore_storage_trouble",
        "gauge",
        "1 while nothing can be stored: the disk is full, or the log is locked.",
        lambda it: int(bool(it.world.trouble)),
    ),
    Family(
        "chatcore_loop_stall_seconds",
        "gauge",
        "The longest turn of the loop since this was last read.",
        lambda it: it.reactor.stats.take_recent_stall_s(),
    ),
    Family(
        "chatcore_loop_stall_most_seconds",
        "gauge",
        "The longest turn of the loop since the start.",
        lambda it: it.reactor.stats.longest_stall_s,
    ),
    Family(
        "chatcore_loop_busy_seconds_total",
        "counter",
        "Time in which the loop did not wait.",
        lambda it: it.reactor.stats.busy_s,
    ),
    Family(
        "chatcore_loop_turns_total",
        "counter",
        "Turns of the loop.",
        lambda it: it.reactor.stats.turns,
    ),
    Family(
        "chatcore_refusals_total",
        "counter",
        "Commands that were refused, by the code of the refusal (docs/PROTOCOL.md).",
        lambda it: _by("code", it.exchange.answers.refused.items()),
    ),
    Family(
        "chatcore_turned_away_total",
        "counter",
        "Connections that were closed at the door.",
        lambda it: _by("reason", it.crowd.turned_away.items()),
    ),
    Family(
        "chatcore_files_fetched_total",
        "counter",
        "Files of the page that browsers fetched, those among them that they had already.",
        lambda it: it.exchange.reception.served,
    ),
    Family(
        "chatcore_handshakes",
        "gauge",
        "TLS handshakes under way, and those that wait for their turn.",
        lambda it: _handshakes(it.exchange.reception.handshakes),
    ),
    Family(
        "chatcore_handshakes_total",
        "counter",
        "TLS handshakes that were finished.",
        lambda it: it.exchange.reception.handshakes.done,
    ),
    Family(
        "chatcore_logins_waiting",
        "gauge",
        "Passwords that wait to be checked, the one that is being checked among them.",
        lambda it: it.exchange.admission.waiting,
    ),
    Family(
        "chatcore_internal_errors_total",
        "counter",
        "Faults of the program that cost a connection or a callback. Each has its trace in the log.",
        lambda it: it.reactor.stats.faults,
    ),
    Family(
        "chatcore_log_lines_dropped_total",
        "counter",
        "Lines of the program's own log that nobody took in time.",
        lambda it: it.console.dropped,
    ),
    Family("process_resident_memory_bytes", "gauge", "Resident memory in bytes.", _resident_bytes),
    Family("process_open_fds", "gauge", "Open file descriptors.", _descriptors),
    Family(
        "process_max_fds",
        "gauge",
        "File descriptors there may be.",
        lambda it: getrlimit(RLIMIT_NOFILE)[0],
    ),
    Family(
        "process_cpu_seconds_total",
        "counter",
        "User and system time of all threads in seconds.",
        lambda it: time.process_time(),
    ),
    Family(
        "process_start_time_seconds",
        "gauge",
        "When it started, in seconds since the epoch.",
        lambda it: it.started_s,
    ),
)
"""In the order in which they are shown. Units are in the names, seconds and bytes; counters end in _total."""
