"""The listener: takes connections in, and knows when it must not.

Invariants: at most `ACCEPTS_A_TURN` a turn, so that those who are inside keep their turn; running out of
descriptors neither spins the loop nor ends the accepting; no peer's early end is an error of ours.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import resource
import socket
from collections import Counter
from typing import TYPE_CHECKING

from chatcore.connection.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Service
    from chatcore.reactor.loop import Reactor

BACKLOG = 4096
"""Connections the kernel may finish before we take them: 5,000 at once come in over two turns (somaxconn's default)."""

ACCEPTS_A_TURN = 256
"""Accepts in one turn: a few milliseconds."""

SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's copy for one reader. By default a stalled one takes 4.3 MB of kernel memory; with this 0.28 MB."""

KEEPALIVE_IDLE_S = 60
KEEPALIVE_INTERVAL_S = 15
KEEPALIVE_PROBES = 4
"""A peer that vanished without a word is noticed after 60 + 4 × 15 = 120 s; Ergo takes 150. No TCP_USER_TIMEOUT:
it would also end a reader that merely does not read."""

PAUSE_FIRST_S = 0.1
PAUSE_LAST_S = 1.0
"""Pause after running out of descriptors, doubled each time: existing connections cost nothing meanwhile."""

COMPLAIN_EVERY_S = 10.0
"""A full server says so this often, not for every connection."""

IPV6_SITE_BITS = 64
"""One IPv6 customer has at least a /64, so that is one address."""

OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

FULL = b"-- The server is full. Try again in a while.\n"
CROWDED = (
    b"-- Too many connections from your address. Close one first, or ask for a higher limit.\n"
)

log = logging.getLogger("chatcore.listener")


class Listener:
    """One listening socket. `accepted` gets each new connection, already watched by the reactor."""

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        service: Service,
        accepted: Callable[[Connection], None],
        crowd: Crowd,
    ) -> None:
        self._sock = sock
        self._reactor = reactor
        self._service = service
        self._accepted = accepted
        self._crowd = crowd
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        """Given up when descriptors run out, so that one waiting peer can be told and closed."""
        self._pause_s = PAUSE_FIRST_S
        self._complained = float("-inf")
        self._fd = sock.fileno()
        self._closed = False
        self._reactor.watch(self._fd, self, read=True, write=False)

    def on_readable(self) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                sock, peer = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in OUT_OF_DESCRIPTORS:
                    self._out_of_descriptors(error)
                    return
                # A connection that ended before it was taken (ECONNABORTED, and on Linux any pending network error).
                continue
            self._pause_s = PAUSE_FIRST_S
            self._take(sock, (peer[0], peer[1]))

    def _take(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        if not self._crowd.enter(peer[0]):
            _turn_away(sock, CROWDED)
            return
        sock.setblocking(False)
        self._accepted(Connection(sock, peer, self._reactor, self._service))

    def on_writable(self) -> None:
        """Never asked for."""

    def on_fault(self, fault: Exception) -> None:
        """A bug met one accept: the next one may do better."""

    def _out_of_descriptors(self, error: OSError) -> None:
        """Tell the first who waits, then leave the others in the backlog for a while."""
        if self._reactor.now - self._complained >= COMPLAIN_EVERY_S:
            self._complained = self._reactor.now
            log.error(
                "out of file descriptors (%s): new connections wait. Raise the limit (ulimit -n).",
                error.strerror,
            )
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            try:
                sock, _ = self._sock.accept()
                _turn_away(sock, FULL)
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                # Somebody else in this process or host took it: try to get one back after the pause.
                pass
        self._reactor.watch(self._fd, self, read=False, write=False)
        self._reactor.call_later(self._pause_s, self._go_on)
        self._pause_s = min(self._pause_s * 2, PAUSE_LAST_S)

    def _go_on(self) -> None:
        if self._closed:
            return
        if self._spare is None:
            try:
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                self._reactor.call_later(self._pause_s, self._go_on)
                return
        self._reactor.watch(self._fd, self, read=True, write=False)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reactor.forget(self._fd)
            self._sock.close()
            if self._spare is not None:
                os.close(self._spare)


def _turn_away(sock: socket.socket, words: bytes) -> None:
    """A few bytes always fit a fresh socket; it is not worth waiting for anything."""
    try:
        sock.setblocking(False)
        sock.send(words)
    except OSError:
        pass
    finally:
        sock.close()


class Crowd:
    """How many connections each address has. Loopback is exempt: it is the administrator, and every test."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Connections an address may have at once; 0 for any number."""
        self._counts: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Count one more; False, uncounted, if the address has its share."""
        address = _site(host)
        if address is None:
            return True
        if self.most and self._counts[address] >= self.most:
            return False
        self._counts[address] += 1
        return True

    def leave(self, host: str) -> None:
        address = _site(host)
        if address is None:
            return
        self._counts[address] -= 1
        if self._counts[address] <= 0:
            del self._counts[address]


def _site(host: str) -> str | None:
    """What counts as one address; None for loopback."""
    if host.startswith("127."):
        return None
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            # `is_loopback` is False for a mapped loopback address before 3.13.
            return _site(str(address.ipv4_mapped))
        if address.is_loopback:
            return None
        return str(ipaddress.ip_network((address, IPV6_SITE_BITS), strict=False))
    return host


class Unavailable(Exception):
    """An address cannot be listened on."""

    def __init__(self, host: str, port: int, reason: OSError) -> None:
        super().__init__(f"{host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


def listen_on(addresses: Iterable[tuple[str, int]]) -> list[socket.socket]:
    """Listening sockets for all of them, or Unavailable and none."""
    sockets: list[socket.socket] = []
    for host, port in addresses:
        try:
            sockets += listen(host, port)
        except OSError as error:
            for sock in sockets:
                sock.close()
            raise Unavailable(host, port, error) from None
    return sockets


def raise_descriptor_limit() -> None:
    """Every connection is a descriptor, and the soft limit is often 1,024 where the hard one allows many more."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for every address of `host`. Raises OSError: taken, not ours, not an address.

    Options set here are inherited by every accepted socket, which saves six system calls for each.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, proto, _, address in dict.fromkeys(found):
            if sockets and port == 0:
                # A free port taken for the first address is wanted for the others too.
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            sock = socket.socket(family, kind, proto)
            sockets.append(sock)
            _set_options(sock)
            sock.bind(address)
            sock.listen(BACKLOG)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _set_options(sock: socket.socket) -> None:
    sock.setblocking(False)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # A chat line is small and somebody waits for it: never held back for a fuller packet.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
