"""The tables, for a terminal and for the README. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .figures import START_NEEDS, Need, Summary, median, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TITLES: Mapping[str, str] = {
    "W1": "W1: {0} clients, 10 senders, closed loop",
    "W2": "W2: {0} clients, 10 senders, closed loop",
    "W3": "W3: {0} clients, 10 senders, closed loop",
    "W4": "W4: {0} clients, one sends 100 lines a second",
    "W5": "W5: {0} clients, all send: the highest rate with p99 < 250 ms",
    "W6": "W6: clients that have joined and sit still",
    "W7": "W7: {0} clients, one sends 20 lines a second: until it has its own line back",
}
UNKNOWN = "–"
MEGA = 1e6


def _number(digits: int, scale: float = 1) -> Callable[[float], str]:
    return lambda value: f"{value / scale:,.{digits}f}"


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    figure: str
    show: Callable[[float], str]


_LATENCY = (
    Column("p50 ms", "p50_us", _number(2, 1e3)),
    Column("p99 ms", "p99_us", _number(2, 1e3)),
)
_CLOSED = (
    Column("deliveries per CPU s", "deliveries_per_cpu_s", lambda v: f"{v / MEGA:.2f} M"),
    Column("of limit", "ratio", _number(2)),
    *_LATENCY,
)
COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "W1": _CLOSED,
    "W2": _CLOSED,
    "W3": _CLOSED,
    "W4": (
        Column("CPU %", "cpu_percent", _number(1)),
        Column("× limit", "cpu_ratio", _number(2)),
        _LATENCY[0],
        Column("× limit", "p50_ratio", _number(2)),
        _LATENCY[1],
    ),
    "W5": (
        Column("lines/s in", "rate", _number(0)),
        Column("of limit", "ratio", _number(2)),
        _LATENCY[1],
    ),
    "W6": (
        Column("KiB each, 1,000", "kib_1000", _number(2)),
        Column("KiB each, 10,000", "kib_10000", _number(2)),
        Column("joined/s, 1,000", "joined_per_s_1000", _number(0)),
        Column("joined/s, 10,000", "joined_per_s_10000", _number(0)),
    ),
    "W7": (
        *_LATENCY,
        Column("fdatasync ms", "sync_ms", _number(2)),
        Column("p50 over it, ms", "over_sync_ms", _number(2)),
    ),
}


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    headings: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]
        lines = [self._padded(self.headings, widths), "  ".join("-" * width for width in widths)]
        lines += [self._padded(row, widths) for row in self.rows]
        return "\n".join([self.title, *lines])

    def markdown(self) -> str:
        rule = "|".join(["---", *["---:"] * (len(self.headings) - 1)])
        lines = [f"| {' | '.join(cells)} |" for cells in (self.headings, *self.rows)]
        return "\n".join([f"**{self.title}**", "", lines[0], f"|{rule}|", *lines[1:]])

    @staticmethod
    def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *others]).rstrip()


def tables(
    rows: Sequence[Summary], titles: Mapping[str, str], clients: Mapping[str, int]
) -> list[Table]:
    """One table a workload; `titles` names the servers, `clients` how many a workload had."""
    made: list[Table] = []
    for workload in dict.fromkeys(row.workload for row in rows):
        columns = COLUMNS[workload]
        has_losses = workload not in ("W5", "W6")  # there a loss ends the try or the run
        headings = ["", *(c.heading for c in columns), *(["lost"] if has_losses else []), "need"]
        body = [
            [
                titles[row.server],
                *(_cell(column, row) for column in columns),
                *([_losses(row)] if has_losses else []),
                need_words(row),
            ]
            for row in rows
            if row.workload == workload
        ]
        title = TITLES[workload].format(f"{clients.get(workload, 0):,}")
        made.append(Table(title, headings, body))
    return made


def _cell(column: Column, row: Summary) -> str:
    value = row.figures.get(column.figure, math.nan)
    if math.isnan(value):
        return UNKNOWN
    sign = {"rate": ("≥ ", "at_least"), "ratio": ("≤ ", "ratio_at_most")}.get(column.figure)
    bounded = sign is not None and row.figures.get(sign[1], 0) >= 0.5
    return (sign[0] if sign and bounded else "") + column.show(value)


def _losses(row: Summary) -> str:
    if "lost" not in row.figures:
        return UNKNOWN
    bad = [f"{count:,.0f} {name.replace('_', ' ')}" for name, count in row.faults.items() if count]
    return f"✗ {', '.join(bad)}" if bad else "0"


def need_words(row: Summary) -> str:
    return ", ".join(_need(need, met) for need, met in verdicts(row))


def _need(need: Need, met: bool | None) -> str:
    bound = f"{need.bound:,.2f}" if need.bound < 1 else f"{need.bound:,g}"
    return f"{need.words} {need.sign} {bound} {_mark(met)}".strip()


def _mark(met: bool | None) -> str:
    return {True: "✓", False: "✗", None: "?"}[met]


def start_line(server: str, title: str, times_ms: Sequence[float]) -> str:
    """How long a server of ours takes to start; with its need where it has one."""
    middle = median(times_ms)
    line = f"From exec to listening, {title}: {middle:.0f} ms (median of {len(times_ms)})"
    if need := START_NEEDS.get(server):
        line += f", need {need.sign} {need.bound:g} ms {_mark(need.met(middle))}"
    return line


def notes(rows: Sequence[Summary], titles: Mapping[str, str]) -> list[str]:
    """What a table cannot say: why something was not measured."""
    return [
        f"{row.workload} {titles[row.server]}: {words}" for row in rows for words in row.failures
    ]
