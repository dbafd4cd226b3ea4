"""Reception by TLS: the same room through the same door, decided once inside; slow, odd and unwanted guests."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.connection import delivery
from chatcore.connection.limits import Limits
from chatcore.connection.shared_file import LEAST_READERS
from tests.tls import TlsPeer, encrypted_house, hello_bytes, trusting

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.certificates import Pair

DEFAULTS = Limits()
STRANGER = "192.0.2.7"


@pytest.fixture
def house(make_house: Callable[..., Any], pair: Pair) -> Any:
    return encrypted_house(make_house, pair)


def guest(house: Any, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> TlsPeer:
    """Somebody after the handshake, who has not said a word."""
    sock, _ = house.connect(host)
    peer = TlsPeer(sock, context)
    peer.connect(house)
    return peer


def joined(house: Any, alias: str) -> TlsPeer:
    peer = guest(house)
    peer.say(alias)
    peer.settle(house)
    assert "Connected to the server!" in peer.text
    peer.read.clear()
    return peer


def alert_read_by_a_client(answer: bytes, context: ssl.SSLContext | None = None) -> str:
    """What OpenSSL's client makes of the answer to its first message."""
    peer = TlsPeer(None, context)
    peer.hello()
    peer.incoming.write(answer)
    with pytest.raises(ssl.SSLError) as raised:
        peer.tls.do_handshake()
    return str(raised.value).lower().replace("_", " ")


# Inside it is the same room


@pytest.mark.usefixtures("large_reads")
def test_what_many_share_is_encrypted_for_who_reads_so(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    pages = delivery._pages

    def counted(*values: Any) -> Any:
        made.append(values)
        return pages(*values)

    people = [house.plain(f"P{number}") for number in range(LEAST_READERS)]
    ann = joined(house, "Ann")
    for sock in people:
        sock.sent.clear()
    lines = [f"{number} " + "x" * 1_000 for number in range(8)]
    monkeypatch.setattr(delivery, "_pages", counted)
    people[0].say(*lines)
    ann.settle(house)
    said = "".join(f"P0: {line}\n" for line in lines)
    assert ann.text == said
    assert [sock.text for sock in people] == [said] * len(people)
    assert [sock.shared for sock in people] == [1] * len(people)
    assert len(made) == 1, "rendered once for both ways"


def test_a_silent_guest_is_greeted_after_the_handshake(house: Any) -> None:
    sock, _ = house.connect()
    house.pass_time(DEFAULTS.greeting_s * 0.9)
    peer = TlsPeer(sock)
    peer.connect(house)
    house.pass_time(DEFAULTS.greeting_s * 0.9)
    peer.settle(house)
    assert peer.text == ""
    house.pass_time(DEFAULTS.greeting_s * 0.2)
    peer.settle(house)
    assert peer.text == "Choose an alias:\n"


def test_everybody_is_in_the_same_room(house: Any) -> None:
    bob, ann = house.plain("Bob"), joined(house, "Ann")
    sock, _ = house.connect()
    carol = TlsPeer(sock)
    carol.connect(house)
    carol.say('{"t":"hello","v":1,"alias":"Carol"}')
    carol.settle(house)
    ann.say("hi")
    for peer in (ann, carol):
        peer.settle(house)
    assert bob.lines[-1] == ann.text.splitlines()[-1] == "Ann: hi"
    assert '"text":"hi"' in carol.text


def test_the_connection_knows_that_it_is_encrypted(house: Any) -> None:
    sock, connection = house.connect()
    peer = TlsPeer(sock)
    sock.incoming.append(peer.hello())
    house.settle()
    assert not connection.encrypted
    peer.settle(house)
    assert connection.encrypted


def test_tls_inside_tls_is_refused(house: Any) -> None:
    peer = guest(house)
    peer.sock.incoming.append(peer.sealed(hello_bytes()))
    peer.settle(house)
    assert peer.ended
    assert peer.read[:1] == b"\x15"


def test_two_hundred_commands_in_one_record_are_all_answered(house: Any) -> None:
    ann = joined(house, "Ann")
    ann.say(*["/ping"] * 200)
    ann.settle(house)
    assert ann.text.count("-- pong") == 200


def test_what_comes_with_the_last_of_the_handshake_is_answered_without_more(house: Any) -> None:
    sock, _ = house.connect()
    peer = TlsPeer(sock)
    sock.incoming.append(peer.hello())
    house.settle()
    peer.incoming.write(bytes(sock.sent))
    sock.sent.clear()
    peer.tls.do_handshake()
    peer.shaken = True
    peer.tls.write(b"Ann\nhello\n")
    sock.incoming.append(peer.outgoing.read())
    peer.settle(house)
    assert peer.text.endswith("Ann: hello\n")


def test_the_first_message_may_come_byte_by_byte_and_in_several_records(house: Any) -> None:
    sock, _ = house.connect()
    peer = TlsPeer(sock)
    hello = peer.hello()
    body = hello[5:]
    split = b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in (body[:40], body[40:])
    )
    sock.incoming.extend(bytes((byte,)) for byte in split)
    peer.settle(house)
    assert peer.shaken


def test_our_part_of_the_handshake_waits_for_a_full_socket(house: Any) -> None:
    sock, _ = house.connect()
    peer = TlsPeer(sock)
    sock.takes.extend((100, 0, 7))
    peer.connect(house)
    peer.say("Ann")
    peer.settle(house)
    assert "Connected to the server!" in peer.text


@pytest.mark.parametrize("protocols", [None, ("chatcore",), ("h2", "http/1.1")])
def test_whoever_wants_what_is_spoken_here_or_does_not_say_comes_in(
    house: Any, protocols: tuple[str, ...] | None
) -> None:
    peer = guest(house, context=trusting(protocols))
    assert peer.tls.selected_alpn_protocol() == (protocols[-1] if protocols else None)


# The end


def test_a_line_that_was_cut_short_is_not_said(house: Any) -> None:
    bob, ann = house.plain("Bob"), joined(house, "Ann")
    ann.sock.incoming.append(ann.sealed(b"whole\nremove all but"))
    ann.settle(house)
    ann.sock.end()
    ann.settle(house)
    assert "Ann: whole" in bob.lines
    assert not any("remove" in line for line in bob.lines)
    assert bob.lines[-1] == "Ann has left the chat room!"


def test_one_who_ends_its_side_reads_every_answer_and_our_last_word(house: Any) -> None:
    ann = joined(house, "Ann")
    ann.sock.incoming.append(ann.sealed(b"/ping\n" * 3) + ann.last_word())
    ann.settle(house)
    assert ann.text.count("-- pong") == 3
    assert ann.ended
    assert ann.sock.closes == 1


def test_the_end_of_the_server_is_told_and_is_a_last_word(house: Any) -> None:
    ann = joined(house, "Ann")
    house.server.stop()
    ann.settle(house)
    assert ann.text == "-- The server is stopping.\n"
    assert ann.ended


def test_the_end_of_the_server_does_not_speak_into_a_handshake(house: Any) -> None:
    sock, _ = house.connect()
    sock.incoming.append(hello_bytes())
    house.settle()
    sock.sent.clear()
    house.server.stop()
    house.settle()
    assert b"server" not in sock.sent
    assert sock.closes == 1


def test_a_reader_that_stalls_gets_every_line_once(house: Any) -> None:
    bob, ann = house.plain("Bob"), joined(house, "Ann")
    ann.sock.takes.append(20)
    ann.sock.takes.append(0)
    lines = [f"line {number}" for number in range(2_000)]
    for line in lines:
        ann.sock.blocked = True
        bob.say(line)
        house.settle()
    ann.sock.blocked = False
    ann.settle(house)
    assert ann.text.splitlines() == [f"Bob: {line}" for line in lines]


# Slow, many, odd


@pytest.mark.parametrize("sent", [1, 4, 100, 10_000], ids=["a byte", "a head", "half", "all"])
def test_a_handshake_has_its_time_from_the_accept(house: Any, sent: int) -> None:
    sock, connection = house.connect()
    house.pass_time(DEFAULTS.handshake_s / 2)
    sock.sent.clear()
    sock.incoming.append(hello_bytes()[:sent])
    house.pass_time(DEFAULTS.handshake_s / 2 - 1)
    assert not connection.closing
    house.pass_time(1.5)
    assert sock.closes == 1
    assert house.exchange.reception.handshakes.under_way == 0


def test_a_drip_does_not_lengthen_it(house: Any) -> None:
    sock, _ = house.connect()
    hello = hello_bytes()
    for byte in hello[:20]:
        sock.incoming.append(bytes((byte,)))
        house.pass_time(DEFAULTS.handshake_s / 20 * 1.1)
    assert sock.closes == 1


def test_one_that_ends_in_the_handshake_is_let_go(house: Any) -> None:
    for sent in (3, 10_000):
        sock, _ = house.connect()
        sock.incoming.append(hello_bytes()[:sent])
        sock.end()
        house.settle()
        assert sock.closes == 1
    assert house.exchange.reception.handshakes.under_way == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_does_not_take_the_certificate_has_hardly_arrived(
    make_house: Callable[..., Any],
    pair: Pair,
    version: ssl.TLSVersion,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Browsers, told to go on with a certificate that nobody vouches for, try without that for each file first."""
    house = encrypted_house(make_house, pair, arrivals_per_minute=2)
    caplog.set_level(logging.DEBUG)
    wary = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    wary.maximum_version = version
    for _ in range(20):
        sock, _ = house.connect(STRANGER)
        peer = TlsPeer(sock, wary)
        with pytest.raises(ssl.SSLCertVerificationError):
            peer.connect(house)
        sock.incoming.append(peer.outgoing.read())
        house.pass_time(0.01)  # a turn makes only so many steps
        assert sock.closes == 1
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]
    peer = guest(house, STRANGER)
    peer.say("Ann")
    peer.settle(house)
    assert "Connected to the server!" in peer.text


def test_only_so_many_are_under_way_and_the_next_begins_when_one_ends(
    make_house: Callable[..., Any], pair: Pair
) -> None:
    house = encrypted_house(make_house, pair, handshakes=3)
    handshakes = house.exchange.reception.handshakes
    stalled = [house.connect()[0] for _ in range(10)]
    for sock in stalled:
        sock.incoming.append(hello_bytes())
    house.settle()
    assert (handshakes.under_way, handshakes.waiting) == (3, 7)
    assert sum(bool(sock.sent) for sock in stalled) == 3
    stalled[0].reset()
    house.settle()
    assert (handshakes.under_way, handshakes.waiting) == (3, 6)
    house.pass_time(DEFAULTS.handshake_s + 1)
    assert (handshakes.under_way, handshakes.waiting) == (0, 0)
    guest(house)


def test_one_for_whom_there_is_no_memory_keeps_no_place(house: Any) -> None:
    class Exhausted:
        def wrap_bio(self, *_: object, **__: object) -> None:
            raise MemoryError

    house.exchange.door.context = Exhausted()
    sock, _ = house.connect()
    sock.incoming.append(hello_bytes())
    for _ in range(5):
        house.turn()
    assert house.reactor.stats.faults == 1
    house.reactor.stats.faults = 0
    house.pass_time(DEFAULTS.handshake_s + 1)
    assert sock.closes == 1
    assert house.exchange.reception.handshakes.under_way == 0


def test_a_turn_makes_only_so_many_steps(make_house: Callable[..., Any], pair: Pair) -> None:
    house = encrypted_house(make_house, pair, handshakes_a_turn=5)
    peers = [TlsPeer(house.connect()[0]) for _ in range(30)]
    for peer in peers:
        peer.sock.incoming.append(peer.hello())
    answered, most = 0, 0
    for _ in range(100):
        house._clock[0] += 0.001
        house.turn()
        now = sum(bool(peer.sock.sent) for peer in peers)
        answered, most = now, max(most, now - answered)
    assert answered == 30
    assert most <= 5
    for peer in peers:
        peer.take()
    done = house.exchange.reception.handshakes
    for _ in range(100):
        house._clock[0] += 0.001
        before = done.done
        house.turn()
        assert done.done - before <= 5
    assert done.done == 30


def test_what_comes_with_a_last_step_that_had_to_wait_is_dealt_with_before_the_end_behind_it(
    make_house: Callable[..., Any], pair: Pair
) -> None:
    house = encrypted_house(make_house, pair, handshakes_a_turn=1)
    bob = house.plain("Bob")
    peers = [TlsPeer(house.connect()[0]) for _ in range(4)]
    for peer in peers:
        peer.sock.incoming.append(peer.hello())
    for _ in range(100):
        house._clock[0] += 0.001
        house.turn()
    for number, peer in enumerate(peers):
        peer.take()
        peer.sock.incoming[-1] += peer.sealed(f"guest{number}\nhi\n".encode())
        peer.sock.end()
    for _ in range(100):
        house._clock[0] += 0.001
        house.turn()
        assert not house.exchange.arrived, "the next turn may be long in coming"
    said = [line for line in bob.lines if line.endswith(": hi")]
    assert said == [f"guest{number}: hi" for number in range(4)]


@pytest.mark.parametrize(
    ("first", "alert"),
    [
        (b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc", "decode error"),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "decode error"),
        (b"\x16\x03\x01\x00\x00", "decode error"),
        (hello_bytes(trusting(("smtp", "imap"))), "no application protocol"),
    ],
    ids=["record", "message", "nothing", "protocols"],
)
def test_an_unwanted_opening_gets_the_alert_that_says_so(
    house: Any, first: bytes, alert: str
) -> None:
    sock, _ = house.connect()
    sock.incoming.append(first)
    house.settle()
    assert sock.ended
    assert alert in alert_read_by_a_client(bytes(sock.sent))
    assert house.exchange.reception.handshakes.under_way == 0


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\x00\x04\x02\x00\x00\x00"],
    ids=["text", "another message"],
)
def test_garbage_that_begins_like_tls_is_let_go(house: Any, garbage: bytes) -> None:
    sock, _ = house.connect()
    sock.incoming.append(garbage)
    house.settle()
    assert sock.closes == 1
    assert house.reactor.stats.faults == 0


# Only encrypted


@pytest.fixture
def strict(house: Any) -> Any:
    """A server that takes only encrypted connections from beyond loopback."""
    house.exchange.door.required = True
    return house


@pytest.mark.parametrize(
    ("first", "begins"),
    [
        (b"Ann\n", "-- This room takes only encrypted connections"),
        (b"\xff\xfb\x1fAnn\n", "-- This room takes only encrypted connections"),
        (b'{"t":"hello","v":1,"alias":"Ann"}\n', '{"t":"refused","code":"tls_required"'),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden"),
        (b"NICK Ann\r\n", "ERROR :This room takes only encrypted connections"),
    ],
)
def test_a_stranger_in_plain_text_is_told_how_to_come_in(
    strict: Any, first: bytes, begins: str
) -> None:
    sock, _ = strict.connect(STRANGER)
    sock.incoming.append(first)
    strict.settle()
    assert sock.text.startswith(begins)
    assert "chatcore chat --tls HOST:PORT" in sock.text
    assert sock.ended
    assert not strict.world.state.sessions


def test_a_stranger_who_is_silent_is_told_instead_of_greeted(strict: Any) -> None:
    sock, _ = strict.connect(STRANGER)
    strict.pass_time(DEFAULTS.greeting_s * 1.1)
    assert sock.text.startswith("-- This room takes only encrypted connections")
    assert "openssl s_client -quiet -connect HOST:PORT" in sock.text
    assert sock.ended


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_come_in_plain_text(strict: Any, host: str) -> None:
    sock, _ = strict.connect(host)
    sock.say("Ann")
    strict.settle()
    assert "Connected to the server!" in sock.text


def test_a_stranger_comes_in_encrypted(strict: Any) -> None:
    peer = guest(strict, STRANGER)
    peer.say("Ann")
    peer.settle(strict)
    assert "Connected to the server!" in peer.text


def test_what_comes_behind_a_hello_in_the_same_turn_is_a_part_of_it(house: Any) -> None:
    """A busy loop looks again within a turn; a client may send a change_cipher_spec at once (RFC 8446 D.4)."""
    people = [house.plain(f"P{number}") for number in range(12)]
    for each in people:
        each.say("busy")
    house.turn()
    sock, connection = house.connect()
    peer = TlsPeer(sock)
    sock.incoming.extend([peer.hello(), b"\x14\x03\x03\x00\x01\x01"])
    people[0].incoming.extend([b"x\n", b"y\n"])
    house.turn()
    assert house.exchange.reception.handshakes.waiting == 1
    peer.settle(house)
    assert connection.encrypted
