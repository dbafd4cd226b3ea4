"""Whom to believe: does the certificate that a server shows make it the server that was meant?

Three answers, in this order. A certificate that the system (or `--tls-ca`, and then nothing else) vouches for is
enough. A self-signed one, for which nobody can vouch, is trusted on first use: its fingerprint goes into `known_hosts`,
and from then on it must be that one. Everything else is refused, with the reason and the way out.

OpenSSL tells why it refuses a certificate, but does not hand it over, so the first visit to a self-signed server takes
three connections, the steps below; each later one takes a single connection. Nothing is sent before the last step.
Invariants: no step is skipped because one before it failed; a changed fingerprint is never trusted and never replaced
here. A pinned certificate is compared, not read: the pin vouches for it, whatever its names and dates are.
"""

from __future__ import annotations

import enum
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from chatcore.client.known_hosts import AUTHORITY, KnownHosts, fingerprint_of
from chatcore.client.tunnel import CertificateError, NotTlsError, Tunnel

if TYPE_CHECKING:
    from chatcore.client.known_hosts import Pin
    from chatcore.client.tunnel import TunnelError

NOT_YET_VALID, EXPIRED = 9, 10
SELF_SIGNED = 18
"""X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: it vouches for itself, and nobody else does."""
UNKNOWN_ISSUER = {2, 19, 20, 21}
WRONG_HOST = {62, 64}


class Trusted(NamedTuple):
    words: tuple[str, ...]
    """What the person should know; mostly nothing."""


class Again(NamedTuple):
    """The next step needs another connection to the same address."""


class Distrusted(NamedTuple):
    """For good: trying again would change nothing."""

    words: tuple[str, ...]
    changed: bool = False
    """It has another certificate than the one it was known by."""


Verdict: TypeAlias = Trusted | Again | Distrusted


class Step(enum.Enum):
    COMPARE = "take any certificate, and compare it with the pin"
    VERIFY = "is it one that somebody vouches for"
    LOOK = "take any certificate, to see which one it is"
    ANCHOR = "is that one whole, self-signed and of today"


class Trust:
    """`server`: host and port as a person writes them. `authority`: the file of `--tls-ca`."""

    def __init__(self, host: str, server: str, authority: str, hosts: KnownHosts) -> None:
        self._host, self._server = host.partition("%")[0], server
        self._authority, self._hosts = authority, hosts
        if authority:  # better now than at the first connection
            ssl.create_default_context(cafile=authority)
        self._step = Step.VERIFY
        self._pins: list[Pin] = []
        self._vouched: Pin | None = None
        """An authority vouched for this server once."""
        self._shown = ""
        """The fingerprint of the certificate that the server showed, if it is not the pinned one."""
        self._anchor = b""
        self._unreadable: list[int] = []
        self._reported: list[int] = []

    def begin(self) -> Distrusted | None:
        """A new visit: the file may have changed since the last one."""
        self._step, self._shown, self._anchor = Step.VERIFY, "", b""
        if self._authority:
            return None
        try:
            found, self._unreadable = self._hosts.find(self._server)
        except OSError as fault:
            return Distrusted(
                (
                    f"Cannot read {self._hosts.path} ({fault.strerror}), which says how {self._server} was trusted.",
                    "Make it readable; or say with --tls-ca FILE which certificates to trust.",
                )
            )
        self._pins = [pin for pin in found if pin.fingerprint != AUTHORITY]
        self._vouched = next((pin for pin in found if pin.fingerprint == AUTHORITY), None)
        if self._pins:
            self._step = Step.COMPARE
        return None

    def tunnel(self) -> Tunnel:
        """For the step that is due."""
        return Tunnel(self._context(), self._host)

    def opened(self, certificate: bytes) -> Verdict:
        """The handshake of this step is done."""
        fingerprint = fingerprint_of(certificate)
        match self._step:
            case Step.VERIFY:
                self._note_authority()
                return Trusted(self._complaints())
            case Step.COMPARE:
                if any(pin.fingerprint == fingerprint for pin in self._pins):
                    return Trusted(self._complaints())
                self._shown, self._step = fingerprint, Step.VERIFY
                return Again()
            case Step.LOOK:
                self._anchor, self._step = certificate, Step.ANCHOR
                return Again()
            case Step.ANCHOR:
                return Trusted((*self._complaints(), *self._remember(fingerprint)))

    def failed(self, fault: TunnelError) -> Verdict | None:
        """None: a matter of the network, that may pass."""
        if isinstance(fault, NotTlsError):
            return Distrusted(
                (
                    f"{self._server} does not encrypt: {fault}.",
                    "If you know that, --no-tls goes there without: everybody on the way can read and change everything.",
                )
            )
        if not isinstance(fault, CertificateError):
            return None
        if self._shown:
            return self._changed()
        if self._step is Step.VERIFY and fault.code == SELF_SIGNED and not self._authority:
            if self._vouched is not None:
                return self._fallen(self._vouched)
            self._step = Step.LOOK
            return Again()
        return Distrusted((f"{self._server} cannot be trusted: {self._reason(fault)}",))

    def _context(self) -> ssl.SSLContext:
        if self._step is Step.VERIFY:
            return ssl.create_default_context(cafile=self._authority or None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = (
            False  # nobody vouches for a name here; the pin is of host and port
        )
        if self._step is Step.ANCHOR:
            context.load_verify_locations(cadata=self._anchor)
        else:
            context.verify_mode = ssl.CERT_NONE
        return context

    def _remember(self, fingerprint: str) -> tuple[str, ...]:
        compare = f"{fingerprint}. Compare it with the one that the server printed when it started."
        try:
            self._hosts.add(self._server, fingerprint)
        except OSError as fault:
            lost = f"It could not be written to {self._hosts.path} ({fault.strerror})."
            return (f"{self._server} is trusted this time: its certificate is {compare} {lost}",)
        return (f"{self._server} is trusted from now on: its certificate is {compare}",)

    def _note_authority(self) -> None:
        """Whoever was vouched for once has no excuse for a self-signed certificate later."""
        if self._authority or self._pins or self._vouched is not None:
            return
        # Where it cannot be written, the next visit is as the first one.
        with suppress(OSError):
            self._hosts.add(self._server, AUTHORITY)

    def _fallen(self, vouched: Pin) -> Distrusted:
        return Distrusted(
            (
                f"WARNING: {self._server} HAS ANOTHER CERTIFICATE THAN BEFORE.",
                "An authority vouched for the one before; this one vouches for itself.",
                "Somebody may stand between you and the server, to read along. Or the server was set up anew:",
                "ask whoever runs it. Only if that is so,",
                f"remove line {vouched.line} of {self._hosts.path} and come again.",
            ),
            changed=True,
        )

    def _complaints(self) -> tuple[str, ...]:
        """Once: lines of the file that say nothing."""
        if self._authority or self._unreadable == self._reported:
            return ()
        self._reported = self._unreadable
        numbers = ", ".join(map(str, self._unreadable))
        return (f"{self._hosts.path}: not understood, and left as it is: line {numbers}.",)

    def _changed(self) -> Distrusted:
        known = self._pins[0]
        return Distrusted(
            (
                f"WARNING: {self._server} HAS ANOTHER CERTIFICATE THAN BEFORE.",
                f"known: {known.fingerprint}",
                f"now:   {self._shown}",
                "Somebody may stand between you and the server, to read along. Or the server was set up anew:",
                "ask whoever runs it for the fingerprint that it prints when it starts. Only if that is the new one,",
                f"remove line {known.line} of {self._hosts.path} and come again.",
            ),
            changed=True,
        )

    def _reason(self, fault: CertificateError) -> str:
        code = fault.code
        if code == EXPIRED:
            return "its certificate has expired. Whoever runs it must renew it; or your clock is wrong."
        if code == NOT_YET_VALID:
            return "its certificate is not valid yet. Is your clock right?"
        if code in WRONG_HOST:
            return f"its certificate is not for {self._host}. Use a name that it was made for; ask whoever runs it."
        if code in UNKNOWN_ISSUER or code == SELF_SIGNED:
            if self._authority:
                return f"its certificate is not vouched for by {self._authority}."
            return "nobody known vouches for its certificate. If you have the one of its authority: --tls-ca FILE."
        return f"its certificate does not hold ({fault})."
