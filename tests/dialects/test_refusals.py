"""Refusals: each in the caller's own language, complete, and repeating nothing that was sent."""

from __future__ import annotations

import http.client
import io
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.dialects.refusals import http_answer, irc_answer, tls_answer
from chatcore.dialects.sniff import Kind, sniff


class _Wire:
    """What `http.client` needs of a socket: the bytes that were received."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def parsed(answer: bytes, method: str) -> tuple[http.client.HTTPResponse, bytes]:
    response = http.client.HTTPResponse(_Wire(answer), method=method)  # type: ignore[arg-type]
    response.begin()
    return response, response.read()


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.0\n", b"PRI * HTTP/2.0\r\n"]
)
def test_an_http_client_reads_a_whole_answer_that_says_how_to_join(first: bytes) -> None:
    assert sniff(first) is Kind.HTTP
    response, body = parsed(http_answer(first), "GET")
    assert response.status == 501
    assert response.will_close
    assert response.getheader("Content-Length") == str(len(body))
    assert b"nc HOST PORT" in body
    assert b"chatcore chat HOST:PORT" in body


def test_an_http_answer_cannot_become_a_page() -> None:
    response, _ = parsed(http_answer(b"GET / HTTP/1.1\r\n"), "GET")
    headers = {name.lower(): value for name, value in response.getheaders()}
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'"
    assert "access-control-allow-origin" not in headers


def test_head_gets_the_same_head_without_a_body() -> None:
    whole, head = http_answer(b"GET / HTTP/1.1\r\n"), http_answer(b"HEAD / HTTP/1.1\r\n")
    assert head == whole[: whole.index(b"\r\n\r\n") + 4]
    response, body = parsed(head, "HEAD")
    assert response.status == 501
    assert body == b""


@given(st.binary(max_size=200))
def test_nothing_that_was_sent_is_repeated(first: bytes) -> None:
    answers = {http_answer(b"GET / HTTP/1.1\r\n"), http_answer(b"HEAD / HTTP/1.1\r\n")}
    assert http_answer(first) in answers


def test_an_irc_client_reads_one_error_line() -> None:
    answer = irc_answer()
    assert answer.startswith(b"ERROR :")
    assert answer.endswith(b"\r\n")
    assert answer.count(b"\n") == answer.count(b"\r") == 1
    assert len(answer) <= 512  # RFC 2812 2.3: the longest message
    assert b"nc HOST PORT" in answer


def test_a_tls_client_is_told_at_once_by_an_alert_it_understands() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    assert sniff(outgoing.read()) is Kind.TLS
    incoming.write(tls_answer())
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        client.do_handshake()
