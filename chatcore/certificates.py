"""Certificates: which one the server shows, where it comes from, and what happens when it changes.

The first of these that is there: the one that the settings name; the one that systemd hands over; one of our own
making, in the data folder. Invariants: what was configured and cannot be used ends the start, with the cause and the
way out; what cannot be used later leaves the old one in force; a connection keeps what it began with.
"""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chatcore.making import HOW_TO_GET, Making, NoCertificateError
from chatcore.self_made import CERT_FILE, KEY_FILE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from chatcore.config import Settings
    from chatcore.connection.door import Door
    from chatcore.reactor.loop import Reactor

    Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]

LOOK_S = 10.0
"""How often the files are looked at: a renewed certificate has weeks to go, and two `stat` cost nothing."""

OWN = "made by this server"
"""The origin of one that is kept in the data folder."""

NO_SSL = "this Python has no module ssl"
OTHER_PYTHON = (
    "To encrypt, run the server with one that has it: `python -c 'import ssl'` then says nothing"
)

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
        self._making: Making | None = None
        """Under way: who comes by TLS waits for it at the door."""
        self._required = False
        """What the settings say; the door has it when there is a certificate."""
        self._then: Callable[[], None] = _nothing
        self.fingerprint = ""
        self.words = "off (tls.enabled = false)"
        """For the person who starts the server: the fingerprint, or why there is none and how to get encryption."""

    def open(
        self, settings: Settings, environ: Mapping[str, str], addresses: Iterable[str]
    ) -> None:
        """The first certificate, or the beginning of its making, which `watch` sees to the end.

        Raises CertificateError when one was configured, or is required, and cannot be had.
        """
        self._environ = environ
        self.door.required = self._required = settings.tls_required
        if not settings.tls_enabled:
            return
        configured = _configured(settings, self._environ)
        try:
            if configured is not None:
                self._take(configured)
            elif kept := _kept_in(settings.data):
                self._take_own(kept)
            else:
                self._begin_making(settings.data, addresses)
        except NoCertificateError as error:
            if configured is not None:
                raise CertificateError(str(error)) from None
            if settings.tls_required:
                raise CertificateError(f"tls.required, but {error}") from None
            self.words = f"none: {error}"

    def _begin_making(self, data: str | None, addresses: Iterable[str]) -> None:
        self._making = Making(data, names_of(addresses))
        if data is not None:
            logger.info("making a certificate: %(path)s", {"path": str(Path(data, CERT_FILE))})
        self.door.awaited = True
        if self._required:
            # Nobody beyond this machine could come in without, so there is nothing to open yet.
            self._making.wait()
            self._take_made()

    def watch(self, reactor: Reactor, then: Callable[[], None]) -> None:
        """Look at the files now and then; and call `then` when `words` are final: at once, or when one is made."""
        reactor.call_later(LOOK_S, lambda: self._look_again(reactor))
        if self._making is None:
            then()
        else:
            # Here, before anybody is in: it would take a turn of the loop 6 ms.
            with suppress(ImportError):
                import_module("chatcore.loading")
            self._then = then
            self._making.watch(reactor, self._made)

    def _made(self) -> None:
        """In the loop: the making has ended, well or not."""
        try:
            self._take_made()
        except (NoCertificateError, CertificateError) as error:
            self.words = f"none: {error}"
            self.door.settled()
        self._require()
        self._then()

    def _take_made(self) -> None:
        making, self._making = self._making, None
        assert making is not None
        self.door.awaited = False
        try:
            if self.door.context is not None:
                # A reload has brought one meanwhile, whatever became of this one.
                return
            pair = making.pair()
            if making.folder is not None:
                self._take(Pair(*pair, OWN))
            else:
                self._take(Pair(*pair, "made for this run"))
                self._pair = None
        finally:
            making.close()

    def close(self) -> None:
        """The server stops: what is being made is wanted no more."""
        if self._making is not None:
            self._making.close()
            self._making = None

    def reload(self, settings: Settings) -> None:
        """Take what is configured now for those who come from now on; what is broken changes nothing."""
        pair = _configured(settings, self._environ) or self._pair
        if pair is not None and settings.tls_enabled:
            self._take_or_complain(pair)
        self._required = settings.tls_required
        if self._making is None:
            self._require()

    def _require(self) -> None:
        if self.door.context is not None:
            self.door.required = self._required
        elif self._required:
            # Nobody could come in any more.
            words = "tls.required is not in force, there is no certificate. To encrypt: %(way)s"
            logger.error(words, {"way": HOW_TO_GET})

    def _look_again(self, reactor: Reactor) -> None:
        reactor.call_later(LOOK_S, lambda: self._look_again(reactor))
        self.look()

    def look(self) -> None:
        """Take the files anew if they are other ones."""
        if self._pair is not None and _look(self._pair) != self._stamp:
            self._take_or_complain(self._pair)

    def _take_or_complain(self, pair: Pair) -> None:
        before = self.fingerprint
        try:
            self._take(pair)
        except (CertificateError, NoCertificateError) as error:
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
        self._pair, self._stamp = pair, stamp
        self.door.context, self.door.awaited = context, False
        self.door.settled()
        self.words = f"{self.fingerprint} ({pair.origin})"


def load(pair: Pair) -> tuple[ssl.SSLContext, str]:
    """How the pair is shown to clients, and its fingerprint.

    Raises CertificateError; and NoCertificateError where no certificate is of any use.
    """
    try:
        from chatcore import loading
    except ImportError as error:
        raise NoCertificateError(f"{NO_SSL} ({error}). {OTHER_PYTHON}") from None
    return loading.load(pair)


def _configured(settings: Settings, environ: Mapping[str, str]) -> Pair | None:
    if settings.tls_cert is not None and settings.tls_key is not None:
        return Pair(Path(settings.tls_cert), Path(settings.tls_key), f"from {settings.tls_cert}")
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        pair = Pair(Path(folder, CERT_FILE), Path(folder, KEY_FILE), "from systemd's credentials")
        if pair.cert.exists() or pair.key.exists():
            return pair
    return None


def _kept_in(data: str | None) -> Pair | None:
    """The one that was made at an earlier start."""
    if data is None:
        return None
    pair = Pair(Path(data, CERT_FILE), Path(data, KEY_FILE), OWN)
    return pair if pair.cert.exists() and pair.key.exists() else None


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


def _look(pair: Pair) -> Stamp:
    return tuple(_stamp(path) for path in (pair.cert, pair.key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells that a file is another one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _nothing() -> None:
    """Nobody waits."""
