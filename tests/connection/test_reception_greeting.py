"""When somebody is greeted, and when not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from chatcore.connection.connection import Connection
from chatcore.connection.limits import Limits
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
