"""A network between people and the server that can be cut; what it has swallowed before is lost with the cut."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from contextlib import suppress

READ_BYTES = 64 * 1024
POLL_S = 0.05
"""How long it takes at most to see that it was closed."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, on, 0 s: closing is a reset, as of a router that forgot the connection."""


class Network:
    """Connect to `address` to reach the server. One thread passes everything on."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._ways: dict[socket.socket, tuple[str, socket.socket]] = {}
        """Each socket's direction, and where its bytes go."""
        self._swallowed: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def swallow(self, directions: tuple[str, ...]) -> None:
        """From now on nothing gets through `up` (to the server) or `down` (to the people), until the cut."""
        with self._lock:
            self._swallowed = directions

    def cut(self) -> None:
        """Reset every connection; new ones get through unharmed."""
        with self._lock:
            self._swallowed = ()
            for sock in list(self._ways):
                self._drop(sock)

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closing:
            ready = self._selector.select(POLL_S)
            with self._lock:
                for key, _ in ready:
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self._listener:
                        self._accept()
                    elif sock in self._ways:
                        self._pass_on(sock)

    def _accept(self) -> None:
        person, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._server)
        except OSError:
            person.close()
            return
        self._ways[person], self._ways[server] = ("up", server), ("down", person)
        for sock in (person, server):
            self._selector.register(sock, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        direction, target = self._ways[source]
        try:
            data = source.recv(READ_BYTES)
            if data and direction not in self._swallowed:
                target.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(source)

    def _drop(self, sock: socket.socket) -> None:
        """Both halves of the connection."""
        if sock in self._ways:
            _, other = self._ways.pop(sock)
            del self._ways[other]
            for each in (sock, other):
                self._selector.unregister(each)
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                each.close()
