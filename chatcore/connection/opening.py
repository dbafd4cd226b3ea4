"""Which dialect a connection gets, from the kind that its first bytes show; or the refusal in its own language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.dialects.dialect import Hangup
from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain, TelnetPlain
from chatcore.dialects.refusals import (
    ENCRYPT,
    ENCRYPTED_WAYS,
    http_answer,
    http_encrypt,
    irc_answer,
    irc_encrypt,
    plain_encrypt,
    tls_answer,
)
from chatcore.dialects.sniff import Kind
from chatcore.hub.reply import Refusal, Refused

if TYPE_CHECKING:
    from chatcore.dialects.dialect import Dialect
    from chatcore.dialects.http import Site


def open_dialect(kind: Kind, first: bytes, site: Site, *, encrypted: bool) -> Dialect | Hangup:
    match kind:
        case Kind.PLAIN:
            return Plain()
        case Kind.TELNET:
            return TelnetPlain()
        case Kind.NATIVE:
            return Native()
        case Kind.HTTP:
            return _open_web(first, site, encrypted=encrypted)
        case Kind.TLS:
            return Hangup("spoke TLS", tls_answer())
        case Kind.IRC:
            return Hangup("spoke IRC", irc_answer())


def _open_web(first: bytes, site: Site, *, encrypted: bool) -> Dialect | Hangup:
    """Browsers, and programs over WebSocket.

    What serves them is loaded with the first of them, or some minutes after the start (`chatcore.page`).
    """
    if not site.files:
        return Hangup("spoke HTTP", http_answer(first, site.missing))
    from chatcore.dialects.websocket import Web

    return Web(site, encrypted=encrypted)


def send_to_tls(kind: Kind, first: bytes) -> Hangup:
    """The words for one that speaks this in plain text, where only encrypted connections are taken."""
    match kind:
        case Kind.HTTP:
            farewell = http_encrypt(first)
        case Kind.IRC:
            farewell = irc_encrypt()
        case Kind.NATIVE:
            refusal = Refusal("tls_required", f"{ENCRYPT} {ENCRYPTED_WAYS[0]}")
            farewell = Native().reply(Refused(refusal))
        case _:
            farewell = plain_encrypt()
    return Hangup("came unencrypted", farewell)
