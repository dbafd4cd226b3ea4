"""The door: what is decided about everybody who comes, before anybody knows who it is.

Nothing here needs OpenSSL: a Python without it opens the same door, only never with a certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.dialects.http import Site

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

PROTOCOLS = ("chatcore", "http/1.1")
"""What is spoken here, as ALPN calls it (RFC 7301): the bundled clients, and browsers. Everything else has no name."""


class Door:
    """A reload changes it for those who come later."""

    __slots__ = ("awaited", "context", "required", "settled", "site")

    def __init__(self, context: ssl.SSLContext | None = None, *, required: bool = False) -> None:
        self.context = context
        """None: there is no certificate, so there is no TLS."""
        self.awaited = False
        """The first certificate is being made: who comes by TLS waits for it."""
        self.settled: Callable[[], None] = _nothing
        """To be called when it is there, or will not come."""
        self.required = required
        """Whoever comes from another machine must come by TLS."""
        self.site = Site()
        """What a browser gets; without files, an answer that says how to join."""

    @property
    def takes_tls(self) -> bool:
        return self.context is not None or self.awaited


def _nothing() -> None:
    """Nobody waits."""
