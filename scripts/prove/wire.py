"""A connection and the lines that come over it. Every wait has a deadline; the end of the connection is an exception."""

from __future__ import annotations

import json
import socket
from typing import Any, TypeAlias

from .process import DEADLINE_S, Failed

READ_BYTES = 64 * 1024
PAGE = 500
"""Records asked for at a time: the most that there are."""

SOURCE = "127.0.0.2"
"""Where connections come from. Not 127.0.0.1: who retries a free port there can be connected to itself, and then
keeps the server from having its port back."""

Message: TypeAlias = dict[str, Any]


class Ended(Exception):
    """The connection is over: nobody listens, or the other side has closed or reset it."""


class Wire:
    """Lines over a socket."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        """Connect. `receive_buffer`: bytes that the system holds for one who does not read; 0: as it likes."""
        self._sock = socket.socket()
        self._sock.settimeout(DEADLINE_S)
        if receive_buffer:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self._sock.bind((SOURCE, 0))
            self._sock.connect(address)
        except OSError as error:
            self._sock.close()
            raise Ended(error.strerror) from error
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise Ended(error.strerror) from error

    def lines(self) -> list[str]:
        """The whole lines that are there; waits for the first."""
        while True:
            whole, newline, self._rest = (self._rest + self._read()).rpartition(b"\n")
            if newline:
                return whole.decode().split("\n")

    def _read(self) -> bytes:
        """What is there; waits for it."""
        try:
            data = self._sock.recv(READ_BYTES)
        except TimeoutError:
            raise Failed(f"nothing came for {DEADLINE_S:g} s") from None
        except OSError as error:
            raise Ended(error.strerror) from error
        if not data:
            raise Ended("closed")
        return data

    def messages(self) -> list[Message]:
        """The native messages that are there; waits for the first."""
        while True:
            # Before the first there may be a greeting for people.
            if found := [json.loads(line) for line in self.lines() if line.startswith("{")]:
                return found

    def close(self) -> None:
        self._sock.close()


def form(t: str, **fields: object) -> bytes:
    """A native message."""
    return json.dumps({"t": t, **fields}).encode() + b"\n"


class Asker:
    """A native client that asks one thing at a time, and is in all the rooms it asks about."""

    def __init__(self, address: tuple[str, int], alias: str, rooms: tuple[str, ...]) -> None:
        self._wire = Wire(address)
        self.wait_for(form("hello", v=1, alias=alias, rooms=rooms), "t", "welcome")

    def wait_for(self, question: bytes, field: str, value: object) -> Message:
        """Send it; the first message in which the field has that value."""
        self._wire.send(question)
        while True:
            for message in self._wire.messages():
                if message.get(field) == value:
                    return message
                if message["t"] == "refused":
                    raise Failed(f"refused: {message}")

    def say(self, room: str, text: str) -> None:
        """Returns when it is acknowledged."""
        line_id = f"{text}-{room[1:]}"
        self.wait_for(form("say", id=line_id, room=room, text=text), "id", line_id)

    def history(self, room: str, pages: int | None = None) -> list[Message]:
        """What is kept of a room, page by page, the oldest first: all of it, or so many pages."""
        found: list[Message] = []
        after, more, asked = 0, True, 0
        while more and asked != pages:
            page = self.wait_for(
                form("history", re="page", room=room, after=after, limit=PAGE), "re", "page"
            )
            found += page["records"]
            more, asked = page["more"], asked + 1
            after = found[-1]["seq"] if found else after
        return found

    def close(self) -> None:
        self._wire.close()
