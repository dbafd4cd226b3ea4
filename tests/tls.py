"""OpenSSL's own client in memory, at the far end of a scripted socket; and over a real one, with deadlines."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from chatcore.certificates import load
from tests.conftest import DEADLINE_S, PATIENCE, READ_BYTES, Native, Plain, end_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chatcore.certificates import Pair

ROUNDS_MOST = 10_000

PIECE = 200
"""New keys in one send."""


def trusting(
    protocols: Sequence[str] | None = ("chatcore",),
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """A client that takes any certificate; tests of trust are the clients' own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    if protocols is not None:
        context.set_alpn_protocols(list(protocols))
    return context


class TlsPeer:
    """A client in memory: what it sends goes into `sock.incoming`, what the server sent is taken from `sock.sent`."""

    def __init__(self, sock: Any, context: ssl.SSLContext | None = None) -> None:
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = trusting() if context is None else context
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.read = bytearray()
        """Plaintext that came so far."""
        self.records = 0
        """Reads that had plaintext: each is a record."""
        self.ended = False
        """The server said its last word."""
        self.shaken = False

    def hello(self) -> bytes:
        """Its first message, not sent."""
        self._shake()
        return self.outgoing.read()

    def _shake(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.shaken = True

    def take(self) -> None:
        """Read what the server sent, and send what there is to answer."""
        self.incoming.write(bytes(self.sock.sent))
        self.sock.sent.clear()
        if not self.shaken:
            self._shake()
        if self.shaken:
            self._drain()
        if self.outgoing.pending:
            self.sock.incoming.append(self.outgoing.read())

    def _drain(self) -> None:
        try:
            while data := self.tls.read(READ_BYTES):
                self.read += data
                self.records += 1
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True

    def sealed(self, data: bytes) -> bytes:
        """As it would go over the wire, one record, not sent."""
        self.tls.write(data)
        return self.outgoing.read()

    def say(self, *lines: str) -> None:
        self.sock.incoming.append(self.sealed("".join(f"{line}\n" for line in lines).encode()))

    def last_word(self) -> bytes:
        """Its end of the stream, not sent."""
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.outgoing.read()

    def connect(self, house: Any) -> None:
        """The whole handshake, against a server in memory."""
        self.sock.incoming.append(self.hello())
        self.settle(house)
        assert self.shaken

    def settle(self, house: Any) -> None:
        """Until neither side has anything to say."""
        for _ in range(ROUNDS_MOST):
            house.settle()
            if not self.sock.sent and not self.outgoing.pending:
                return
            self.take()
        raise AssertionError("the two never come to rest")

    @property
    def text(self) -> str:
        return self.read.decode()


def encrypted_house(make_house: Any, pair: Pair, **settings: Any) -> Any:
    """A server in memory that has a certificate."""
    house = make_house(**settings)
    house.exchange.door.context = load(pair)[0]
    return house


def wrapped(client: Any, context: ssl.SSLContext | None = None) -> Any:
    """Make a wire a TLS one: the handshake now, with a deadline."""
    client.sock.settimeout(DEADLINE_S * PATIENCE)
    context = trusting() if context is None else context
    client.sock = context.wrap_socket(
        client.sock, server_hostname="localhost", suppress_ragged_eofs=False
    )
    return client


def tls_plain(address: tuple[str, int], alias: str = "", **options: Any) -> Plain:
    """A person with `openssl s_client`; joined if given an alias."""
    client: Plain = wrapped(Plain(address, **options))
    if alias:
        client.join(alias)
    return client


def tls_native(address: tuple[str, int], alias: str = "", **options: Any) -> Native:
    client: Native = wrapped(Native(address, **options))
    if alias:
        client.hello(alias)
    return client


def hello_bytes(context: ssl.SSLContext | None = None) -> bytes:
    """Somebody's first message."""
    return TlsPeer(None, context).hello()


def read_all(sock: socket.socket, deadline_s: float = DEADLINE_S) -> bytes:
    """Up to the end or the reset of the stream."""
    end, taken = end_of(deadline_s), bytearray()
    while True:
        sock.settimeout(max(end - time.monotonic(), 0.001))
        try:
            data = sock.recv(READ_BYTES)
        except ConnectionError:
            return bytes(taken)
        if not data:
            return bytes(taken)
        taken += data


class KeyFlood:
    """Sends one new key after the other (RFC 8446 4.6.3), which no library does; the secrets are those of the handshake."""

    def __init__(self, address: tuple[str, int], keys: Path) -> None:
        context = trusting(None)
        context.keylog_filename = str(keys)
        raw = socket.create_connection(address, timeout=DEADLINE_S * PATIENCE)
        tls = context.wrap_socket(raw, server_hostname="localhost")
        self._hash = hashes.SHA384() if "SHA384" in tls.cipher()[0] else hashes.SHA256()
        self._key_bytes = 16 if "AES_128" in tls.cipher()[0] else 32
        self._aead: Any = ChaCha20Poly1305 if "CHACHA" in tls.cipher()[0] else AESGCM
        (self._secret,) = (
            bytes.fromhex(line.split()[2])
            for line in keys.read_text().splitlines()
            if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")
        )
        self._sock = socket.socket(fileno=tls.detach())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def run(self, count: int) -> int:
        """How many the server let us send."""
        records = [self._new_key() for _ in range(count)]
        self._sock.settimeout(DEADLINE_S * PATIENCE)
        for number in range(0, count, PIECE):
            try:
                self._sock.sendall(b"".join(records[number : number + PIECE]))
            except OSError:
                return number
        return count

    def _new_key(self) -> bytes:
        """It asks for one of the other side too (1), and then the next is sealed with ours."""
        sealed = self._seal(bytes((24, 0, 0, 1, 1)) + b"\x16")
        self._secret = self._expand(b"traffic upd", self._hash.digest_size)
        return sealed

    def say(self, data: bytes) -> None:
        """Only once."""
        self._sock.sendall(self._seal(data + b"\x17"))

    def _seal(self, inner: bytes) -> bytes:
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2)
        # The first record of each key, so its number is 0 and the nonce is the IV as it is.
        key, nonce = self._expand(b"key", self._key_bytes), self._expand(b"iv", 12)
        return head + bytes(self._aead(key).encrypt(nonce, inner, head))

    def _expand(self, label: bytes, size: int) -> bytes:
        """RFC 8446 7.1: HKDF-Expand-Label, without a context."""
        label = b"tls13 " + label
        info = size.to_bytes(2) + bytes((len(label),)) + label + b"\x00"
        return HKDFExpand(self._hash, size, info).derive(self._secret)


class Pinger:
    """Somebody inside who asks all the time, and writes down how long the answers take."""

    def __init__(self, client: Native) -> None:
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.took_s: list[float] = []
        self.failed = ""

    def _run(self) -> None:
        while not self._over.wait(0.002):
            began = time.perf_counter()
            if self._client.ask("ping")["t"] != "pong":
                self.failed = "no pong"
                return
            self.took_s.append(time.perf_counter() - began)

    def __enter__(self) -> Pinger:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    @property
    def figures(self) -> str:
        took = sorted(self.took_s)
        p99 = took[int(len(took) * 0.99)] * 1000
        return f"{len(took)} pings, p99 {p99:.1f} ms, worst {took[-1] * 1000:.1f} ms"
