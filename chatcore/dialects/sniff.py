"""Which dialect a connection speaks, from its first bytes. Once, and for its life.

Invariants: a pure function of the bytes so far, undecided (None) as long as more bytes could change the answer;
every split of the same bytes gives the same answer. Whatever is nothing else is plain: text of a person who
begins with a verb is chat unless the whole line is a request line.
"""

from __future__ import annotations

import enum
import re


class Kind(enum.Enum):
    PLAIN = "plain"
    TELNET = "telnet"
    NATIVE = "native"
    HTTP = "HTTP"
    TLS = "TLS"
    IRC = "IRC"


FIRST_LINE_BYTES = 8 * 1024
"""Bytes of a first line that may still turn out to be HTTP; servers take request lines of this length (RFC 9112 3)."""

_METHOD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"

_HTTP = re.compile(rb"(?:" + _METHOD + rb" [^ ]+ HTTP/1\.[0-9]|PRI \* HTTP/2\.0)\r?\Z")
"""RFC 9112 3: method SP request-target SP HTTP-version, and HTTP/2's preface (RFC 9113 3.4). No other version:
somebody who writes "I like HTTP/3" is a person."""

_HTTP_BEGINS = re.compile(_METHOD + rb" [^ ]+(?: [^ ]*)?\Z")
"""A request line whose end is not there. Anybody's page can make a browser send one of any length, with fields and a body
behind it: for a person's lines they must not be taken. No alias is as long, so no person is turned away."""

_IRC = re.compile(rb"(?i:CAP|NICK|USER|PASS) ")
"""modern.ircdocs, Connection Registration: what a client sends first."""

_TLS = b"\x16\x03"
"""RFC 8446 5.1: a record of type handshake, and the first byte of its legacy version."""

TLS_BEGINS = _TLS[:1]
"""What begins so, and goes on otherwise, is no text that a person types."""

_TELNET = b"\xff"
"""RFC 854: IAC, "interpret as command"; in no UTF-8 text."""


def sniff(first: bytes) -> Kind | None:
    """The dialect that `first` begins, or None while it is not decided."""
    if first.startswith(b"{"):
        return Kind.NATIVE
    if first.startswith(_TELNET):
        return Kind.TELNET
    if first.startswith(_TLS):
        return Kind.TLS
    # Waiting for the end of the first line costs a plain client nothing: its alias needs that too.
    line, end, _ = first[:FIRST_LINE_BYTES].partition(b"\n")
    if not end and len(first) < FIRST_LINE_BYTES:
        return None
    if (_HTTP if end else _HTTP_BEGINS).match(line):
        return Kind.HTTP
    return Kind.IRC if _IRC.match(line) else Kind.PLAIN
