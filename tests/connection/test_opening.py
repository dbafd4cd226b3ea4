"""Each kind of opening gets its dialect, or a refusal in its own language."""

from __future__ import annotations

import pytest

from chatcore.connection.opening import open_dialect
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain
from chatcore.dialects.sniff import Kind


@pytest.mark.parametrize(
    ("kind", "dialect"), [(Kind.PLAIN, Plain), (Kind.TELNET, Plain), (Kind.NATIVE, Native)]
)
def test_a_spoken_dialect_is_opened(kind: Kind, dialect: type) -> None:
    assert isinstance(open_dialect(kind, b"x"), dialect)


@pytest.mark.parametrize(
    ("kind", "first", "begins"),
    [
        (Kind.HTTP, b"GET / HTTP/1.1\r\n", b"HTTP/1.1 501 Not Implemented\r\n"),
        (Kind.TLS, b"\x16\x03\x01", b"\x15\x03\x03\x00\x02\x02\x28"),
        (Kind.IRC, b"NICK x\r\n", b"ERROR :"),
    ],
)
def test_another_protocol_is_refused_in_its_own_words(
    kind: Kind, first: bytes, begins: bytes
) -> None:
    opened = open_dialect(kind, first)
    assert type(opened) is Hangup
    assert opened.farewell.startswith(begins)
    assert kind.value in opened.reason
