"""Makes a certificate that nobody but the server itself vouches for: `python self_made.py FOLDER NAME...`.

A program of its own, so that the 17 MiB which the `cryptography` package takes end with it, and the 85 ms are nobody's
else. Invariants: the key is never readable for others, not for a moment; and neither file is ever there in part.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import sys
from contextlib import suppress
from pathlib import Path

CERT_FILE = "tls.crt"
KEY_FILE = "tls.key"

TO_STDOUT = "-"
"""In place of the folder: key and certificate go to standard output, as one file."""

EXIT_IO = 74
"""Exit code for files that could not be written (sysexits.h, EX_IOERR); everything else that fails is Python's 1."""

VALID_DAYS = 20 * 365
"""What is trusted is its fingerprint, which must not change under people who compared it once."""

EARLIER = datetime.timedelta(days=1)
"""It is valid since yesterday: clocks differ."""


def make(folder: Path, names: list[str]) -> None:
    """A new key, and a certificate for these host names and addresses, as files."""
    key, cert = made(names)
    # The certificate last: a key without one is made anew.
    _write(folder / KEY_FILE, key)
    _write(folder / CERT_FILE, cert)


def made(names: list[str]) -> tuple[bytes, bytes]:
    """The same, in PEM form."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    # ECDSA: a handshake costs half of what it does with RSA-2048.
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chatcore")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        # Who trusts it trusts this server: it cannot vouch for others.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, cert.public_bytes(serialization.Encoding.PEM)


def _general_name(name: str):  # type: ignore[no-untyped-def]
    """Of a type that only the package knows."""
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and for nobody else."""
    new = _part(path)
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _part(path: Path) -> Path:
    """What has not got its name yet."""
    return path.with_name(f"{path.name}.new")


def forget_parts(folder: Path) -> None:
    """Remove what a making that was ended left behind."""
    for name in (KEY_FILE, CERT_FILE):
        with suppress(OSError):
            _part(folder / name).unlink()


def main(arguments: list[str]) -> int:
    folder, *names = arguments
    try:
        if folder == TO_STDOUT:
            sys.stdout.buffer.write(b"".join(made(names)))
            sys.stdout.flush()
        else:
            make(Path(folder), names)
    except OSError as error:
        where = "" if folder == TO_STDOUT else f" (in {folder})"
        sys.stderr.write(f"{error.strerror or error}{where}\n")
        return EXIT_IO
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
