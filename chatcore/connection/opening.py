"""Which dialect a connection gets, from the kind that its first bytes show; or the refusal in its own language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.dialects.dialect import Hangup
from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain, TelnetPlain
from chatcore.dialects.refusals import http_answer, irc_answer, tls_answer
from chatcore.dialects.sniff import Kind

if TYPE_CHECKING:
    from chatcore.dialects.dialect import Dialect


def open_dialect(kind: Kind, first: bytes) -> Dialect | Hangup:
    match kind:
        case Kind.PLAIN:
            return Plain()
        case Kind.TELNET:
            return TelnetPlain()
        case Kind.NATIVE:
            return Native()
        case Kind.HTTP:
            return Hangup("spoke HTTP", http_answer(first))
        case Kind.TLS:
            return Hangup("spoke TLS", tls_answer())
        case Kind.IRC:
            return Hangup("spoke IRC", irc_answer())
