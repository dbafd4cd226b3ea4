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


def test_a_write_that_nobody_takes_ends_with_a_signal_that_wants_the_end(usr1):
    reader, writer = os.pipe()

    def fill():
        while True:
            os.write(writer, b"x" * select.PIPE_BUF)

    def kill_when_full():
        poll = select.poll()
        poll.register(writer, select.POLLOUT)
        while poll.poll(0):
            pass
        for number in (signal.SIGUSR2, usr1):  # the first is no reason to give up
            # not to the process: with the first on its way the kernel may hand the second to this thread
            signal.pthread_kill(threading.main_thread().ident, number)

    with Signals([usr1, signal.SIGUSR2], frozenset({usr1})) as signals:
        threading.Thread(target=kill_when_full).start()
        with signals.writing(writer), pytest.raises(InterruptedError):
            fill()
        assert usr1 in signals.take(), "it is told to who asks"
        os.kill(os.getpid(), usr1)
        with pytest.raises(InterruptedError), signals.writing(writer):
            pytest.fail("it came before, and nobody takes anything")
        os.read(reader, 2 * select.PIPE_BUF)
        with signals.writing(writer):
            os.write(writer, b"somebody does")
    os.close(reader)
    os.close(writer)
