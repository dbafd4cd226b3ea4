"""A whole server in memory: scripted sockets, a selector that knows which of them are ready, and a clock that only
moves when it is told to."""

from __future__ import annotations

import json
import os
import selectors
from collections import deque
from dataclasses import fields, replace
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import pytest

from chatcore import config
from chatcore.connection import connection, shared_file
from chatcore.connection.connection import Connection
from chatcore.connection.limits import Limits
from chatcore.keeping import InMemory
from chatcore.log.archive import Found, Past, Rest, Stretch, Unreadable
from chatcore.log.journal import MemoryJournal
from chatcore.log.log import Log
from chatcore.log.paging import between, last_page
from chatcore.log.record import last_seq, streams_of
from chatcore.log.stream import fill_page
from chatcore.reactor.loop import Reactor
from chatcore.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from chatcore.log.archive import Answer, Question
    from chatcore.log.record import Record

FIRST_FD = 1_000_000
"""Far beyond any real descriptor, so that a number tells what it is."""

TURNS_MOST = 10_000

LIMITS = {field.name for field in fields(Limits)}

_fds = count(FIRST_FD)
_by_fd: WeakValueDictionary[int, ScriptedSocket] = WeakValueDictionary()


class ScriptedSocket:
    """A socket whose peer is a script.

    `takes` says what becomes of each `send`: a number of bytes that it takes at most (0: BlockingIOError), or an
    error to raise; when it is over, everything is taken. `blocked` holds it full until it is set to False.
    `incoming` is what `recv` finds: bytes, an error to raise, or `b""` for the end.
    """

    def __init__(self) -> None:
        self.fd = next(_fds)
        _by_fd[self.fd] = self
        self.takes: deque[int | OSError] = deque()
        self.blocked = False
        self.incoming: deque[bytes | OSError] = deque()
        self.sent = bytearray()
        """All that the peer was sent."""
        self.sends = 0
        self.shared = 0
        """Those of them that came out of a file."""
        self.ended = False
        """Our side has been ended."""
        self.info = b""
        """What the kernel would tell of it (`TCP_INFO`)."""
        self.shutdown_error: OSError | None = None
        self.closes = 0

    # What the connection sees

    def fileno(self) -> int:
        return self.fd

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def recv(self, most: int) -> bytes:
        assert not self.closes
        if not self.incoming:
            raise BlockingIOError
        found = self.incoming.popleft()
        if isinstance(found, OSError):
            raise found
        if not found or len(found) > most:
            self.incoming.appendleft(found[most:])
        return found[:most]

    def send(self, data: bytes | memoryview) -> int:
        assert not self.closes
        assert not self.ended
        self.sends += 1
        if self.blocked:
            raise BlockingIOError
        taken = self.takes.popleft() if self.takes else len(data)
        if isinstance(taken, OSError):
            raise taken
        if not taken:
            raise BlockingIOError
        self.sent += data[:taken]
        return min(taken, len(data))

    def getsockopt(self, level: int, name: int, most: int) -> bytes:
        return self.info[:most]

    def shutdown(self, how: int) -> None:
        assert how == 1
        if self.shutdown_error is not None:
            raise self.shutdown_error
        self.ended = True

    def close(self) -> None:
        self.closes += 1

    # What the test does

    def say(self, *lines: str | bytes | dict[str, Any]) -> None:
        """The peer sends lines, which arrive as one read: text, bytes, or an object each."""
        texts = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
        parts = [text.encode() if isinstance(text, str) else text for text in texts]
        self.incoming.append(b"\n".join(parts) + b"\n")

    def end(self) -> None:
        """The peer ends its side."""
        self.incoming.append(b"")

    def reset(self) -> None:
        """The peer's connection breaks."""
        self.incoming.append(ConnectionResetError(104, "Connection reset by peer"))

    @property
    def text(self) -> str:
        return self.sent.decode()

    @property
    def lines(self) -> list[str]:
        assert not self.sent or self.sent.endswith(b"\n")
        return self.text.split("\n")[:-1]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What a native client was sent, without what precedes the first `{`."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]


class FakeSelector:
    """Knows which scripted sockets are ready; never waits. Real descriptors are never ready."""

    def __init__(self, sockets: dict[int, Any]) -> None:
        self._sockets = sockets
        self._keys: dict[int, selectors.SelectorKey] = {}
        self.idle = False
        """The last select would have waited."""
        self.order: Callable[[list[Any]], None] = lambda ready: None
        """May shuffle what is ready."""

    def register(self, fd: int, events: int, data: object) -> None:
        assert fd not in self._keys
        self._keys[fd] = selectors.SelectorKey(fd, fd, events, data)

    def modify(self, fd: int, events: int, data: object) -> None:
        assert fd in self._keys
        self._keys[fd] = selectors.SelectorKey(fd, fd, events, data)

    def unregister(self, fd: int) -> None:
        del self._keys[fd]

    def watches(self, fd: int) -> int:
        """The events that are waited for."""
        return self._keys[fd].events if fd in self._keys else 0

    def select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = []
        for fd, key in self._keys.items():
            sock = self._sockets.get(fd)
            if sock is None:
                continue
            mask = selectors.EVENT_READ if sock.incoming else 0
            if not getattr(sock, "blocked", False):
                mask |= selectors.EVENT_WRITE
            if mask & key.events:
                ready.append((key, mask & key.events))
        self.order(ready)
        self.idle = not ready and timeout != 0
        return ready

    def close(self) -> None:
        """Nothing to let go of."""


class LaggingJournal(MemoryJournal):
    """A disk that makes durable what it wants, when it wants: `ready` says how many batches at the next look."""

    __slots__ = ("_ready", "_records", "_waiting", "failed", "troubled")

    def __init__(self, ready: Callable[[int], int], records: list[Record]) -> None:
        super().__init__()
        self._ready = ready
        self._records = records
        self._waiting: list[int] = []
        self.troubled = self.failed = ""

    def commit(self, batch: Sequence[Record]) -> None:
        self._records += batch
        self._waiting.append(last_seq(batch[-1]))

    def durable_seq(self, patience_s: float) -> int:
        done = min(self._ready(len(self._waiting)), len(self._waiting))
        if done:
            self._durable_seq = self._waiting[done - 1]
            del self._waiting[:done]
        return self._durable_seq

    @property
    def trouble(self) -> str:
        return self.troubled

    @property
    def failure(self) -> str:
        return self.failed


class ModelArchive:
    """A disk that has every durable record of the account, and answers when it likes."""

    def __init__(self, reactor: Reactor, log: Log, records: list[Record]) -> None:
        self._reactor = reactor
        self._log = log
        self._records = records
        self.asked: list[tuple[Question, Callable[[Answer], None]]] = []
        """Questions that are not answered yet."""
        self.questions: list[Question] = []
        self.holds = False
        """Answers nothing until told to."""
        self.unreadable = False

    def ask(self, question: Question, then: Callable[[Answer], None]) -> None:
        self.asked.append((question, then))
        self.questions.append(question)
        if not self.holds:
            self.answer()

    def answer(self) -> None:
        """Answer the oldest question, in a later turn."""
        question, then = self.asked.pop(0)
        answer = Unreadable("It is lost.") if self.unreadable else self._found(question)
        self._reactor.call_soon(lambda: then(answer))

    def answer_all(self) -> None:
        """Answer what is asked, and from now on everything at once."""
        self.holds = False
        while self.asked:
            self.answer()

    def _found(self, question: Question) -> Answer:
        durable = [each for each in self._records if last_seq(each) <= self._log.durable_seq]
        match question:
            case Rest():
                assert question.until <= self._log.durable_seq
                cut = (_cut(question, record) for record in durable)
                found = [record for record in cut if record is not None]
                return Stretch(*fill_page(found, question.form.record, question.until))
            case Past(stream=stream, before=before):
                assert before <= self._log.durable_seq + 1
                page = [
                    part
                    for each in durable
                    if stream in streams_of(each) and (part := between(each, 0, before))
                ]
                assert question.after is None, "the account has no use for it"
                return Found(
                    *last_page(reversed(page), question.lines, talk_only=question.talk_only)
                )
            case _:
                raise AssertionError(question)


def _cut(question: Rest, record: Record) -> Record | None:
    """What of the record the question asks for."""
    for part in question.parts:
        if part.stream in streams_of(record):
            last = question.until if part.until is None else min(part.until, question.until)
            if cut := between(record, max(question.position, part.after), last + 1):
                return cut
    return None


class House:
    """A server without a real socket, and everything that a test does to it."""

    def __init__(self, server: Server, selector: FakeSelector, clock: list[float]) -> None:
        self.server = server
        self.selector = selector
        self.reactor = server.reactor
        self.exchange = server.exchange
        self.delivery = server.exchange.delivery
        self.world = server.exchange.hub.world
        self._clock = clock
        self._sockets: dict[int, Any] = selector._sockets
        self.records: list[Record] = []
        """Everything that was ever decided."""
        self.archive: Any = None
        """The model of a disk, if there is one."""

    def lag(self, ready: Callable[[int], int]) -> LaggingJournal:
        """From now on the disk takes its time, and the records are kept for the test's own accounts."""
        journal = self.server.keeping.journal = LaggingJournal(ready, self.records)
        return journal

    def add(self, sock: Any) -> None:
        """Let the selector know a socket."""
        self._sockets[sock.fileno()] = sock

    def connect(self, host: str = "127.0.0.1") -> tuple[ScriptedSocket, Connection]:
        """Somebody connects."""
        sock = ScriptedSocket()
        self.add(sock)
        assert self.server.crowd.enter(host, self.clock) is None
        connection = Connection(sock, (host, sock.fd), self.reactor, self.exchange)  # type: ignore[arg-type]
        self.exchange.accepted(connection)
        return sock, connection

    def plain(self, alias: str) -> ScriptedSocket:
        """Somebody joins with `nc`; what they were sent so far is forgotten."""
        sock, _ = self.connect()
        sock.say(alias)
        return self._joined(sock)

    def native(self, alias: str, **more: Any) -> ScriptedSocket:
        """Somebody joins with a native client; what they were sent so far is forgotten."""
        sock, _ = self.connect()
        sock.say({"t": "hello", "v": 1, "alias": alias} | more)
        return self._joined(sock)

    def _joined(self, sock: ScriptedSocket) -> ScriptedSocket:
        self.settle()
        assert sock.sent
        sock.sent.clear()
        return sock

    def connection_of(self, sock: ScriptedSocket) -> Connection:
        (found,) = [each for each in self.exchange.connections if each.fd == sock.fd]
        return found

    def turn(self) -> None:
        self.reactor.turn()

    def rest(self) -> None:
        """Turn until nothing is left to do but wait for a peer, the clock or the disk."""
        for _ in range(TURNS_MOST):
            self.reactor.turn()
            if self.selector.idle and not self.reactor._soon:
                return
        raise AssertionError("the server never comes to rest")

    def settle(self) -> None:
        """Turn until nothing is left to do but wait for a peer or the clock."""
        for _ in range(TURNS_MOST):
            self.reactor.turn()
            if self.selector.idle and not (self.world.log.under_way or self.reactor._soon):
                assert self.reactor.stats.faults == 0
                return
        raise AssertionError("the server never comes to rest")

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on, and everything happen that is due."""
        self._clock[0] += seconds
        self.settle()

    @property
    def clock(self) -> float:
        return self._clock[0]


def _sendfile(fd: int, file: int, offset: int, count: int) -> int:
    """`os.sendfile` for scripted sockets, too."""
    if fd < FIRST_FD:
        return _real_sendfile(fd, file, offset, count)
    sock = _by_fd[fd]
    sock.shared += 1
    data = os.pread(file, count, offset)
    assert len(data) == count
    return sock.send(data)


_real_sendfile = os.sendfile


@pytest.fixture
def make_house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    """Makes a server in memory, with other settings if need be. Flood control is off unless asked for."""
    made: list[House] = []
    monkeypatch.setattr(os, "sendfile", _sendfile)

    def make(*, sockets: Iterable[Any] = (), archived: bool = False, **settings: Any) -> House:
        clock = [1_000.0]
        listening = list(sockets)
        selector = FakeSelector({sock.fileno(): sock for sock in listening})
        found, _ = config.load(config.parser().parse_args(["--ephemeral"]), {})
        limits = {key: settings.pop(key) for key in set(settings) & LIMITS}
        settings["limits"] = replace(found.limits, **limits)
        found = replace(found, **({"flood_enabled": False} | settings))
        reactor = Reactor(selector, lambda: clock[0])
        keeping, records = InMemory(found), []
        if archived:
            keeping.world.log = Log("model", archived=True)
            keeping.archive = ModelArchive(reactor, keeping.world.log, records)
        house = House(Server(found, listening, reactor, keeping), selector, clock)
        house.records, house.archive = records, keeping.archive
        made.append(house)
        return made[-1]

    yield make
    for house in made:
        for listener in house.server.listeners:
            listener.close()
        house.reactor.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
def scripted() -> Callable[[], ScriptedSocket]:
    return ScriptedSocket


@pytest.fixture
def all_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """All news go out of the shared file, however little they are and for however few."""
    monkeypatch.setattr(shared_file, "LEAST_BYTES", 1)
    monkeypatch.setattr(shared_file, "LEAST_READERS", 1)
    monkeypatch.setattr(shared_file, "FILE_BYTES", 64 * 1024)


@pytest.fixture
def large_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """One read, and so one tick, brings more than a page."""
    monkeypatch.setattr(connection, "USUAL_READ_BYTES", connection.READ_BYTES)
