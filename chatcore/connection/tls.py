"""TLS as a filter: a socket made of a socket. What is above reads and writes as if there were no TLS.

Theory of operation. OpenSSL works on two queues in memory (`ssl.MemoryBIO`), never on the socket: what came is put
into the one, what is to go is taken from the other, and the rest of the server keeps its one way of reading and
writing.

Invariants. Nothing that came whole stays inside OpenSSL after a `recv`: the selector would not tell of it. And nothing
is hidden below delivery: `send` says "sent" of what has left the process, and of nothing else. What was encrypted and
the socket did not take is *in flight*: it is kept, at most `SEND_BYTES` of it, and none of its plaintext is counted as
sent; the caller offers the same bytes again (which delivery does with any socket), the rest of the flight goes out
first, and then they are counted. They are encrypted once, or the peer would see them twice.

What OpenSSL itself has to say (a handshake, the answer to a new key) is in flight too, with no plaintext.
"""

from __future__ import annotations

import errno
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from chatcore.connection.door import PROTOCOLS

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

RECORD_BYTES = 2 * 1024
"""Of plaintext in one record; a tick's news are usually less. OpenSSL's queues never give memory back: with the 16 KiB
that a record may have (RFC 8446 5.1), each client that was sent a page would keep 22 KiB for ever, with this 3."""

SEND_BYTES = 16 * 1024
"""Of plaintext encrypted for one send, and so in flight at most."""

READ_RECORD_BYTES = 16 * 1024
"""Of plaintext that a peer's record may have."""

FEED_BYTES = 2 * 1024
"""Given to OpenSSL at a time, for the same reason: fed whole reads, each client would keep 85 KiB."""

OWN_BYTES = 16 * 1024
"""Of OpenSSL's own words that may wait for the socket. They are a few dozen bytes; more are provoked by a peer that
does not read them."""

OWN_A_READ_BYTES = 512
"""Of OpenSSL's own words that one read may provoke: 19 new keys, which are wanted once in millions of records (RFC 8446
5.5). Each costs 20 µs; a read of nothing else took a turn of 50 ms."""

_ALERTS = ("TLSV1_ALERT_", "TLSV13_ALERT_", "SSLV3_ALERT_")
"""What the names of errors begin with that the peer sent us."""


_DECLINING = ("CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED")
"""What they end with, if the peer does not take our certificate."""


class Declined(OSError):
    """The peer does not take our certificate, and says so."""


class Owner(Protocol):
    """Whose socket it is."""

    def interest(self) -> None:
        """`holding` may have changed."""

    def read_again(self) -> None:
        """There is something to `recv` of which the selector will not tell."""


def server_context() -> ssl.SSLContext:
    """How TLS is spoken here; it has no certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # OpenSSL 3 refuses it anyway; an older one would do it for anybody who asks.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # One ticket brings a client back once; the second of the default is for browsers with parallel connections.
    context.num_tickets = 1
    context.set_alpn_protocols(PROTOCOLS)
    return context


def words(error: ssl.SSLError) -> str:
    """What went wrong, for the log: `TLS: no shared cipher`."""
    name = error.reason or type(error).__name__
    for prefix in _ALERTS:
        if name.startswith(prefix):
            return f"TLS: the peer says {_spaced(name.removeprefix(prefix))}"
    return f"TLS: {_spaced(name)}"


def _spaced(name: str) -> str:
    return name.lower().replace("_", " ")


class TlsSocket:
    """See the module. First `handshake` until it says True; then it is what the raw socket was."""

    __slots__ = (
        "_closed",
        "_flight",
        "_in_flight",
        "_incoming",
        "_outgoing",
        "_owner",
        "_sock",
        "_tls",
        "ended",
    )

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, owner: Owner) -> None:
        self._sock = sock
        self._owner = owner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._flight = b""
        """Encrypted, and not taken by the socket yet."""
        self._in_flight = 0
        """Bytes of plaintext in it, which the next `send` will offer again."""
        self.ended = False
        """The peer will send no more."""
        self._closed = False

    def handshake(self, data: bytes) -> bool:
        """Take what came, and go on as far as it reaches. True when done; then `plaintext` may have some already."""
        self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            done = False
        except ssl.SSLError as error:
            raise self._failed(error) from None
        else:
            done = True
        self._send_own()
        return done

    # Reading

    def recv(self, most: int) -> bytes:
        """Plaintext, all there is; BlockingIOError when there is none yet, empty at the end."""
        if self.ended or self._closed:
            if self._closed:
                raise BlockingIOError
            return b""
        data = self._sock.recv(most)
        if not data:
            # Without the peer's last word somebody may have cut it short. A line without its end is not taken anyway.
            self.ended = True
            return b""
        if len(data) <= FEED_BYTES:
            self._incoming.write(data)
            return self.plaintext()
        parts: list[bytes] = []
        for start in range(0, len(data), FEED_BYTES):
            if not self.ended:
                self._incoming.write(memoryview(data)[start : start + FEED_BYTES])
                parts += self._records()
        return self._whole(parts)

    def plaintext(self) -> bytes:
        """What there is of what was fed."""
        return self._whole(self._records())

    def _whole(self, parts: Sequence[bytes]) -> bytes:
        if self._outgoing.pending:
            self._send_own()
        if not parts:
            if self.ended:
                return b""
            raise BlockingIOError
        if self.ended:
            self._owner.read_again()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _records(self) -> list[bytes]:
        parts: list[bytes] = []
        try:
            while True:
                part = self._tls.read(READ_RECORD_BYTES)
                if not part:
                    self.ended = True
                    break
                parts.append(part)
                if not self._incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise self._failed(error) from None
        if self._outgoing.pending > OWN_A_READ_BYTES:
            raise OSError(errno.EPROTO, "TLS: it asks for one new key after the other")
        return parts

    # Writing

    def send(self, data: bytes | memoryview) -> int:
        """Bytes of `data` that have left, as records; BlockingIOError for none. Then the same are to be offered again."""
        size = len(data)
        if size <= SEND_BYTES and not (self._in_flight or self._flight):
            self._encrypt(data)
            return size
        self.flush()
        sent, self._in_flight = self._in_flight, 0
        rest = memoryview(data)
        while sent < size:
            try:
                self._encrypt(rest[sent : sent + SEND_BYTES])
            except BlockingIOError:
                if not sent:
                    raise
                break
            sent = min(sent + SEND_BYTES, size)
        return sent

    def _encrypt(self, plain: bytes | memoryview) -> None:
        """Out with it; what the socket does not take is in flight, and BlockingIOError says so."""
        try:
            if len(plain) <= RECORD_BYTES:
                self._tls.write(plain)
                sealed = self._outgoing.read()
            else:
                sealed = b"".join(self._sealed(memoryview(plain)))
        except ssl.SSLError as error:
            raise self._failed(error) from None
        try:
            taken = self._sock.send(sealed)
        except BlockingIOError:
            taken = 0
        if taken != len(sealed):
            self._flight = sealed[taken:]
            self._in_flight = len(plain)
            raise BlockingIOError

    def _sealed(self, plain: memoryview) -> Iterator[bytes]:
        for start in range(0, len(plain), RECORD_BYTES):
            self._tls.write(plain[start : start + RECORD_BYTES])
            yield self._outgoing.read()

    @property
    def holding(self) -> bool:
        """OpenSSL's own words wait for the socket; for what else is in flight, the caller waits."""
        return bool(self._flight) and not self._in_flight

    def flush(self) -> None:
        """Send what is in flight; BlockingIOError if the socket does not take all of it."""
        if self._flight:
            self._flight = self._flight[self._sock.send(self._flight) :]
            if self._flight:
                raise BlockingIOError

    def _send_own(self) -> None:
        """What OpenSSL has to say goes after what is in flight."""
        self._flight += self._outgoing.read()
        with suppress(BlockingIOError):
            self.flush()
        if len(self._flight) > 2 * SEND_BYTES + OWN_BYTES:
            raise OSError(errno.EPROTO, "TLS: it asks for more answers than it reads")
        self._owner.interest()

    def _failed(self, error: ssl.SSLError) -> OSError:
        """Tell the peer, if it can be told, and then us."""
        self._flight += self._outgoing.read()
        with suppress(OSError):
            self.flush()
        told_by_peer = (error.reason or "").startswith(_ALERTS)
        declined = told_by_peer and (error.reason or "").endswith(_DECLINING)
        return (Declined if declined else OSError)(errno.EPROTO, words(error))

    # Ending

    def shutdown(self, how: int) -> None:
        """Our last word, without waiting for the peer's; then the socket's own end."""
        self._say_last()
        self._sock.shutdown(how)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._say_last()
            self._sock.close()

    def _say_last(self) -> None:
        """Once: OpenSSL says it no second time."""
        # It wants the peer's last word too, or has failed before: nothing to wait for.
        with suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()
        with suppress(OSError):
            self._flight += self._outgoing.read()
            self.flush()
