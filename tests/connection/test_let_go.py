"""Who is gone takes its memory along at once: the collector comes by seldom, and OpenSSL holds 44 KiB for each."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from chatcore.connection.connection import Connection
from chatcore.connection.tls import TlsSocket
from tests.tls import TlsPeer, encrypted_house

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatcore.certificates import Pair
    from tests.connection.conftest import House

HANDSHAKE_S = 10.0


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left() -> int:
    """What is still there of all that there was."""
    return sum(type(each) in {Connection, TlsSocket} for each in gc.get_objects())


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "step", ["plain", "in the handshake", "too late", "encrypted", "in a TLS line"]
)
def test_an_ended_connection_is_let_go_of(
    make_house: Callable[..., House], pair: Pair, step: str
) -> None:
    house, before = encrypted_house(make_house, pair), left()
    sock = house.connect()[0]
    peer = TlsPeer(sock)
    if step == "plain":
        sock.say("Ann", "hello")
    elif step in {"in the handshake", "too late"}:
        sock.incoming.append(peer.hello())
    else:
        peer.connect(house)
        peer.say("Ann", "hello")
        if step == "in a TLS line":
            sock.incoming.append(peer.sealed(b"half a li"))
    house.settle()
    assert left() > before
    if step == "too late":
        house.pass_time(HANDSHAKE_S + 1)
    else:
        sock.end()
    house.settle()
    assert sock.closes == 1
    assert left() == before
