"""The TLS filter: every byte once and in order, however the socket takes and gives them; nothing stays inside."""

from __future__ import annotations

import hashlib
import random
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.certificates import load
from chatcore.connection.tls import OWN_BYTES, RECORD_BYTES, SEND_BYTES, TlsSocket, words
from tests.tls import TlsPeer, trusting

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.certificates import Pair

SCHEDULES = 1_000
"""T2: random schedules of a writer that is stalled and let go on."""


class Owner:
    """Counts what the filter asks of its connection."""

    def __init__(self) -> None:
        self.asked = 0
        self.again = 0

    def interest(self) -> None:
        self.asked += 1

    def read_again(self) -> None:
        self.again += 1


class Line:
    """A TLS server's side over a scripted socket, and OpenSSL's client at the far end."""

    def __init__(self, sock: Any, pair: Pair, version: ssl.TLSVersion) -> None:
        self.sock = sock
        self.owner = Owner()
        self.tls = TlsSocket(sock, load(pair)[0], self.owner)
        self.peer = TlsPeer(sock, trusting(version=version))
        done = self.tls.handshake(self.peer.hello())
        while not done:
            self.peer.take()
            done = self.tls.handshake(sock.incoming.popleft())
        self.peer.take()
        assert self.peer.shaken
        self.owner.asked = 0


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def line(request: pytest.FixtureRequest, scripted: Callable[[], Any], pair: Pair) -> Line:
    return Line(scripted(), pair, request.param)


# Reading


def test_many_records_in_one_segment_are_all_there_after_one_read(line: Line) -> None:
    sealed = b"".join(line.peer.sealed(b"%d\n" % number) for number in range(20))
    line.sock.incoming.append(sealed)
    assert line.tls.recv(65_536) == b"".join(b"%d\n" % number for number in range(20))
    with pytest.raises(BlockingIOError):
        line.tls.recv(65_536)


def test_a_record_may_come_byte_by_byte(line: Line) -> None:
    *most, last = line.peer.sealed(b"hello\n")
    for byte in most:
        line.sock.incoming.append(bytes((byte,)))
        with pytest.raises(BlockingIOError):
            line.tls.recv(65_536)
    line.sock.incoming.append(bytes((last,)))
    assert line.tls.recv(65_536) == b"hello\n"


@pytest.mark.parametrize("size", [1, 4_096, 16_384, 60_000])
def test_much_comes_out_as_it_went_in(line: Line, size: int) -> None:
    data = random.Random(size).randbytes(size)
    line.sock.incoming.append(line.peer.sealed(data))
    got = b""
    while line.sock.incoming:
        got += line.tls.recv(65_536)
    assert got == data


def test_what_precedes_the_last_word_is_read_and_then_the_end_is_told(line: Line) -> None:
    line.sock.incoming.append(line.peer.sealed(b"bye\n") + line.peer.last_word())
    assert line.tls.recv(65_536) == b"bye\n"
    assert line.owner.again == 1, "the selector will not tell of the end"
    assert line.tls.recv(65_536) == b""


def test_the_end_of_the_socket_is_the_end(line: Line) -> None:
    line.sock.end()
    assert line.tls.recv(65_536) == b""
    assert line.tls.recv(65_536) == b""


def test_a_damaged_record_ends_it_in_clear_words_and_the_peer_is_told(line: Line) -> None:
    sealed = bytearray(line.peer.sealed(b"hello\n"))
    sealed[-1] ^= 1
    line.sock.incoming.append(bytes(sealed))
    with pytest.raises(OSError, match=r"TLS: .*bad record mac") as raised:
        line.tls.recv(65_536)
    assert raised.value.strerror
    line.peer.incoming.write(bytes(line.sock.sent))
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
        line.peer.tls.read(100)


def test_an_alert_of_the_peer_is_told_as_its_words() -> None:
    error = ssl.SSLError(1, "x")
    error.reason = "TLSV1_ALERT_UNKNOWN_CA"
    assert words(error) == "TLS: the peer says unknown ca"
    error.reason = "NO_SHARED_CIPHER"
    assert words(error) == "TLS: no shared cipher"


# Writing


def test_a_usual_send_is_one_record(line: Line) -> None:
    for size in (1, 200, RECORD_BYTES):
        before = line.sock.sends
        assert line.tls.send(b"x" * size) == size
        assert line.sock.sends == before + 1
    line.peer.take()
    assert line.peer.records == 3


def test_what_the_socket_did_not_take_whole_is_not_sent_and_goes_out_once(line: Line) -> None:
    line.sock.takes = deque([10, 0])
    with pytest.raises(BlockingIOError):
        line.tls.send(b"hello\n")
    assert not line.tls.holding, "whoever called waits"
    with pytest.raises(BlockingIOError):
        line.tls.send(b"hello\nand more\n")
    assert line.tls.send(b"hello\nand more\n") == 15
    line.peer.take()
    assert line.peer.read == b"hello\nand more\n"


def test_a_page_is_several_records_and_one_send(line: Line) -> None:
    before = line.sock.sends
    assert line.tls.send(b"x" * SEND_BYTES) == SEND_BYTES
    assert line.sock.sends == before + 1
    line.peer.take()
    assert line.peer.records == SEND_BYTES // RECORD_BYTES


def test_a_long_send_counts_what_left_whole(line: Line) -> None:
    line.sock.takes = deque([100_000, 100])
    assert line.tls.send(b"x" * (3 * SEND_BYTES)) == SEND_BYTES
    assert line.tls.send(b"x" * (2 * SEND_BYTES)) == 2 * SEND_BYTES
    line.peer.take()
    assert line.peer.read == b"x" * (3 * SEND_BYTES)


def test_what_openssl_says_between_does_not_count_the_record_in_flight_twice(line: Line) -> None:
    """The peer ends its side while a record is in flight: what is flushed then was not told to the caller."""
    line.sock.takes = deque([10])
    with pytest.raises(BlockingIOError):
        line.tls.send(b"hello\n")
    line.tls.flush()
    assert line.tls.send(b"hello\n") == 6
    line.peer.take()
    assert line.peer.read == b"hello\n"


def test_a_broken_socket_is_told_as_any_other(line: Line) -> None:
    line.sock.takes = deque([ConnectionResetError(104, "Connection reset by peer")])
    with pytest.raises(ConnectionResetError):
        line.tls.send(b"hello\n")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_stalled_writer_loses_nothing(
    scripted: Callable[[], Any], pair: Pair, version: ssl.TLSVersion
) -> None:
    """T2: the caller does what delivery does, and what it offers grows between two tries."""
    corrupt, sent_bytes, stalls = 0, 0, 0
    for seed in range(SCHEDULES // 2):
        dice = random.Random(seed)
        line = Line(scripted(), pair, version)
        due, wanted, got = b"", hashlib.sha256(), hashlib.sha256()
        steps = dice.randrange(5, 30)
        while steps or due:
            if steps and dice.random() < 0.6:
                steps -= 1
                news = dice.randbytes(dice.choice((1, 60, 200, 5_000, 16_384, 16_385, 70_000)))
                wanted.update(news)
                due += news
            line.sock.takes = deque(dice.choices((0, 1, 7, 500, 20_000, 1_000_000), k=3))
            if dice.random() < 0.1:
                line.sock.incoming.append(line.peer.sealed(b"x"))
                assert line.tls.recv(65_536) == b"x"
            try:
                taken = line.tls.send(dice.choice((bytes, memoryview))(due)) if due else 0
            except BlockingIOError:
                taken = 0
                stalls += 1
            due = due[taken:]
            sent_bytes += taken
            if dice.random() < 0.5:
                line.peer.take()
        line.peer.take()
        got.update(line.peer.read)
        corrupt += got.digest() != wanted.digest()
        assert not line.tls._flight
    print(
        f"\nT2 {version.name}: {SCHEDULES // 2} schedules, {sent_bytes:,} bytes, {stalls:,} stalls; "
        f"corrupt: {corrupt}"
    )
    assert not corrupt


# OpenSSL's own words


def test_own_words_wait_for_a_full_socket_and_go_out_first(line: Line) -> None:
    line.sock.blocked = True
    line.tls._outgoing.write(b"own words")
    line.tls._send_own()
    assert line.tls.holding
    assert line.owner.asked == 1, "its owner waits for the socket"
    line.sock.blocked = False
    line.tls.send(b"hello\n")
    assert bytes(line.sock.sent).startswith(b"own words")


def test_a_peer_that_provokes_words_and_reads_none_is_ended(line: Line) -> None:
    line.sock.blocked = True
    line.tls._outgoing.write(b"x" * (2 * SEND_BYTES + OWN_BYTES + 1))
    with pytest.raises(OSError, match="asks for more answers than it reads"):
        line.tls._send_own()


# Ending


def test_the_end_of_our_side_is_said_once_and_the_peer_may_go_on(line: Line) -> None:
    line.tls.send(b"bye\n")
    line.tls.shutdown(1)
    assert line.sock.ended
    line.peer.take()
    assert line.peer.read == b"bye\n"
    assert line.peer.ended
    line.sock.ended = False  # whatever is said now is seen
    line.sock.sent.clear()
    line.tls.close()
    assert not line.sock.sent
    assert line.sock.closes == 1


def test_closing_says_the_last_word_and_closes_once(line: Line) -> None:
    line.tls.close()
    line.tls.close()
    assert line.sock.closes == 1
    line.peer.take()
    assert line.peer.ended
    with pytest.raises(BlockingIOError):
        line.tls.recv(65_536)


def test_closing_a_broken_socket_is_no_fault(line: Line) -> None:
    line.sock.takes = deque([BrokenPipeError(32, "Broken pipe")])
    line.tls.close()
    assert line.sock.closes == 1
