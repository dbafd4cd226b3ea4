"""A server that says whatever a test wants it to: after an honest welcome, if any, come the test's own bytes."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from typing import Any

READ_BYTES = 64 * 1024
DEADLINE_S = 20.0
TIME = "2026-11-20T14:02:11.000Z"
WELCOME = {
    "t": "welcome",
    "v": 1,
    "log": "log-1",
    "sid": "s1",
    "token": "t1",
    "alias": "Alice",
    "resumed": False,
    "seq": 0,
    "grace_s": 15,
    "rooms": [{"room": "#lobby", "topic": "", "people": [{"alias": "Alice", "state": "here"}]}],
}


def line(kind: str, **fields: Any) -> bytes:
    return json.dumps({"t": kind, **fields}).encode() + b"\n"


def said(seq: int, text: str, alias: str = "Bob", **fields: Any) -> bytes:
    head = {"seq": seq, "time": TIME, "room": "#lobby", "from": alias, "sid": f"of-{alias}"}
    return line("say", **(head | {"text": text} | fields))


class Puppet:
    """`answers`: to each hello in turn, instead of a welcome. `motd` and the like go into the welcome."""

    def __init__(self, *answers: bytes, **welcome: Any) -> None:
        self._answers = list(answers)
        self._welcome = json.dumps(WELCOME | welcome).encode() + b"\n"
        self.heard: list[dict[str, Any]] = []
        """What clients said, pings apart: those are answered."""
        self._peer: socket.socket | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def says(self, data: bytes) -> None:
        assert self._peer is not None
        with self._lock, suppress(OSError):
            self._peer.sendall(data)

    def hangs_up(self) -> None:
        assert self._peer is not None
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._peer is not None:
            self.hangs_up()
        self._thread.join(DEADLINE_S)

    def _run(self) -> None:
        while True:
            try:
                self._peer, _ = self._listener.accept()
            except OSError:
                return
            with self._peer, suppress(OSError):
                rest = b""
                while data := self._peer.recv(READ_BYTES):
                    *lines, rest = (rest + data).split(b"\n")
                    for each in lines:
                        self._answer(json.loads(each))

    def _answer(self, message: dict[str, Any]) -> None:
        tag = {"re": message["re"]} if "re" in message else {}
        if message["t"] != "ping":
            self.heard.append(message)
        match message["t"]:
            case "ping":
                self.says(line("pong", **tag))
            case "hello":
                self.says(self._answers.pop(0) if self._answers else self._welcome)
            case "quit":
                self.says(line("bye", reason="quit"))
            case "oper":
                self.says(line("ok", **tag, operator=message["name"]))
            case _:
                pass
