"""Stand-ins for a server, and a wire to it: `RoomServer`, pure, which keeps the promises of docs/PROTOCOL.md that a link relies on,
and `scripted_server`, a thread on loopback that lets real clients talk to a `RoomServer`."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.client import messages
from chatcore.client.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIME = "2026-11-20T14:02:11.000Z"
READ_BYTES = 65536
DEADLINE_S = 20.0


@dataclass
class Member:
    """A session, and how far each of its connections has been served."""

    sid: str
    token: str
    alias: str
    ids: dict[str, int] = field(default_factory=dict)


class RoomServer:
    """One room, sessions, records; a line is stored once for each (sid, id). What it stores, it never forgets,
    unless `forget_sessions` is called: then it knows no token any more, but its log stays."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.by_token: dict[str, Member] = {}
        self.refuse_hello: list[dict[str, Any]] = []
        self.refuse_texts: set[str] = set()
        self.ignore_lines = False
        self.goodbyes = 0
        self.repeats = 0  # numbers before the position that a return is sent once more
        self.topic = ""
        self.log = "log-1"
        self._sessions = 0

    @property
    def stored(self) -> list[str]:
        return [each["text"] for each in self.records if each["t"] in {"say", "me"}]

    def forget_sessions(self) -> None:
        self.by_token.clear()

    def connect(self) -> ServerEnd:
        return ServerEnd(self)

    def arrive(self, alias: str) -> Member:
        self._sessions += 1
        member = Member(f"s{self._sessions}", f"t{self._sessions}", alias)
        self.by_token[member.token] = member
        return member

    def store(self, kind: str, **fields: Any) -> int:
        seq = len(self.records) * 3 + 3  # numbers rise with gaps
        record = {"t": kind, "seq": seq, "time": TIME, "room": "#lobby", **fields}
        self.records.append(record)
        return seq

    def say(self, alias: str, text: str, **fields: Any) -> int:
        """Somebody else says something."""
        return self.store("say", **({"from": alias, "sid": f"of-{alias}", "text": text} | fields))

    @property
    def head(self) -> int:
        return int(self.records[-1]["seq"]) if self.records else 0


class ServerEnd:
    """The server's side of one connection: bytes in, bytes out."""

    def __init__(self, server: RoomServer) -> None:
        self.member: Member | None = None
        self.said: list[dict[str, Any]] = []
        self.closed = False
        self._server = server
        self._position = 0
        self._buffer = b""
        self._replies: list[dict[str, Any]] = []

    def received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._handle(json.loads(line))

    def data_to_send(self) -> bytes:
        """Records up to the head, then the replies: each was decided there, or says nothing of the state."""
        messages: list[dict[str, Any]] = []
        if self.member is not None:
            new = [each for each in self._server.records if each["seq"] > self._position]
            self._position = max(self._position, self._server.head)
            messages = new
        messages, self._replies = [*self._replies_first(), *messages, *self._replies], []
        return b"".join(json.dumps(each).encode() + b"\n" for each in messages)

    def _replies_first(self) -> list[dict[str, Any]]:
        welcome = [each for each in self._replies if each["t"] == "welcome"]
        self._replies = [each for each in self._replies if each["t"] != "welcome"]
        return welcome

    def _handle(self, message: dict[str, Any]) -> None:
        self.said.append(message)
        if message["t"] == "hello":
            self._hello(message)
        elif message["t"] in {"say", "me"}:
            self._say(message)
        else:
            self._command(message)

    def _hello(self, hello: dict[str, Any]) -> None:
        if self._server.refuse_hello:
            self._reply("refused", **self._server.refuse_hello.pop(0))
            return
        known = self._server.by_token.get(hello.get("token", ""))
        resumed = known is not None and hello.get("log") == self._server.log
        self.member = known if known and resumed else self._server.arrive(hello["alias"])
        head = self._server.head
        after = hello["after"] if resumed else head
        self._position = after - self._server.repeats if resumed else head
        if not resumed:
            self._server.store("join", alias=hello["alias"], sid=self.member.sid)
        people = [{"alias": hello["alias"], "state": "here"}]
        rooms = [{"room": "#lobby", "topic": self._server.topic, "people": people}]
        self._reply(
            "welcome",
            v=1,
            log=self._server.log,
            sid=self.member.sid,
            token=self.member.token,
            alias=hello["alias"],
            resumed=resumed,
            seq=after,
            grace_s=15,
            rooms=rooms,
        )
        past = [each for each in self._server.records if each["t"] == "say" and each["seq"] <= head]
        if not resumed and past:
            self._reply("history", room="#lobby", records=past[-20:], more=len(past) > 20)

    def _say(self, message: dict[str, Any]) -> None:
        assert self.member is not None
        if self._server.ignore_lines:
            return
        if message["text"] in self._server.refuse_texts:
            self._reply("refused", id=message["id"], code="flood", words="Too much at once.")
        elif message["id"] in self.member.ids:
            self._reply("ack", id=message["id"], seq=self.member.ids[message["id"]])
        else:
            who = {"from": self.member.alias, "sid": self.member.sid, "id": message["id"]}
            seq = self._server.store(message["t"], **who, text=message["text"])
            self.member.ids[message["id"]] = seq

    def _command(self, message: dict[str, Any]) -> None:
        tag = {"re": message["re"]} if "re" in message else {}
        match message["t"]:
            case "quit":
                self._server.goodbyes += 1
                self._reply("bye", reason="quit")
                self.closed = True
            case "ping":
                self._reply("pong", **tag)
            case "history":
                self._reply("history", room=message["room"], records=[], more=False, **tag)
            case "join":
                self._reply("ok", room=message["room"], topic="", people=[], **tag)
            case _:
                self._reply("ok", **tag)

    def _reply(self, kind: str, **fields: Any) -> None:
        self._replies.append({"t": kind, **fields})


class LoopbackServer:
    """Real clients against a `RoomServer`: one thread, which owns it; `act` changes it from a test."""

    def __init__(self, port: int = 0) -> None:
        self.room = RoomServer()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._ends: list[tuple[socket.socket, ServerEnd]] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def act(self, change: Callable[[RoomServer], object]) -> None:
        with self._lock:
            change(self.room)
            self._deliver()

    def drop_connections(self) -> None:
        with self._lock:
            for sock, _ in self._ends:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            self._ends.clear()

    @property
    def is_anybody_connected(self) -> bool:
        with self._lock:
            return bool(self._ends)

    def close(self) -> None:
        """Twice does no harm: a test may do it before its end."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            end = self.room.connect()
            with self._lock:
                self._ends.append((sock, end))
            while not end.closed:
                try:
                    data = sock.recv(READ_BYTES)
                except OSError:
                    data = b""
                if not data:
                    break
                with self._lock:
                    end.received(data)
                    self._deliver()
            with self._lock:
                self._ends = [each for each in self._ends if each[0] is not sock]

    def _deliver(self) -> None:
        for sock, end in self._ends:
            with suppress(OSError):
                sock.sendall(end.data_to_send())


class Wire:
    """Both ends in one place; `carry` moves bytes until nothing moves any more."""

    def __init__(self, server, link=None):
        self.server, self.link = server, link or Link("Alice", ["#lobby"], "abc", "test")
        self.now = 0.0
        self.end = None
        self.told = []

    def open(self):
        self.end = self.server.connect()
        self.link.connected(self.now)
        return self

    def carry(self):
        moved = True
        while moved and self.end is not None:
            data = self.link.data_to_send()
            self.end.received(data)
            answer = self.end.data_to_send()
            if answer:
                self.link.received(answer, self.now)
            moved = bool(data or answer)
        self.told += self.link.take_events()
        return self

    def cut(self, roll=0.0, after_s=0.0):
        self.end = None
        self.link.lost("server closed", self.now, roll)
        self.now += after_s
        self.told += self.link.take_events()
        return self

    def receive(self, *objects):
        data = b"".join(json.dumps(each).encode() + b"\n" for each in objects)
        self.link.received(data, self.now)
        self.told += self.link.take_events()
        return self

    def tick(self, seconds):
        self.now += seconds
        self.link.tick(self.now)
        self.told += self.link.take_events()

    def seen(self, kind):
        return [each for each in self.told if isinstance(each, kind)]

    @property
    def texts(self):
        return [each.text for each in self.seen(messages.Said)]


@pytest.fixture(scope="session")
def new_wire() -> type[Wire]:
    return Wire


@pytest.fixture
def room_server() -> RoomServer:
    return RoomServer()


@pytest.fixture(scope="session")
def new_room_server() -> Callable[[], RoomServer]:
    return RoomServer


@pytest.fixture
def loopback_server() -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    yield server
    server.close()


@pytest.fixture
def foreign_server() -> Iterator[int]:
    """A port where something answers that is no chat server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError), listener.accept()[0] as sock:
                sock.recv(READ_BYTES)
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>no</html>\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
    thread.join(DEADLINE_S)


@pytest.fixture
def new_loopback_server() -> Iterator[Callable[[int], LoopbackServer]]:
    """On a given port: another one in the place of one that went."""
    servers: list[LoopbackServer] = []

    def new(port: int) -> LoopbackServer:
        servers.append(LoopbackServer(port))
        return servers[-1]

    yield new
    for server in servers:
        server.close()
