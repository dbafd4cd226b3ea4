"""Vitals: who does not answer is lost, who merely does not read is kept; by what the kernel says of each."""

from __future__ import annotations

import socket
import struct
import termios
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from chatcore.connection import vitals
from chatcore.connection.connection import Connection, _queued
from chatcore.connection.vitals import INFO_BYTES, IPPROTO_TCP, LOOKS_A_TURN, TCP_INFO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatcore.reactor.loop import Reactor

MUCH = 16 * 1024 * 1024
"""Bytes that no socket takes at once."""


def info(
    *, retransmits: int = 0, probes: int = 0, unacked: int = 0, notsent: int = 0, heard_ms: int = 0
) -> bytes:
    """What the kernel tells of a socket."""
    told = bytearray(INFO_BYTES)
    told[2:4] = bytes((retransmits, probes))
    struct.pack_into("=I", told, 24, unacked)
    struct.pack_into("=I", told, 56, heard_ms)
    struct.pack_into("=I", told, 144, notsent)
    return bytes(told)


@pytest.fixture
def live(make_house: Any) -> Callable[..., bool]:
    """Whether a peer is still there after so many seconds of what the kernel says of it at each."""

    def lives(says: Callable[[int], bytes], seconds: int, unsent_s: float = 30) -> bool:
        house = make_house(unsent_s=unsent_s, join_s=3_600)
        ann = house.plain("Ann")
        for second in range(seconds):
            ann.info = says(second)
            house.pass_time(1.0)
            if ann.closes:
                return False
        return True

    return lives


def test_the_kernel_tells_what_is_read_there() -> None:
    """The offsets of linux/tcp.h, against a real socket: 3,000 bytes that wait for the peer's window."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            peer.connect(listening.getsockname())
            with listening.accept()[0] as ours:
                ours.setblocking(False)
                sent = ours.send(b"x" * MUCH)
                told = ours.getsockopt(IPPROTO_TCP, TCP_INFO, INFO_BYTES)
                assert len(told) == INFO_BYTES
                assert told[0] == 1  # TCP_ESTABLISHED
                (notsent,) = struct.unpack_from("=I", told, vitals.NOTSENT)
                assert 0 < notsent <= sent
                (heard_ms,) = struct.unpack_from("=I", told, vitals.LAST_ACK_RECV)
                assert heard_ms < 60_000


def test_a_peer_that_answers_nothing_is_lost_in_time(live: Any) -> None:
    def dead(second: int) -> bytes:
        return info(retransmits=min(second, 9), unacked=3, heard_ms=second * 1_000)

    assert live(dead, 30)
    assert not live(dead, 33)


def test_a_peer_with_a_closed_window_that_answers_nothing_is_lost_in_time(live: Any) -> None:
    def dead(second: int) -> bytes:
        return info(probes=second // 10, notsent=80_000, heard_ms=second * 1_000)

    assert live(dead, 40)
    assert not live(dead, 44)


def test_a_peer_that_reads_nothing_and_answers_every_probe_is_kept_for_ever(live: Any) -> None:
    assert live(lambda second: info(notsent=80_000, heard_ms=second % 120 * 1_000), 1_000)


def test_a_probe_lost_now_and_then_ends_nobody(live: Any) -> None:
    """On an older kernel, which asks every two minutes only: one of three questions is lost."""

    def unlucky(second: int) -> bytes:
        lost = 120 <= second % 360 < 240
        return info(probes=int(lost), notsent=80_000, heard_ms=second % 360 * 1_000)

    assert live(unlucky, 2_000)


def test_who_was_idle_for_long_has_as_much_time_to_answer_as_anybody(live: Any) -> None:
    """Not heard of for an hour, as nothing was due; now something is on its way."""

    def woken(second: int) -> bytes:
        answers = second > 20
        return info(
            retransmits=0 if answers else second,
            unacked=0 if answers else 1,
            heard_ms=0 if answers else 3_600_000 + second * 1_000,
        )

    assert live(woken, 100)


def test_who_answers_one_thing_after_the_other_late_is_kept(live: Any) -> None:
    """A line that loses nearly everything: something is always under way, an answer comes every 25 s."""
    assert live(lambda second: info(retransmits=5, unacked=9, heard_ms=second % 25 * 1_000), 500)


def test_an_idle_peer_is_left_to_the_kernel(live: Any) -> None:
    assert live(lambda second: info(probes=3, heard_ms=second * 1_000), 100)


def test_the_time_is_that_of_the_limits_also_after_a_reload(house: Any) -> None:
    ann = house.plain("Ann")
    for second in range(10):
        ann.info = info(retransmits=5, unacked=1, heard_ms=second * 1_000)
        house.pass_time(1.0)
    assert not ann.closes
    house.server.limits.unsent_s = 5.0
    ann.info = info(retransmits=5, unacked=1, heard_ms=10_000)
    house.pass_time(1.0)
    assert ann.closes == 1


def test_a_lost_peer_is_gone_for_the_others_too(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    for second in range(40):
        ann.info = info(retransmits=9, unacked=1, heard_ms=second * 1_000)
        house.pass_time(1.0)
    assert bob.lines == ["Ann has left the chat room!"]
    assert not house.server.exchange.connections - {house.connection_of(bob)}


@pytest.mark.parametrize("told", [b"", b"\0" * 104])
def test_a_kernel_that_tells_less_is_lived_with(house: Any, told: bytes) -> None:
    ann = house.plain("Ann")
    ann.info = told
    house.pass_time(100.0)
    ann.say("still here")
    house.settle()
    assert ann.lines[-1] == "Ann: still here"


def test_a_socket_that_is_closed_already_stops_nobody_from_being_looked_at(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    bob.info = b""
    for second in range(40):
        ann.info = info(retransmits=9, unacked=1, heard_ms=second * 1_000)
        house.pass_time(1.0)
    assert (ann.closes, bob.closes) == (1, 0)


def test_one_turn_looks_at_so_many_and_all_have_their_turn(house: Any) -> None:
    class Looked:
        """Counts the looks at it."""

        closing = False
        looks = 0

        def option(self, *_: int) -> bytes:
            self.looks += 1
            return info()

    many = {Looked() for _ in range(2 * LOOKS_A_TURN + 10)}
    vitals.Vitals(house.reactor, house.server.limits, many, house.exchange.lost)  # type: ignore[arg-type]
    counts = []
    for _ in range(4):
        house.pass_time(1.0)
        counts.append(sum(each.looks for each in many))
    assert counts[:3] == [LOOKS_A_TURN, 2 * LOOKS_A_TURN, 2 * LOOKS_A_TURN + 10]
    assert counts[3] == counts[2] + LOOKS_A_TURN
    assert max(each.looks for each in many) == 2


@pytest.fixture
def ended(real_reactor: Reactor) -> Iterator[tuple[Connection, socket.socket]]:
    """A connection whose side has been ended, and its peer, over real sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as peer:
        peer.connect(listening.getsockname())
        sock, address = listening.accept()
        sock.setblocking(False)
        connection = Connection(sock, address, real_reactor, _Nobody())
        assert not connection.is_taken()
        yield connection, peer
        connection.close()


class _Nobody:
    """A service that is never called."""

    arrived: ClassVar[deque[Any]] = deque()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_a_peer_has_everything_when_its_machine_has_acknowledged_our_end(
    ended: tuple[Connection, socket.socket], wait_for: Callable[..., None]
) -> None:
    connection, _ = ended
    connection.send(b"last words\n")
    assert not connection.say_goodbye()
    wait_for(connection.is_taken, "it is acknowledged")


def test_a_peer_that_takes_nothing_or_has_said_something_is_waited_for(
    ended: tuple[Connection, socket.socket], wait_for: Callable[..., None]
) -> None:
    connection, peer = ended
    peer.sendall(b"wait")
    connection.say_goodbye()
    wait_for(lambda: not _queued(connection.fd, termios.TIOCOUTQ), "our end is acknowledged")
    # Closing now would be a reset, which may overtake what we said last.
    assert not connection.is_taken()
    connection._sock.recv(4)
    wait_for(connection.is_taken, "it is acknowledged")


def test_what_the_peer_does_not_take_is_waited_for(
    ended: tuple[Connection, socket.socket], wait_for: Callable[..., None]
) -> None:
    connection, peer = ended
    sent = connection.send(b"x" * MUCH)
    connection.say_goodbye()
    assert not connection.is_taken()
    while sent:
        sent -= len(peer.recv(65_536))
    wait_for(connection.is_taken, "it is acknowledged")


def test_a_stop_lets_go_of_those_who_have_everything_again_and_again(house: Any) -> None:
    class Leaving:
        """One of whom the kernel says what the test wants."""

        taken = closing = False

        def is_taken(self) -> bool:
            return self.taken

    first, second, never = leaving = [Leaving() for _ in range(3)]
    lost: list[Any] = []
    look = vitals.Vitals(
        house.reactor, house.server.limits, leaving, lambda each, _: lost.append(each)
    )  # type: ignore[arg-type]
    first.taken = True
    look.let_go()
    assert lost == [first]
    first.taken, second.taken = False, True
    house.pass_time(vitals.LET_GO_S)
    assert lost == [first, second]
    assert never not in lost
