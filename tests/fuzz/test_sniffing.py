"""P6: every opening, whole and one byte at a time, gets its dialect or a refusal in its own language; people who begin
with a verb are people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatcore.dialects.sniff import Kind, sniff

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.connection.conftest import House

MACHINES = [
    (b'{"t":"hello","v":1,"alias":"Ann"}\n', Kind.NATIVE, b'"t":"welcome"'),
    (b"\xff\xfd\x03\xff\xfb\x18Ann\r\n", Kind.TELNET, b"Connected to the server!"),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Kind.HTTP, b"HTTP/1.1 "),
    (b"HEAD /x HTTP/1.0\r\n\r\n", Kind.HTTP, b"HTTP/1.1 "),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind.HTTP, b"HTTP/1.1 "),
    (b"CAP LS 302\r\nNICK a\r\n", Kind.IRC, b"ERROR :"),
    (b"NICK bob\r\nUSER bob 0 * :Bob\r\n", Kind.IRC, b"ERROR :"),
    (b"PASS secret\r\n", Kind.IRC, b"ERROR :"),
    (b"Ann\n", Kind.PLAIN, b"Connected to the server!"),
    (b"Ann\r\n", Kind.PLAIN, b"Connected to the server!"),
    ("Žofie\n".encode(), Kind.PLAIN, b"Connected to the server!"),
    # Nothing that could be an alias: another try, in plain words.
    (b"GETTING up\n", Kind.PLAIN, b"-- "),
    (b"POST office\n", Kind.PLAIN, b"-- "),
    (b"GET / HTTP/1.1 please\n", Kind.PLAIN, b"-- "),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 5 443\r\n", Kind.PLAIN, b"-- "),
    (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", Kind.PLAIN, b"-- "),
    (b"\x16\n", Kind.PLAIN, b"-- "),
    (b"\x16Ann\n", Kind.PLAIN, b"-- "),
    (b"A\x00n\x00n\x00\n\x00", Kind.PLAIN, b"-- "),
    (b"\xff\xfeA\x00n\x00n\x00\n\x00", Kind.TELNET, b"-- "),
    (b"\xef\xbb\xbfAnn\n", Kind.PLAIN, b"-- "),
    (b"\n", Kind.PLAIN, b"-- "),
    (b"SSH-2.0-OpenSSH_9.2\r\n", Kind.PLAIN, b"-- "),
    (b"*1\r\n$4\r\nPING\r\n", Kind.PLAIN, b"-- "),
    (b"\x03\x00\x00\x13\x0e\xe0\x00\x00\n", Kind.PLAIN, b"-- "),
    (b"NICK\n", Kind.PLAIN, b"Connected to the server!"),
    (b"HTTP/1.1\n", Kind.PLAIN, b"Connected to the server!"),
]


@pytest.mark.parametrize(
    ("opening", "kind", "answer"), MACHINES, ids=[repr(row[0][:24]) for row in MACHINES]
)
def test_every_opening_gets_its_answer_whole_and_byte_by_byte(
    make_house: Callable[..., House], opening: bytes, kind: Kind, answer: bytes
) -> None:
    assert sniff(opening) is kind
    sent = []
    for pieces in ([opening], [opening[at : at + 1] for at in range(len(opening))]):
        house = make_house()
        sock, _ = house.connect()
        for piece in pieces:
            sock.incoming.append(piece)
            house.settle()
        assert answer in sock.sent
        assert house.reactor.stats.faults == 0
        sent.append(len(sock.sent) > 0)
    assert sent == [True, True]


def test_nothing_at_all_is_greeted_and_left_in_time(house: House) -> None:
    sock, _ = house.connect()
    house.pass_time(1.0)
    assert sock.sent == b"Choose an alias:\n"
    house.pass_time(120.0)
    assert sock.ended
    house.pass_time(20.0)
    assert sock.closes == 1


@pytest.mark.parametrize("first", range(256))
def test_any_first_byte_leaves_the_server_well(
    make_house: Callable[..., House], first: int
) -> None:
    house = make_house()
    sock, _ = house.connect()
    sock.incoming.append(bytes((first,)))
    house.settle()
    sock.incoming.append(b"nn\n")
    house.settle()
    sock.end()
    house.settle()
    assert house.reactor.stats.faults == 0
