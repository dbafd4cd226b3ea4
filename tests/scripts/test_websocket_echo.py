"""What conformance suites talk to: the server's own reading of frames, echoing, up to the very end."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from scripts.websocket_echo import HOST, Echo, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 30.0
READ_BYTES = 64 * 1024
RSV1 = 0x40
"""RFC 6455 5.2: must be 0 without an extension."""


class Peer:
    """The other side, judged by somebody else's parser."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address, DEADLINE_S)
        self.protocol = ClientProtocol(parse_uri(f"ws://{HOST}:{address[1]}/ws"), max_size=None)
        self.protocol.send_request(self.protocol.connect())
        self.send(*self.protocol.data_to_send())
        self.events: list[object] = []
        while not self.events:
            self.read()
        response = self.events.pop()
        assert isinstance(response, Response)
        assert response.status_code == 101

    def send(self, *pieces: bytes) -> None:
        """In one write: they come in one read."""
        self.sock.sendall(b"".join(pieces))

    def read(self) -> bool:
        data = self.sock.recv(READ_BYTES)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        self.events += self.protocol.events_received()
        return bool(data)

    def frames(self, count: int) -> list[tuple[Opcode, bytes]]:
        while len(self.events) < count and self.read():
            pass
        frames = [event for event in self.events if isinstance(event, Frame)]
        return [(frame.opcode, bytes(frame.data)) for frame in frames]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Server((HOST, 0), Echo) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        made = Peer(server.server_address)
        yield made
        made.sock.close()
        server.shutdown()
        serving.join(DEADLINE_S)


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


def test_each_message_comes_back_as_what_it_was(peer: Peer) -> None:
    peer.send(
        masked(Opcode.TEXT, b"one\n"),
        masked(Opcode.BINARY, b"\xff\n"),
        masked(Opcode.TEXT, b""),
    )
    assert peer.frames(3) == [
        (Opcode.TEXT, b"one\n"),
        (Opcode.BINARY, b"\xff\n"),
        (Opcode.TEXT, b""),
    ]


def test_a_ping_within_a_message_is_answered_before_its_end(peer: Peer) -> None:
    peer.send(
        masked(Opcode.TEXT, b"on", fin=False),
        masked(Opcode.PING, b"there?"),
        masked(Opcode.CONT, b"e"),
    )
    assert peer.frames(2) == [(Opcode.PONG, b"there?"), (Opcode.TEXT, b"one")]


def test_what_came_before_a_broken_frame_comes_back_before_the_close(peer: Peer) -> None:
    """Autobahn's 3.2: the three in one segment."""
    broken = masked(Opcode.TEXT, b"reserved")
    peer.send(
        masked(Opcode.TEXT, b"one"),
        bytes((broken[0] | RSV1,)) + broken[1:],
        masked(Opcode.PING, b"too late"),
    )
    echo, (close, why) = peer.frames(2)
    assert echo == (Opcode.TEXT, b"one")
    assert (close, why[:2]) == (Opcode.CLOSE, (1002).to_bytes(2, "big"))
    assert not peer.read(), "and then the end, without a reset"
