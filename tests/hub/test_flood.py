"""Flood control: a burst, then a steady rate; a wait that is long enough, and nobody punished."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.flood import Allowance, FloodLimits

LIMITS = FloodLimits(burst=5, per_second=2.0)
LIMITS_ANY = st.builds(
    FloodLimits, burst=st.integers(1, 1000), per_second=st.floats(0.01, 1000, allow_nan=False)
)


def spent(lines: int, now: float = 100.0) -> Allowance:
    allowance = Allowance()
    assert allowance.available(now, LIMITS) >= lines
    allowance.spend(lines)
    return allowance


def test_a_newcomer_may_say_a_burst_at_once() -> None:
    for now in (0.0, 100.0, 1e6):
        assert Allowance().available(now, LIMITS) == 5
        assert Allowance().wait_s(now, LIMITS) == 0.0


def test_after_the_burst_lines_come_back_at_the_steady_rate() -> None:
    allowance = spent(5)
    assert allowance.available(100.0, LIMITS) == 0
    assert allowance.wait_s(100.0, LIMITS) == pytest.approx(0.5)
    assert allowance.available(100.49, LIMITS) == 0
    assert allowance.available(100.5, LIMITS) == 1
    assert allowance.available(101.5, LIMITS) == 3


def test_silence_earns_no_more_than_a_burst() -> None:
    assert spent(5).available(1e6, LIMITS) == 5


def test_asking_is_free() -> None:
    allowance = spent(2)
    assert [allowance.available(100.0, LIMITS) for _ in range(100)] == [3] * 100


def test_a_clock_that_goes_back_earns_nothing_and_does_not_block() -> None:
    allowance = spent(5)
    assert allowance.available(50.0, LIMITS) == 0
    assert allowance.wait_s(50.0, LIMITS) == pytest.approx(0.5)
    assert allowance.available(50.5, LIMITS) == 1


def test_new_limits_take_effect_at_the_next_question() -> None:
    allowance = spent(5)
    assert allowance.available(100.0, FloodLimits(burst=8, per_second=2.0)) == 3
    strict = FloodLimits(burst=1, per_second=1.0)
    assert allowance.available(100.0, strict) == 0
    assert allowance.wait_s(100.0, strict) == pytest.approx(5.0)


def test_an_allowance_is_small() -> None:
    assert not hasattr(Allowance(), "__dict__")


@given(LIMITS_ANY, st.floats(0, 1e6), st.integers(0, 2000))
def test_waiting_as_long_as_told_is_enough(limits: FloodLimits, now: float, lines: int) -> None:
    allowance = Allowance()
    allowance.available(now, limits)
    allowance.spend(lines)
    wait_s = allowance.wait_s(now, limits)
    assert math.isfinite(wait_s)
    assert wait_s >= 0.0
    # A float of this size has steps of 1e-10 s; the next look at the clock is later than that.
    assert allowance.available(now + wait_s + 1e-9, limits) >= 1


@given(LIMITS_ANY, st.lists(st.tuples(st.floats(0, 10), st.integers(0, 50)), max_size=50))
def test_nobody_says_more_than_burst_and_rate(
    limits: FloodLimits, asks: list[tuple[float, int]]
) -> None:
    allowance, now, said = Allowance(), 0.0, 0
    for pause, wanted in asks:
        now += pause
        lines = min(wanted, allowance.available(now, limits))
        allowance.spend(lines)
        said += lines
    assert said <= limits.burst + limits.per_second * now + 1e-3
