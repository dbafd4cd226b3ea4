from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = 10_000
ROOT = Path(__file__).parents[2]


def test_a_signal_ends_the_wait_and_runs_its_callback_in_the_loop(real_reactor):
    real_reactor.on_signal(signal.SIGUSR1, real_reactor.stop)
    real_reactor.call_later(0.01, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    real_reactor.call_later(30, lambda: pytest.fail("the signal did not arrive"))
    real_reactor.run()


def test_ten_thousand_mixed_signals_are_survived_and_none_of_a_kind_is_forgotten(real_reactor):
    got = {signal.SIGUSR1: 0, signal.SIGUSR2: 0, signal.SIGHUP: 0}
    kinds = list(got)
    for kind in kinds:

        def note(kind: signal.Signals = kind) -> None:
            got[kind] += 1

        real_reactor.on_signal(kind, note)
    real_reactor.on_signal(signal.SIGTERM, real_reactor.stop)
    for number in range(ROUNDS):  # nobody reads meanwhile: a socket pair would be full after 278
        os.kill(os.getpid(), kinds[number % len(kinds)])
    os.kill(os.getpid(), signal.SIGTERM)
    real_reactor.run()
    assert all(got.values())
    assert real_reactor.stats.faults == 0


def test_a_storm_of_one_signal_is_one_callback(reactor, selector):
    got: list[str] = []
    reactor.on_signal(signal.SIGHUP, lambda: got.append("reload"))
    for _ in range(500):
        os.kill(os.getpid(), signal.SIGHUP)
    selector.ready = {reactor._wakeup.fileno(): 1}  # readable
    reactor.turn()
    selector.ready = {}
    reactor.call_soon(lambda: None)
    reactor.turn()
    assert got == ["reload"]


def test_a_full_wakeup_pipe_is_no_error(real_reactor, capfd):
    got: list[str] = []
    real_reactor.on_signal(signal.SIGUSR1, lambda: got.append("usr1"))
    write_fd = real_reactor._wakeup._writing.fileno()
    while True:
        try:
            os.write(write_fd, b"\x01" * 4096)
        except BlockingIOError:
            break
    for _ in range(100):
        os.kill(os.getpid(), signal.SIGUSR1)
    real_reactor.turn()
    os.kill(os.getpid(), signal.SIGUSR1)  # there is room again
    real_reactor.turn()
    real_reactor.call_soon(lambda: None)
    real_reactor.turn()
    assert got == ["usr1"]
    assert capfd.readouterr().err == ""


def test_a_failing_callback_does_not_swallow_the_signal_that_came_with_it(real_reactor):
    def fail() -> None:
        raise RuntimeError

    real_reactor.on_signal(signal.SIGHUP, fail)
    real_reactor.on_signal(signal.SIGTERM, real_reactor.stop)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)
    real_reactor.run()
    assert real_reactor.stats.faults == 1


def test_a_second_callback_for_a_signal_replaces_the_first(real_reactor):
    real_reactor.on_signal(signal.SIGUSR1, lambda: pytest.fail("replaced"))
    real_reactor.on_signal(signal.SIGUSR1, real_reactor.stop)
    os.kill(os.getpid(), signal.SIGUSR1)
    real_reactor.run()


def test_signals_that_nobody_asked_for_do_no_harm(real_reactor):
    """Another library's handler writes its number into our pipe as well."""
    before = signal.signal(signal.SIGUSR2, lambda signum, frame: None)
    try:
        real_reactor.on_signal(signal.SIGUSR1, real_reactor.stop)
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        real_reactor.run()
        assert real_reactor.stats.faults == 0
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_closing_puts_back_what_was_found(real_reactor):
    found = signal.getsignal(signal.SIGUSR1)
    found_fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(found_fd)
    real_reactor.on_signal(signal.SIGUSR1, lambda: None)
    real_reactor.on_signal(signal.SIGUSR1, lambda: None)
    assert signal.getsignal(signal.SIGUSR1) is not found
    real_reactor.close()
    assert signal.getsignal(signal.SIGUSR1) is found
    assert signal.set_wakeup_fd(found_fd) == found_fd


def test_a_process_under_ten_thousand_signals_from_outside_lives_until_it_is_told_to_stop():
    code = (
        "import signal\n"
        "from chatcore.reactor.loop import Reactor\n"
        "reactor = Reactor()\n"
        "for each in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2): reactor.on_signal(each, lambda: None)\n"
        "reactor.on_signal(signal.SIGTERM, reactor.stop)\n"
        "print('ready', flush=True)\n"
        "reactor.run()\n"
        "print(reactor.stats.faults)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        kinds = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
        for number in range(ROUNDS):
            process.send_signal(kinds[number % len(kinds)])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout.read() == "0\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
