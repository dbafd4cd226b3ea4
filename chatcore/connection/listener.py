"""The listener: takes connections in, and knows when it must not.

Invariants: at most `accepts_a_turn` a turn, so that those who are inside keep their turn; running out of
descriptors neither spins the loop nor ends the accepting; no peer's early end is an error of ours.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from chatcore.connection.connection import Connection
from chatcore.connection.crowd import FAREWELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.connection.connection import Service
    from chatcore.connection.crowd import Crowd, Reason
    from chatcore.connection.limits import Limits
    from chatcore.reactor.loop import Reactor

BACKLOG = 4096
"""Connections the kernel may finish before we take them: 5,000 at once come in over two turns (somaxconn's default)."""

KEEPALIVE_PROBES = 4
"""Probes after `keepalive_s` of silence, in as much time again. No TCP_USER_TIMEOUT: it would also end a reader that
merely does not read; `vitals` knows better."""

TCP_RTO_MAX_MS = 44
"""linux/tcp.h, since Linux 6.15: the longest wait between two questions to a peer that does not answer. Without it a
reader that has stood still for long is asked every two minutes only, and its end is noticed that much later."""

RTO_MAX_MS_LEAST = 1_000
RTO_MAX_MS_MOST = 120_000
"""What Linux takes there."""

ASKED_WHILE_SILENT = 3
"""Questions in `unsent_s`: one may be lost on the way."""

PAUSE_FIRST_S = 0.1
PAUSE_LAST_S = 1.0
"""Pause after running out of descriptors, doubled each time: existing connections cost nothing meanwhile."""

COMPLAIN_EVERY_S = 10.0
"""A full server says so this often, not for every connection."""

RESERVED = 32
"""Descriptors that no connection gets: the files of the history, its readers and its index, a reload, the operator's
connections. A full server still stores, answers from the past, and tells how it is."""

OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

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
        limits: Limits,
    ) -> None:
        self._sock = sock
        self._reactor = reactor
        self._service = service
        self._accepted = accepted
        self._crowd = crowd
        self._limits = limits
        self._options: tuple[int, ...] = ()
        """Those of the limits that accepted sockets have from this one."""
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        """Given up when descriptors run out, so that one waiting peer can be told and closed."""
        self._pause_s = PAUSE_FIRST_S
        self._complained = float("-inf")
        self._fd = sock.fileno()
        self._closed = False
        self._renew_options()
        self._reactor.watch(self._fd, self, read=True, write=False)

    def on_readable(self) -> None:
        self._renew_options()
        for _ in range(self._limits.accepts_a_turn):
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
            most = self._crowd.descriptors
            if most and sock.fileno() >= most:
                self._turn_away(sock, "no_descriptors")
                self._pause(f"{RESERVED} are kept for the history, the log and the operator")
                return
            reason = self._crowd.enter(peer[0], self._reactor.now)
            if reason is not None:
                self._turn_away(sock, reason)
            elif not self._take(sock, (peer[0], peer[1])):
                return

    def _take(self, sock: socket.socket, peer: tuple[str, int]) -> bool:
        """False: the kernel watches no more of them (epoll_ctl(2): ENOSPC, ENOMEM)."""
        sock.setblocking(False)
        try:
            connection = Connection(sock, peer, self._reactor, self._service)
        except OSError as error:
            self._crowd.leave(peer[0])
            self._turn_away(sock, "no_descriptors")
            self._pause(error.strerror or "no more")
            return False
        self._pause_s = PAUSE_FIRST_S
        self._accepted(connection)
        return True

    def _renew_options(self) -> None:
        """A reload may have changed what the next ones are to have."""
        limits = self._limits
        options = (limits.send_buffer_bytes, int(limits.keepalive_s), int(limits.unsent_s))
        if options != self._options:
            self._options = options
            set_options(self._sock, limits)

    def on_writable(self) -> None:
        """Never asked for."""

    def on_fault(self, fault: Exception) -> None:
        """A bug met one accept: the next one may do better."""

    def _out_of_descriptors(self, error: OSError) -> None:
        """Tell the first who waits."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            try:
                sock, _ = self._sock.accept()
                self._turn_away(sock, "no_descriptors")
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                # Somebody else in this process or host took it: try to get one back after the pause.
                pass
        self._pause(error.strerror or "no more")

    def _pause(self, reason: str) -> None:
        """Leave those who wait in the backlog for a while."""
        if self._reactor.now - self._complained >= COMPLAIN_EVERY_S:
            self._complained = self._reactor.now
            log.error(
                "out of file descriptors (%(reason)s): new connections wait. Raise the limit (ulimit -n).",
                {"reason": reason},
            )
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

    def _turn_away(self, sock: socket.socket, reason: Reason) -> None:
        """A few bytes always fit a fresh socket; it is not worth waiting for anything."""
        self._crowd.turned_away[reason] += 1
        try:
            sock.setblocking(False)
            sock.send(FAREWELLS[reason])
        except OSError:
            pass
        finally:
            sock.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reactor.forget(self._fd)
            self._sock.close()
            if self._spare is not None:
                os.close(self._spare)


class Unavailable(Exception):
    """An address cannot be listened on."""

    def __init__(self, host: str, port: int, reason: OSError) -> None:
        super().__init__(f"{host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


def listen_on(addresses: Iterable[tuple[str, int]], limits: Limits) -> list[socket.socket]:
    """Listening sockets for all of them, or Unavailable and none."""
    sockets: list[socket.socket] = []
    for host, port in addresses:
        try:
            sockets += listen(host, port, limits)
        except OSError as error:
            for sock in sockets:
                sock.close()
            raise Unavailable(host, port, error) from None
    return sockets


def raise_descriptor_limit() -> int:
    """Every connection is a descriptor, and the soft limit is often 1,024 where the hard one allows many more.

    Returns how many there may be of all kinds before connections are turned away; 0 for any number.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 0 if hard == resource.RLIM_INFINITY else max(hard - RESERVED, hard // 2)


def listen(host: str, port: int, limits: Limits) -> list[socket.socket]:
    """Listening sockets for every address of `host`. Raises OSError: taken, not ours, not an address."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, proto, _, address in dict.fromkeys(found):
            if sockets and port == 0:
                # A free port taken for the first address is wanted for the others too.
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            sock = socket.socket(family, kind, proto)
            sockets.append(sock)
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            set_options(sock, limits)
            sock.bind(address)
            sock.listen(BACKLOG)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def set_options(sock: socket.socket, limits: Limits) -> None:
    """What every socket that is accepted here is to have: it inherits this, which saves seven system calls for each."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.send_buffer_bytes)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # A chat line is small and somebody waits for it: never held back for a fuller packet.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    idle_s = max(1, int(limits.keepalive_s))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, idle_s // KEEPALIVE_PROBES))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
    rto_max_ms = int(limits.unsent_s * 1_000 / ASKED_WHILE_SILENT)
    with suppress(OSError):  # an older Linux
        sock.setsockopt(
            socket.IPPROTO_TCP,
            TCP_RTO_MAX_MS,
            min(max(rto_max_ms, RTO_MAX_MS_LEAST), RTO_MAX_MS_MOST),
        )
