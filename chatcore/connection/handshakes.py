"""TLS handshakes: who may take the next step. A handshake is the dearest thing that a stranger can ask for.

Invariants: at most `limits.handshakes` are under way, the others wait with nothing but their first message; at most
`limits.handshakes_a_turn` steps are made in a turn of the loop, so that those who are inside keep their turn; who has
begun goes before who has not; whoever ends, in whatever way, gives its place to the next; and while the first
certificate is being made, everybody waits for it.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING

from chatcore.connection.connection import Pause

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from chatcore.connection.connection import Connection
    from chatcore.connection.door import Door
    from chatcore.connection.limits import Limits
    from chatcore.connection.tls import TlsSocket
    from chatcore.reactor.loop import Reactor

STEP_BYTES = 4 * 1024
"""Read for a step; a client's part is 0.1 to 2 KiB, and more would stay in a queue that gives no memory back."""


class Handshakes:
    """See the module. `shaken` gets each connection that is encrypted from now on; `unshaken`, with its first message,
    each that cannot be, because there is no certificate; `declined` each that does not take the one there is."""

    def __init__(
        self,
        reactor: Reactor,
        limits: Limits,
        door: Door,
        shaken: Callable[[Connection], None],
        unshaken: Callable[[Connection, bytes], None],
        declined: Callable[[Connection], None],
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._door = door
        self._shaken = shaken
        self._unshaken = unshaken
        self.declined = declined
        door.settled = self._call
        self._under_way: set[Connection] = set()
        self._begun: deque[_Shaking] = deque()
        """Under way, with something to read, and no step left for them in their turn."""
        self._waiting: deque[Connection] = deque()
        """Not begun. Each has its first message in `connection.first`, and is not read."""
        self._steps = 0
        """Made in the turn that began at `_turn`."""
        self._turn = 0.0
        self._called = False
        self.done = 0
        """Handshakes that were finished, since the start."""

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enter(self, connection: Connection) -> None:
        """Its first message is whole: it begins when its turn comes."""
        connection.pause(Pause.HANDSHAKE)
        self._waiting.append(connection)
        self._call()

    def may_step(self, shaking: _Shaking) -> bool:
        """It has something to read. If it must wait, it is not read until its turn comes."""
        if not self._begun and self._step():
            return True
        shaking.connection.pause(Pause.HANDSHAKE)
        self._begun.append(shaking)
        self._call()
        return False

    def leave(self, connection: Connection) -> None:
        """It is done, or over."""
        self._under_way.discard(connection)
        if self._waiting:
            self._call()

    def finish(self, connection: Connection, tls: TlsSocket) -> None:
        self.leave(connection)
        self.done += 1
        connection.filter_through(tls, tls)
        connection.encrypted = True
        self._shaken(connection)

    def _step(self) -> bool:
        """Is there another step in this turn?"""
        if self._turn != self._reactor.now:
            self._turn, self._steps = self._reactor.now, 0
        self._steps += 1
        return self._steps <= self._limits.handshakes_a_turn

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._reactor.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._called = False
        try:
            self._go_on()
        finally:
            # Also after a fault: it is one connection's, and the others still wait.
            if self._begun or (self._waiting and self._has_place()):
                self._call()

    def _go_on(self) -> None:
        """As many steps as this turn has left."""
        while self._begun and self._step():
            self._begun.popleft().go_on()
        while self._waiting and self._has_place() and self._step():
            connection = self._waiting.popleft()
            if not connection.closing:
                self._begin(connection)

    def _has_place(self) -> bool:
        return len(self._under_way) < self._limits.handshakes and not self._door.awaited

    def _begin(self, connection: Connection) -> None:
        first, connection.first = connection.first or b"", b""
        if self._door.context is None:
            self._unshaken(connection, first)
            return
        shaking = _Shaking(connection, self, self._door.context, first)
        # Not before: only what has become its socket can give the place back.
        self._under_way.add(connection)
        shaking.go_on()


class _Shaking:
    """What a connection has for a socket during the handshake."""

    __slots__ = ("_first", "_granted", "_handshakes", "_sock", "_tls", "connection")

    def __init__(
        self,
        connection: Connection,
        handshakes: Handshakes,
        context: ssl.SSLContext,
        first: bytes,
    ) -> None:
        # It has come with the certificate: a Python without OpenSSL never gets here.
        from chatcore.connection.tls import TlsSocket

        self.connection = connection
        self._handshakes = handshakes
        self._first = first
        self._granted = False
        self._sock = connection.raw
        self._tls: TlsSocket = TlsSocket(self._sock, context, connection)
        connection.filter_through(self, self._tls)

    def go_on(self) -> None:
        """Its turn has come."""
        self._granted = True
        if not self.connection.closing:
            self.connection.resume(Pause.HANDSHAKE)
            self.connection.read_now()

    def recv(self, most: int) -> bytes:
        if not (self._granted or self._handshakes.may_step(self)):
            raise BlockingIOError
        self._granted = False
        data, self._first = self._first or self._sock.recv(min(most, STEP_BYTES)), b""
        if not data:
            raise OSError(errno.ECONNABORTED, "it ended during the TLS handshake")
        if not self._handshake(data):
            raise BlockingIOError
        self._handshakes.finish(self.connection, self._tls)
        return self._tls.plaintext()

    def _handshake(self, data: bytes) -> bool:
        from chatcore.connection.tls import Declined

        try:
            return self._tls.handshake(data)
        except Declined:
            self._handshakes.declined(self.connection)
            raise

    def send(self, data: bytes | memoryview) -> int:
        """There is nobody yet to whom anything could be said."""
        raise BlockingIOError

    def shutdown(self, how: int) -> None:
        self._tls.shutdown(how)

    def close(self) -> None:
        self._handshakes.leave(self.connection)
        self._tls.close()
