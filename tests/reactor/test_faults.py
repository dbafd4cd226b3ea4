"""A bug costs its own connection only (RELIABILITY O5), and a random scheduler finds no stray event (C6)."""

from __future__ import annotations

import gc
import logging
import os
import random
import selectors
import socket
from typing import TYPE_CHECKING

import pytest

from chatcore.reactor.loop import Reactor

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = selectors.EVENT_READ


def recursive() -> None:
    recursive()


def raising(fault: type[BaseException]):
    def fail() -> None:
        raise fault

    return fail


FAULTS = [
    *(raising(each) for each in (ValueError, OSError, MemoryError, StopIteration)),
    recursive,
]


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Hypothesis has a callback run at every collection: one at the end of the stack would raise there, and be reported."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("fail", FAULTS)
def test_a_failing_handler_is_told_and_the_others_go_on(reactor, selector, recorder, caplog, fail):
    a, b, c = recorder("a"), recorder("b"), recorder("c")
    b.then = fail
    for fd, handler in ((50, a), (51, b), (52, c)):
        reactor.watch(fd, handler, read=True, write=True)
        selector.ready[fd] = READ
    reactor.turn()
    assert (a.told, c.told) == (["ar"], ["cr"])
    assert [len(each.faults) for each in (a, b, c)] == [0, 1, 0]
    assert reactor.stats.faults == 1
    (record,) = caplog.records
    assert record.name == "chatcore.reactor"
    assert record.exc_info is not None
    assert "Recorder" in record.getMessage()


def test_a_handler_that_failed_is_not_called_again_for_the_same_event(reactor, selector, recorder):
    a = recorder("a")
    a.then = raising(ValueError)
    reactor.watch(50, a, read=True, write=True)
    selector.ready = {50: 3}
    reactor.turn()
    assert len(a.told) == 1


def test_a_handler_that_cannot_even_be_told_is_forgotten(reactor, selector, recorder, caplog):
    a = recorder("a")
    a.then = raising(ValueError)
    a.on_fault = lambda fault: raising(KeyError)()
    reactor.watch(50, a, read=True, write=False)
    selector.ready = {50: READ}
    for _ in range(3):
        selector.ready = {50: READ}
        reactor.call_soon(lambda: None)
        reactor.turn()
    assert a.told == ["ar"]
    assert reactor.stats.faults == 2
    assert len(caplog.records) == 2


def test_forgetting_a_hopeless_handler_spares_who_has_its_number_now(reactor, selector, recorder):
    a, new = recorder("a"), recorder("new")
    a.then = raising(ValueError)

    def on_fault(fault: Exception) -> None:
        reactor.forget(50)
        reactor.watch(50, new, read=True, write=False)
        raise KeyError

    a.on_fault = on_fault
    reactor.watch(50, a, read=True, write=False)
    selector.ready = {50: READ}
    reactor.turn()
    selector.ready = {50: READ}
    reactor.turn()
    assert new.told == ["newr"]


@pytest.mark.parametrize("fail", FAULTS)
def test_failing_timers_callbacks_and_ticks_cost_nobody_else_anything(reactor, fail):
    ran: list[str] = []
    reactor.call_later(0, fail)
    reactor.call_later(0, lambda: ran.append("timer"))
    reactor.call_soon(fail)
    reactor.call_soon(lambda: ran.append("callback"))
    reactor.after_turn = fail
    reactor.turn()
    reactor.after_turn = lambda: ran.append("tick")
    reactor.call_soon(lambda: None)
    reactor.turn()
    assert ran == ["timer", "callback", "tick"]
    assert reactor.stats.faults == 3


@pytest.mark.parametrize("fail", FAULTS)
@pytest.mark.parametrize("way", ["later", "soon"])
def test_a_fault_in_what_somebody_waited_for_is_told_to_them_alone(reactor, recorder, way, fail):
    a, b = recorder("a"), recorder("b")
    ran: list[str] = []

    def wait(run, owner=None) -> None:
        if way == "later":
            reactor.call_later(0, run, owner)
        else:
            reactor.call_soon(run, owner)

    wait(lambda: ran.append("b"), b)
    wait(fail)
    wait(fail, a)
    wait(fail)
    wait(lambda: ran.append("b"), b)
    reactor.turn()
    assert ran == ["b", "b"]
    assert ([len(each.faults) for each in (a, b)], reactor.stats.faults) == ([1, 0], 3)


def test_a_cancelled_timer_of_somebody_is_never_heard_of(reactor, clock, recorder):
    a = recorder("a")
    timer = reactor.call_later(1, raising(ValueError), a)
    timer.cancel()
    clock.advance(2)
    reactor.call_soon(lambda: None)
    reactor.turn()
    assert (a.faults, reactor.stats.faults) == ([], 0)


def test_a_log_that_fails_does_not_end_the_loop(reactor):
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise MemoryError

    logger, broken = logging.getLogger("chatcore.reactor"), Broken()
    logger.addHandler(broken)
    try:
        reactor.call_soon(raising(ValueError))
        reactor.turn()
    finally:
        logger.removeHandler(broken)
    assert reactor.stats.faults == 2


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_what_is_meant_to_end_the_program_ends_it(reactor, leave):
    reactor.call_soon(raising(leave))
    with pytest.raises(leave):
        reactor.turn()


def test_every_injected_fault_is_counted_and_nothing_else_is_lost(
    reactor, selector, recorder, caplog
):
    """O5: one in a hundred handlers, timers, callbacks and ticks raises."""
    caplog.set_level(logging.CRITICAL)
    chance = random.Random(5)
    injected = served = 0
    told: list[str] = []

    def perhaps() -> None:
        nonlocal injected, served
        if chance.random() < 0.01:
            injected += 1
            chance.choice(FAULTS)()
        served += 1

    handlers = [recorder("", told) for _ in range(40)]
    for fd, handler in enumerate(handlers, 100):
        handler.then = perhaps
        reactor.watch(fd, handler, read=True, write=False)
    reactor.after_turn = perhaps
    turns = 200
    for _ in range(turns):
        reactor.call_soon(perhaps)
        reactor.call_later(0, perhaps)
        selector.ready = dict.fromkeys(range(100, 100 + len(handlers)), READ)
        reactor.turn()
    assert injected > 0
    assert reactor.stats.faults == injected
    assert served + injected == turns * (len(handlers) + 3)
    assert sum(len(handler.faults) for handler in handlers) > 0


# -- C6: the random scheduler --------------------------------------------------------------------------------------


class Peer:
    """One end of a socket pair. It knows whether it is open; to hear anything when it is not is the failure."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.fd = self.ours.fileno()
        self.is_open = True
        scheduler.reactor.watch(self.fd, self, read=True, write=scheduler.chance.random() < 0.3)
        if scheduler.chance.random() < 0.7:
            self.theirs.send(b"x")

    def on_readable(self) -> None:
        assert self.is_open, "an event reached a handler that was forgotten"
        assert self.ours.recv(100) != b"", "somebody else's event: nobody has ended this one"
        self.scheduler.something_happens()

    def on_writable(self) -> None:
        assert self.is_open, "an event reached a handler that was forgotten"
        self.scheduler.reactor.watch(self.fd, self, read=True, write=False)
        self.scheduler.something_happens()

    def on_fault(self, fault: Exception) -> None:
        self.scheduler.faults.append(fault)
        self.close()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.scheduler.reactor.forget(self.fd)
            self.ours.close()
            self.theirs.close()


class Scheduler:
    """In every handler: some of the others are closed, and new ones get their numbers at once."""

    SIZE = 12

    def __init__(self, reactor: Reactor, seed: int) -> None:
        self.reactor = reactor
        self.chance = random.Random(seed)
        self.faults: list[Exception] = []
        self.reused = 0
        self.peers = [Peer(self) for _ in range(self.SIZE)]

    def something_happens(self) -> None:
        chance = self.chance
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            at = chance.randrange(self.SIZE)
            old = self.peers[at]
            old.close()
            self.peers[at] = Peer(self)
            self.reused += self.peers[at].fd == old.fd
        other = chance.choice(self.peers)
        match chance.randrange(4):
            case 0:
                other.theirs.send(b"y")
            case 1:
                self.reactor.watch(other.fd, other, read=chance.random() < 0.7, write=True)
            case 2:
                self.reactor.watch(other.fd, other, read=True, write=False)
            case _:
                self.reactor.call_soon(self.something_happens)


@pytest.mark.parametrize(
    "rounds", [5_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_no_event_reaches_the_wrong_handler_whatever_is_closed_and_opened(rounds):
    seed = int(os.environ.get("CHATCORE_TEST_SEED", "6"))
    print("seed", seed)
    reactor = Reactor()
    scheduler = Scheduler(reactor, seed)
    for _ in range(rounds):
        reactor.call_soon(scheduler.something_happens)
        reactor.turn()
    for peer in scheduler.peers:
        peer.close()
    reactor.close()
    assert scheduler.faults == []
    assert reactor.stats.faults == 0
    assert scheduler.reused > rounds  # else it tried nothing
