"""A selector that is scripted and a clock that jumps: the reactor without waiting and without sockets."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING

import pytest

from chatcore.reactor.loop import Reactor

if TYPE_CHECKING:
    from collections.abc import Iterator

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class FakeClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class FakeSelector(selectors.BaseSelector):
    """Says of each descriptor what `ready` says; instead of waiting it advances the clock (as tornado's tests do).

    As strict as epoll: registering twice, or modifying or unregistering what is not there, raises.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.keys: dict[int, selectors.SelectorKey] = {}
        self.ready: dict[int, int] = {}
        """What each descriptor is ready for. Told once, as if the handler had then emptied the socket."""
        self.calls: list[tuple[str, int, int]] = []
        self.waits: list[float | None] = []

    def register(self, fileobj, events, data=None):
        if fileobj in self.keys:
            raise KeyError(f"{fileobj} is already registered")
        self.calls.append(("register", fileobj, events))
        self.keys[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return self.keys[fileobj]

    def modify(self, fileobj, events, data=None):
        self.calls.append(("modify", fileobj, events))
        self.keys[fileobj] = self.keys[fileobj]._replace(events=events, data=data)
        return self.keys[fileobj]

    def unregister(self, fileobj):
        self.calls.append(("unregister", fileobj, 0))
        return self.keys.pop(fileobj)

    def select(self, timeout=None):
        self.waits.append(timeout)
        found = [
            (self.keys[fd], mask & self.keys[fd].events)
            for fd, mask in self.ready.items()
            if fd in self.keys and mask & self.keys[fd].events
        ]
        if not found:
            assert timeout is not None, "the loop would wait for ever"
            self._clock.advance(timeout)
        for key, _ in found:
            del self.ready[key.fd]
        return found

    def get_map(self):
        return self.keys

    def close(self):
        self.keys.clear()


class Recorder:
    """A handler that writes down what it was told, then does what the test says."""

    def __init__(self, name: str = "", told: list[str] | None = None) -> None:
        self.name = name
        self.told: list[str] = [] if told is None else told
        self.faults: list[Exception] = []
        self.then = lambda: None

    def on_readable(self) -> None:
        self.told.append(f"{self.name}r")
        self.then()

    def on_writable(self) -> None:
        self.told.append(f"{self.name}w")
        self.then()

    def on_fault(self, fault: Exception) -> None:
        self.faults.append(fault)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def selector(clock: FakeClock) -> FakeSelector:
    return FakeSelector(clock)


@pytest.fixture
def reactor(selector: FakeSelector, clock: FakeClock) -> Iterator[Reactor]:
    made = Reactor(selector, clock)
    selector.calls.clear()
    yield made
    made.close()


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder
