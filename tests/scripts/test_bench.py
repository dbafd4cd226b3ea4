"""The benchmark's arithmetic, its search and its tables: a bench that miscounts is worse than none."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import pytest

from scripts.bench import cli, report, workloads
from scripts.bench.figures import (
    NEEDS,
    Measurement,
    Need,
    exit_code,
    median,
    summarise,
    verdicts,
)
from scripts.bench.machine import Failed
from scripts.bench.progress import Progress
from scripts.bench.search import Outcome, Peak, Plan, highest
from scripts.bench.servers import OUR_SERVERS, Running, Server

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

TITLES = {"ours": "chatcore", "disk": "chatcore, kept", "limit": "limit (C)", "redis": "redis"}
CLEAN = {"lost": 0.0, "bad_clients": 0.0, "order_errors": 0.0, "closed": 0.0}


def closed_loop(server: str, turn: int, per_cpu_s: float, **more: float) -> Measurement:
    figures = {"deliveries_per_cpu_s": per_cpu_s, "p50_us": 100.0, "p99_us": 900.0, **CLEAN, **more}
    return Measurement("W1", server, turn, figures)


# Figures


def test_ratio_is_taken_within_a_round_then_the_median() -> None:
    # A disturbed second round halves both servers: their ratio there is as good as any.
    rows = summarise(
        [
            *(closed_loop("limit", turn, value) for turn, value in enumerate((10e6, 5e6, 20e6))),
            *(closed_loop("ours", turn, value) for turn, value in enumerate((6e6, 3e6, 10e6))),
        ]
    )
    assert [row.server for row in rows] == ["limit", "ours"]
    assert rows[0].figures["ratio"] == 1.0
    assert rows[1].figures["ratio"] == 0.6
    assert rows[1].figures["deliveries_per_cpu_s"] == 6e6


def test_round_without_its_limit_gives_no_ratio() -> None:
    failed = Measurement("W1", "limit", 1, {}, failure="did not start")
    rows = summarise(
        [
            closed_loop("limit", 0, 10e6),
            failed,
            closed_loop("ours", 0, 5e6),
            closed_loop("ours", 1, 9e6),
        ]
    )
    assert rows[1].figures["ratio"] == 0.5
    assert rows[0].failures == ("did not start",)


def test_without_limit_the_ratio_is_unknown() -> None:
    (row,) = summarise([closed_loop("ours", 0, 5e6)])
    assert math.isnan(row.figures["ratio"])
    assert verdicts(row) == [(NEEDS["ours"]["W1"][0], None)]


@pytest.mark.parametrize(
    ("server", "workload", "bound"),
    [("ours", "W2", 0.8), ("disk", "W1", 0.15), ("disk", "W2", 0.55), ("disk", "W3", 0.7)],
)
def test_each_of_ours_has_its_own_need(server: str, workload: str, bound: float) -> None:
    def judged(value: float) -> list[bool | None]:
        one = Measurement(workload, server, 0, {"deliveries_per_cpu_s": value})
        limit = Measurement(workload, "limit", 0, {"deliveries_per_cpu_s": 1.0})
        return [met for _, met in verdicts(summarise([one, limit])[0])]

    assert judged(bound) == [True]
    assert judged(bound - 0.01) == [False]


def test_nothing_is_asked_of_others() -> None:
    (row,) = summarise([closed_loop("redis", 0, 1.0)])
    assert verdicts(row) == []


def test_median_leaves_out_what_was_not_measured() -> None:
    assert median([3.0, math.nan, 1.0]) == 2.0
    assert math.isnan(median([]))


@pytest.mark.parametrize(
    ("sign", "value", "met"),
    [("≥", 0.5, True), ("≥", 0.49, False), ("≤", 0.5, True), ("≤", 0.51, False)],
)
def test_need_includes_its_bound(sign: str, value: float, met: bool) -> None:
    assert Need("ratio", sign, 0.5).met(value) is met


def test_losses_of_all_rounds_are_added_not_averaged() -> None:
    rows = summarise(
        [closed_loop("ours", turn, 5e6, lost=lost) for turn, lost in enumerate((0, 3, -2))]
    )
    assert rows[0].faults["lost"] == 5


@pytest.mark.parametrize("fault", ["lost", "bad_clients", "order_errors", "closed"])
def test_any_fault_of_any_server_is_exit_code_1(fault: str) -> None:
    good, bad = closed_loop("ours", 0, 5e6), closed_loop("redis", 0, 5e6, **{fault: 1})
    assert exit_code([good]) == 0
    assert exit_code([good, bad]) == 1


def test_only_our_own_failure_is_exit_code_1() -> None:
    assert exit_code([Measurement("W6", "ngircd", 0, {}, failure="timed out")]) == 0
    for server in OUR_SERVERS:
        assert exit_code([Measurement("W6", server, 0, {}, failure="timed out")]) == 1


# Reading the load


def test_load_result_is_read_as_numbers() -> None:
    assert workloads.parse(b'{"mode":"load","lost":0,"p50_us":51.2}\n') == {
        "lost": 0.0,
        "p50_us": 51.2,
    }


@pytest.mark.parametrize("out", [b"", b"[1]", b"segfault", b'{"lost": null}'])
def test_unreadable_result_fails_the_measurement(out: bytes) -> None:
    with pytest.raises(Failed, match="unreadable"):
        workloads.parse(out)


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({}, Outcome.HELD),
        ({"p99_us": 250_000}, Outcome.MISSED),
        ({"lost": 1}, Outcome.MISSED),
        ({"order_errors": 1}, Outcome.MISSED),
        ({"lost": 1, "load_busy": 0.99}, Outcome.LOAD_FULL),
        ({"lost": 1, "load_late_us": 60_000}, Outcome.LOAD_FULL),
        ({"lost": 1, "load_busy": 0.99, "cpu_s": 1.99}, Outcome.MISSED),
    ],
    ids=str,
)
def test_step_holds_when_all_is_delivered_in_time(more: dict[str, float], outcome: Outcome) -> None:
    figures = {"p99_us": 900.0, "load_busy": 0.5, "load_late_us": 9.0, "cpu_s": 1.0, "wall_s": 2.0}
    assert workloads.judge({**CLEAN, **figures, **more}) is outcome


# The search


def up_to(limit: float, beyond: Outcome = Outcome.MISSED) -> Callable[[float], Outcome]:
    return lambda rate: Outcome.HELD if rate <= limit else beyond


PLAN = Plan(start=5_000, floor=150, ceiling=1_280_000, bisections=3)


@pytest.mark.parametrize("limit", [200, 600, 4_999, 5_000, 19_000, 81_000, 500_000])
def test_search_comes_within_a_tenth(limit: float) -> None:
    peak = highest(up_to(limit), PLAN)
    assert limit / 1.1 <= peak.rate <= limit
    assert not peak.at_least


def test_search_says_at_least_when_the_load_is_what_gave_out() -> None:
    assert highest(up_to(80_000, Outcome.LOAD_FULL), PLAN) == Peak(80_000, at_least=True)
    assert highest(up_to(math.inf), PLAN) == Peak(1_280_000, at_least=True)


def test_search_of_a_dead_server_ends_at_nothing() -> None:
    assert highest(up_to(0), PLAN) == Peak(0, at_least=False)


def test_search_forgives_one_miss() -> None:
    seen: list[float] = []

    def attempt(rate: float) -> Outcome:
        seen.append(rate)
        first = seen.count(rate) == 1
        return Outcome.MISSED if first or rate > 40_000 else Outcome.HELD

    assert highest(attempt, PLAN).rate == 40_000


# Order and progress


def test_servers_take_turns_at_being_first() -> None:
    def never(folder: pathlib.Path, core: int | None) -> Running:
        raise AssertionError("only the order is asked for")

    chosen = [Server(name, name, never) for name in "abc"]
    runs = [(turn, w, s.name) for turn, w, s in cli.schedule(chosen, ["W1", "W5"], 4)]
    assert [name for _, w, name in runs if w == "W1"] == list("abcbcacababc")
    assert [turn for turn, w, _ in runs if w == "W5"] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_progress_is_one_line_a_run_away_from_a_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(2, stream)
    progress.step("W1 redis")
    progress.step("W1 ngIRCd")
    first, second = stream.getvalue().splitlines()
    assert first == "[1/2] W1 redis"
    assert second.startswith("[2/2] W1 ngIRCd, about 0:00 left")


def test_progress_is_rewritten_in_place_at_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    Progress(1, stream).step("W1 redis")
    assert stream.getvalue() == "\r\033[K[1/1] W1 redis"


@pytest.mark.parametrize("argv", [["--servers", "ours,nobody"], ["--workloads", "W8"]])
def test_unknown_names_are_a_usage_error(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.parse_options(argv)
    assert "not among" in capsys.readouterr().err


# Tables


def rendered(*measurements: Measurement) -> report.Table:
    (table,) = report.tables(
        summarise(measurements), TITLES, {"W1": 10, "W4": 1_000, "W5": 200, "W7": 10}
    )
    return table


def test_our_row_says_whether_its_need_is_met() -> None:
    table = rendered(closed_loop("limit", 0, 10e6), closed_loop("ours", 0, 6e6))
    assert table.text().splitlines() == [
        "W1: 10 clients, 10 senders, closed loop",
        "           deliveries per CPU s  of limit  p50 ms  p99 ms  lost      need",
        "---------  --------------------  --------  ------  ------  ----  --------",
        "limit (C)               10.00 M      1.00    0.10    0.90     0",
        "chatcore                 6.00 M      0.60    0.10    0.90     0  ≥ 0.50 ✓",
    ]


def test_markdown_holds_the_same_cells() -> None:
    table = rendered(closed_loop("limit", 0, 10e6), closed_loop("ours", 0, 4e6))
    lines = table.markdown().splitlines()
    assert lines[0] == "**W1: 10 clients, 10 senders, closed loop**"
    assert lines[3] == "|---|---:|---:|---:|---:|---:|---:|"
    assert lines[5] == "| chatcore | 4.00 M | 0.40 | 0.10 | 0.90 | 0 | ≥ 0.50 ✗ |"


def test_row_with_losses_is_marked() -> None:
    table = rendered(closed_loop("redis", 0, 4e6, lost=1_204, order_errors=2))
    assert table.rows[0][5] == "✗ 1,204 lost, 2 order errors"


def test_server_that_failed_has_an_empty_row_and_a_note() -> None:
    rows = summarise([Measurement("W1", "redis", 0, {}, failure="did not start: no memory")])
    (table,) = report.tables(rows, TITLES, {"W1": 10})
    assert table.rows[0][1:] == ["–", "–", "–", "–", "–", ""]
    assert report.notes(rows, TITLES) == ["W1 redis: did not start: no memory"]


def test_light_load_has_two_needs() -> None:
    base = {"p99_us": 5_000.0, "cpu_percent": 30.0, **CLEAN}
    table = rendered(
        Measurement("W4", "limit", 0, {"cpu_s": 1.0, "p50_us": 2_000, **base}),
        Measurement("W4", "ours", 0, {"cpu_s": 1.3, "p50_us": 3_000, **base}),
    )
    assert table.rows[1][-1] == "CPU ≤ 1.4 ✓, p50 ≤ 1.4 ✗"


def test_rate_capped_by_the_load_is_shown_as_at_least() -> None:
    table = rendered(
        Measurement("W5", "limit", 0, {"rate": 80_000, "at_least": 1, "p99_us": 3_000})
    )
    assert table.rows[0][1] == "≥ 80,000"


def test_ratio_to_a_limit_that_the_load_cut_short_is_an_upper_bound() -> None:
    table = rendered(
        Measurement("W5", "limit", 0, {"rate": 80_000, "at_least": 1, "p99_us": 3_000}),
        Measurement("W5", "ours", 0, {"rate": 64_000, "at_least": 0, "p99_us": 3_000}),
    )
    assert [row[2] for row in table.rows] == ["1.00", "≤ 0.80"]


def test_memory_need_stands_open_when_only_the_small_size_was_measured() -> None:
    table = rendered(Measurement("W6", "ours", 0, {"kib_1000": 1.5, "joined_per_s_1000": 9_000}))
    assert table.rows[0] == ["chatcore", "1.50", "–", "9,000", "–", "KiB ≤ 3 ?, joined/s ≥ 3,000 ?"]


def test_start_line_gives_the_median_and_its_need() -> None:
    line = report.start_line("ours", "chatcore", [90, 120, 500])
    assert line == "From exec to listening, chatcore: 120 ms (median of 3), need ≤ 150 ms ✓"


def test_acknowledgement_is_judged_by_what_it_takes_beyond_a_flush() -> None:
    def row(over_sync_ms: float) -> list[str]:
        kept = {"sync_ms": 0.5, "over_sync_ms": over_sync_ms}
        figures = {"p50_us": 1_400.0, "p99_us": 2_000.0, **CLEAN, **kept}
        return rendered(Measurement("W7", "disk", 0, figures)).rows[0]

    met = ["chatcore, kept", "1.40", "2.00", "0.50", "0.90", "0", "p50 over fdatasync, ms ≤ 1 ✓"]
    assert row(0.9) == met
    assert row(1.01)[-1] == "p50 over fdatasync, ms ≤ 1 ✗"
