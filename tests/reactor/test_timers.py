from __future__ import annotations

import gc
import weakref

import pytest

from chatcore.reactor.timers import SWEEP_AT_LEAST, Timers


def fire_due(timers: Timers, now: float) -> None:
    for callback in timers.due(now):
        callback()


def test_timers_fire_when_they_are_due_and_in_order():
    timers, fired = Timers(), []
    for name, due in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        timers.add(due, lambda name=name: fired.append(name))
    fire_due(timers, 0.9)
    assert fired == []
    fire_due(timers, 2.0)
    assert fired == ["a", "b"]
    fire_due(timers, 9.0)
    assert fired == ["a", "b", "c"]


def test_timers_due_at_one_moment_fire_in_the_order_they_were_made():
    timers, fired = Timers(), []
    for number in range(50):
        timers.add(1.0, lambda number=number: fired.append(number))
    fire_due(timers, 1.0)
    assert fired == list(range(50))


def test_a_cancelled_timer_never_fires_and_cancelling_twice_is_fine():
    timers, fired = Timers(), []
    timer = timers.add(1.0, lambda: fired.append("x"))
    timer.cancel()
    timer.cancel()
    fire_due(timers, 9.0)
    assert fired == []
    assert timers.next_at() is None


def test_a_due_timer_cancelled_by_another_one_due_with_it_does_not_fire():
    timers, fired = Timers(), []
    timers.add(1.0, lambda: second.cancel())
    second = timers.add(1.0, lambda: fired.append("second"))
    fire_due(timers, 1.0)
    assert fired == []


def test_cancelling_a_timer_that_has_fired_is_fine():
    timers = Timers()
    timer = timers.add(1.0, lambda: None)
    fire_due(timers, 1.0)
    timer.cancel()
    assert timers.next_at() is None


def test_a_cancelled_timer_keeps_nothing_alive():
    class Connection:
        def hang_up(self) -> None: ...

    connection = Connection()
    seen = weakref.ref(connection)
    timer = Timers().add(1.0, connection.hang_up)
    timer.cancel()
    del connection
    gc.collect()
    assert seen() is None


def test_the_next_one_is_looked_for_past_cancelled_timers():
    timers = Timers()
    timers.add(1.0, lambda: None).cancel()
    timers.add(2.0, lambda: None)
    assert timers.next_at() == 2.0


def test_the_heap_is_swept_when_most_of_it_is_dead():
    timers = Timers()
    living = [timers.add(float(due), lambda: None) for due in range(100)]
    for due in range(100_000):  # the deadlines of connections that came and went
        timers.add(1000.0 + due, lambda: None).cancel()
        assert len(timers._heap) <= 2 * (SWEEP_AT_LEAST + len(living))
    assert len(timers.due(999.0)) == len(living)


@pytest.mark.parametrize("seed", range(20))
def test_any_mix_of_adding_cancelling_and_firing_keeps_the_promises(seed):
    import random

    chance = random.Random(seed)
    timers, fired = Timers(), []
    now = 0.0

    def note(number: int) -> None:
        fired.append((now, number))

    made: dict[int, tuple[float, object]] = {}
    cancelled: set[int] = set()
    for number in range(5_000):
        due = now + chance.random() * 10
        made[number] = (due, timers.add(due, lambda number=number: note(number)))
        if chance.random() < 0.7:
            other = chance.randrange(number + 1)
            if made[other][1].callback is not None:
                cancelled.add(other)
            made[other][1].cancel()
        if chance.random() < 0.02:
            now += chance.random()
            fire_due(timers, now)
    now += 100
    fire_due(timers, now)
    ran = [number for _, number in fired]
    assert sorted(ran) == sorted(made.keys() - cancelled)
    assert all(when >= made[number][0] for when, number in fired)
    assert timers.next_at() is None
