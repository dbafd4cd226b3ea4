"""The client's one connection: made without blocking, over every address that the name has, and never to itself.

Invariant: at most one socket; each attempt ends in exactly one `Opened`, `Failed` or `Distrusted`, each open connection
in one `Failed`; no `OSError` leaves. It knows nothing of chat: bytes in, bytes out. With `trust` they go through a
tunnel (`chatcore.client.tunnel`), and nothing is sent before the server is known to be the one that was meant.

The trap: port 59000 lies in the range from which the kernel picks source ports. A client that retries a loopback
address while no server is there can get 59000 as its own source port, connect to itself (TCP's simultaneous open),
and keep the server from binding. So the source port is bound first, to another one; and should a socket still face
itself, it is closed at once and counts as refused.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.client.trust import Distrusted, Trust, Verdict
    from chatcore.client.tunnel import Tunnel, TunnelError

CONNECT_TIMEOUT_S = 10.0
"""For one address. A SYN is sent again after 1, 3 and 7 s: three losses are survived."""
HANDSHAKE_TIMEOUT_S = 10.0
"""For TLS on one connection: two round trips, and a server that has many arrivals at once."""
RECV_BYTES = 64 * 1024
SOURCE_PORT_TRIES = 8
IN_PROGRESS = {0, errno.EINPROGRESS, errno.EWOULDBLOCK}
CLOSE_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER, on, 0 s: no TIME_WAIT stays behind to keep a server from binding the port."""

Address: TypeAlias = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""Family, and what `connect` takes."""


class Opened(NamedTuple):
    pass


class Received(NamedTuple):
    data: bytes


class Failed(NamedTuple):
    reason: str


class Noted(NamedTuple):
    """The connection is good, but there is something to know about it."""

    words: tuple[str, ...]


Happening: TypeAlias = "Opened | Received | Failed | Noted | Distrusted"


class Network:
    """`wake`: may be called from any thread; makes the loop call `overdue`."""

    def __init__(
        self,
        host: str,
        port: int,
        selector: selectors.BaseSelector,
        on_ready: Callable[[int, float], None],
        wake: Callable[[], None],
        trust: Trust | None = None,
    ) -> None:
        self.deadline: float | None = None
        """When to call `overdue` at the latest."""
        self._host, self._port = host, port
        self._selector, self._on_ready, self._wake = selector, on_ready, wake
        self._found: SimpleQueue[list[Address] | str] = SimpleQueue()
        self._resolving = False
        self._known: list[
            Address
        ] = []  # where it connected the last time: a lost network has no name service
        self._todo: deque[Address] = deque()
        self._address: Address | None = None
        self._socket: socket.socket | None = None
        self._trust = trust
        self._tunnel: Tunnel | None = None
        self._connected = False
        """On the other side of the network there is somebody; who, is known when `_open`."""
        self._open = False
        self._out = bytearray()

    @property
    def is_idle(self) -> bool:
        """No connection, and none in the making."""
        return self._socket is None and not self._resolving

    def dial(self, now: float) -> list[Happening]:
        numeric = _look_up(self._host, self._port, socket.AI_NUMERICHOST)
        addresses = self._known or (numeric if isinstance(numeric, list) else [])
        self._known = []
        if addresses:
            self._todo = deque(addresses)
            return self._try_next("no address", now)
        self._resolving = True
        threading.Thread(target=self._resolve, daemon=True).start()
        return []

    def ready(self, mask: int, now: float) -> list[Happening]:
        """The selector says that the socket is ready."""
        if self._socket is None:
            return []
        if not self._connected:
            return self._finish(self._socket, now)
        if mask & selectors.EVENT_WRITE:
            self._write(self._socket)
        return self._read(self._socket, now) if mask & selectors.EVENT_READ else []

    def overdue(self, now: float) -> list[Happening]:
        """An address that does not answer is given up; names that were looked up have come."""
        if self._resolving:
            return self._resolved(now)
        if self.deadline is None or now < self.deadline:
            return []
        return self._unanswered(now)

    def send(self, data: bytes) -> None:
        if self._socket is not None and self._open and data:
            self._out += self._wrapped(data)
            self._write(self._socket)

    def close(self) -> None:
        if self._socket is not None:
            self._say_last(self._socket)
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket, self._tunnel, self.deadline = None, None, None
        self._connected = self._open = False
        self._out.clear()

    # Names

    def _resolve(self) -> None:
        """In a thread of its own: a name service may take a minute to say that it is not there."""
        self._found.put(_look_up(self._host, self._port, 0))
        self._wake()

    def _resolved(self, now: float) -> list[Happening]:
        try:
            found = self._found.get_nowait()
        except Empty:
            return []
        self._resolving = False
        if isinstance(found, str):
            return [Failed(found)]
        self._todo = deque(found)
        return self._try_next("no address", now)

    # Connecting

    def _try_next(self, reason: str, now: float) -> list[Happening]:
        self.close()
        while self._todo:
            self._address = self._todo.popleft()
            distrusted = self._trust.begin() if self._trust is not None else None
            if distrusted is not None:
                return [distrusted]
            try:
                self._start(self._address, now)
            except OSError as fault:
                reason = _words(fault)
            else:
                return []
        return [Failed(reason)]

    def _try_again(self, now: float) -> list[Happening]:
        """The same address: trust takes another look."""
        self.close()
        try:
            if self._address is not None:
                self._start(self._address, now)
        except OSError as fault:
            return self._try_next(_words(fault), now)
        return []

    def _start(self, address: Address, now: float) -> None:
        family, where = address
        sock = _socket_elsewhere(family, where[1])
        try:
            code = sock.connect_ex(where)
            if code not in IN_PROGRESS:
                raise OSError(code, os.strerror(code))
        except OSError:
            sock.close()
            raise
        self._socket, self.deadline = sock, now + CONNECT_TIMEOUT_S
        self._selector.register(sock, selectors.EVENT_WRITE, self._on_ready)

    def _finish(self, sock: socket.socket, now: float) -> list[Happening]:
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            return self._try_next(_words(OSError(code, os.strerror(code))), now)
        if faces_itself(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_AT_ONCE)
            return self._try_next("connection refused", now)
        self._connected = True
        if self._trust is None:
            return self._opened(sock)
        self.deadline = now + HANDSHAKE_TIMEOUT_S
        return self._begin_tunnel(self._trust, sock, now)

    def _opened(self, sock: socket.socket) -> list[Happening]:
        self._open, self.deadline = True, None
        self._known = [self._address, *self._todo] if self._address else []
        self._write(sock)
        return [Opened()]

    # The tunnel

    def _begin_tunnel(self, trust: Trust, sock: socket.socket, now: float) -> list[Happening]:
        from chatcore.client.tunnel import TunnelError

        try:
            self._tunnel = trust.tunnel()
        except TunnelError as fault:
            return self._no_tunnel(trust, fault, now)
        self._out += self._tunnel.data_to_send()
        self._write(sock)
        return []

    def _unanswered(self, now: float) -> list[Happening]:
        """Nobody is there; or somebody who said something, but does not encrypt."""
        if self._tunnel is not None and self._trust is not None:
            from chatcore.client.tunnel import TunnelError

            try:
                self._tunnel.lost()
            except TunnelError as fault:
                return self._no_tunnel(self._trust, fault, now)
        return self._try_next("no answer", now)

    def _through(
        self, tunnel: Tunnel, trust: Trust, sock: socket.socket, data: bytes, now: float
    ) -> list[Happening]:
        """Bytes of the network, none at its end."""
        from chatcore.client.tunnel import TunnelError

        was_open = self._open
        try:
            plain = tunnel.received(data) if data else tunnel.lost()
        except TunnelError as fault:
            self._out += tunnel.data_to_send()  # the alert that tells the server why
            self._write(sock)
            return self._no_tunnel(trust, fault, now)
        happenings: list[Happening] = []
        if tunnel.is_open and not was_open:
            happenings = self._judged(trust.opened(tunnel.certificate), now, "")
            if not self._open:
                return happenings
        self._out += tunnel.data_to_send()
        self._write(sock)
        if plain:
            happenings.append(Received(plain))
        return happenings + self._closed() if tunnel.ended or not data else happenings

    def _no_tunnel(self, trust: Trust, fault: TunnelError, now: float) -> list[Happening]:
        verdict = None if self._open else trust.failed(fault)
        return self._judged(verdict, now, str(fault))

    def _judged(self, verdict: Verdict | None, now: float, reason: str) -> list[Happening]:
        """None: the network broke it, and another try may do better."""
        from chatcore.client.trust import Again, Distrusted, Trusted

        match verdict:
            case Trusted(words):
                assert self._socket is not None
                opened = self._opened(self._socket)
                return [Noted(words), *opened] if words else opened
            case Again():
                return self._try_again(now)
            case Distrusted():
                self.close()
                return [verdict]
            case None:
                self.close()
                return [Failed(reason)]

    def _wrapped(self, data: bytes) -> bytes:
        if self._tunnel is None:
            return data
        from chatcore.client.tunnel import TunnelError

        with suppress(TunnelError):  # reading will say why
            self._tunnel.send(data)
        return self._tunnel.data_to_send()

    def _say_last(self, sock: socket.socket) -> None:
        """The end of TLS, so that the server knows that nothing was cut off."""
        if self._tunnel is not None and self._open:
            self._tunnel.leave()
            with suppress(OSError):
                sock.send(self._out + self._tunnel.data_to_send())

    # Bytes

    def _read(self, sock: socket.socket, now: float) -> list[Happening]:
        try:
            data = sock.recv(RECV_BYTES)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as fault:
            self.close()
            return [Failed(_words(fault))]
        if self._tunnel is not None and self._trust is not None:
            return self._through(self._tunnel, self._trust, sock, data, now)
        return [Received(data)] if data else self._closed()

    def _closed(self) -> list[Happening]:
        self.close()
        return [Failed("server closed")]

    def _write(self, sock: socket.socket) -> None:
        try:
            del self._out[: sock.send(self._out)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._out.clear()  # reading will say why, after what the server still had to say
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        self._selector.modify(sock, events, self._on_ready)


def faces_itself(sock: socket.socket) -> bool:
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:  # closed again already; reading will say so
        return False


def _socket_elsewhere(family: int, port: int) -> socket.socket:
    """A socket whose own port is bound, and is not `port`."""
    rejected: list[socket.socket] = []
    try:
        sock = _bound_socket(family)
        while sock.getsockname()[1] == port and len(rejected) < SOURCE_PORT_TRIES:
            rejected.append(sock)  # kept until the end, so that its port is not offered again
            sock = _bound_socket(family)
        return sock
    finally:
        for each in rejected:
            each.close()


def _bound_socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(("", 0))
    except OSError:
        sock.close()
        raise
    return sock


def _look_up(host: str, port: int, flags: int) -> list[Address] | str:
    """Addresses, or the reason in words."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except OSError as fault:
        return _words(fault)
    except UnicodeError:  # a name that no name service can hold
        return "no such host"
    return [(each[0], each[4]) for each in found]  # type: ignore[misc]


def _words(fault: OSError) -> str:
    words = fault.strerror or str(fault)
    return words[:1].lower() + words[1:]
