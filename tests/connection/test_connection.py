"""A connection: reads once, writes never waiting, closed exactly once; a peer's fault is its own."""

from __future__ import annotations

import selectors
from collections import deque
from typing import Any

import pytest

from chatcore.connection.connection import READ_BYTES, USUAL_READ_BYTES, Connection, Pause

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Service:
    """Writes down what a connection tells."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.arrived: deque[tuple[Connection, bytes]] = deque()

    @property
    def data(self) -> list[bytes]:
        """What was read."""
        return [data for _, data in self.arrived]

    def ended(self, connection: Connection) -> None:
        self.told.append("ended")

    def lost(self, connection: Connection, reason: str) -> None:
        self.told.append(("lost", reason))

    def writable(self, connection: Connection) -> None:
        self.told.append("writable")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def sock(house: Any, scripted: Any) -> Any:
    sock = scripted()
    house.add(sock)
    return sock


@pytest.fixture
def connection(house: Any, sock: Any, service: Service) -> Connection:
    return Connection(sock, ("10.0.0.1", 51_234), house.reactor, service)


def test_what_comes_is_passed_on_a_read_at_a_time(
    house: Any, sock: Any, service: Service, connection: Connection
) -> None:
    sock.incoming.append(b"x" * (USUAL_READ_BYTES + READ_BYTES + 5))
    house.turn()
    assert [len(data) for data in service.data] == [USUAL_READ_BYTES]
    house.turn()
    assert [len(data) for data in service.data] == [USUAL_READ_BYTES, READ_BYTES], "much follows"
    house.turn()
    sock.incoming.append(b"y" * READ_BYTES)
    house.turn()
    assert [len(data) for data in service.data[2:]] == [5, USUAL_READ_BYTES], "and then little"


def test_of_a_large_read_the_reactor_is_told(
    house: Any, sock: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(house.reactor, "took_much", lambda: told.append(1))
    sock.incoming.append(b"x" * (USUAL_READ_BYTES - 1))
    house.turn()
    assert not told
    sock.incoming.append(b"x" * USUAL_READ_BYTES)
    house.turn()
    assert told


def test_a_spurious_readiness_is_nothing(
    sock: Any, service: Service, connection: Connection
) -> None:
    connection.on_readable()
    assert (service.told, service.data) == ([], [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (OSError(), "connection error"),
    ],
)
def test_a_broken_connection_is_lost_with_its_reason(
    sock: Any, service: Service, connection: Connection, error: OSError, reason: str
) -> None:
    sock.incoming.append(error)
    connection.on_readable()
    assert service.told == [("lost", reason)]


def test_after_the_end_of_input_nothing_is_read_and_the_loop_does_not_spin(
    house: Any, sock: Any, service: Service, connection: Connection
) -> None:
    sock.end()
    house.turn()
    house.turn()
    assert service.told == ["ended"]
    assert house.selector.watches(sock.fd) == 0


def test_reading_pauses_for_each_reason_and_resumes_after_the_last(
    house: Any, sock: Any, connection: Connection
) -> None:
    connection.pause(Pause.FLOOD)
    connection.pause(Pause.REPLIES)
    assert house.selector.watches(sock.fd) == 0
    connection.resume(Pause.FLOOD)
    assert house.selector.watches(sock.fd) == 0
    connection.writing = True
    connection.interest()
    assert house.selector.watches(sock.fd) == WRITE
    connection.resume(Pause.REPLIES)
    assert house.selector.watches(sock.fd) == READ | WRITE


def test_a_closing_connection_is_not_watched_anew(
    house: Any, sock: Any, connection: Connection
) -> None:
    connection.close()
    connection.closing = True
    connection.resume(Pause.FLOOD)
    assert house.selector.watches(sock.fd) == 0
    assert sock.closes == 1


def test_closing_cancels_what_it_waits_for(
    house: Any, sock: Any, service: Service, connection: Connection
) -> None:
    connection.timer = house.reactor.call_later(1.0, lambda: service.told.append("too late"))
    connection.close()
    house.pass_time(2.0)
    assert service.told == []
    assert connection.timer is None


def test_a_goodbye_reads_on_until_the_peer_has_ended(
    house: Any, sock: Any, service: Service, connection: Connection
) -> None:
    connection.pause(Pause.FLOOD)
    assert not connection.say_goodbye()
    assert sock.ended
    sock.incoming.append(b"thrown away")
    house.turn()
    assert (service.told, service.data) == ([], [])
    sock.end()
    house.turn()
    assert service.told == [("lost", "done")]


def test_a_goodbye_to_a_peer_that_has_ended_is_over_at_once(
    house: Any, sock: Any, connection: Connection
) -> None:
    sock.end()
    house.turn()
    assert connection.say_goodbye()


def test_a_goodbye_to_a_broken_peer_is_over_at_once(sock: Any, connection: Connection) -> None:
    sock.shutdown_error = OSError(107, "Transport endpoint is not connected")
    assert connection.say_goodbye()


def test_a_bug_ends_the_connection_and_is_named(service: Service, connection: Connection) -> None:
    connection.on_fault(KeyError("x"))
    assert service.told == [("lost", "internal error: KeyError")]


def test_room_to_write_is_told(service: Service, connection: Connection) -> None:
    connection.on_writable()
    assert service.told == ["writable"]


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1:51234"), ("::1", "[::1]:51234")]
)
def test_the_address_is_written_as_one_would_type_it(
    connection: Connection, host: str, address: str
) -> None:
    connection.peer = (host, 51_234)
    assert connection.address == address
