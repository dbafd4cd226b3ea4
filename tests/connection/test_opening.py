"""Each kind of opening gets its dialect, or a refusal in its own language."""

from __future__ import annotations

import pytest

from chatcore.connection.opening import open_dialect
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.http import Site, site_files
from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain
from chatcore.dialects.sniff import Kind


@pytest.mark.parametrize(
    ("kind", "dialect"), [(Kind.PLAIN, Plain), (Kind.TELNET, Plain), (Kind.NATIVE, Native)]
)
def test_a_spoken_dialect_is_opened(kind: Kind, dialect: type) -> None:
    assert isinstance(open_dialect(kind, b"x", Site(), encrypted=False), dialect)


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
    opened = open_dialect(kind, first, Site(), encrypted=False)
    assert type(opened) is Hangup
    assert opened.farewell.startswith(begins)
    assert kind.value in opened.reason


def test_a_browser_is_served_where_there_is_a_page() -> None:
    site = Site(site_files((("index.html", b"x"),)), frozenset({"localhost"}))
    opened = open_dialect(Kind.HTTP, b"GET / HTTP/1.1\r\n", site, encrypted=False)
    assert opened is not None
    assert type(opened) is not Hangup
    assert opened.name == "web"


def test_without_a_page_a_browser_reads_why() -> None:
    opened = open_dialect(Kind.HTTP, b"GET / HTTP/1.1\r\n", Site(missing="why"), encrypted=False)
    assert type(opened) is Hangup
    assert b"\nwhy\n" in opened.farewell
