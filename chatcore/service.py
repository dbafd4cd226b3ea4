"""What a service manager expects (sd_notify(3), sd_listen_fds(3)): being told of readiness and life, and handing over sockets.

Without one, all of this does nothing. Invariants: the variables are taken out of the environment, so that nothing
started from here believes they are meant for it; and telling never waits and never fails: a manager that does not
listen is no reason to end.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

from chatcore.config import EXIT_CONFIG, EXIT_UNAVAILABLE
from chatcore.connection.listener import BACKLOG

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from chatcore.reactor.loop import Reactor

FIRST_FD = 3
"""Sockets are handed over from this descriptor on: SD_LISTEN_FDS_START."""

FED_SHARE = 2
"""Signs of life in the time after which the manager gives a service up, as sd_watchdog_enabled(3) advises."""

ADMIN_NAME = "admin"
"""The FileDescriptorName of a socket that is meant for the admin listener; all others are the room's."""

log = logging.getLogger("chatcore.service")


class Unusable(Exception):
    """A socket that was asked for, or handed over, cannot be listened on; says why, and what to do."""

    exit_code = EXIT_CONFIG


class Taken(Unusable):
    """Somebody else listens there."""

    exit_code = EXIT_UNAVAILABLE


class Service:
    """See the module."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Takes what is meant for this process out of the environment. Raises Unusable."""
        take = environment.pop
        address = take("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._sock is not None:
            self._sock.setblocking(False)
        watchdog_us, of = _number(take("WATCHDOG_USEC", "")), take("WATCHDOG_PID", "")
        self._feed_s = watchdog_us / 1e6 / FED_SHARE if _is_us(of) else 0.0
        """0: nobody waits for a sign of life."""
        self.sockets: list[socket.socket] = []
        """Listening sockets for the room."""
        self.admin: socket.socket | None = None
        """One for the admin listener."""
        count, of = _number(take("LISTEN_FDS", "")), take("LISTEN_PID", "")
        names = take("LISTEN_FDNAMES", "").split(":")
        if count and of and _is_us(of):
            self._take_sockets(count, names)

    def _take_sockets(self, count: int, names: list[str]) -> None:
        for index in range(count):
            sock = _listening(FIRST_FD + index)
            if names[index : index + 1] == [ADMIN_NAME]:
                self.admin = sock
            elif sock.family in (socket.AF_INET, socket.AF_INET6):
                sock.listen(BACKLOG)
                self.sockets.append(sock)
            else:
                raise Unusable(
                    f"socket activation: descriptor {FIRST_FD + index} is no TCP socket. In the socket unit, write "
                    "ListenStream=PORT."
                )

    def notify(self, *lines: str) -> None:
        """Tell the manager, in one datagram."""
        if self._sock is None:
            return
        try:
            self._sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.debug("the service manager takes nothing: %(reason)s", {"reason": error.strerror})

    def ready(self, status: str) -> None:
        self.notify("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """To be followed by `ready`."""
        # sd_notify(3): Type=notify-reload wants both in one message.
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        self.notify("STOPPING=1", "STATUS=telling everybody that the server stops")

    def begin(self, reactor: Reactor, status: Callable[[], str]) -> None:
        """The server listens."""
        if self.sockets:
            log.info(
                "listening on what the service manager opened; --host, --port and --listen are not used"
            )
        self.ready(status())
        self.feed(reactor, status)

    def feed(self, reactor: Reactor, status: Callable[[], str]) -> None:
        """From now on give signs of life: from the loop, so that there are none when it does not turn."""
        if self._feed_s:
            self.notify("WATCHDOG=1", f"STATUS={status()}")
            reactor.call_later(self._feed_s, lambda: self.feed(reactor, status))

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()


def _listening(fd: int) -> socket.socket:
    """The socket behind a descriptor that was handed over, for this process alone."""
    try:
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        if sock.type == socket.SOCK_STREAM and _accepts(sock):
            sock.setblocking(False)
            return sock
        sock.detach()
    except OSError:
        pass
    raise Unusable(
        f"socket activation: descriptor {fd} does not listen. In the socket unit, write ListenStream=PORT and Accept=no."
    )


def _accepts(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _is_us(pid: str) -> bool:
    """The variable names this process, or nobody."""
    return not pid or pid == str(os.getpid())


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
