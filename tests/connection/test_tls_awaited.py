"""Openings by TLS before there is a certificate: they wait for it, within the time that any handshake has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatcore.certificates import load
from chatcore.connection.limits import Limits
from tests.tls import TlsPeer, hello_bytes

if TYPE_CHECKING:
    from chatcore.certificates import Pair

DEFAULTS = Limits()


@pytest.fixture
def house(make_house: Any) -> Any:
    """The first certificate is being made."""
    made = make_house()
    made.exchange.door.awaited = True
    return made


def settle(house: Any, pair: Pair | None) -> None:
    door = house.exchange.door
    door.context = load(pair)[0] if pair else None
    door.awaited = False
    door.settled()


def test_they_are_answered_when_it_is_there_and_plain_people_before(house: Any, pair: Pair) -> None:
    peers = []
    for _ in range(3):
        sock, _ = house.connect()
        peers.append(TlsPeer(sock))
        sock.incoming.append(peers[-1].hello())
    house.settle()
    house.plain("Bob")
    assert not any(peer.sock.sent for peer in peers)
    assert house.exchange.reception.handshakes.waiting == len(peers)
    settle(house, pair)
    for number, peer in enumerate(peers):
        peer.settle(house)
        assert peer.shaken
        peer.say(f"guest{number}")
        peer.settle(house)
        assert "Connected to the server!" in peer.text


def test_half_of_a_first_message_waits_too(house: Any, pair: Pair) -> None:
    sock, _ = house.connect()
    peer = TlsPeer(sock)
    hello = peer.hello()
    sock.incoming.append(hello[:100])
    house.settle()
    settle(house, pair)
    sock.incoming.append(hello[100:])
    peer.settle(house)
    assert peer.shaken


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "half"])
def test_they_are_refused_as_ever_when_it_does_not_come(house: Any, whole: bool) -> None:
    sock, _ = house.connect()
    hello = hello_bytes()
    sock.incoming.append(hello if whole else hello[:100])
    house.settle()
    settle(house, None)
    if not whole:
        sock.incoming.append(hello[100:])
    house.settle()
    assert bytes(sock.sent) == b"\x15\x03\x03\x00\x02\x02\x28", "no certificate: handshake_failure"
    house.pass_time(DEFAULTS.drain_s + 1)
    assert sock.closes == 1


def test_the_time_for_the_handshake_runs_meanwhile(house: Any, pair: Pair) -> None:
    sock, connection = house.connect()
    sock.incoming.append(hello_bytes())
    house.pass_time(DEFAULTS.handshake_s * 0.9)
    assert not connection.closing
    house.pass_time(DEFAULTS.handshake_s * 0.2)
    assert sock.closes == 1
    settle(house, pair)
    house.settle()
    assert not sock.sent
    assert not house.exchange.connections


def test_a_stop_does_not_wait_for_it(house: Any) -> None:
    sock, _ = house.connect()
    sock.incoming.append(hello_bytes())
    house.settle()
    house.server.stop()
    house.settle()
    assert sock.closes == 1
    assert not sock.sent, "it could not read it"
