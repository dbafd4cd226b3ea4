"""Offload: one thing at a time that would take too long in the loop, done by a thread; the result comes back as a call.

Invariants: whoever hands over work is answered once, in the loop, whatever becomes of the work or of the thread; and
there is never more than one such thread. Who has more work keeps it, and hands over the next piece when it is
answered: so what waits is bounded where its meaning is known. The thread lives as long as its work, so that a loop
that never needs it has none.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

FAULTS = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, OSError, MemoryError)
"""What work may raise that has a fault, or that the machine has no room for. Anything else is answered too; it only
takes another way to the log."""

logger = logging.getLogger("chatcore.reactor")


class Offload:
    """See the module. `call` has a function run in the loop and may be used from any thread."""

    def __init__(self, call: Callable[[Callable[[], None]], None]) -> None:
        self._call = call
        self.busy = False
        """There is work that is not answered yet."""

    def do(self, work: Callable[[], Result], then: Callable[[Result | None], None]) -> None:
        """Have the work done, and `then` called with its result; with None if it failed."""
        assert not self.busy
        self.busy = True
        thread = threading.Thread(target=self._run, args=(work, then), name="offload", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # No room for one more thread; `then` still runs in a later turn, as it always does.
            logger.error("cannot start a thread: %(reason)s", {"reason": str(error)})
            self._call(lambda: self._answer(then, None))

    def _run(self, work: Callable[[], Result], then: Callable[[Result | None], None]) -> None:
        result: Result | None = None
        try:
            result = work()
        except FAULTS as fault:
            logger.error("internal error in work beside the loop", exc_info=fault)
        finally:
            self._call(lambda: self._answer(then, result))

    def _answer(self, then: Callable[[Result | None], None], result: Result | None) -> None:
        self.busy = False
        then(result)
