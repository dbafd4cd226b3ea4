"""A WebSocket server that sends every message back, and reads as the chat does: for conformance suites.

    python scripts/websocket_echo.py 9001       needs the package websockets: .venv/bin/python has it
    wstest -m fuzzingclient -s spec.json        (autobahntestsuite, url ws://127.0.0.1:9001/ws)

The chat itself takes text only, and no message over 32 KiB; suites also try what is larger, and binary. All else is the
server's own: the handshake, the short cut for whole messages, frames in any pieces, and the end.
"""

from __future__ import annotations

import socket
import socketserver
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from websockets.frames import Frame, Opcode

from chatcore.dialects import websocket
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.http import Site
from chatcore.dialects.websocket import Messages, Protocol, Web

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = "127.0.0.1"

MOST_BYTES = 32 * 1024 * 1024
"""Of a message: twice the largest that the suites send."""

READ_BYTES = 64 * 1024
"""As the server reads."""

DRAIN_S = 2.0
"""For the peer to end its side, so that it reads our last frame and no reset; as the server waits."""


class Binary(bytes):
    """A message that came as binary, and goes back so."""

    __slots__ = ()


class AnyMessages(Messages):
    def take(self, frame: Frame) -> bytes | None:
        message = super().take(frame)
        return Binary(message) if message is not None and self.opcode is Opcode.BINARY else message


class EchoWeb(Web):
    """The server's side of a connection, up to the messages: they are kept as they are."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        super().__init__(Site({}, frozenset({HOST})), encrypted=False)
        self._protocol = Protocol(max_size=MOST_BYTES)
        self._messages = AnyMessages(self._protocol, binary=True)
        self.taken: list[bytes] = []

    def _read(self, data: bytes) -> list[bytes]:
        self.taken = super()._read(data)
        return []


def echoes(messages: Iterable[bytes]) -> bytes:
    return b"".join(
        Frame(Opcode.BINARY if isinstance(each, Binary) else Opcode.TEXT, each).serialize(
            mask=False
        )
        for each in messages
    )


def answers(web: EchoWeb, data: bytes) -> tuple[bytes, bool]:
    """What goes back for this read, and whether it is the last."""
    web.taken = []
    web.feed(data)
    end = web.next(1)
    if isinstance(end, Hangup):
        # What came before the end, or before what is no WebSocket, is still answered; nothing follows a close.
        return echoes(web.taken) + end.farewell, True
    # A ping that came within a fragmented message came before its end.
    return web.answers() + echoes(web.taken), False


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        web, ended = EchoWeb(), False
        with suppress(OSError):
            while not ended and (data := self.request.recv(READ_BYTES)):
                written, ended = answers(web, data)
                self.request.sendall(written)
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(DRAIN_S)
            while self.request.recv(READ_BYTES):
                pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    websocket.NATIVE_LINE_BYTES = MOST_BYTES
    with Server((HOST, int(sys.argv[1])), Echo) as server:
        server.serve_forever()
