"""A WebSocket server that sends every message back, made of the server's own framing: for conformance suites.

    python scripts/websocket_echo.py 9001
    wstest -m fuzzingclient -s spec.json        (autobahntestsuite, url ws://127.0.0.1:9001)

The chat itself takes text only, and no message over 32 KiB; suites also try what is larger, and binary.
"""

from __future__ import annotations

import socketserver
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF

from chatcore.dialects.websocket import Messages, Protocol

MOST_BYTES = 32 * 1024 * 1024
"""Of a message: twice the largest that the suites send."""


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        protocol = Protocol(max_size=MOST_BYTES)
        messages = Messages(protocol, binary=True)
        while data := self.request.recv(64 * 1024):
            protocol.receive_data(data)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame) and (message := messages.take(event)) is not None:
                    if messages.opcode is Opcode.TEXT:
                        protocol.send_text(message)
                    else:
                        protocol.send_binary(message)
            for written in protocol.data_to_send():
                if written == SEND_EOF:
                    return
                self.request.sendall(written)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Echo) as server:
        server.serve_forever()
