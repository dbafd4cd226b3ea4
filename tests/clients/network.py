"""A way to the server that can break."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress

READ_BYTES = 64 * 1024
POLL_S = 0.05
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, on, 0 s: closing is a reset, as of a router that forgot the connection."""


class Network:
    """A way to the server that can break: `hold` loses a direction from now on, `cut` resets all there is.

    What is held is lost with the cut, as in a real network: the one who sent it cannot know.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._held: set[str] = set()
        self.swallowed = b""
        """What was held and is lost."""
        self._lock = threading.Lock()
        self._closing = False
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hold(self, direction: str) -> None:
        """From here on nothing gets through `up` (to the server) or `down` (to the client)."""
        with self._lock:
            self._held.add(direction)

    def cut(self) -> None:
        """Reset every connection, and let new ones through unharmed."""
        with self._lock:
            self._held.clear()
            self._drop(list(self._pairs))

    def close(self) -> None:
        self._closing = True
        self._wake.send(b"x")
        self._thread.join()
        self._drop(list(self._pairs))
        for sock in (self._listener, self._wake, self._woken):
            sock.close()

    def _run(self) -> None:
        while not self._closing:
            with self._lock:
                socks = [sock for pair in self._pairs for sock in pair]
            # cut closes sockets meanwhile: such a round is begun anew
            with suppress(OSError, ValueError):
                ready, _, _ = select.select([self._listener, self._woken, *socks], [], [], POLL_S)
                with self._lock:
                    self._serve(ready)

    def _serve(self, ready: list[socket.socket]) -> None:
        for pair in list(self._pairs):
            for direction, source, target in (("up", *pair), ("down", *reversed(pair))):
                if source in ready and pair in self._pairs and source.fileno() >= 0:
                    self._pass_on(pair, direction, source, target)
        if self._listener in ready:
            self._accept()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self.server)
        except OSError:
            client.close()
        else:
            self._pairs.append((client, server))

    def _pass_on(
        self,
        pair: tuple[socket.socket, socket.socket],
        direction: str,
        source: socket.socket,
        target: socket.socket,
    ) -> None:
        try:
            data = source.recv(READ_BYTES)
            if data and direction in self._held:
                self.swallowed += data
            elif data:
                target.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop([pair])

    def _drop(self, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
        for pair in pairs:
            self._pairs.remove(pair)
            for sock in pair:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                sock.close()
