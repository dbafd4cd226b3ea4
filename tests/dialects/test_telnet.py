"""Telnet: negotiation is refused and taken out, text comes through whole, and any split gives the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore.dialects.telnet import TelnetFilter

IAC, DONT, DO, WONT, WILL, SB, SE, NOP, AYT = (
    b"\xff",
    b"\xfe",
    b"\xfd",
    b"\xfc",
    b"\xfb",
    b"\xfa",
    b"\xf0",
    b"\xf1",
    b"\xf6",
)
ECHO, SGA = b"\x01", b"\x03"

TABLE = [
    ("plain text", b"hello\r\n", b"hello\r\n", b""),
    ("bare line end", b"hello\n", b"hello\n", b""),
    ("utf-8", "é🙂\n".encode(), "é🙂\n".encode(), b""),
    ("carriage return and nul", b"hello\r\0", b"hello\n", b""),
    ("two carriage returns and nul", b"a\r\r\0b", b"a\r\nb", b""),
    ("carriage return in a line", b"a\rb", b"a\rb", b""),
    ("nul alone", b"a\0b", b"a\0b", b""),
    ("do", IAC + DO + ECHO, b"", IAC + WONT + ECHO),
    ("will", IAC + WILL + SGA, b"", IAC + DONT + SGA),
    ("dont and wont need no answer", IAC + DONT + ECHO + IAC + WONT + SGA, b"", b""),
    ("the same request again", (IAC + DO + ECHO) * 3, b"", IAC + WONT + ECHO),
    (
        "do and will are two requests",
        IAC + DO + ECHO + IAC + WILL + ECHO,
        b"",
        IAC + WONT + ECHO + IAC + DONT + ECHO,
    ),
    ("option 255", IAC + DO + IAC + b"x", b"x", IAC + WONT + IAC),
    ("option 13", IAC + DO + b"\r\n", b"\n", IAC + WONT + b"\r"),
    ("escaped iac", b"a" + IAC + IAC + b"b", b"a\xffb", b""),
    ("other commands", b"a" + IAC + NOP + b"b" + IAC + AYT + b"c" + IAC + SE + b"d", b"abcd", b""),
    ("subnegotiation", b"a" + IAC + SB + b"\x18\x00xterm\r\n" + IAC + SE + b"b", b"ab", b""),
    (
        "escaped iac in a subnegotiation",
        IAC + SB + b"\x18" + IAC + IAC + SE + b"x" + IAC + SE + b"b",
        b"b",
        b"",
    ),
    (
        "odd command in a subnegotiation",
        IAC + SB + b"\x18" + IAC + NOP + b"x" + IAC + SE + b"b",
        b"b",
        b"",
    ),
    ("subnegotiation without end", b"a" + IAC + SB + b"x" * 100, b"a", b""),
    ("command between the line end's bytes", b"a\r" + IAC + NOP + b"\nb", b"a\r\nb", b""),
    ("command between return and nul", b"a\r" + IAC + NOP + b"\0b", b"a\r\0b", b""),
    ("escaped iac after a return", b"\r" + IAC + IAC, b"\r\xff", b""),
]

WIRE = st.lists(
    st.sampled_from(
        [
            IAC,
            DO,
            DONT,
            WILL,
            WONT,
            SB,
            SE,
            NOP,
            b"\r",
            b"\n",
            b"\0",
            b"a",
            b"\x01",
            b"hello",
            b"\xc3\xa9",
        ]
    )
    | st.binary(max_size=4),
    max_size=60,
).map(b"".join)


def fed(*pieces: bytes) -> tuple[bytes, bytes]:
    telnet = TelnetFilter()
    answers = [telnet.feed(piece) for piece in pieces]
    return b"".join(text for text, _ in answers), b"".join(answer for _, answer in answers)


def reference(data: bytes) -> tuple[bytes, bytes]:
    """RFC 854 and 855 with everything at hand: what the filter must come to, told one token after the other."""
    text, answers, refused, at = bytearray(), bytearray(), set(), 0
    while at < len(data):
        token = data[at : at + 2]
        if token[:1] == b"\r" and len(token) < 2:
            break
        if token == b"\r\0":
            text += b"\n"
            at += 2
        elif token[:1] != IAC:
            text += token[:1]
            at += 1
        elif token == IAC + IAC:
            text += IAC
            at += 2
        elif token == IAC + SB:
            at = end_of_subnegotiation(data, at + 2)
        elif token[1:] in (DO, DONT, WILL, WONT):
            asked = data[at + 1 : at + 3]
            if len(asked) == 2 and token[1:] in (DO, WILL) and asked not in refused:
                refused.add(asked)
                answers += IAC + (WONT if token[1:] == DO else DONT) + asked[1:]
            at += 3
        else:
            at += 2
    return bytes(text), bytes(answers)


def end_of_subnegotiation(data: bytes, at: int) -> int:
    while at < len(data):
        if data[at : at + 2] == IAC + SE:
            return at + 2
        at += 2 if data[at : at + 1] == IAC else 1
    return at


@pytest.mark.parametrize(
    ("data", "text", "answers"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_negotiation_is_taken_out_and_refused_in_every_split(
    data: bytes, text: bytes, answers: bytes
) -> None:
    assert reference(data) == (text, answers)
    assert fed(data) == (text, answers)
    assert fed(*(data[at : at + 1] for at in range(len(data)))) == (text, answers)
    for cut in range(len(data) + 1):
        assert fed(data[:cut], data[cut:]) == (text, answers)


@given(WIRE, st.lists(st.integers(0, 200), max_size=6))
@example(b"\r" + IAC, [1])
@example(b"a\r", [1])
def test_any_bytes_in_any_split_come_to_what_the_standard_says(
    data: bytes, cuts: list[int]
) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert fed(*pieces) == reference(data)


def test_a_return_at_the_end_of_a_read_waits_for_what_follows() -> None:
    telnet = TelnetFilter()
    assert telnet.feed(b"Al\r") == (b"Al", b"")
    assert telnet.feed(b"\n") == (b"\r\n", b"")
    assert telnet.feed(b"hi\r") == (b"hi", b"")
    assert telnet.feed(b"\0") == (b"\n", b"")


def test_answers_are_bounded_however_long_a_peer_insists() -> None:
    asks = b"".join(IAC + verb + bytes((option,)) for verb in (DO, WILL) for option in range(256))
    _, answers = fed(*[asks] * 10)
    assert len(answers) == 3 * 2 * 256


def test_an_endless_subnegotiation_is_not_kept() -> None:
    telnet = TelnetFilter()
    telnet.feed(IAC + SB)
    for _ in range(100):
        assert telnet.feed(b"x" * 65_536) == (b"", b"")
    kept = [getattr(telnet, name) for name in TelnetFilter.__slots__]
    assert sum(len(each) for each in kept if isinstance(each, bytes | bytearray)) <= 2
    assert telnet.feed(IAC + SE + b"hi\n") == (b"hi\n", b"")
