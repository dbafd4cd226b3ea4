from __future__ import annotations

import os
import signal

from chatcore.reactor.wakeup import DRAIN_BYTES, Wakeup


def test_what_threads_handed_over_is_taken_in_order_and_once():
    got: list[int] = []
    wakeup = Wakeup()
    for number in range(3):
        wakeup.call(lambda number=number: got.append(number))
    for callback in wakeup.take():
        callback()
    assert got == [0, 1, 2]
    assert wakeup.take() == []
    wakeup.close()


def test_a_full_pipe_is_no_error_and_nothing_handed_over_is_lost():
    wakeup = Wakeup()
    many = DRAIN_BYTES + 1_000
    for _ in range(many):
        wakeup.call(lambda: None)
    assert len(wakeup.take()) == many
    wakeup.close()


def test_a_signal_is_not_lost_behind_hundreds_of_others_that_nobody_read():
    """A socket pair refuses the 279th byte, and with it SIGTERM."""
    wakeup = Wakeup()
    told: list[str] = []
    wakeup.on_signal(signal.SIGUSR1, lambda: told.append("usr1"))
    wakeup.on_signal(signal.SIGUSR2, lambda: told.append("usr2"))
    for _ in range(2_000):
        os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR2)
    for callback in wakeup.take():
        callback()
    wakeup.close()
    assert told == ["usr1", "usr2"]


def test_calling_a_loop_that_is_gone_is_no_error():
    wakeup = Wakeup()
    wakeup.close()
    wakeup.call(lambda: None)
    wakeup.close()
    assert wakeup.fileno() == -1
