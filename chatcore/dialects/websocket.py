"""The native dialect over WebSocket (RFC 6455): one JSON object a text message. For the page, and for programs.

The protocol itself is the `websockets` package's Sans-I/O parser; this feeds it and takes its answers. What everyone
reads is not serialised by it: a server's frames are unmasked, so a record is framed once and the same bytes go to
every reader (`WebForm`), as in any other wire form.

Invariants: the request is answered once; messages are whole, valid UTF-8 and bounded before anything looks at them;
nothing here raises, whatever is sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from websockets.datastructures import MultipleValuesError
from websockets.exceptions import SecurityError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # a build of the package without its C part
    from websockets.utils import apply_mask

from chatcore.dialects.dialect import Ending, Event, Hangup
from chatcore.dialects.http import (
    WEBSOCKET_PATH,
    Head,
    Site,
    answer,
    check_host,
    check_origin,
    path_of,
    plain_answer,
)
from chatcore.dialects.native import NATIVE_LINE_BYTES, Native, simple_run
from chatcore.dialects.native_form import NativeForm, record_lines, said_lines
from chatcore.hub.reply import Bye
from chatcore.log.record import Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatcore.hub.command import Run
    from chatcore.hub.reply import Reply
    from chatcore.log.reader import Form
    from chatcore.log.record import Record

HEAD_END = b"\r\n\r\n"

TEXT_FRAME = 0x81
"""RFC 6455 5.2: FIN and the opcode of text."""

SHORT_BYTES = 125
MEDIUM_BYTES = 0xFFFF
"""RFC 6455 5.2: payloads up to here have their length in 1 and in 3 bytes."""


HEADS_KEPT = 1024
"""Heads of frames that are kept: a line of a record is rarely longer."""

MASK_BYTES = 4
MASKED_HEAD_BYTES = 2 + MASK_BYTES
"""Of a short frame of a client."""

MASKED = 0x80
"""RFC 6455 5.2: the bit of the second byte; every frame of a client has it, and a key of four bytes."""


def frame_end(data: bytes | bytearray, at: int) -> int:
    """Where the frame that begins at `at` ends; 0 if that cannot be told, or not all of it is there.

    One that is longer than a message may be ends with the data: the protocol refuses it by its head.
    """
    left = len(data) - at
    if left < 2:
        return 0
    size = data[at + 1] & 0x7F
    head = 2
    if size > SHORT_BYTES:
        head += 2 if size == SHORT_BYTES + 1 else 8
        if left < head:
            return 0
        size = int.from_bytes(data[at + 2 : at + head], "big")
        if size > NATIVE_LINE_BYTES:
            return len(data)
    if data[at + 1] & MASKED:
        head += MASK_BYTES
    return at + head + size if head + size <= left else 0


def whole_texts(data: bytes, at: int) -> tuple[list[bytes], int]:
    """The messages of the frames from `at` on that are each one whole text of a client with nothing wrong, and where
    the last of them ends.

    The short cut for nearly all that clients send; everything else is the protocol's, which takes five times as long.
    """
    messages: list[bytes] = []
    size = len(data)
    while size - at >= MASKED_HEAD_BYTES and data[at] == TEXT_FRAME:
        length = data[at + 1] - MASKED
        start = at + MASKED_HEAD_BYTES
        if not 0 <= length <= SHORT_BYTES:
            if length != SHORT_BYTES + 1:
                break
            length = data[at + 2] << 8 | data[at + 3]
            if length > NATIVE_LINE_BYTES:
                break
            start += 2
        end = start + length
        if end > size:
            break
        message = apply_mask(data[start:end], data[start - MASK_BYTES : start])
        if not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:
                break
        messages.append(message)
        at = end
    return messages, at


@lru_cache(maxsize=HEADS_KEPT)
def frame_head(size: int) -> str:
    """The head of a text message of so many bytes (RFC 6455 5.2), a character a byte."""
    if size > MEDIUM_BYTES:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    elif size > SHORT_BYTES:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = bytes((TEXT_FRAME, size))
    return head.decode("latin-1")


def framed(lines: Sequence[str]) -> bytes:
    """JSON lines as text messages, one a line."""
    if not "".join(lines).isascii():
        # As characters that are a byte each, which they are at the end.
        lines = [line.encode().decode("latin-1") for line in lines]
    return "".join([frame_head(len(line)) + line for line in lines]).encode("latin-1")


def _framed(lines: bytes) -> bytes:
    """The same, for lines with their line ends."""
    return framed(lines.decode().split("\n")[:-1])


class WebForm:
    """How readers over WebSocket see records; see `chatcore.log.reader.Form`."""

    @staticmethod
    def record(record: Record) -> bytes:
        if type(record) is Said:
            return framed(said_lines(record))
        return framed(record_lines(record).split("\n")[:-1])

    @staticmethod
    def gap(stream: str, missed: int, next_seq: int) -> bytes:
        return _framed(NativeForm.gap(stream, missed, next_seq))


class Protocol(ServerProtocol):
    """The package's, but a peer may close in the middle of a fragmented message (RFC 6455 5.4: control frames may be
    injected there); the package takes that for an error, and would not echo the close (Autobahn's case 7.1.5)."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class Messages:
    """Whole messages out of frames. What is no valid text fails the connection: the protocol then says why."""

    __slots__ = ("_parts", "_protocol", "binary", "opcode")

    def __init__(self, protocol: Protocol, *, binary: bool = False) -> None:
        self._protocol = protocol
        self._parts: list[bytes] = []
        self.opcode = Opcode.TEXT
        self.binary = binary
        """Whether binary messages are taken too."""

    def take(self, frame: Frame) -> bytes | None:
        """The message that this frame ends. Control frames have been answered by the protocol."""
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self.opcode = frame.opcode
        elif frame.opcode is not Opcode.CONT:
            return None
        if self.opcode is Opcode.BINARY and not self.binary:
            self._protocol.fail(CloseCode.UNSUPPORTED_DATA, "JSON in text messages only")
            return None
        if frame.data:  # or a million empty fragments would be kept
            self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        message, self._parts = b"".join(self._parts), []
        if self.opcode is Opcode.TEXT:
            try:
                message.decode()
            except UnicodeDecodeError:
                self._protocol.fail(CloseCode.INVALID_DATA, "not UTF-8")
                return None
        return message


class Web(Native):
    """A connection that speaks HTTP, and then perhaps WebSocket. Once HTTP, always HTTP."""

    __slots__ = (
        "_encrypted",
        "_hangup",
        "_messages",
        "_opened",
        "_owed",
        "_protocol",
        "_rest",
        "_site",
    )

    name: ClassVar[str] = "web"
    form: ClassVar[Form] = WebForm()
    negotiates: ClassVar[bool] = True

    def __init__(self, site: Site, *, encrypted: bool) -> None:
        super().__init__()
        self._site = site
        self._encrypted = encrypted
        self._protocol = Protocol(max_size=NATIVE_LINE_BYTES)
        self._messages = Messages(self._protocol)
        self._opened = False
        self._owed = b""
        """What the protocol itself has to answer: pongs, the echo of a close."""
        self._rest = bytearray()
        """The beginning of a frame; the protocol only ever gets whole ones. Before that, the end of the head so far."""
        self._hangup: Hangup | None = None

    def run(self, data: bytes) -> Run | None:
        if not self.idle or self._rest or self._protocol.current_size is not None:
            return None
        if len(data) > NATIVE_LINE_BYTES:
            return None  # as in `Native`
        messages, end = whole_texts(data, 0)
        if end < len(data):
            return None
        run = simple_run(b"\n".join(messages))
        # With more lines than messages, one of them is none.
        return run if run is not None and run[2] == len(messages) else None

    def feed(self, data: bytes) -> None:
        self.idle = False
        if self._hangup is not None:
            return
        if self._opened:
            lines = self._read(data)
            if lines:
                block = b"\n".join(lines)
                if block.count(b"\n") >= len(lines):
                    # Between two tokens of JSON any white space will do; in a string a return is as wrong as a line end.
                    block = b"\n".join([line.replace(b"\n", b"\r") for line in lines])
                super().feed(block + b"\n")
        else:
            self._rest += data
            early = self._rest.find(HEAD_END) + len(HEAD_END) < len(self._rest)
            del self._rest[: 1 - len(HEAD_END)]
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                if isinstance(event, Request):
                    self._rest.clear()
                    self._request(event, early=early)
        self._owed += b"".join(self._protocol.data_to_send())
        if self._hangup is None:
            self._look_for_the_end()

    def _read(self, data: bytes) -> list[bytes]:
        """The messages that have come whole."""
        if self._rest:
            self._rest += data
            if not frame_end(self._rest, 0):
                return []
            data, self._rest = bytes(self._rest), bytearray()
        lines: list[bytes] = []
        protocol, at = self._protocol, 0
        while True:
            if protocol.current_size is None:
                texts, at = whole_texts(data, at)
                lines += texts
            end = frame_end(data, at)
            if not end:
                self._rest += data[at:]
                return lines
            protocol.receive_data(data[at:end])
            for event in protocol.events_received():
                if isinstance(event, Frame):
                    message = self._messages.take(event)
                    if message is not None:
                        lines.append(message)
            if protocol.close_expected():
                return lines
            at = end

    def _look_for_the_end(self) -> None:
        if not self._opened and self._protocol.handshake_exc is not None:
            self._hangup = self._unreadable(self._protocol.handshake_exc)
        elif self._protocol.close_expected():
            error = self._protocol.parser_exc
            if error is None:
                self._hangup = Hangup("closed the page", b"", Ending.CLOSED)
            else:
                self._hangup = Hangup(f"broke the WebSocket protocol: {error}", b"")

    def _request(self, request: Request, *, early: bool) -> None:
        """Answer it. `early`: something came right behind it, before a WebSocket could be open."""
        head = _head(request)
        if not (head.wants_websocket and path_of(head) == WEBSOCKET_PATH):
            self._hangup = answer(self._site, head)
            return
        refused = check_host(self._site, head)
        refused = refused or check_origin(self._site, head, encrypted=self._encrypted)
        if refused is not None:
            self._hangup = Hangup("may not open a WebSocket", refused)
            return
        response = self._protocol.accept(request)
        if early or response.status_code != 101:
            self._hangup = Hangup(
                "could not open a WebSocket", plain_answer(400, "That is no WebSocket handshake.")
            )
            return
        self._protocol.send_response(response)
        self._opened = True

    def _unreadable(self, error: Exception) -> Hangup:
        if isinstance(error.__cause__ or error, SecurityError):
            return Hangup("sent too long a head", plain_answer(431, "Your request is too long."))
        return Hangup(
            "sent no valid HTTP request", plain_answer(400, "That is no valid HTTP request.")
        )

    def next(self, most: int) -> Event | None:
        # What came before the end is decided first: the last line of a page that is closed.
        event = super().next(most) if self._opened else None
        if event is None and self._hangup is not None:
            owed, self._owed = self._owed if self._opened else b"", b""
            return self._hangup._replace(farewell=owed + self._hangup.farewell)
        return event

    def answers(self) -> bytes:
        owed, self._owed = self._owed, b""
        return owed

    def reply(self, reply: Reply) -> bytes:
        data = _framed(super().reply(reply))
        if type(reply) is Bye and data:
            return data + Frame(Opcode.CLOSE, _GOING_AWAY).serialize(mask=False)
        return data


_GOING_AWAY = (1001).to_bytes(2, "big")
"""RFC 6455 7.4.1: the endpoint goes away."""


def _head(request: Request) -> Head:
    """What matters of a request. A header that may stand once and stands twice counts as absent, or as wrong."""
    headers = request.headers
    upgrade = ",".join(headers.get_all("Upgrade")).lower()
    origins = headers.get_all("Origin")
    try:
        host = headers.get("Host")
        none_match = headers.get("If-None-Match")
    except MultipleValuesError:
        host = none_match = None
    return Head(
        request.method,
        request.path,
        host,
        ",".join(origins) if origins else None,
        none_match,
        upgrade == "websocket",
    )
