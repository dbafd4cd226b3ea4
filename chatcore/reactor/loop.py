"""The loop: waits for sockets, timers and wake-ups, and runs who is meant. The only place that waits.

A turn: select → `before_turn` → handlers of what is ready, then `after_reading`; under load that twice or more → what has
become due → what was queued before this turn → `after_turn`.

Invariants: whatever is queued during a turn runs in the next, or in one after it if there is more than a turn has
time for; an event never reaches a handler that was forgotten earlier in its batch, even if the descriptor's number is
in use again; and a fault in a handler is logged, told to that handler, and costs nobody else anything. Here, and
nowhere else, stands `except Exception`.
"""

from __future__ import annotations

import logging
import selectors
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from chatcore.reactor.timers import Timer, Timers
from chatcore.reactor.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_S = 0.006
"""How long the handlers of one turn may take before the rest waits for the next: what has been decided is delivered
in between, so that a burst on 5,000 sockets does not keep anybody waiting for all of it. To deliver what that decides
takes three to four times as long (measured, of people who join rooms of fifty): a turn is to stay below 35 ms while the
disk keeps up. If it does not, the news of two turns are delivered in one."""

CLOCK_EVERY = 16
"""Handlers between two looks at the clock; behind one that took much it is looked at at once."""

BUSY = 2
"""Handlers in one look from which on a turn looks again before it ends."""

SECOND_LOOKS = 2
"""Times it looks again; once, if it then has found as many as the turn before. What has come in meanwhile is handled in
this turn, so that under load a turn's end (a commit, a send to every reader) serves more: it raised fan-out in a room
of ten by a quarter, and costs an idle loop nothing."""

GATHER_S = 0.001
"""How long a turn waits for more when it has found less than half of what the one just before it found: whoever spoke
then is about to speak again, and a send to every reader of a room, or a commit, costs the same for one line as for
eighty. Under load in a room of a hundred a seventh of all turns were for one person's lines; fan-out rose by 14 %. It
is the shortest time that epoll can wait, and it ends with what comes."""

DEAR_S = 0.00025
"""A turn that took less is not worth waiting for: to be woken costs some 20 microseconds."""

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

logger = logging.getLogger("chatcore.reactor")


class Handler(Protocol):
    """What the reactor calls; one a descriptor."""

    def on_readable(self) -> None: ...

    def on_writable(self) -> None: ...

    def on_fault(self, fault: Exception) -> None:
        """One of the others raised: a bug. The handler ends its own connection."""


class Stats:
    """What the loop measures of itself."""

    __slots__ = ("busy_s", "faults", "longest_stall_s", "recent_stall_s", "turns")

    def __init__(self) -> None:
        self.turns = 0
        self.faults = 0
        self.busy_s = 0.0
        """All the time that was not spent waiting."""
        self.longest_stall_s = 0.0
        """The longest turn, without what it waited."""
        self.recent_stall_s = 0.0
        """The same since somebody last asked (`take_recent_stall_s`); never more than the longest."""

    def turned(self, took_s: float) -> None:
        """A turn has taken so long."""
        self.turns += 1
        self.busy_s += took_s
        if took_s > self.recent_stall_s:
            self.recent_stall_s = took_s
            if took_s > self.longest_stall_s:
                self.longest_stall_s = took_s

    def take_recent_stall_s(self) -> float:
        """The longest turn since the last call of this."""
        recent_s, self.recent_stall_s = self.recent_stall_s, 0.0
        return recent_s

    @property
    def longest_stall_ms(self) -> float:
        return self.longest_stall_s * 1000


class Reactor:
    """See the module. `selector` and `clock` are arguments so that a test can be both."""

    def __init__(
        self,
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self._clock = clock
        self._interests: dict[int, tuple[int, Handler]] = {}
        self._ready: list[tuple[selectors.SelectorKey, int]] = []
        """Events of the last select that are still to be handled, the next one last."""
        self._changed: set[int] = set()
        """Descriptors whose interest has changed since then: their events may be stale."""
        self._forgotten: set[int] = set()
        """Those of them that were let go of since then: what comes for these numbers is for nobody."""
        self._timers = Timers()
        self._soon: list[Callable[[], None]] = []
        self._calls: deque[Callable[[], None]] = deque()
        """What is due to be called, in order."""
        self._handled = 0
        """Events that the last look at the selector found."""
        self._found = 0
        """Events that the last turn found."""
        self._ended = self._took_s = 0.0
        """When the last turn ended, and how long it took."""
        self._much = False
        """The handler that ran last has read what takes long to deal with."""
        self.running_now: Handler | None = None
        """Whose work is being done: who is told of a fault in it. Whoever does that of several in a row says whose."""
        self._running = False
        self.now = clock()
        """The clock at the beginning of this turn."""
        self.stats = Stats()
        self.before_turn: Callable[[], None] = _nothing
        """Called when the wait is over, before any handler."""
        self.after_reading: Callable[[], None] = _nothing
        """Called when handlers have run: after every few, and after one that took much, so that the clock shows what they
        have led to, and after all, before select is asked again. Where it raises, it is called again."""
        self.after_turn: Callable[[], None] = _nothing
        """Called at the end of every turn."""
        self._wakeup = Wakeup()
        self.watch(self._wakeup.fileno(), _Awake(self, self._wakeup), read=True, write=False)

    def watch(self, fd: int, handler: Handler, *, read: bool, write: bool) -> None:
        """Wait for this descriptor from now on; with neither, no longer. Costs nothing when nothing changes."""
        events = (READ if read else 0) | (WRITE if write else 0)
        old = self._interests.get(fd)
        if old is not None and old[0] == events and old[1] is handler:
            return
        if not events:
            self.forget(fd)
            return
        self._changed.add(fd)
        if old is None:
            self._selector.register(fd, events, handler)
        else:
            self._selector.modify(fd, events, handler)
        self._interests[fd] = (events, handler)

    def forget(self, fd: int) -> None:
        """No event reaches its handler any more. To be called before the descriptor is closed."""
        if self._interests.pop(fd, None) is not None:
            self._changed.add(fd)
            self._forgotten.add(fd)
            self._selector.unregister(fd)

    def call_later(
        self, delay_s: float, callback: Callable[[], None], owner: Handler | None = None
    ) -> Timer:
        """Run it then. A fault in it is the `owner`'s, as if it had come from its own event."""
        return self._timers.add(self._clock() + delay_s, self._owned(callback, owner))

    def call_soon(self, callback: Callable[[], None], owner: Handler | None = None) -> None:
        """Run it in the next turn, which then does not wait."""
        self._soon.append(self._owned(callback, owner))

    def took_much(self) -> None:
        """To be called by a handler that read a lot: the clock is looked at right behind it, and not after 16 of them."""
        self._much = True

    def go_on(self) -> None:
        """The next turn does not wait: there is something to do."""
        self.call_soon(_nothing)

    def _owned(self, callback: Callable[[], None], owner: Handler | None) -> Callable[[], None]:
        if owner is None:
            return callback

        def run() -> None:
            self.running_now = owner
            callback()
            self.running_now = None

        return run

    def call_from_thread(self, callback: Callable[[], None]) -> None:
        """Like `call_soon`, from any thread."""
        self._wakeup.call(callback)

    def on_signal(self, signum: int, callback: Callable[[], None]) -> None:
        """Run `callback` in the loop when the signal has come. From the main thread only."""
        self._wakeup.on_signal(signum, callback)

    def run(self) -> None:
        """Turn until `stop`."""
        self._running = True
        while self._running:
            self.turn()

    def stop(self) -> None:
        """This turn is the last one."""
        self._running = False

    def close(self) -> None:
        self.forget(self._wakeup.fileno())
        self._wakeup.close()
        self._selector.close()

    def turn(self) -> None:
        if left_over := bool(self._ready):
            self._handled = len(self._ready)
        else:
            self._select(self._patience_s())
        self.now = began = self._clock()
        self._guarded(self.before_turn)
        # Before any handler can queue something: that is for the next turn.
        soon, self._soon = self._soon, []
        self._guarded(self._handle)
        waited_s = self._gather(began, idle=not (soon or left_over))
        self._calls += self._timers.due(self.now)
        self._calls += soon
        self._guarded(self._call)
        fault = self._attempt(self.after_turn)
        if fault is not None:
            self._blame(fault)
            self.go_on()  # What it left undone must not wait for the next event.
        self._ended = self._clock()
        self._took_s = self._ended - began - waited_s
        self.stats.turned(self._took_s)

    def _gather(self, began: float, *, idle: bool) -> float:
        """Handle what has come in meanwhile, so that the turn's end serves more. Returns how long it has waited for it;
        it does not when there is something else to do."""
        before, found = self._found, self._handled
        for _ in range(SECOND_LOOKS):
            if self._ready or self._handled < BUSY or self._clock() - began >= BATCH_S:
                break
            self._select(0.0)
            self._guarded(self._handle)
            found += self._handled
            if found >= before:
                break
        found -= len(self._ready)  # left for the next turn
        self._found = found
        few = 0 < 2 * found <= before
        if not (few and idle) or self._took_s < DEAR_S or began - self._ended > GATHER_S:
            return 0.0
        waited_s, end = 0.0, self._clock() + GATHER_S
        while self._found < before and not self._ready:
            patience_s = self._patience_s()
            if patience_s is not None and patience_s < GATHER_S:
                break
            asked = self._clock()
            self._select(GATHER_S)
            waited_s += self._clock() - asked
            if not self._ready or asked > end:
                break
            self._found += self._handled
            self._guarded(self._handle)
        return waited_s

    def _select(self, patience_s: float | None) -> None:
        self._ready = self._selector.select(patience_s)
        self._handled = len(self._ready)
        self._ready.reverse()
        self._changed.clear()
        self._forgotten.clear()

    def _patience_s(self) -> float | None:
        """How long select may wait: until the next timer, or not at all when something is queued."""
        if self._soon or self._calls:
            return 0.0
        when = self._timers.next_at()
        return None if when is None else max(0.0, when - self._clock())

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do all of the work, whatever some of it raises. It takes each piece off its list before doing it."""
        while (fault := self._attempt(work)) is not None:
            self._blame(fault)

    def _attempt(self, work: Callable[[], None]) -> Exception | None:
        """Do it; return what went wrong. Next to nothing on the way: memory may have run out."""
        try:
            work()
        except Exception as fault:  # noqa: BLE001 - the one place: a bug costs its own connection only
            self.stats.faults += 1
            return fault
        return None

    def _handle(self) -> None:
        """Run the handlers of what is ready; those that there is no time for wait for the next turn."""
        ready, changed = self._ready, self._changed
        self._much = False
        left = CLOCK_EVERY
        while ready:
            key, mask = ready.pop()
            handler: Handler = key.data
            if changed and key.fd in changed:
                mask &= self._still_wanted(key.fd, handler)
            self.running_now = handler
            if mask != READ and mask & WRITE:
                handler.on_writable()
                if changed and key.fd in changed:
                    mask &= self._still_wanted(key.fd, handler)
            if mask & READ:
                handler.on_readable()
            left -= 1
            if not left or self._much:
                self._much = False
                self.after_reading()
                if self._clock() - self.now >= BATCH_S:
                    break
                left = CLOCK_EVERY
        self.after_reading()
        self.running_now = None

    def _still_wanted(self, fd: int, handler: Handler) -> int:
        """What the handler waits for now, not when select returned: an earlier handler may have changed that, or have
        closed the descriptor and opened another under the same number."""
        events, current = self._interests.get(fd, _NOBODY)
        return events if current is handler and fd not in self._forgotten else 0

    def _call(self) -> None:
        """Call what is due; 5,000 greetings that are due at once are more than one turn's work."""
        calls = self._calls
        if not calls:
            return
        end = self._clock() + BATCH_S
        left = CLOCK_EVERY
        while calls:
            calls.popleft()()
            left -= 1
            if not left:
                if self._clock() >= end:
                    break
                left = CLOCK_EVERY

    def _blame(self, fault: Exception) -> None:
        """Let the handler that was running end what is its own. One that cannot is forgotten, or it would fail for ever."""
        handler, self.running_now = self.running_now, None
        self._report(type(handler).__name__ if handler else "a callback", fault)
        if handler is None:
            return
        another = self._attempt(lambda: handler.on_fault(fault))
        if another is not None:
            self._report(f"{type(handler).__name__}.on_fault", another)
            for fd in [fd for fd, (_, each) in self._interests.items() if each is handler]:
                self.forget(fd)

    def _report(self, where: str, fault: Exception) -> None:
        # An attempt too: a log that fails must not end the loop that the fault could not end.
        self._attempt(lambda: logger.error("internal error in %s", where, exc_info=fault))


class _Awake:
    """The handler of the wake-up's reading end."""

    def __init__(self, reactor: Reactor, wakeup: Wakeup) -> None:
        self._reactor = reactor
        self._wakeup = wakeup

    def on_readable(self) -> None:
        for callback in self._wakeup.take():
            self._reactor.call_soon(callback)

    def on_writable(self) -> None:
        """Never asked for."""

    def on_fault(self, fault: Exception) -> None:
        """What it calls is guarded by itself."""


def _nothing() -> None:
    """Nobody cares about this part of a turn; or there is nothing to do but not to wait."""


_NOBODY: tuple[int, Handler | None] = (0, None)
