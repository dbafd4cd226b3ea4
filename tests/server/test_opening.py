"""One port: the first bytes decide, once, and a dialect that is not spoken yet is answered in its own language."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server, Start, Wire

HTTP = "GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n"


def everything(client: Wire) -> bytes:
    """What comes until the peer ends."""
    data = b""
    while part := client.receive():
        data += part
    return data


def test_a_browser_gets_the_page(server: Server) -> None:
    host, port = server.address
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=60) as answer:
        assert answer.headers["Connection"] == "close"
        assert b"<!doctype html>" in answer.read()


def test_without_the_page_a_browser_reads_how_to_join(start: Start) -> None:
    host, port = start.server(config="[web]\nenabled = false\n").address
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{host}:{port}/", timeout=60)
    with caught.value as answer:
        assert answer.code == 501
        assert b"nc HOST PORT" in answer.read()


@pytest.mark.parametrize("first", [HTTP, "POST /x HTTP/1.0\n\nAlice\nhi\n", "PRI * HTTP/2.0\r\n"])
def test_http_never_becomes_chat(server: Server, start: Start, first: str) -> None:
    bob, client = start.plain("Bob"), start.plain()
    client.send_bytes(first.encode() + b"Mallory\nhello\n\r\n\r\n")
    assert everything(client).startswith(b"HTTP/1.1 4")
    assert bob.settle() == []


def test_the_answer_to_head_has_no_content(server: Server, start: Start) -> None:
    client = start.plain()
    client.send_bytes(b"HEAD / HTTP/1.1\r\n\r\n")
    assert everything(client).endswith(b"\r\n\r\n")


def test_without_a_certificate_a_tls_client_gets_an_alert(start: Start) -> None:
    server = start.server(config="[tls]\nenabled = false\n")
    context = ssl.create_default_context()
    with socket.create_connection(server.address, 60) as sock:
        with pytest.raises(ssl.SSLError, match=r"(?i)handshake"):
            context.wrap_socket(sock, server_hostname="chat.example")


@pytest.mark.parametrize(
    "first", ["CAP LS 302\r\n", "NICK al\r\n", "USER a 0 * :A\r\n", "pass x\n"]
)
def test_an_irc_client_gets_an_error_and_never_becomes_chat(
    server: Server, start: Start, first: str
) -> None:
    bob, client = start.plain("Bob"), start.plain()
    client.send_bytes(first.encode() + b"Mallory\r\nhello\r\n")
    answer = everything(client)
    assert answer.startswith(b"ERROR :")
    assert answer.endswith(b"\r\n")
    assert bob.settle() == []


@pytest.mark.parametrize("first", [HTTP.encode(), b"\x16\x03\x01\x00\x00", b"NICK a\r\n"])
def test_what_is_turned_away_is_closed_and_costs_nothing(
    server: Server, start: Start, wait_for: Callable[..., None], first: bytes
) -> None:
    before = server.descriptors
    for _ in range(20):
        client = start.plain()
        client.send_bytes(first)
        everything(client)
        client.close()
    wait_for(lambda: server.descriptors == before, "its descriptors are closed")


def test_the_first_bytes_one_at_a_time_decide_the_same(server: Server, start: Start) -> None:
    client = start.plain()
    for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n":
        client.send_bytes(bytes([byte]))
    assert everything(client).startswith(b"HTTP/1.1 200 ")


def test_after_the_greeting_the_first_bytes_still_decide(server: Server, start: Start) -> None:
    client = start.plain()
    client.read_until("^Choose an alias:$")
    client.send_bytes(HTTP.encode())
    assert everything(client).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("line", [HTTP.splitlines()[0], "CAP LS 302", '{"t":"ping"}'])
def test_the_dialect_is_decided_once_for_the_life_of_the_connection(
    server: Server, start: Start, line: str
) -> None:
    alice = start.plain("Alice")
    alice.send(line)
    assert alice.read_until(": ") == [f"Alice: {line}"]


@pytest.mark.parametrize("alias", ["GETter", "Captain", "nick", "Ünï", "日本", "🙂"])
def test_an_alias_that_looks_like_another_dialect_is_an_alias(
    server: Server, start: Start, alias: str
) -> None:
    assert start.plain().join(alias)[0] == "Connected to the server!"


def test_who_says_nothing_and_leaves_is_let_go(
    server: Server, start: Start, wait_for: Callable[..., None]
) -> None:
    before = server.descriptors
    silent, cut_short = start.plain(), start.plain()
    cut_short.send_bytes(b"Al")
    silent.end_input()
    cut_short.end_input()
    assert everything(silent) == b""
    everything(cut_short)
    wait_for(lambda: server.descriptors == before, "both are closed")
