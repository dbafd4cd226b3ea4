"""HTTP, as far as a chat room needs it: the page's files, and which requests may have an effect at all.

Theory. A browser can be made to talk to us by anybody's page, so a request is answered only if it names us
(`Host`: DNS rebinding would bring another name), and a WebSocket is opened only if the page that asks came from
us (`Origin`). One answer a connection, then it is closed: what follows a request is never looked at, so there is
nothing to smuggle. Nothing that the client sent is repeated.

Out of scope: bodies, ranges, compression, keeping connections alive. The page is some thirty small files.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from chatcore.dialects.dialect import Ending, Hangup

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAGE_PATH = "/"

WEBSOCKET_PATH = "/ws"

METHODS = ("GET", "HEAD")

ETAG_CHARACTERS = 20
"""Hex digits of a file's hash that name its version: 80 bits."""

DEFAULT_PORTS = {"http": "80", "https": "443"}
"""Left out of an origin (RFC 6454 4)."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
"""CSP level 3: only our own files run, nothing is written as markup, and nobody shows the page inside another."""

HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Connection", "close"),
)
"""On every answer."""

TEXT = "text/plain; charset=utf-8"

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}

STATUS = {
    200: "OK",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
}
"""RFC 9110 15, RFC 6585 5."""


class File(NamedTuple):
    """One of the page's files, as it is sent."""

    body: bytes
    kind: str
    etag: str


@dataclass(frozen=True, slots=True)
class Site:
    """What is served, and under which names. A reload makes another one."""

    files: Mapping[str, File] = field(default_factory=dict)
    """By path; empty where the page cannot be served."""
    hosts: frozenset[str] = frozenset()
    """Names and addresses by which this server may be called, in lower case, without port."""
    origins: frozenset[str] = frozenset()
    """Other origins whose pages may open a WebSocket, `https://chat.example.org`."""
    missing: str = ""
    """Why there is no page, for people; empty if there is one."""


def site_files(sources: Iterable[tuple[str, bytes]]) -> dict[str, File]:
    """The files by path, from their names and contents; `index.html` is `/`."""
    files: dict[str, File] = {}
    for name, body in sources:
        digest = hashlib.sha256(body).hexdigest()[:ETAG_CHARACTERS]
        path = PAGE_PATH if name == "index.html" else f"/{name}"
        files[path] = File(body, TYPES[name.rpartition(".")[2]], f'"{digest}"')
    return files


class Head(NamedTuple):
    """A request without its body, which has none."""

    method: str
    target: str
    host: str | None
    """The only `Host`; None if there is none, or more than one."""
    origin: str | None
    none_match: str | None
    wants_websocket: bool


def path_of(head: Head) -> str:
    """Without the query, which means nothing here."""
    return head.target.partition("?")[0]


def answer(site: Site, head: Head) -> Hangup:
    """The one answer to a request that opens no WebSocket."""
    path = path_of(head)
    file = site.files.get(path)
    if refused := check_host(site, head):
        return Hangup("called this server by another name", refused)
    if head.method not in METHODS:
        words = "This address answers GET and HEAD only."
        return Hangup("asked for more than a file", plain_answer(405, words, Allow="GET, HEAD"))
    if path == WEBSOCKET_PATH:
        words = "Here chat clients open a WebSocket. The page is at /."
        refused = plain_answer(426, words, head=head, Upgrade="websocket")
        return Hangup("opened no WebSocket", refused)
    if file is None:
        words = "There is nothing here. The chat room is at /."
        return Hangup("asked for a file that is not there", plain_answer(404, words, head=head))
    ending = Ending.VISITED if path == PAGE_PATH else Ending.SERVED
    return Hangup(f"fetched {path}", _file(file, head), ending)


def _file(file: File, head: Head) -> bytes:
    fields = {"Content-Type": file.kind, "ETag": file.etag, "Cache-Control": "no-cache"}
    if head.none_match is not None and _names(head.none_match, file.etag):
        return _answer(304, fields, b"", None)
    return _answer(200, fields, b"" if head.method == "HEAD" else file.body, len(file.body))


def check_host(site: Site, head: Head) -> bytes | None:
    """The refusal of a request that is not for us (RFC 9110 7.4); None if it is."""
    if head.host is None or not head.target.startswith("/"):
        return plain_answer(400, "Send one Host, and a path.", head=head)
    name = host_name(head.host)
    if name is None or name not in site.hosts:
        return plain_answer(
            421,
            "This chat room does not go by that name. Use its address, or have it named in the server's settings: "
            '[web] names = ["…"].',
            head=head,
        )
    return None


def check_origin(site: Site, head: Head, *, encrypted: bool) -> bytes | None:
    """The refusal of a WebSocket that somebody else's page opens; None if it may. Programs send no Origin."""
    if head.origin is None:
        return None
    origin = head.origin.lower()
    ours = _origin("https" if encrypted else "http", (head.host or "").lower())
    if origin == ours or origin in site.origins:
        return None
    return plain_answer(403, "Only this server's own page may open a WebSocket here.")


def host_name(host: str) -> str | None:
    """The name or address in a `Host` field, without port, in one spelling; None if it is no host."""
    name, _, port = host.rpartition(":") if ":" in host.rpartition("]")[2] else (host, "", "")
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    if name.startswith("[") and name.endswith("]") and "%" not in name:
        try:
            return str(ipaddress.IPv6Address(name[1:-1]))
        except ValueError:
            return None
    return name.lower().removesuffix(".") or None if "[" not in name else None


def plain_answer(status: int, words: str, *, head: Head | None = None, **fields: str) -> bytes:
    """An answer in words. To HEAD, its head only (RFC 9110 9.3.2)."""
    body = f"{words}\n".encode()
    shown = b"" if head is not None and head.method == "HEAD" else body
    given = {"Content-Type": TEXT, "Cache-Control": "no-store", **fields}
    return _answer(status, given, shown, len(body))


def _answer(status: int, fields: Mapping[str, str], body: bytes, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {status} {STATUS[status]}"]
    lines += [f"{name}: {value}" for name, value in (*fields.items(), *HEADERS)]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode() + body


def _names(none_match: str, etag: str) -> bool:
    """RFC 9110 13.1.2; a weak comparison."""
    tags = (tag.strip().removeprefix("W/") for tag in none_match.split(","))
    return none_match.strip() == "*" or etag in tags


def _origin(scheme: str, host: str) -> str:
    return f"{scheme}://{host.removesuffix(':' + DEFAULT_PORTS[scheme])}"
