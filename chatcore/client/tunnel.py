"""TLS as a filter between the network and the chat: bytes in, bytes out, no socket.

OpenSSL works on two queues in memory (`ssl.MemoryBIO`). Invariants: whatever comes, `received` gives plaintext or
raises `TunnelError`, whose words a person understands; bytes that are no TLS at all never reach OpenSSL, so that a
server without TLS is recognised by what it says. Whom to trust is decided in `chatcore.client.trust`.

A server of ours with TLS may be heard before it: it greets whoever is silent, and our first message may be late; and
whom it turns away at the door (too many connections, full, stopping) it tells in plain text. Neither means that it
does not encrypt.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

from chatcore.client.wire import GREETING, NOTICE

PROTOCOL = "chatcore"
"""What is spoken inside, as ALPN calls it (RFC 7301): a server of something else refuses, and nothing is confused."""
READ_BYTES = 64 * 1024
RECORD_TYPES = range(0x14, 0x18)
"""First byte of a TLS record (RFC 8446 5.1)."""
ALERT = 0x15
MAX_ANSWER_BYTES = 512
"""Of an answer that is no TLS: enough to recognise who speaks."""
MAX_ANSWER_CHARACTERS = 120
ALERT_PREFIXES = ("TLSV1_ALERT_", "TLSV13_ALERT_", "SSLV3_ALERT_")


class TunnelError(Exception):
    """There is no tunnel, or none any more; `str` says why."""


class NotTlsError(TunnelError):
    """The server answers, but not with TLS."""


class CertificateError(TunnelError):
    """The certificate does not hold; `code` is OpenSSL's (X509_V_ERR_…)."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Tunnel:
    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.is_open = False
        """The handshake is done."""
        self.ended = False
        """The server said goodbye: nothing more will come."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._unread = bytearray()
        self._greeting = b""
        """What was said before anything that would tell whether it is TLS."""
        self._is_tls = False
        context.set_alpn_protocols([PROTOCOL])
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        except ValueError as fault:  # a name that no certificate can hold
            raise TunnelError(f"no certificate can be for {host!r}") from fault
        self._shake()

    @property
    def certificate(self) -> bytes:
        """The server's, as DER."""
        return self._tls.getpeercert(binary_form=True) or b""

    def received(self, data: bytes) -> bytes:
        if not self._is_tls:
            self._unread += data
            if not self._recognise():
                return b""
            data = bytes(self._unread)
            self._unread.clear()
        self._incoming.write(data)
        if not self.is_open:
            self._shake()
        return self._plaintext() if self.is_open else b""

    def send(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError as fault:
            raise _error(fault) from fault

    def data_to_send(self) -> bytes:
        return self._outgoing.read()

    def lost(self) -> bytes:
        """Nothing comes any more. Raises if what came before was an answer that is not TLS."""
        if not self._is_tls and (said := self._greeting or bytes(self._unread)):
            raise NotTlsError(_answer(said))
        return b""

    def leave(self) -> None:
        """Our last word; the server's is not waited for."""
        with suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as fault:
            raise _error(fault) from fault
        self.is_open = True

    def _plaintext(self) -> bytes:
        parts: list[bytes] = []
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as fault:
            raise _error(fault) from fault
        return b"".join(parts)

    # An answer that is not TLS

    def _recognise(self) -> bool:
        """Whether it is TLS; not known before the first line of another answer is there."""
        if not self._greeting and self._unread.startswith(GREETING) and b"\n" in self._unread:
            greeting, _, self._unread = self._unread.partition(b"\n")
            self._greeting = bytes(greeting)
        if not self._unread:
            return False
        first = self._unread[0]
        if first == ALERT:
            # Before anything else the server says no: it has no TLS, or none that is as new as ours.
            raise NotTlsError("it refuses TLS")
        if first in RECORD_TYPES:
            self._is_tls = True
            return True
        if b"\n" in self._unread or len(self._unread) >= MAX_ANSWER_BYTES:
            said = bytes(self._unread)
            if said.startswith(NOTICE):
                raise TunnelError(f"it says “{_first_line(said.removeprefix(NOTICE))}”")
            raise NotTlsError(_answer(said))
        return False


def _answer(said: bytes) -> str:
    return f"it answers without TLS: “{_first_line(said)}”"


def _first_line(said: bytes) -> str:
    line = said.split(b"\n")[0].decode("utf-8", "replace").strip()
    return line[:MAX_ANSWER_CHARACTERS]


def _error(fault: ssl.SSLError) -> TunnelError:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return CertificateError(fault.verify_code, fault.verify_message)
    name = fault.reason or type(fault).__name__
    for prefix in ALERT_PREFIXES:
        name = name.removeprefix(prefix)
    return TunnelError(f"TLS: {name.lower().replace('_', ' ')}")
