"""HTTP: who is answered, with what, and who is not; one answer each."""

from __future__ import annotations

import pytest

from chatcore.connection.opening import open_dialect
from chatcore.dialects.dialect import Ending, Hangup
from chatcore.dialects.http import Head, Site, answer, check_origin, host_name, site_files
from chatcore.dialects.sniff import Kind
from chatcore.dialects.websocket import Web

FILES = site_files((("index.html", b"<!doctype html>"), ("page.css", b"body{}")))
SITE = Site(
    FILES,
    frozenset({"localhost", "127.0.0.1", "::1", "chat.lan"}),
    frozenset({"https://chat.example.org"}),
)


def asked(raw: bytes, site: Site = SITE, *, encrypted: bool = False) -> Hangup:
    """What the connection answers, and ends with."""
    web = Web(site, encrypted=encrypted)
    web.feed(raw)
    event = web.next(1)
    assert type(event) is Hangup, event
    assert web.next(1) is not None, "the end is the end"
    return event


def status(raw: bytes, **options: bool) -> int:
    head, _, rest = asked(raw, **options).farewell.partition(b" ")
    assert head == b"HTTP/1.1"
    return int(rest[:3])


def get(path: str = "/", host: str = "localhost:59000", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def test_the_page_and_its_files() -> None:
    answer_bytes = asked(get()).farewell
    head, _, body = answer_bytes.partition(b"\r\n\r\n")
    assert body == b"<!doctype html>"
    assert b"Content-Type: text/html; charset=utf-8" in head
    assert b"Connection: close" in head
    assert b"Content-Security-Policy: default-src 'none'" in head
    assert b"text/css" in asked(get("/page.css")).farewell
    assert status(get("/nothing")) == 404
    assert status(get("/ws")) == 426


def test_head_has_the_head_only() -> None:
    answer_bytes = asked(get().replace(b"GET", b"HEAD")).farewell
    assert answer_bytes.endswith(b"\r\n\r\n")
    assert b"Content-Length: 15" in answer_bytes


def test_a_file_that_is_known_is_not_sent_again() -> None:
    etag = FILES["/"].etag
    assert status(get(more=f"If-None-Match: {etag}\r\n")) == 304
    assert status(get(more=f'If-None-Match: "other", W/{etag}\r\n')) == 304
    assert status(get(more='If-None-Match: "other"\r\n')) == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:59000",
        "localhost.",
        "127.0.0.1:1",
        "[::1]:59000",
        "[0:0::1]",
        "chat.lan",
    ],
)
def test_a_host_that_is_ours(host: str) -> None:
    assert status(get(host=host)) == 200


REBOUND = [
    "evil.example",
    "localhost.evil.example",
    "evil.example:59000",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "localhost:evil",
    "localhost:59000:1",
    "user@localhost",
    "localhost, evil",
    "localhost evil",
    "[::2]",
    "[::ffff:7f00:1]",
    "[::1",
    "::1",
    "",
    ":59000",
    "localhost:123456",
    "localhost:+80",
    "lоcalhost",
    "localhost/",
    "localhost?",
    "localhost#",
    ".localhost",
    "localhost..",
    "*",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", REBOUND)
def test_a_host_that_is_not_ours_gets_nothing(host: str) -> None:
    assert status(get(host=host)) in (400, 421)


def test_a_host_that_is_missing_or_stands_twice() -> None:
    assert status(b"GET / HTTP/1.1\r\n\r\n") == 400
    assert status(get(more="Host: localhost\r\n")) == 400
    assert status(b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n") == 400


ORIGINS = {
    "http://localhost:59000": True,
    "HTTP://LOCALHOST:59000": True,
    "https://chat.example.org": True,
    "http://localhost": False,
    "https://localhost:59000": False,
    "http://localhost:59001": False,
    "http://localhost.:59000": False,
    "http://localhost.evil:59000": False,
    "http://evil@localhost:59000": False,
    "http://localhost:59000/": False,
    "http://localhost:59000, http://evil": False,
    "http://evil, http://localhost:59000": False,
    "http://127.0.0.1:59000": False,
    "null": False,
    "": False,
    "file://": False,
    "chrome-extension://localhost:59000": False,
}


@pytest.mark.parametrize(("origin", "fine"), ORIGINS.items())
def test_only_our_own_page_opens_a_websocket(origin: str, fine: bool) -> None:
    head = Head("GET", "/ws", "localhost:59000", origin, None, True)
    assert (check_origin(SITE, head, encrypted=False) is None) is fine


def test_the_origin_of_an_encrypted_page() -> None:
    head = Head("GET", "/ws", "chat.lan:443", "https://chat.lan", None, True)
    assert check_origin(SITE, head, encrypted=True) is None
    assert check_origin(SITE, head, encrypted=False) is not None


SMUGGLED = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +10\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1_0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA\x00: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\x00c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA: b\rc\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
]


@pytest.mark.parametrize("raw", SMUGGLED, ids=range(len(SMUGGLED)))
def test_what_could_be_two_requests_is_none(raw: bytes) -> None:
    """And what follows is never looked at."""
    end = asked(raw + get("/page.css"))
    assert end.farewell.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert end.farewell.count(b"HTTP/1.1") == 1


def test_a_second_request_is_not_answered() -> None:
    assert asked(get() + get("/page.css")).farewell.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
def test_other_methods_do_nothing(method: str) -> None:
    end = asked(get().replace(b"GET", method.encode()))
    assert b" 405 " in end.farewell
    assert b"Allow: GET, HEAD" in end.farewell


def test_heads_that_are_too_long() -> None:
    assert status(get(more=f"A: {'x' * 9000}\r\n")) == 431
    assert status(get(more="A: x\r\n" * 200)) == 431
    assert status(get("/" + "x" * 9000)) in (400, 414, 431)


def test_nothing_of_a_request_is_repeated() -> None:
    for raw in (get("/<script>"), get(host="<script>"), get(more="A: <script>\r\n")):
        assert b"<script>" not in asked(raw).farewell


def test_without_a_page_the_answer_says_why() -> None:
    site = Site({}, SITE.hosts, missing="The page needs a package.")
    end = open_dialect(Kind.HTTP, get(), site, encrypted=False)
    assert type(end) is Hangup
    assert end.ending is Ending.REFUSED
    assert end.farewell.startswith(b"HTTP/1.1 501 ")
    assert b"The page needs a package." in end.farewell


def test_host_names() -> None:
    assert host_name("[fe80::1%25eth0]") is None
    assert host_name("Chat.LAN.:80") == "chat.lan"
    assert host_name("a:b") is None
    nameless = answer(SITE, Head("GET", "/", None, None, None, False))
    assert nameless.farewell.startswith(b"HTTP/1.1 400")


def test_a_file_that_is_fetched_is_no_refusal() -> None:
    fetched = asked(get("/page.css?secret=1"))
    assert (fetched.ending, fetched.reason) == (Ending.SERVED, "fetched /page.css")
    for raw in (
        get("/nothing"),
        get(host="evil.example"),
        get("/ws"),
        get().replace(b"GET", b"PUT"),
    ):
        assert asked(raw).ending is Ending.REFUSED
