"""Sniffing: the right dialect or plain, whatever the split, and never two answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.dialects.sniff import FIRST_LINE_BYTES, Kind, sniff

TLS_HELLO = bytes.fromhex("160301 0200 0100 01fc 0303".replace(" ", ""))
PROXY_V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"

OPENINGS = [
    (b'{"t":"hello"}\n', Kind.NATIVE),
    (b"{", Kind.NATIVE),
    (b"\xff\xfd\x03", Kind.TELNET),
    (
        b"\xff\xfeA\x00l\x00\n\x00",
        Kind.TELNET,
    ),  # UTF-16 with its mark: read as telnet, its alias is refused
    (TLS_HELLO, Kind.TLS),
    (b"\x16\x03", Kind.TLS),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Kind.HTTP),
    (b"GET / HTTP/1.0\n", Kind.HTTP),
    (b"POST /a?b=c HTTP/1.1\r\n", Kind.HTTP),
    (b"OPTIONS * HTTP/1.1\r\n", Kind.HTTP),
    (b"CONNECT example.org:443 HTTP/1.1\r\n", Kind.HTTP),
    (b"M-SEARCH * HTTP/1.1\r\n", Kind.HTTP),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind.HTTP),
    (b"CAP LS 302\r\n", Kind.IRC),
    (b"NICK bob\r\n", Kind.IRC),
    (b"USER bob 0 * :Bob\r\n", Kind.IRC),
    (b"PASS secret\n", Kind.IRC),
    (b"nick bob\n", Kind.IRC),
    (b"Alice\n", Kind.PLAIN),
    (b"Alice\r\nhello\r\n", Kind.PLAIN),
    (b"GETTING up\n", Kind.PLAIN),
    (b"POST office\n", Kind.PLAIN),
    (b"GET / \n", Kind.PLAIN),
    (b"GET  / HTTP/1.1\n", Kind.PLAIN),
    (b"GET / HTTP/1.1 please\n", Kind.PLAIN),
    (b"GET / http/1.1\n", Kind.PLAIN),
    (b"GET /\n", Kind.PLAIN),
    (b"I like HTTP/3\n", Kind.PLAIN),
    (b"I speak HTTP/2\n", Kind.PLAIN),
    (b"I speak HTTP/2.0\n", Kind.PLAIN),
    (b"we use HTTP/1.1 here\n", Kind.PLAIN),
    (b"hello\nGET / HTTP/1.1\n", Kind.PLAIN),
    (b"NICK\n", Kind.PLAIN),
    (b"NICKY here\n", Kind.PLAIN),
    (b"CAPTAIN\n", Kind.PLAIN),
    (b" NICK bob\n", Kind.PLAIN),
    (b"\x16\n", Kind.PLAIN),
    (b"\x16Alice\n", Kind.PLAIN),
    (b"\n", Kind.PLAIN),
    (b"\r\nGET / HTTP/1.1\r\n", Kind.PLAIN),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", Kind.PLAIN),
    (PROXY_V2, Kind.PLAIN),
    (b"A\x00l\x00\n\x00", Kind.PLAIN),  # UTF-16 without its mark
    (b"\x00A\x00l\x00\n", Kind.PLAIN),
    (b"\x80\x2e\x01\x03\x01\n", Kind.PLAIN),  # SSLv2's hello
    (b"x" * FIRST_LINE_BYTES, Kind.PLAIN),
    (b"word " * FIRST_LINE_BYTES, Kind.PLAIN),
    # A request line beyond the limit is one still: what a page has a browser send behind it are nobody's lines.
    (b"GET /" + b"x" * FIRST_LINE_BYTES + b" HTTP/1.1\r\n", Kind.HTTP),
    (b"POST /" + b"x" * (FIRST_LINE_BYTES - 10) + b" HTTP/1.1\r\n", Kind.HTTP),
    (b"POST /" + b"x" * (FIRST_LINE_BYTES - 7) + b" HTTP/1.1\r\n", Kind.HTTP),
]

STARTS = [
    b"GET / HTTP/1.1\r\n",
    b"NICK a\n",
    b"\x16\x03\x01",
    b"{",
    b"\xff",
    b"PRI * HTTP/2.0\r",
    b"Al\n",
    b"",
]


def decisions(data: bytes) -> list[Kind | None]:
    return [sniff(data[:end]) for end in range(len(data) + 1)]


@pytest.mark.parametrize(("data", "kind"), OPENINGS, ids=[repr(data[:24]) for data, _ in OPENINGS])
def test_every_opening_is_recognised_byte_by_byte_and_whole(data: bytes, kind: Kind) -> None:
    assert sniff(data) is kind
    answers = decisions(data)
    undecided = answers.count(None)
    assert answers == [None] * undecided + [kind] * (len(answers) - undecided)


@pytest.mark.parametrize(
    "data", [b"", b"G", b"GET / HTTP/1.1", b"NICK bob", b"\x16", b"Ali", b"\r", b"PRI * HTTP/2.0\r"]
)
def test_it_waits_while_more_bytes_could_change_the_answer(data: bytes) -> None:
    assert sniff(data) is None


def test_a_first_line_without_end_is_plain_at_the_limit_and_not_before() -> None:
    assert sniff(b"x" * (FIRST_LINE_BYTES - 1)) is None
    assert sniff(b"x" * FIRST_LINE_BYTES) is Kind.PLAIN
    longest = b"GET /" + b"x" * (FIRST_LINE_BYTES - 15) + b" HTTP/1.1\n"
    assert len(longest) == FIRST_LINE_BYTES
    assert sniff(longest) is Kind.HTTP


@given(st.sampled_from(STARTS), st.binary(max_size=60))
def test_a_decision_never_changes_with_more_bytes(start: bytes, more: bytes) -> None:
    answers = decisions(start + more)
    made = [answer for answer in answers if answer is not None]
    assert len(set(made)) <= 1
    assert answers[len(answers) - len(made) :] == made
