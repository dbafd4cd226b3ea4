"""A client's first TLS message, looked at before anything is spent on it: is it whole, and what does it want to speak?

OpenSSL takes 44 KiB for a handshake from the first byte on, so it is not asked before the message is there. And Python
does not tell what the client wanted to speak when that is nothing of ours; such a client was led here by somebody else
(a browser that was sent to a mail server has been the usual victim), and is to be told so.

Invariants: a pure function of the bytes so far; what is broken is left to OpenSSL, which has the right alert for it.
"""

from __future__ import annotations

from typing import NamedTuple

HELLO_BYTES = 8 * 1024
"""A client's first message, as much as a first line may have; browsers send 0.5 to 2 KiB."""

_RECORD_HEAD = 5
"""RFC 8446 5.1: type, legacy version, length of two bytes."""
_MESSAGE_HEAD = 4
"""RFC 8446 4: type, length of three bytes."""
_HANDSHAKE = 22
_MAJOR_VERSION = 3
_CLIENT_HELLO = b"\x01"
_ALPN = 16
"""RFC 7301 3.1: the extension that names what the client wants to speak."""
_FIXED_BYTES = 2 + 32
"""RFC 8446 4.1.2: legacy version and random, before what has a length of its own."""


class ClientHello(NamedTuple):
    protocols: tuple[bytes, ...] | None
    """What the client wants to speak, by its ALPN names; None if it does not say."""


class Unfit(NamedTuple):
    """It breaks the rules in a way that would cost us to find out more."""

    reason: str


TOO_LONG = Unfit("its first TLS message is too long")
EMPTY = Unfit("it sent an empty TLS record")
"""RFC 8446 5.1 forbids it for a handshake; OpenSSL would go on waiting."""


def client_hello(first: bytes) -> ClientHello | Unfit | None:
    """What the client wants, or None while its first message is not whole."""
    message, at, end = b"", 0, _MESSAGE_HEAD
    while len(message) < end:
        head = first[at : at + _RECORD_HEAD]
        if len(head) < _RECORD_HEAD:
            return None
        if head[0] != _HANDSHAKE or head[1] != _MAJOR_VERSION:
            break
        size = int.from_bytes(head[3:])
        at += _RECORD_HEAD + size
        if at > HELLO_BYTES or not size:
            return EMPTY if not size else TOO_LONG
        if at > len(first):
            return None
        message += first[at - size : at]
        if not message.startswith(_CLIENT_HELLO):
            return ClientHello(None)
        if len(message) >= _MESSAGE_HEAD:
            end = _MESSAGE_HEAD + int.from_bytes(message[1:_MESSAGE_HEAD])
            if end > HELLO_BYTES:
                return TOO_LONG
    return ClientHello(_protocols(message[_MESSAGE_HEAD:end]))


def _protocols(hello: bytes) -> tuple[bytes, ...] | None:
    try:
        rest = hello[_FIXED_BYTES:]
        for length_bytes in (1, 2, 1):  # session id, cipher suites, compression methods
            _, rest = _vector(rest, length_bytes)
        extensions, _ = _vector(rest, 2)
        while extensions:
            kind, extensions = extensions[:2], extensions[2:]
            body, extensions = _vector(extensions, 2)
            if int.from_bytes(kind) == _ALPN:
                return tuple(_names(_vector(body, 2)[0]))
    except _Short:
        pass
    return None


def _names(rest: bytes) -> list[bytes]:
    names: list[bytes] = []
    while rest:
        name, rest = _vector(rest, 1)
        names.append(name)
    return names


def _vector(data: bytes, length_bytes: int) -> tuple[bytes, bytes]:
    """RFC 8446 3.4: what has its length before it; and what follows."""
    end = length_bytes + int.from_bytes(data[:length_bytes])
    if len(data) < end:
        raise _Short
    return data[length_bytes:end], data[end:]


class _Short(Exception):
    """It ends before its length says."""
