from __future__ import annotations

import gc
import os
import selectors
import socket
import threading
import weakref

import pytest

from chatcore.reactor.loop import BATCH_S, CLOCK_EVERY, Reactor

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
BOTH = READ | WRITE

# -- Watching ------------------------------------------------------------------------------------------------------


def test_changing_nothing_costs_no_call_of_the_selector(reactor, selector, recorder):
    handler = recorder()
    reactor.watch(50, handler, read=True, write=False)
    reactor.watch(50, handler, read=True, write=False)
    reactor.watch(50, handler, read=True, write=True)
    reactor.watch(50, handler, read=True, write=True)
    reactor.watch(50, handler, read=False, write=False)
    reactor.watch(50, handler, read=False, write=False)
    reactor.watch(51, handler, read=False, write=False)
    assert selector.calls == [
        ("register", 50, READ),
        ("modify", 50, BOTH),
        ("unregister", 50, 0),
    ]


def test_forgetting_twice_or_what_was_never_watched_is_fine(reactor, selector, recorder):
    reactor.watch(50, recorder(), read=True, write=False)
    reactor.forget(50)
    reactor.forget(50)
    reactor.forget(51)
    assert selector.calls == [("register", 50, READ), ("unregister", 50, 0)]


def test_events_go_to_their_handler(reactor, selector, recorder):
    a, b = recorder("a"), recorder("b")
    reactor.watch(50, a, read=True, write=True)
    reactor.watch(51, b, read=False, write=True)
    selector.ready = {50: BOTH, 51: BOTH}
    reactor.turn()
    assert sorted(a.told) == ["ar", "aw"]
    assert b.told == ["bw"]


def test_interest_withdrawn_in_the_same_batch_is_respected(reactor, selector, recorder):
    a, b = recorder("a"), recorder("b")
    reactor.watch(50, a, read=True, write=True)
    reactor.watch(51, b, read=True, write=True)

    def pause_both() -> None:
        reactor.watch(50, a, read=True, write=False)
        reactor.watch(51, b, read=False, write=True)

    a.then = pause_both
    selector.ready = {50: READ, 51: BOTH}
    reactor.turn()
    assert a.told == ["ar"]
    assert b.told == ["bw"]


def test_another_handler_may_take_over_a_descriptor(reactor, selector, recorder):
    a, b = recorder("a"), recorder("b")
    reactor.watch(50, a, read=True, write=False)
    reactor.watch(50, b, read=True, write=False)
    selector.ready = {50: READ}
    reactor.turn()
    assert (a.told, b.told) == ([], ["br"])


def test_a_selector_that_refuses_leaves_no_trace(reactor, selector, recorder):
    selector.keys[50] = None  # the next register fails, as for a descriptor closed without `forget`
    handler = recorder()
    with pytest.raises(KeyError):
        reactor.watch(50, handler, read=True, write=False)
    del selector.keys[50]
    reactor.forget(50)
    reactor.watch(50, handler, read=True, write=False)
    selector.ready = {50: READ}
    reactor.turn()
    assert handler.told == ["r"]


def test_a_forgotten_handler_is_not_kept_alive(reactor, selector, recorder):
    handler = recorder()
    handler.then = lambda: reactor.forget(50)
    reactor.watch(50, handler, read=True, write=False)
    selector.ready = {50: READ}
    reactor.call_soon(lambda: None)
    reactor.turn()
    seen = weakref.ref(handler)
    handler.then = None
    del handler
    gc.collect()
    assert seen() is None


# -- Events that come too late (RELIABILITY C6) --------------------------------------------------------------------


def test_a_handler_forgotten_in_its_batch_hears_nothing_more(reactor, selector, recorder):
    a, b = recorder("a"), recorder("b")
    a.then = lambda: reactor.forget(51)
    reactor.watch(50, a, read=True, write=False)
    reactor.watch(51, b, read=True, write=True)
    selector.ready = {50: READ, 51: BOTH}
    reactor.turn()
    assert b.told == []


def test_a_descriptor_used_again_at_once_does_not_inherit_events(reactor, selector, recorder):
    a, old, new = recorder("a"), recorder("old"), recorder("new")

    def replace() -> None:
        reactor.forget(51)
        reactor.watch(51, new, read=True, write=True)

    a.then = replace
    reactor.watch(50, a, read=True, write=False)
    reactor.watch(51, old, read=True, write=True)
    selector.ready = {50: READ, 51: BOTH}
    reactor.turn()
    assert (old.told, new.told) == ([], [])
    selector.ready = {51: BOTH}
    reactor.turn()
    assert (old.told, sorted(new.told)) == ([], ["newr", "neww"])


def test_even_the_same_handler_watched_anew_waits_for_the_next_batch(reactor, selector, recorder):
    a, b = recorder("a"), recorder("b")

    def again() -> None:
        reactor.forget(51)
        reactor.watch(51, b, read=True, write=False)

    a.then = again
    reactor.watch(50, a, read=True, write=False)
    reactor.watch(51, b, read=True, write=False)
    selector.ready = {50: READ, 51: READ}
    reactor.turn()
    assert b.told == []


def test_a_handler_that_forgets_itself_is_not_told_the_rest(reactor, selector, recorder):
    a = recorder("a")
    a.then = lambda: reactor.forget(50)
    reactor.watch(50, a, read=True, write=True)
    selector.ready = {50: BOTH}
    reactor.turn()
    assert len(a.told) == 1


# -- Fairness (F8) -------------------------------------------------------------------------------------------------


def slow_crowd(reactor, selector, clock, recorder, size: int, told: list[str]) -> list:
    """Handlers of which `CLOCK_EVERY` use up a turn's time."""
    crowd = []
    for fd in range(100, 100 + size):
        handler = recorder(f"{fd}", told)
        handler.then = lambda: clock.advance(BATCH_S / CLOCK_EVERY * 1.01)
        reactor.watch(fd, handler, read=True, write=False)
        selector.ready[fd] = READ
        crowd.append(handler)
    return crowd


def test_a_long_batch_is_shared_out_over_turns_and_nobody_is_left_out(
    reactor, selector, clock, recorder
):
    told: list[str] = []
    reactor.after_turn = lambda: told.append("tick")
    slow_crowd(reactor, selector, clock, recorder, 3 * CLOCK_EVERY, told)
    for _ in range(3):
        reactor.turn()
    heard = [each for each in told if each != "tick"]
    assert sorted(heard) == sorted(f"{fd}r" for fd in range(100, 100 + 3 * CLOCK_EVERY))
    ticks = [at for at, each in enumerate(told) if each == "tick"]
    assert ticks == [CLOCK_EVERY, 2 * CLOCK_EVERY + 1, 3 * CLOCK_EVERY + 2]
    assert not any(selector.waits[1:])  # nothing waits while events are at hand


def test_who_reads_much_does_not_keep_the_others_of_the_turn_waiting(
    reactor, selector, clock, recorder
):
    """What is read is decided a few handlers later; sixteen large reads would be a second for everybody."""
    told: list[str] = []
    undecided: list[str] = []

    def read_much() -> None:
        undecided.append("much")
        reactor.took_much()

    def decide() -> None:
        clock.advance(1.01 * BATCH_S * len(undecided))
        undecided.clear()

    reactor.after_reading = decide
    reactor.after_turn = lambda: told.append("tick")
    for fd in range(100, 103):
        handler = recorder(f"{fd}", told)
        handler.then = read_much
        reactor.watch(fd, handler, read=True, write=False)
        selector.ready[fd] = READ
    for _ in range(3):
        reactor.turn()
    assert told == ["100r", "tick", "101r", "tick", "102r", "tick"]


def test_what_is_carried_over_goes_first(reactor, selector, clock, recorder):
    told: list[str] = []
    slow_crowd(reactor, selector, clock, recorder, CLOCK_EVERY + 3, told)
    reactor.turn()
    first, last = told[0], [f"{100 + CLOCK_EVERY + each}r" for each in range(3)]
    del told[:]
    selector.ready = {100: READ}
    reactor.call_soon(lambda: None)
    reactor.turn()
    reactor.call_soon(lambda: None)
    reactor.turn()
    assert told == [*last, first]


def test_what_is_carried_over_is_dropped_when_nobody_wants_it_any_more(
    reactor, selector, clock, recorder
):
    told: list[str] = []
    crowd = slow_crowd(reactor, selector, clock, recorder, CLOCK_EVERY + 3, told)
    reactor.turn()
    forgotten, paused, replaced = (100 + CLOCK_EVERY + each for each in range(3))
    reactor.forget(forgotten)
    reactor.watch(paused, crowd[-2], read=False, write=False)
    reactor.forget(replaced)
    reactor.watch(replaced, recorder("new", told), read=True, write=False)
    del told[:]
    reactor.call_soon(lambda: None)
    reactor.turn()
    assert told == []
    selector.ready = {replaced: READ}
    reactor.turn()
    assert told == ["newr"]


def test_a_quick_batch_of_any_size_is_one_turn(reactor, selector, recorder):
    told: list[str] = []
    for fd in range(100, 5_100):
        reactor.watch(fd, recorder("", told), read=True, write=False)
        selector.ready[fd] = READ
    reactor.turn()
    assert len(told) == 5_000


# -- Timers and callbacks ------------------------------------------------------------------------------------------


def test_the_wait_ends_when_the_next_timer_is_due(reactor, selector, clock):
    fired: list[float] = []
    reactor.call_later(5.0, lambda: fired.append(clock()))
    reactor.call_later(2.0, lambda: fired.append(clock()))
    reactor.turn()
    reactor.turn()
    assert selector.waits == [2.0, 3.0]
    assert fired == [1002.0, 1005.0]


def test_a_timer_counts_from_when_it_was_set_not_from_the_beginning_of_the_turn(
    reactor, selector, clock
):
    fired: list[float] = []

    def slow() -> None:
        clock.advance(3.0)
        reactor.call_later(1.0, lambda: fired.append(clock()))

    reactor.call_soon(slow)
    reactor.turn()
    reactor.turn()
    assert fired == [1004.0]


def test_a_timer_that_sets_the_next_one_at_once_does_not_hold_the_loop(reactor):
    fired: list[int] = []

    def again() -> None:
        fired.append(1)
        reactor.call_later(0, again)

    reactor.call_later(0, again)
    reactor.turn()
    assert len(fired) == 1


def test_now_is_the_beginning_of_the_turn_after_the_wait(reactor, clock):
    seen: list[float] = []
    reactor.call_later(2.0, lambda: clock.advance(1.0))
    reactor.call_later(2.0, lambda: seen.append(reactor.now))
    reactor.turn()
    assert seen == [1002.0]


def test_what_is_queued_during_a_turn_runs_in_the_next_which_does_not_wait(
    reactor, selector, recorder
):
    order: list[str] = []
    handler = recorder("fd ", order)
    handler.then = lambda: reactor.call_soon(lambda: order.append("from handler"))
    reactor.watch(50, handler, read=True, write=False)
    selector.ready = {50: READ}
    reactor.call_later(0, lambda: reactor.call_soon(lambda: order.append("from timer")))

    def callback() -> None:
        order.append("callback")
        reactor.call_soon(lambda: order.append("from callback"))

    reactor.call_soon(callback)
    reactor.after_turn = lambda: order.append("tick")
    reactor.turn()
    assert order == ["fd r", "callback", "tick"]
    selector.ready = {}
    reactor.turn()
    assert order[3:] == ["from handler", "from timer", "from callback", "tick"]
    assert selector.waits == [0.0, 0.0]


def test_a_callback_that_queues_itself_does_not_starve_the_sockets(reactor, selector, recorder):
    def again() -> None:
        reactor.call_soon(again)

    handler = recorder()
    reactor.watch(50, handler, read=True, write=False)
    reactor.call_soon(again)
    for _ in range(10):
        selector.ready = {50: READ}
        reactor.turn()
    assert handler.told == ["r"] * 10


def test_the_order_of_a_turn(reactor, selector, recorder):
    order: list[str] = []
    reactor.after_turn = lambda: order.append("after_turn")
    reactor.call_soon(lambda: order.append("callback"))
    reactor.call_later(0, lambda: order.append("timer"))
    reactor.watch(50, recorder("fd ", order), read=True, write=False)
    selector.ready = {50: READ}
    reactor.turn()
    assert order == ["fd r", "timer", "callback", "after_turn"]


def test_run_turns_until_stop_and_finishes_the_turn(reactor):
    order: list[str] = []
    reactor.after_turn = lambda: order.append("tick")
    reactor.call_soon(reactor.stop)
    reactor.call_soon(lambda: order.append("callback"))
    reactor.run()
    assert order == ["callback", "tick"]
    assert reactor.stats.turns == 1


# -- Threads -------------------------------------------------------------------------------------------------------


def test_another_thread_ends_the_wait(real_reactor):
    thread = threading.Thread(target=real_reactor.call_from_thread, args=(real_reactor.stop,))
    real_reactor.call_soon(thread.start)
    real_reactor.call_later(30, lambda: pytest.fail("the loop was not woken"))
    real_reactor.run()
    thread.join()
    assert real_reactor.stats.turns <= 3


def test_nothing_that_threads_hand_over_is_lost_and_each_thread_keeps_its_order(real_reactor):
    got: list[tuple[int, int]] = []
    each, many = 5_000, 4

    def hand_over(who: int) -> None:
        for number in range(each):
            real_reactor.call_from_thread(lambda number=number: got.append((who, number)))

    def done() -> None:
        if len(got) == each * many:
            real_reactor.stop()

    threads = [threading.Thread(target=hand_over, args=(who,)) for who in range(many)]
    real_reactor.after_turn = done
    real_reactor.call_later(60, lambda: pytest.fail(f"only {len(got)} arrived"))
    for thread in threads:
        thread.start()
    real_reactor.run()
    for thread in threads:
        thread.join()
    for who in range(many):
        assert [number for by, number in got if by == who] == list(range(each))


def test_a_thread_may_come_after_the_loop_is_gone():
    reactor = Reactor()
    reactor.close()
    reactor.close()
    reactor.call_from_thread(lambda: None)


# -- On real descriptors -------------------------------------------------------------------------------------------


def test_sockets_are_served_on_the_real_selector(real_reactor):
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    got: list[bytes] = []

    class Echo:
        def on_readable(self) -> None:
            data = right.recv(100)
            right.send(data.upper())
            if not data:
                real_reactor.forget(right.fileno())

        def on_writable(self) -> None: ...

        def on_fault(self, fault: Exception) -> None:
            raise fault

    class Asker:
        def on_readable(self) -> None:
            got.append(left.recv(100))
            real_reactor.stop()

        def on_writable(self) -> None:
            left.send(b"hello")
            real_reactor.watch(left.fileno(), self, read=True, write=False)

        def on_fault(self, fault: Exception) -> None:
            raise fault

    real_reactor.watch(right.fileno(), Echo(), read=True, write=False)
    real_reactor.watch(left.fileno(), Asker(), read=False, write=True)
    real_reactor.run()
    assert got == [b"HELLO"]
    left.close()
    right.close()


def test_a_hang_up_is_heard_by_whoever_reads_or_writes(real_reactor, recorder):
    left, right = socket.socketpair()
    left.close()
    for read, write, told in ((True, False, "r"), (False, True, "w")):
        handler = recorder()
        handler.then = lambda: real_reactor.forget(right.fileno())
        real_reactor.watch(right.fileno(), handler, read=read, write=write)
        real_reactor.turn()
        assert handler.told == [told]
    right.close()


def test_the_reactor_lets_go_of_its_own_descriptors(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        reactor = Reactor()
        reactor.on_signal(10, lambda: None)
        reactor.close()
    assert len(os.listdir("/proc/self/fd")) == before


# -- What it measures ----------------------------------------------------------------------------------------------


def test_the_longest_stall_is_kept_until_it_is_reset(reactor, clock):
    for seconds in (0.1, 0.4, 0.2):
        reactor.call_soon(lambda seconds=seconds: clock.advance(seconds))
        reactor.turn()
    assert reactor.stats.longest_stall_s == pytest.approx(0.4)
    assert reactor.stats.turns == 3
    reactor.stats.longest_stall_s = 0.0
    reactor.call_later(5.0, lambda: None)  # waiting is no stall
    reactor.turn()
    assert reactor.stats.longest_stall_s == 0.0
