"""The ways into the room, as the people of `scripts.prove` take them: each of the three dialects, in the clear and in TLS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri

from scripts.prove.people import Talker, Typist
from scripts.prove.wire import Ended, Wire
from tests.tls import trusting

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.prove.people import Person


class TlsWire(Wire):
    """Lines in TLS."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        super().__init__(address, receive_buffer)
        try:
            self._sock = trusting(None).wrap_socket(self._sock, server_hostname="localhost")
        except OSError as error:
            raise Ended(str(error)) from error


class WebWire(Wire):
    """Each line a text message of a WebSocket."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        super().__init__(address, receive_buffer)
        host, port = address
        self._protocol = ClientProtocol(parse_uri(f"ws://{host}:{port}/ws"), max_size=None)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def _flush(self) -> None:
        super().send(b"".join(self._protocol.data_to_send()))

    def send(self, data: bytes) -> None:
        # Nothing is sent before the server's answer to the upgrade: what is, is refused.
        while self._protocol.state.name == "CONNECTING":
            self._protocol.receive_data(self._read())
        for line in data.splitlines():
            self._protocol.send_text(line)
        self._flush()

    def lines(self) -> list[str]:
        while True:
            events = self._protocol.events_received()
            if found := [bytes(each.data).decode() for each in events if isinstance(each, Frame)]:
                return found
            self._protocol.receive_data(self._read())


class SecureWebWire(WebWire, TlsWire):
    """The same in TLS: `TlsWire` is below."""


KINDS: dict[str, Callable[..., Person]] = {
    "native": Talker,
    "plain": Typist,
    "WebSocket": partial(Talker, wire=WebWire),
    "native in TLS": partial(Talker, wire=TlsWire),
    "plain in TLS": partial(Typist, wire=TlsWire),
    "WebSocket in TLS": partial(Talker, wire=SecureWebWire),
}
