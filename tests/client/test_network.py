"""The connection: every address is tried, every end is told once, and it never talks to itself."""

from __future__ import annotations

import selectors
import socket
import time

import pytest

from chatcore.client import network
from chatcore.client.network import Failed, Network, Opened, Received, faces_itself

DEADLINE_S = 20.0


class Driver:
    """A loop around one `Network`; what happened is collected in order."""

    def __init__(self, host, port):
        self.selector = selectors.SelectSelector()
        self.waker, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ, None)
        self.network = Network(host, port, self.selector, self.ready, lambda: self.waker.send(b"x"))
        self.happened = []

    def ready(self, mask, now):
        self.happened += self.network.ready(mask, now)

    def dial(self, now=0.0):
        self.happened += self.network.dial(now)
        return self

    def until(self, condition):
        limit = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < limit, self.happened
            for key, mask in self.selector.select(0.1):
                if key.data is None:
                    self.woken.recv(100)
                else:
                    key.data(mask, 0.0)
            self.happened += self.network.overdue(0.0)
        return self

    def until_happened(self, *happenings):
        return self.until(lambda: self.happened[-len(happenings) :] == list(happenings))

    def close(self):
        self.network.close()
        self.selector.close()
        self.waker.close()
        self.woken.close()


@pytest.fixture
def new_driver():
    drivers = []

    def new(host, port):
        drivers.append(Driver(host, port))
        return drivers[-1]

    yield new
    for driver in drivers:
        driver.close()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(DEADLINE_S)
        yield sock


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def test_bytes_go_both_ways_and_the_end_is_told_once(new_driver, listener):
    driver = new_driver("127.0.0.1", listener.getsockname()[1]).dial()
    driver.until_happened(Opened())
    peer, _ = listener.accept()
    with peer:
        driver.network.send(b"hi")
        assert peer.recv(10) == b"hi"
        peer.sendall(b"ho")
        driver.until_happened(Received(b"ho"))
    driver.until_happened(Failed("server closed"))
    assert driver.network.is_idle


def test_what_the_kernel_does_not_take_at_once_follows(new_driver, listener):
    driver = new_driver("127.0.0.1", listener.getsockname()[1]).dial().until_happened(Opened())
    peer, _ = listener.accept()
    data = bytes(range(256)) * 100_000
    with peer:
        driver.network.send(data)
        peer.setblocking(False)
        got = bytearray()

        def all_here():
            try:
                got.extend(peer.recv(1_000_000))
            except BlockingIOError:
                return False
            return len(got) >= len(data)

        driver.until(all_here)
        assert got == data


def test_nobody_there_is_refused(new_driver, free_port):
    new_driver("127.0.0.1", free_port).dial().until_happened(Failed("connection refused"))


def test_every_address_of_a_name_is_tried(new_driver, listener, monkeypatch):
    port = listener.getsockname()[1]
    addresses = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    ]

    def look_up(host, port, flags=0, **_):
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        return addresses

    monkeypatch.setattr(socket, "getaddrinfo", look_up)  # the name service is not ours
    driver = new_driver("two.example", port).dial().until_happened(Opened())
    assert driver.happened == [Opened()]


def test_a_name_that_is_not_known_is_a_failure(new_driver, monkeypatch):
    def look_up(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    driver = new_driver("nowhere.example", 1).dial()
    assert not driver.network.is_idle
    driver.until_happened(Failed("name or service not known"))


def test_a_name_that_cannot_be_one_is_a_failure(new_driver):
    driver = new_driver("x" * 300, 1).dial().until_happened(Failed("no such host"))
    assert driver.network.is_idle


def test_an_address_that_does_not_answer_is_given_up(new_driver, listener):
    driver = new_driver("127.0.0.1", listener.getsockname()[1]).dial(now=100.0)
    assert driver.network.deadline == 100.0 + network.CONNECT_TIMEOUT_S
    assert driver.network.overdue(100.0) == []
    assert driver.network.overdue(100.0 + network.CONNECT_TIMEOUT_S) == [Failed("no answer")]
    assert driver.network.is_idle


def test_a_reset_is_told_in_words(new_driver, listener):
    driver = new_driver("127.0.0.1", listener.getsockname()[1]).dial().until_happened(Opened())
    peer, _ = listener.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, network.CLOSE_AT_ONCE)
    peer.close()
    driver.until_happened(Failed("connection reset by peer"))


def test_the_source_port_is_never_the_port_that_is_dialled(new_driver, free_port):
    """RELIABILITY C7: with the port left to the kernel, a loop like this one meets itself after some hundred tries."""
    driver = new_driver("127.0.0.1", free_port)
    for _ in range(2000):
        driver.happened.clear()
        driver.dial().until(lambda: bool(driver.happened))
        assert driver.happened == [Failed("connection refused")]
    with socket.create_server(("127.0.0.1", free_port)):
        pass


def test_a_socket_that_faces_itself_counts_as_refused(new_driver, free_port, monkeypatch):
    class Unlucky(socket.socket):
        """The kernel gives it the very port that it is about to dial."""

        def bind(self, address):
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            super().bind(("127.0.0.1", free_port))

    monkeypatch.setattr(socket, "socket", Unlucky)
    driver = new_driver("127.0.0.1", free_port).dial()
    driver.until_happened(Failed("connection refused"))
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", free_port)):
        pass  # nothing of it is left in the way of a server


def test_a_socket_knows_whether_it_faces_itself(listener):
    with socket.create_connection(listener.getsockname()) as sock:
        assert not faces_itself(sock)
    assert not faces_itself(sock)
