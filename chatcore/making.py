"""Making a certificate of our own: a child process does it (`chatcore.self_made`), and the server goes on meanwhile.

Invariants: the loop never waits for the child, and the child never outlives the server's stop; it is reaped whatever
becomes of it; and what it had not finished is gone with it. Without a data folder nothing is on a disk: the child
writes into memory that only the two have open.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chatcore import self_made
from chatcore.self_made import CERT_FILE, EXIT_IO, KEY_FILE, TO_STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.reactor.loop import Reactor
    from chatcore.reactor.timers import Timer

MAKING_S = 30.0
"""The most that making one may take; it takes 0.1 s."""

SAID_BYTES = 4 * 1024
"""Kept of what the child says: its last line is the cause."""

HOW_TO_GET = "pip install cryptography (then the server makes a certificate itself), or --tls-cert and --tls-key"
TRY_AGAIN = "mend that and start again, or give --tls-cert and --tls-key"
NO_MEMORY_FILE = (
    "without a data folder only Linux can make one: give --data, or --tls-cert and --tls-key"
)

PACKAGE = "cryptography"


class NoCertificateError(Exception):
    """There is none: why, and what to do. The room can open without."""


class Making:
    """Begins at once. Raises NoCertificateError when it cannot."""

    def __init__(self, data: str | None, names: Iterable[str]) -> None:
        if find_spec(PACKAGE) is None:
            raise NoCertificateError(f"to encrypt: {HOW_TO_GET}")
        if data is None and not hasattr(os, "memfd_create"):
            raise NoCertificateError(NO_MEMORY_FILE)
        self.folder = None if data is None else Path(data)
        self._memory: int | None = None
        self._errors = -1
        self._child = 0
        self._said = b""
        self._failure = ""
        self._way_out = HOW_TO_GET
        self._timer: Timer | None = None
        self._reactor: Reactor | None = None
        self._then: Callable[[], None] = _nothing
        theirs = -1
        try:
            if data is None:
                self._memory = os.memfd_create("certificate")
            self._errors, theirs = os.pipe()
            self._child = self._begin(names, theirs)
        except OSError as error:
            self.close()
            raise NoCertificateError(
                f"making a certificate failed ({error}); {TRY_AGAIN}"
            ) from None
        finally:
            if theirs >= 0:
                os.close(theirs)

    def _begin(self, names: Iterable[str], errors: int) -> int:
        """The child's number."""
        # As a file and not as a module: only then does nothing else of the folder that we stand in get loaded (-P).
        command = [sys.executable, "-P", self_made.__file__]
        command += [TO_STDOUT if self.folder is None else str(self.folder), *names]
        null = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
        output = null if self._memory is None else (os.POSIX_SPAWN_DUP2, self._memory, 1)
        return os.posix_spawn(
            sys.executable,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                output,
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ],
            # A Ctrl-C is for the server, which ends it.
            setpgroup=0,
        )

    def watch(self, reactor: Reactor, then: Callable[[], None]) -> None:
        """Call `then` in the loop when it has ended."""
        self._reactor, self._then = reactor, then
        self._timer = reactor.call_later(MAKING_S, self._give_up, self)
        reactor.watch(self._errors, self, read=True, write=False)

    def wait(self) -> None:
        """Until it has ended; for a server that may not open without."""
        while self._child:
            if select.select([self._errors], [], [], MAKING_S)[0]:
                self.on_readable()
            else:
                self._give_up()

    def pair(self) -> tuple[Path, Path]:
        """The certificate and its key, once it has ended; in memory they are one file. Raises NoCertificateError."""
        if self._failure:
            raise NoCertificateError(
                f"making a certificate failed ({self._failure}); {self._way_out}"
            )
        if self.folder is not None:
            return self.folder / CERT_FILE, self.folder / KEY_FILE
        path = Path(f"/proc/self/fd/{self._memory}")
        return path, path

    def on_readable(self) -> None:
        """It says something, or has ended: nothing else has the other end of the pipe."""
        said = os.read(self._errors, SAID_BYTES)
        self._said = (self._said + said)[-SAID_BYTES:]
        if not said:
            self._end()

    def on_writable(self) -> None:
        """Never asked for."""

    def on_fault(self, fault: Exception) -> None:
        self._failure = f"internal error: {type(fault).__name__}"
        self._stop_child()
        self._end()

    def _give_up(self) -> None:
        self._failure = f"it took longer than {MAKING_S:g} s"
        self._stop_child()
        self._end()

    def _end(self) -> None:
        if self._child and (code := self._reap()):
            last = self._said.decode(errors="replace").strip().rpartition("\n")[2]
            self._failure = last or f"exit code {code}"
            if code == EXIT_IO:
                self._way_out = TRY_AGAIN
        self._watch_no_more()
        # Once: it may be its fault that ends us.
        then, self._then = self._then, _nothing
        then()

    def _reap(self) -> int:
        """Its exit code."""
        child, self._child = self._child, 0
        try:
            _, status = os.waitpid(child, 0)
        except ChildProcessError:
            # Whoever started us has the kernel do it (SIGCHLD ignored), which keeps no code.
            return 0
        return os.waitstatus_to_exitcode(status)

    def _watch_no_more(self) -> None:
        if self._reactor is not None:
            self._reactor.forget(self._errors)
        if self._timer is not None:
            self._timer.cancel()

    def _stop_child(self) -> None:
        if self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            self._reap()
            if self.folder is not None:
                self_made.forget_parts(self.folder)

    def close(self) -> None:
        """Let go of everything; of a child that has not ended, too."""
        self._stop_child()
        self._watch_no_more()
        if self._errors >= 0:
            os.close(self._errors)
        if self._memory is not None:
            os.close(self._memory)


def _nothing() -> None:
    """Nobody waits."""
