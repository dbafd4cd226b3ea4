"""A connection: one socket, in and out. It moves bytes and knows when; what they mean is the exchange's business.

Invariants: one file descriptor, closed exactly once, at the end of a tick; reading can be paused; writing never
waits. A peer's fault ends this connection and no other.
"""

from __future__ import annotations

import enum
import fcntl
import logging
import struct
import termios
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections import deque
    from collections.abc import Callable

    from chatcore.connection.tls import TlsSocket
    from chatcore.dialects.dialect import Dialect
    from chatcore.hub.flood import Allowance
    from chatcore.hub.session import Session
    from chatcore.log.reader import Reader
    from chatcore.reactor.loop import Reactor
    from chatcore.reactor.timers import Timer

READ_BYTES = 64 * 1024
"""Read at most from one socket at a time: so the others have their turn, too. From one who has sent much, as it is."""

USUAL_READ_BYTES = 16 * 1024
"""The same from all others: to make room for 64 KiB, and give back what was not needed, takes longer than the read."""

log = logging.getLogger("chatcore.connection")


class Pause(enum.IntFlag):
    """Why a connection is not read; TCP then holds back the sender."""

    NONE = 0
    FLOOD = 1
    """It said more than its allowance; the rest waits undecided."""
    REPLIES = 2
    """It asks faster than it reads the answers."""
    LOOKUP = 4
    """Its last question is with the archive."""
    DISK = 8
    """It said something while the disk is far behind."""
    HANDSHAKE = 16
    """Its TLS handshake waits for its turn."""
    PASSWORD = 32
    """What it sent as a password is being checked."""


class Service(Protocol):
    """Where a connection's bytes go."""

    arrived: deque[tuple[Connection, bytes]]
    """What was read, in order."""

    def settle(self) -> None:
        """Deal with what has arrived."""

    def ended(self, connection: Connection) -> None: ...
    def lost(self, connection: Connection, reason: str) -> None: ...
    def writable(self, connection: Connection) -> None: ...


class Filter(Protocol):
    """What a connection has for its socket: the socket itself, or something that stands before it."""

    def recv(self, most: int, /) -> bytes: ...
    def send(self, data: bytes | memoryview, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


class Connection:
    """See the module. The fields below the first group belong to the exchange and to delivery."""

    __slots__ = (
        "_arrived",
        "_draining",
        "_reactor",
        "_read_bytes",
        "_service",
        "_sock",
        "_tls",
        "accepted",
        "allowance",
        "closing",
        "dialect",
        "due_seq",
        "encrypted",
        "fd",
        "finishing",
        "first",
        "input_ended",
        "live_in",
        "pauses",
        "peer",
        "pending",
        "raw",
        "reader",
        "send",
        "session",
        "timer",
        "writing",
    )

    def __init__(
        self, sock: socket.socket, peer: tuple[str, int], reactor: Reactor, service: Service
    ) -> None:
        self.raw = sock
        """The socket itself."""
        self._sock: Filter = sock
        """What is read and written: the socket, or what makes TLS of it."""
        self._tls: TlsSocket | None = None
        self.encrypted = False
        """The TLS handshake is done."""
        self.accepted = reactor.now
        self._reactor = reactor
        self._service = service
        self._arrived = service.arrived
        self._draining = False
        self._read_bytes = USUAL_READ_BYTES
        self.fd = sock.fileno()
        self.peer = peer
        self.send: Callable[[bytes | memoryview], int] = sock.send
        self.closing = False
        """Marked to be closed at the end of this tick."""
        self.input_ended = False
        self.pauses = Pause.NONE

        # The exchange's:
        self.first: bytes | None = b""
        """What came before the dialect was known."""
        self.dialect: Dialect | None = None
        self.session: Session | None = None
        self.allowance: Allowance | None = None
        self.timer: Timer | None = None
        """The one thing it waits for: to be greeted, to have joined, to be allowed to speak again."""

        # Delivery's:
        self.reader: Reader
        """There from the moment the dialect is known."""
        self.pending: bytes | memoryview = b""
        """What the socket did not take yet."""
        self.writing = False
        """The socket is full; the reactor will say when it is not."""
        self.live_in: tuple[str, ...] | None = None
        """The streams whose news are pushed to it; None while it is behind, or has replies due."""
        self.finishing = False
        """To be closed when everything due has been sent."""
        self.due_seq = 0
        """Of a finishing one: the last record decided before, which it is not closed without."""

        reactor.watch(self.fd, self, read=True, write=False)

    @property
    def address(self) -> str:
        """`127.0.0.1:51234`, for the log."""
        host, port = self.peer
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def shares(self) -> bool:
        """Its peer gets the very bytes that are sent, so the kernel may take them from where those of others are."""
        return self._tls is None

    def on_readable(self) -> None:
        try:
            data = self._sock.recv(self._read_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self._service.lost(self, error.strerror or "connection error")
            return
        if not data:
            self._end()
        elif not self._draining:
            self._arrived.append((self, data))
            if len(data) >= USUAL_READ_BYTES:
                self._read_bytes = READ_BYTES
                self._reactor.took_much()
            else:
                self._read_bytes = USUAL_READ_BYTES

    def on_writable(self) -> None:
        if self._tls is not None and not self.writing:
            # What OpenSSL itself had to say; the rest of a record is delivery's, which offers it again.
            self._flush(self._tls)
        else:
            self._service.writable(self)

    def _flush(self, tls: TlsSocket) -> None:
        try:
            tls.flush()
        except BlockingIOError:
            return
        except OSError as error:
            self._service.lost(self, error.strerror or "connection error")
            return
        self.interest()

    def read_again(self) -> None:
        """There is something to read of which the selector will not tell."""
        self._reactor.call_soon(self.read_now, self)

    def read_now(self) -> None:
        """When no handler's turn is: what is read is dealt with at once, or the end of the stream could come before it."""
        self.on_readable()
        self._service.settle()

    def filter_through(self, sock: Filter, tls: TlsSocket) -> None:
        """Read and write through this from now on; before anybody has taken hold of `send`."""
        self._sock = sock
        self._tls = tls
        self.send = sock.send

    def on_fault(self, fault: Exception) -> None:
        """A bug met this connection; it alone pays for it."""
        self._service.lost(self, f"internal error: {type(fault).__name__}")

    def _end(self) -> None:
        self.input_ended = True
        self.interest()
        if self._draining:
            self._service.lost(self, "done")
        else:
            self._service.ended(self)

    def option(self, level: int, name: int, most: int) -> bytes:
        """What the kernel says of the socket; nothing if it cannot say."""
        try:
            return self.raw.getsockopt(level, name, most)
        except OSError:
            return b""

    def has_unread(self) -> bool:
        """The peer has said something that we did not come to read yet."""
        if self.closing:
            return False
        try:
            return bool(_queued(self.fd, termios.FIONREAD))
        except OSError:
            return False

    def is_taken(self) -> bool:
        """Our side is ended, the peer's machine has all that we sent, and nothing of its own waits to be read."""
        if not self._draining or self.closing:
            return False
        try:
            return not (_queued(self.fd, termios.TIOCOUTQ) or _queued(self.fd, termios.FIONREAD))
        except OSError:
            return False

    def interest(self) -> None:
        """Tell the reactor what this connection waits for, after one of its reasons changed."""
        if not self.closing:
            read = not (self.input_ended or self.pauses)
            write = self.writing or (self._tls is not None and self._tls.holding)
            self._reactor.watch(self.fd, self, read=read, write=write)

    def pause(self, reason: Pause) -> None:
        self.pauses |= reason
        self.interest()

    def resume(self, reason: Pause) -> None:
        self.pauses &= ~reason
        self.interest()

    def wait(self, delay_s: float, then: Callable[[], None]) -> None:
        """Call this in a while, at once if that is over; what it waited for before is called no more."""
        self.wait_no_more()
        self.timer = self._reactor.call_later(max(delay_s, 0.0), then, self)

    def wait_no_more(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def say_goodbye(self) -> bool:
        """Everything due has been sent: end our side. True when the peer has ended its side too.

        Closing while unread bytes wait would reset the connection, and the reset can overtake our last words; so
        what still comes is read and thrown away until the peer has ended or a timer has had enough.
        """
        if self.input_ended:
            return True
        self._draining = True
        self.pauses = Pause.NONE
        self.interest()
        try:
            self._sock.shutdown(1)  # SHUT_WR
        except OSError:
            return True
        return False

    def close(self) -> None:
        """Let go of the descriptor; called once, by the exchange, at the end of a tick."""
        self._reactor.forget(self.fd)
        self.wait_no_more()
        self._sock.close()
        self.fd = -1  # the number is somebody else's from now on
        # It and its filter hold each other, and OpenSSL's 44 KiB, until the collector comes by.
        self._sock, self._tls, self.send = self.raw, None, self.raw.send


def _queued(fd: int, which: int) -> int:
    """Bytes in a socket's queue (linux/sockios.h: SIOCOUTQ, SIOCINQ); our own end counts until it is acknowledged."""
    count: int = struct.unpack("=i", fcntl.ioctl(fd, which, bytes(4)))[0]
    return count
