"""TLS in front of a server that has none: certificates of every kind, and a way in that shows one of them."""

from __future__ import annotations

import datetime
import ipaddress
import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chatcore.client.known_hosts import fingerprint_of

if TYPE_CHECKING:
    from pathlib import Path

READ_BYTES = 64 * 1024
POLL_S = 0.05
DEADLINE_S = 20.0
DAY = datetime.timedelta(days=1)


class Certificate(NamedTuple):
    """`chain`: PEM, with the key behind it."""

    chain: bytes
    der: bytes

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.der)


class Authority:
    """Makes certificates; those it signs are vouched for by `pem`."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
        usage = dict.fromkeys(
            (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        certificate = (
            self._builder(self._key, self._name, self._name, from_days=-2, to_days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def certificate(
        self, host: str, *, self_signed: bool = False, from_days: int = -1, to_days: int = 30
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chatcore")])
        signer = key if self_signed else self._key
        issuer = name if self_signed else self._name
        made = (
            self._builder(key, name, issuer, from_days=from_days, to_days=to_days)
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Certificate(pem, made.public_bytes(serialization.Encoding.DER))

    def _builder(
        self,
        key: ec.EllipticCurvePrivateKey,
        name: x509.Name,
        issuer: x509.Name,
        *,
        from_days: int,
        to_days: int,
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + from_days * DAY)
            .not_valid_after(now + to_days * DAY)
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Front:
    """Takes TLS with the certificate that is shown now, and passes on what was inside to `target`."""

    def __init__(self, folder: Path, target: tuple[str, int]) -> None:
        self._folder, self._target = folder, target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._context: ssl.SSLContext | None = None
        self.connections = 0
        self.said = b""
        """What clients said, decrypted."""
        self._open: list[socket.socket] = []
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def show(self, certificate: Certificate) -> None:
        path = self._folder / f"{len(list(self._folder.iterdir()))}.pem"
        path.write_bytes(certificate.chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["chatcore"])
        self._context = context
        self.connections, self.said = 0, b""

    def drop(self) -> None:
        """Every connection there is ends, as when a server is started anew."""
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._closing.set()
        self.drop()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        assert self._context is not None
        sock.settimeout(DEADLINE_S)
        with suppress(OSError), sock:
            inside = self._context.wrap_socket(sock, server_side=True)
            with inside, socket.create_connection(self._target) as server:
                self._open.append(server)
                while not self._closing.is_set() and self._carry(inside, server):
                    pass

    def _carry(self, inside: ssl.SSLSocket, server: socket.socket) -> bool:
        ready = [inside] if inside.pending() else select.select([inside, server], [], [], POLL_S)[0]
        if inside in ready:
            data = inside.recv(READ_BYTES)
            self.said += data
            server.sendall(data)
            if not data:
                return False
        if server in ready:
            data = server.recv(READ_BYTES)
            inside.sendall(data)
            return bool(data)
        return True
