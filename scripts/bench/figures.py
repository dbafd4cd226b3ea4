"""From measurements to a verdict: medians over rounds, ratios within a round, needs met or not. Pure.

A ratio is taken between two servers of the same round and workload, then the median of these: what else
the machine did in that minute disturbed both. Medians of two different rounds are never divided.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .servers import DISK, LIMIT, OUR_SERVERS, OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# workload -> (figure, name of its ratio to the limit)
RATIOS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "W1": (("deliveries_per_cpu_s", "ratio"),),
    "W2": (("deliveries_per_cpu_s", "ratio"),),
    "W3": (("deliveries_per_cpu_s", "ratio"),),
    "W4": (("cpu_s", "cpu_ratio"), ("p50_us", "p50_ratio")),
    "W5": (("rate", "ratio"),),
    "W6": (),
    "W7": (),
}
# Every one of these must be 0 in every measurement.
FAULTS = ("lost", "bad_clients", "order_errors", "closed")


@dataclass(frozen=True, slots=True)
class Need:
    """A bound that a server of ours must keep."""

    figure: str
    sign: str  # "≥" or "≤"
    bound: float
    words: str = ""

    def met(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound


# server -> workload -> what it must keep; nothing is asked of the others
NEEDS: Mapping[str, Mapping[str, tuple[Need, ...]]] = {
    OURS: {
        "W1": (Need("ratio", "≥", 0.50),),
        "W2": (Need("ratio", "≥", 0.80),),
        "W3": (Need("ratio", "≥", 0.90),),
        "W4": (Need("cpu_ratio", "≤", 1.4, "CPU"), Need("p50_ratio", "≤", 1.4, "p50")),
        "W5": (Need("ratio", "≥", 0.75),),
        "W6": (
            Need("kib_10000", "≤", 3, "KiB"),
            Need("joined_per_s_10000", "≥", 3_000, "joined/s"),
        ),
    },
    DISK: {
        "W1": (Need("ratio", "≥", 0.15),),
        "W2": (Need("ratio", "≥", 0.55),),
        "W3": (Need("ratio", "≥", 0.70),),
        "W5": (Need("ratio", "≥", 0.50),),
        "W7": (Need("over_sync_ms", "≤", 1, "p50 over fdatasync, ms"),),
    },
}
START_NEEDS: Mapping[str, Need] = {OURS: Need("start_ms", "≤", 150)}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One server under one workload in one round. `failure`: why there are no figures."""

    workload: str
    server: str
    turn: int
    figures: Mapping[str, float]
    failure: str = ""

    @property
    def faulty(self) -> bool:
        return any(self.figures.get(name, 0) for name in FAULTS)


@dataclass(frozen=True, slots=True)
class Summary:
    """One row: medians and ratios of all rounds; losses are not averaged but added up."""

    workload: str
    server: str
    figures: Mapping[str, float]
    faults: Mapping[str, float] = field(default_factory=dict)
    failures: Sequence[str] = ()
    turns: int = 0


def median(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """In the order in which workloads and servers first appear."""
    rows: dict[tuple[str, str], list[Measurement]] = {}
    for one in measurements:
        rows.setdefault((one.workload, one.server), []).append(one)
    limits = {(m.workload, m.turn): m for m in measurements if m.server == LIMIT}
    return [_summary(workload, server, group, limits) for (workload, server), group in rows.items()]


def _summary(
    workload: str,
    server: str,
    group: Sequence[Measurement],
    limits: Mapping[tuple[str, int], Measurement],
) -> Summary:
    names = list(dict.fromkeys(name for one in group for name in one.figures))
    figures = {name: median(m.figures.get(name, math.nan) for m in group) for name in names}
    for figure, name in RATIOS[workload]:
        figures[name] = median(
            _ratio(one, limits.get((workload, one.turn)), figure) for one in group
        )
    if workload == "W5":
        figures["ratio_at_most"] = median(
            _is_upper_bound(one, limits.get((workload, one.turn))) for one in group
        )
    faults = {name: sum(abs(m.figures.get(name, 0)) for m in group) for name in FAULTS}
    failures = tuple(dict.fromkeys(m.failure for m in group if m.failure))
    return Summary(workload, server, figures, faults, failures, len(group))


def _ratio(one: Measurement, limit: Measurement | None, figure: str) -> float:
    if limit is None or not limit.figures.get(figure) or figure not in one.figures:
        return math.nan
    return one.figures[figure] / limit.figures[figure]


def _is_upper_bound(one: Measurement, limit: Measurement | None) -> float:
    """1 when the load gave out before the limit did, but not before this server: the limit may be higher."""
    if limit is None:
        return math.nan
    return float(limit.figures.get("at_least", 0) > one.figures.get("at_least", 0))


def verdicts(row: Summary) -> list[tuple[Need, bool | None]]:
    """Each need of the row's server and workload, and whether it is met; None where it was not measured."""
    judged: list[tuple[Need, bool | None]] = []
    for need in NEEDS.get(row.server, {}).get(row.workload, ()):
        value = row.figures.get(need.figure, math.nan)
        judged.append((need, None if math.isnan(value) else need.met(value)))
    return judged


def exit_code(measurements: Iterable[Measurement]) -> int:
    """1 when anything was lost or out of order anywhere, or a server of ours could not be measured."""
    return int(any(m.faulty or (m.failure and m.server in OUR_SERVERS) for m in measurements))
