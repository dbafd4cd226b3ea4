"""How often somebody may be wrong: a share of a minute each, and what is over is forgotten."""

from __future__ import annotations

import random

import pytest

from chatcore.connection.tries import KEYS_MOST, MINUTE_S, Tries


def test_each_wrong_one_comes_back_after_its_share_of_the_minute() -> None:
    tries, now = Tries(), 100.0
    assert tries.left("a", now, 3) == 3
    for left in (2, 1, 0):
        tries.wrong("a", now, 3)
        assert tries.left("a", now, 3) == left
    assert tries.left("b", now, 3) == 3
    assert tries.wait_s("a", now, 3) == pytest.approx(20)
    assert tries.left("a", now + 19.9, 3) == 0
    assert tries.left("a", now + 20.1, 3) == 1
    assert tries.left("a", now + 59.9, 3) == 2
    assert tries.left("a", now + 60.1, 3) == 3
    assert tries.wait_s("a", now + 21, 3) == 0


@pytest.mark.parametrize("a_minute", [1, 3, 7, 60])
def test_nobody_is_wrong_more_often_than_allowed(a_minute: int) -> None:
    """In any minute at most twice as often: a whole allowance, and what comes back during it."""
    rng, tries, now = random.Random(f"tries {a_minute}"), Tries(), 0.0
    wrong: list[float] = []
    for _ in range(3_000):
        now += rng.expovariate(a_minute / 10)
        if tries.left("a", now, a_minute):
            tries.wrong("a", now, a_minute)
            wrong.append(now)
        else:
            assert 0 < tries.wait_s("a", now, a_minute) <= MINUTE_S / a_minute
    worst = max(sum(start <= each < start + MINUTE_S for each in wrong) for start in wrong)
    print(f"\n{a_minute} a minute: {len(wrong)} wrong in {now:.0f} s, worst minute {worst}")
    assert worst <= 2 * a_minute
    assert len(wrong) <= a_minute + now * a_minute / MINUTE_S


def test_the_table_forgets_what_is_over_and_is_bounded_whatever_comes() -> None:
    tries = Tries()
    for number in range(3 * KEYS_MOST):
        tries.wrong(number, 0.0, 3)
        assert len(tries) <= KEYS_MOST
    assert tries.left(3 * KEYS_MOST - 1, 0.0, 3) == 2
    tries.wrong("late", 61.0, 3)
    assert len(tries) == 1
