"""When somebody is greeted, and when not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from chatcore.connection.connection import Connection
from chatcore.connection.limits import Limits
from chatcore.connection.reception import BROWSER_GREETING_S
from tests.connection.conftest import ScriptedSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

import pytest

GREETING = "Choose an alias:\n"
LATER_S = Limits().greeting_s * 1.1


class BusySocket(ScriptedSocket):
    """One with a descriptor of its own, which a busy loop has not come to yet."""

    def __init__(self, ours: socket.socket) -> None:
        super().__init__()
        self.fd = ours.fileno()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_where_a_browser_was_who_is_silent_is_greeted_later_and_who_types_is_in_at_once(
    house: Any,
) -> None:
    browser, _ = house.connect()
    browser.say(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    house.settle()
    silent, _ = house.connect()
    house.pass_time(LATER_S)
    assert silent.text == ""
    house.plain("Ann")
    house.pass_time(BROWSER_GREETING_S)
    assert silent.text == GREETING


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"])
def test_who_has_spoken_and_was_not_heard_yet_is_not_greeted(
    house: Any, ends: tuple[socket.socket, socket.socket], said: bytes
) -> None:
    ours, theirs = ends
    sock = BusySocket(ours)
    house.add(sock)
    assert house.server.crowd.enter("127.0.0.1", house.clock) is None
    connection = Connection(sock, ("127.0.0.1", 1), house.reactor, house.exchange)  # type: ignore[arg-type]
    house.exchange.accepted(connection)
    theirs.sendall(said)
    house.pass_time(LATER_S)
    assert sock.text == ("" if said else GREETING)
