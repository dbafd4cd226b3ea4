"""Certificates: which one the server shows, where it comes from, and what happens when it changes.

The first of these that is there: the one that the settings name; the one that systemd hands over; one of our own
making, in the data folder. Invariants: what was configured and cannot be used ends the start, with the cause and the
way out; what cannot be used later leaves the old one in force; a connection keeps what it began with.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import logging
import socket
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chatcore.connection.tls import server_context
from chatcore.self_made import CERT_FILE, KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from chatcore.config import Settings
    from chatcore.connection.tls import Door
    from chatcore.reactor.loop import Reactor

    Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]

LOOK_S = 10.0
"""How often the files are looked at: a renewed certificate has weeks to go, and two `stat` cost nothing."""

MAKING_S = 30.0
"""The most that making one may take; it takes 0.2 s."""

HOW_TO_GET = "pip install cryptography (then the server makes a certificate itself), or --tls-cert and --tls-key"

_CERT_BEGINS, _CERT_ENDS = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

logger = logging.getLogger("chatcore.tls")


class CertificateError(Exception):
    """It cannot be had: the cause, and the way out."""


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    cert: Path
    key: Path
    origin: str
    """Where it is from, for people."""


class Certificates:
    """The certificate in force; the next connection meets it in `door`."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._environ: Mapping[str, str] = {}
        self._pair: Pair | None = None
        """The files that are looked at again; None when there are none."""
        self._stamp: Stamp = ()
        self.fingerprint = ""
        self.words = "off (tls.enabled = false)"
        """For the person who starts the server: the fingerprint, or why there is none and how to get encryption."""

    def open(
        self, settings: Settings, environ: Mapping[str, str], addresses: Iterable[str]
    ) -> None:
        """The first certificate. Raises CertificateError when one was configured, or is required, and cannot be had."""
        self._environ = environ
        self.door.required = settings.tls_required
        if not settings.tls_enabled:
            return
        pair = _configured(settings, self._environ)
        if pair is not None:
            self._take(pair)
            return
        try:
            if settings.data is None:
                self._for_this_run(addresses)
            else:
                self._take_own(_kept_in(settings.data, addresses))
        except _CannotMakeError as error:
            if settings.tls_required:
                raise CertificateError(f"tls.required, but {error}") from None
            self.words = f"none: {error}"

    def reload(self, settings: Settings) -> None:
        """Take what is configured now for those who come from now on; what is broken changes nothing."""
        pair = _configured(settings, self._environ) or self._pair
        if pair is not None and settings.tls_enabled:
            self._take_or_complain(pair)
        if self.door.context is not None:
            self.door.required = settings.tls_required
        elif settings.tls_required:
            # Nobody could come in any more.
            words = "tls.required is not in force, there is no certificate. To encrypt: %(way)s"
            logger.error(words, {"way": HOW_TO_GET})

    def watch(self, reactor: Reactor) -> None:
        """Look at the files now and then."""
        reactor.call_later(LOOK_S, lambda: self._look_again(reactor))

    def _look_again(self, reactor: Reactor) -> None:
        self.watch(reactor)
        self.look()

    def look(self) -> None:
        """Take the files anew if they are other ones."""
        if self._pair is not None and _look(self._pair) != self._stamp:
            self._take_or_complain(self._pair)

    def _take_or_complain(self, pair: Pair) -> None:
        before = self.fingerprint
        try:
            self._take(pair)
        except CertificateError as error:
            # What was looked at once is not complained of again.
            self._stamp = _look(self._pair) if self._pair is not None else ()
            logger.error("the old certificate stays: %(reason)s", {"reason": str(error)})
            return
        if self.fingerprint != before:
            found = {"fingerprint": self.fingerprint}
            logger.info("a new certificate is in force: %(fingerprint)s", found)

    def _take_own(self, pair: Pair) -> None:
        try:
            self._take(pair)
        except CertificateError as error:
            raise CertificateError(
                f"{error}; put the files of a backup there, or remove both {CERT_FILE} and {KEY_FILE}: the server then "
                "makes new ones, and who trusted the old one is warned"
            ) from None

    def _take(self, pair: Pair) -> None:
        # Looked at before it is read: what is written meanwhile is read again.
        stamp = _look(pair)
        context, self.fingerprint = load(pair)
        self._pair, self._stamp, self.door.context = pair, stamp, context
        self.words = f"{self.fingerprint} ({pair.origin})"

    def _for_this_run(self, addresses: Iterable[str]) -> None:
        """Gone with the server like all else; on a disk only for as long as OpenSSL needs to read it."""
        import tempfile

        try:
            with tempfile.TemporaryDirectory(prefix="chatcore-") as folder:
                self._take(_made(Path(folder), addresses, "made for this run"))
        except OSError as error:
            raise _CannotMakeError(f"making a certificate failed ({error})") from None
        self._pair = None


def _configured(settings: Settings, environ: Mapping[str, str]) -> Pair | None:
    if settings.tls_cert is not None and settings.tls_key is not None:
        return Pair(Path(settings.tls_cert), Path(settings.tls_key), f"from {settings.tls_cert}")
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        pair = Pair(Path(folder, CERT_FILE), Path(folder, KEY_FILE), "from systemd's credentials")
        if pair.cert.exists() or pair.key.exists():
            return pair
    return None


# Our own


class _CannotMakeError(Exception):
    """Why not, and what to do."""


def _kept_in(data: str, addresses: Iterable[str]) -> Pair:
    folder = Path(data)
    pair = Pair(folder / CERT_FILE, folder / KEY_FILE, "made by this server")
    if pair.cert.exists() and pair.key.exists():
        return pair
    logger.info("making a certificate: %(path)s", {"path": str(pair.cert)})
    return _made(folder, addresses, pair.origin)


def _made(folder: Path, addresses: Iterable[str], origin: str) -> Pair:
    if importlib.util.find_spec("cryptography") is None:
        raise _CannotMakeError(f"to encrypt: {HOW_TO_GET}")
    import subprocess  # with the first start only: 10 ms of it

    root = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-m", "chatcore.self_made", str(folder), *names_of(addresses)]
    try:
        made = subprocess.run(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MAKING_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _CannotMakeError(f"making a certificate failed ({error})") from None
    if made.returncode:
        last = made.stderr.strip().rpartition("\n")[2]
        raise _CannotMakeError(f"making a certificate failed ({last}); {HOW_TO_GET}")
    return Pair(folder / CERT_FILE, folder / KEY_FILE, origin)


def names_of(addresses: Iterable[str]) -> list[str]:
    """What people may call this machine by. Nothing is asked of the network: a dead name server would hold the start."""
    host = socket.gethostname()
    names = ["localhost", "127.0.0.1", "::1", *_host_names(host)]
    unspecified = {"0.0.0.0", "::"}
    names += [each.partition("%")[0] for each in addresses if each not in unspecified]
    return list(dict.fromkeys([*names, *_own_addresses()]))


def _host_names(host: str) -> list[str]:
    if not host.isascii() or not host or len(host) > 253:
        return []
    # `.local` is how a network without a name server calls its machines.
    return [host] if "." in host else [host, f"{host}.local"]


_BEYOND = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses for documentation (RFC 5737, RFC 3849): nobody has them, and the way there is the way out."""


def _own_addresses() -> list[str]:
    """Those that the machine would be reached at: connecting such a socket sends nothing."""
    found = []
    for family, beyond in _BEYOND:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((beyond, 9))
                found.append(str(sock.getsockname()[0]).partition("%")[0])
        except OSError:
            # It has no way out by this family.
            continue
    return found


# Loading


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


def _look(pair: Pair) -> Stamp:
    return tuple(_stamp(path) for path in (pair.cert, pair.key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells that a file is another one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
