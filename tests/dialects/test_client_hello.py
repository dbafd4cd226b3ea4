"""A client's first TLS message: whole or not, whatever the split; and what it wants to speak."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.dialects.client_hello import EMPTY, HELLO_BYTES, TOO_LONG, ClientHello, client_hello


def hello(*protocols: str) -> bytes:
    """OpenSSL's own."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


SMTP = hello("smtp")
OFFERS = [((), None), (("chatcore",), (b"chatcore",)), (("h2", "http/1.1"), (b"h2", b"http/1.1"))]


def in_records(message: bytes, size: int) -> bytes:
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2) + part for part in parts)


@pytest.mark.parametrize(("protocols", "found"), OFFERS)
def test_what_the_client_wants_is_found(
    protocols: tuple[str, ...], found: tuple[bytes, ...] | None
) -> None:
    assert client_hello(hello(*protocols)) == ClientHello(found)


@pytest.mark.parametrize("size", [1, 3, 4, 40, 300])
def test_it_may_be_spread_over_records(size: int) -> None:
    split = in_records(hello("smtp")[5:], size)
    assert client_hello(split) == ClientHello((b"smtp",))


@pytest.mark.parametrize("size", [40, 5_000])
def test_it_is_not_decided_before_it_is_whole(size: int) -> None:
    whole = in_records(hello("smtp")[5:], size)
    assert all(client_hello(whole[:end]) is None for end in range(len(whole)))
    assert client_hello(whole) == client_hello(whole + b"more") == ClientHello((b"smtp",))


@pytest.mark.parametrize(
    "first",
    [
        b"\x16\x03\x01" + (HELLO_BYTES).to_bytes(2),
        b"\x16\x03\x01\x00\x04\x01" + HELLO_BYTES.to_bytes(3),
        in_records(b"\x01\x00\x1f\xf0" + b"x" * HELLO_BYTES, 1),
    ],
)
def test_one_that_is_longer_than_any_is_told_at_once(first: bytes) -> None:
    assert client_hello(first) is TOO_LONG


@pytest.mark.parametrize(
    "first", [b"\x17\x03\x01\x00\x01x", b"\x16\x03\x01\x00\x01\x02", b"GET / HTTP/"]
)
def test_what_is_none_is_left_to_openssl(first: bytes) -> None:
    assert client_hello(first) == ClientHello(None)


def test_an_empty_record_is_not_waited_behind() -> None:
    assert client_hello(b"\x16\x03\x01\x00\x00") is EMPTY


@given(st.binary(max_size=600), st.integers(0, 400))
def test_no_bytes_are_a_fault(noise: bytes, kept: int) -> None:
    """And what is broken names nothing that it does not hold."""
    for first in (
        noise,
        b"\x16\x03\x01" + noise,
        SMTP[:kept] + noise,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + noise,
    ):
        found = client_hello(first)
        if isinstance(found, ClientHello) and found.protocols:
            assert all(name in first for name in found.protocols)
