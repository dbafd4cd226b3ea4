"""The admin listener: what it answers, to whom, and that nothing it is sent keeps it, or the room, from going on."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.admin import (
    CONNECTIONS_MOST,
    DEADLINE_S,
    HEAD_BYTES,
    STATUS,
    Admin,
    is_loopback_name,
    open_place,
)
from chatcore.reactor.loop import Reactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


TURNS_MOST = 20_000
BIG = "x" * 5_000_000
"""More than any socket takes at once."""


class Desk:
    """An admin listener on a reactor that the test turns, with a clock that the test moves."""

    def __init__(self, place: str) -> None:
        self.time = 1_000.0
        self.reactor = Reactor(clock=lambda: self.time)
        self.asked: list[tuple[str, bool]] = []
        self.admin = open_place(place, self.reactor, self._answer)
        self._open: list[socket.socket] = []

    def _answer(self, path: str, *, private: bool) -> tuple[int, str, str] | None:
        self.asked.append((path, private))
        match path:
            case "/metrics":
                return 200, "text/plain", "it 1\n"
            case "/big":
                return 200, "text/plain", BIG
            case "/bug":
                raise RuntimeError("a bug")
            case _:
                return None

    @property
    def address(self) -> Any:
        return self.admin._sock.getsockname()

    def connect(self) -> socket.socket:
        sock = socket.socket(self.admin._sock.family)
        sock.connect(self.address)
        sock.setblocking(False)
        self._open.append(sock)
        return sock

    def turn(self) -> None:
        self.reactor.call_soon(lambda: None)
        self.reactor.turn()

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(TURNS_MOST):
            if condition():
                return
            self.turn()
        raise AssertionError("it never comes to that")

    def answer_to(self, request: bytes | list[bytes]) -> bytes:
        """All that one connection gets for what it sends, piece by piece."""
        sock = self.connect()
        for piece in [request] if isinstance(request, bytes) else request:
            sock.send(piece)
            self.turn()
        return self.rest_of(sock)

    def rest_of(self, sock: socket.socket) -> bytes:
        got = bytearray()
        for _ in range(TURNS_MOST):
            self.turn()
            try:
                data = sock.recv(1 << 20)
            except BlockingIOError:
                continue
            if not data:
                sock.close()
                return bytes(got)
            got += data
        raise AssertionError("the connection never ends")

    def close(self) -> None:
        for sock in self._open:
            sock.close()
        self.admin.close()
        self.reactor.close()


@pytest.fixture(params=["tcp", "unix"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    made = Desk("127.0.0.1:0" if request.param == "tcp" else str(tmp_path / "admin.sock"))
    yield made
    made.close()


@pytest.fixture
def tcp() -> Iterator[Desk]:
    made = Desk("127.0.0.1:0")
    yield made
    made.close()


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 ")
    return int(answer[9:12])


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.0\n\n", 200),
        (b"GET /metrics?name=it HTTP/1.1\r\nhost:127.0.0.1:9100\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", 200),
        (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 403),
        (b"hello\r\n\r\n", 400),
        (b"GET http://localhost/metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /m\xc3\xa9 HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"Alice\n\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES + b"\r\n\r\n", 431),
    ],
)
def test_each_request_has_its_answer(desk: Desk, request_bytes: bytes, status: int) -> None:
    answer = desk.answer_to(request_bytes)
    assert status_of(answer) == status
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert int(re.findall(rb"Content-Length: (\d+)", head)[0]) == len(body)
    assert (body == b"it 1\n") == (status == 200)


def test_a_request_may_come_byte_by_byte(desk: Desk) -> None:
    whole = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = desk.answer_to([whole[at : at + 1] for at in range(len(whole))])
    assert answer.endswith(b"\r\n\r\nit 1\n")


def test_head_gets_the_head_only(desk: Desk) -> None:
    answer = desk.answer_to(b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status_of(answer) == 200
    assert b"Content-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9100", "192.0.2.1", "localhost.evil.example", ""]
)
def test_a_page_that_points_its_own_name_here_gets_nothing(tcp: Desk, host: str) -> None:
    """DNS rebinding: the browser connects to loopback and believes that it asks the page's own server."""
    answer = tcp.answer_to(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert status_of(answer) == 403
    assert tcp.asked == []


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:1", b"127.0.0.1", b"127.8.8.8:9", b"[::1]", b"[::1]:9100"]
)
def test_the_names_of_this_machine_to_itself(host: bytes) -> None:
    assert is_loopback_name(host)


@given(
    st.binary(max_size=200)
    | st.builds(
        lambda method, target, host: b"%s %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (method, target, host),
        st.sampled_from([b"GET", b"HEAD", b"POST", b"get"]),
        st.binary(max_size=30).map(lambda rest: b"/" + rest),
        st.binary(max_size=30) | st.sampled_from([b"[", b"[::1", b"]:", b"localhost", b"::1"]),
    )
)
def test_any_head_has_an_answer(head: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        admin = Admin(sock, Deaf(), lambda path, private: (200, "text/plain", path))  # type: ignore[arg-type]
        assert status_of(admin.respond(head)) in STATUS


class Deaf:
    """A reactor that nothing happens on."""

    def watch(self, *_: object, **__: object) -> None:
        """Never ready."""


def test_a_body_that_nobody_reads_does_not_reset_the_answer_away(desk: Desk) -> None:
    body = b"x" * HEAD_BYTES * 4
    head = f"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    assert status_of(desk.answer_to(head.encode() + body)) == 405


def test_names_are_told_over_the_socket_that_only_the_owner_can_open(desk: Desk) -> None:
    desk.answer_to(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert desk.asked == [("/metrics", desk.admin._sock.family == socket.AF_UNIX)]


def test_an_answer_larger_than_the_socket_arrives_whole(desk: Desk) -> None:
    answer = desk.answer_to(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == BIG.encode()


def test_whoever_stays_is_closed_after_the_deadline(desk: Desk) -> None:
    """Silent, dribbling, or not reading its answer: none of them keeps its place for longer."""
    silent, slow, deaf = desk.connect(), desk.connect(), desk.connect()
    slow.send(b"GET /met")
    deaf.send(b"GET /big HTTP/1.1\r\n\r\n")
    desk.until(lambda: len(desk.admin._visitors) == 3)
    for _ in range(9):
        desk.time += DEADLINE_S / 10
        slow.send(b"x")
        desk.turn()
    assert len(desk.admin._visitors) == 3
    desk.time += DEADLINE_S / 10 + 0.001
    desk.until(lambda: not desk.admin._visitors)
    assert desk.rest_of(silent) == b""


def test_only_so_many_at_once_and_the_next_is_told(desk: Desk) -> None:
    held = [desk.connect() for _ in range(CONNECTIONS_MOST)]
    desk.until(lambda: len(desk.admin._visitors) == CONNECTIONS_MOST)
    assert status_of(desk.rest_of(desk.connect())) == 503
    held[0].close()
    desk.until(lambda: len(desk.admin._visitors) < CONNECTIONS_MOST)
    assert status_of(desk.answer_to(b"GET /metrics HTTP/1.0\r\n\r\n")) == 200


def test_a_reset_and_a_bug_cost_nobody_else_anything(desk: Desk) -> None:
    gone = desk.connect()
    gone.send(b"GET /big HTTP/1.1\r\n\r\n")
    desk.until(lambda: desk.admin._visitors)
    gone.close()
    assert desk.answer_to(b"GET /bug HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
    assert desk.reactor.stats.faults == 1
    assert status_of(desk.answer_to(b"GET /metrics HTTP/1.0\r\n\r\n")) == 200
    desk.until(lambda: not desk.admin._visitors)


def test_without_descriptors_it_rests_and_then_goes_on(desk: Desk) -> None:
    """A listening socket that stays ready must not spin the loop."""
    waiting = desk.connect()
    real, desk.admin._sock = desk.admin._sock, NoDescriptors(desk.admin._sock)
    desk.until(lambda: desk.admin._sock.tries)
    for _ in range(100):
        desk.turn()
    assert desk.admin._sock.tries == 1
    desk.admin._sock = real
    desk.time += 1.001
    waiting.send(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert status_of(desk.rest_of(waiting)) == 200


class NoDescriptors:
    """A listening socket when there is no descriptor for what it accepts."""

    def __init__(self, sock: socket.socket) -> None:
        self.family = sock.family
        self.fileno = sock.fileno
        self.tries = 0

    def accept(self) -> None:
        self.tries += 1
        raise OSError(24, "Too many open files")
