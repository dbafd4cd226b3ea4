"""Signals become bytes to read, and leave no trace when it is over."""

from __future__ import annotations

import os
import select
import signal
import threading

import pytest

from chatcore.client.signals import Signals

DEADLINE_S = 20.0


@pytest.fixture
def usr1():
    before = signal.getsignal(signal.SIGUSR1)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_can_be_read_and_does_nothing_else(usr1):
    with Signals([usr1]) as signals:
        os.kill(os.getpid(), usr1)
        assert select.select([signals], [], [], DEADLINE_S)[0]
        assert signals.take() == {usr1}
        assert signals.take() == set()
    assert signal.getsignal(usr1) is signal.SIG_DFL
    assert signal.set_wakeup_fd(-1) == -1


def test_what_was_ignored_stays_ignored(usr1):
    signal.signal(usr1, signal.SIG_IGN)
    with Signals([usr1]) as signals:
        os.kill(os.getpid(), usr1)
        assert signals.take() == set()
    assert signal.getsignal(usr1) is signal.SIG_IGN


def test_another_thread_can_wake_and_that_is_no_signal():
    with Signals([]) as signals:
        thread = threading.Thread(target=signals.wake)
        thread.start()
        assert select.select([signals], [], [], DEADLINE_S)[0]
        assert signals.take() == set()
        thread.join()
    signals.wake()  # too late: nobody listens, nothing happens
