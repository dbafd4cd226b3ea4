"""Loading a certificate and its key: what OpenSSL makes of the two files, or why it cannot.

Apart from `chatcore.certificates` because it needs OpenSSL, which a Python may have been built without.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from typing import TYPE_CHECKING

from chatcore.certificates import CertificateError
from chatcore.connection.tls import server_context

if TYPE_CHECKING:
    from pathlib import Path

    from chatcore.certificates import Pair

_CERT_BEGINS, _CERT_ENDS = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def load(pair: Pair) -> tuple[ssl.SSLContext, str]:
    """How the pair is shown to clients, and its fingerprint. Raises CertificateError."""
    fingerprint = fingerprint_of(pair.cert)
    _read(pair.key)
    context = server_context()
    try:
        context.load_cert_chain(pair.cert, pair.key, password=_no_password)
    except _EncryptedKeyError:
        raise CertificateError(
            f"the key {pair.key} is locked by a password, and nobody is there to type it: "
            f"openssl pkey -in {pair.key} -out NEW, and name that"
        ) from None
    except ssl.SSLError as error:
        raise CertificateError(_unusable(error, pair)) from None
    except OSError as error:
        raise CertificateError(_why(error, pair.cert)) from None
    return context, fingerprint


def fingerprint_of(path: Path) -> str:
    """SHA-256 of the certificate, written as ssh does. What people compare."""
    text = _read(path).decode("ascii", "replace")
    begin, end = text.find(_CERT_BEGINS), text.find(_CERT_ENDS)
    if begin < 0 or end < begin:
        raise CertificateError(f"{path} holds no certificate in PEM form ({_CERT_BEGINS})")
    try:
        der = ssl.PEM_cert_to_DER_cert(text[begin : end + len(_CERT_ENDS)])
    except ValueError:
        raise CertificateError(f"{path} is damaged: its first certificate cannot be read") from None
    digest = base64.b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(_why(error, path)) from None


def _why(error: OSError, path: Path) -> str:
    return f"{path} cannot be used ({error.strerror}): it must be a file that this server's user may read"


def _unusable(error: ssl.SSLError, pair: Pair) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key {pair.key} does not belong to the certificate {pair.cert}: name the two that belong together"
    cause = (error.reason or "no certificate or no key in it").lower().replace("_", " ")
    return f"{pair.cert} and {pair.key} cannot be used ({cause}): both must be in PEM form, the server's own certificate first"


class _EncryptedKeyError(Exception):
    """OpenSSL asks for a password; it would ask at the terminal."""


def _no_password() -> str:
    raise _EncryptedKeyError
