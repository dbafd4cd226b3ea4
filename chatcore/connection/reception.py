"""Reception: a connection before anybody knows who it is. It is greeted, its dialect is found, its time runs.

Invariants: the first bytes decide the dialect, once, and inside TLS once more; the greeting decides nothing; and the
deadlines, to join and to finish a TLS handshake, count from the accept, whatever is sent meanwhile.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatcore.connection.crowd import site
from chatcore.connection.door import PROTOCOLS
from chatcore.connection.handshakes import Handshakes
from chatcore.connection.opening import open_dialect, send_to_tls
from chatcore.dialects.client_hello import Unfit, client_hello
from chatcore.dialects.dialect import Ending, Hangup
from chatcore.dialects.plain_form import GREETING
from chatcore.dialects.refusals import tls_no_protocol, tls_unfit
from chatcore.dialects.sniff import TLS_BEGINS, Kind, sniff
from chatcore.hub.reply import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.connection.connection import Connection
    from chatcore.connection.crowd import Crowd
    from chatcore.connection.door import Door
    from chatcore.connection.limits import Limits
    from chatcore.dialects.dialect import Dialect
    from chatcore.reactor.loop import Reactor

BROWSER_S = 60.0
"""For how long an address that spoke HTTP is taken for a browser's: pages fetch their files in seconds."""

BROWSER_GREETING_S = 10.0
"""Silence before such an address is greeted. Browsers open connections ahead, to have them when they are needed, and
one that has been greeted is of no use to them any more."""

BROWSERS = 1_024
"""Addresses remembered for that, the oldest forgotten first."""

TOO_LATE = b"-- Nobody chose an alias in time. Connect again.\n"
UNFINISHED = b"-- Your alias had no line end, so it was not taken: it may have been cut short.\n"


log = logging.getLogger("chatcore.room")

OUR_PROTOCOLS = {name.encode() for name in PROTOCOLS}


class Reception:
    """See the module. `opened` gets a connection whose dialect is known, with its first bytes; `refuse` ends one."""

    def __init__(
        self,
        reactor: Reactor,
        limits: Limits,
        crowd: Crowd,
        door: Door,
        opened: Callable[[Connection, Dialect, bytes], None],
        refuse: Callable[[Connection, Hangup], None],
        lost: Callable[[Connection, str], None],
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._crowd = crowd
        self._door = door
        self.handshakes = Handshakes(
            reactor, limits, door, self._shaken, self._unshaken, self._declined
        )
        self._browsers: dict[str, float] = {}
        """When each address spoke HTTP last, the longest ago first."""
        self.served = 0
        """Files of the page that were fetched since the start."""
        self._opened = opened
        self._refuse = refuse
        self._lost = lost

    def admit(self, connection: Connection) -> None:
        """It has just been accepted."""
        connection.wait(self._limits.greeting_s, lambda: self._greet(connection))

    def _left(self, connection: Connection, deadline_s: float) -> float:
        """What is left of a time that counts from the accept."""
        return connection.accepted + deadline_s - self._reactor.now

    def _greet(self, connection: Connection) -> None:
        """Half a second has passed; the deadline to join runs on."""
        wait_s = self._left(connection, min(BROWSER_GREETING_S, self._limits.join_s))
        if wait_s > 0 and self._is_browser(connection):
            connection.wait(wait_s, lambda: self._greet(connection))
            return
        left_s = self._left(connection, self._limits.join_s)
        connection.wait(left_s, lambda: self._too_late(connection))
        silent = not (connection.first or connection.input_ended or connection.has_unread())
        if connection.dialect is None and silent:
            if self._must_encrypt(connection):
                self._refuse(connection, send_to_tls(Kind.PLAIN, b""))
                return
            try:
                connection.send(GREETING)
            except BlockingIOError:
                if connection.encrypted:
                    # The greeting is encrypted and would go out before the next words, counted as theirs.
                    self._lost(connection, "reads nothing")
            except OSError:
                # Broken: the reactor will tell.
                return

    def received(self, connection: Connection, data: bytes) -> None:
        """Its first bytes, or more of them."""
        first = (connection.first or b"") + data
        kind = sniff(first)
        if first.startswith(TLS_BEGINS) and not (connection.encrypted or connection.first):
            left_s = self._left(connection, self._limits.handshake_s)
            connection.wait(left_s, lambda: self._too_slow(connection))
        if kind is Kind.TLS and self._door.takes_tls and not connection.encrypted:
            self._begin_tls(connection, first)
        elif kind is None:
            connection.first = first
        else:
            connection.first = None
            self._open(connection, kind, first)

    def _open(self, connection: Connection, kind: Kind, first: bytes) -> None:
        if self._must_encrypt(connection) and kind is not Kind.TLS:
            self._refuse(connection, send_to_tls(kind, first))
            return
        if kind is Kind.HTTP:
            self._note_browser(connection)
        dialect = open_dialect(kind, first, self._door.site, encrypted=connection.encrypted)
        if type(dialect) is Hangup:
            self._refuse(connection, dialect)
        else:
            self._opened(connection, dialect, first)

    def note(self, connection: Connection, hangup: Hangup) -> None:
        """It is about to hear its last words. A page is some thirty files: who fetches one is no news."""
        fields = {"peer": connection.address, "reason": hangup.reason}
        self.served += hangup.ending in (Ending.SERVED, Ending.VISITED)
        if hangup.ending is Ending.SERVED:
            self._crowd.discount(connection.peer[0])
        if hangup.ending is Ending.REFUSED:
            log.info("%(peer)s was turned away: %(reason)s", fields)
        else:
            log.debug("%(peer)s %(reason)s", fields)

    def _is_browser(self, connection: Connection) -> bool:
        spoke = self._browsers.get(connection.peer[0])
        return spoke is not None and self._reactor.now - spoke < BROWSER_S

    def _note_browser(self, connection: Connection) -> None:
        host = connection.peer[0]
        self._browsers.pop(host, None)
        self._browsers[host] = self._reactor.now
        if len(self._browsers) > BROWSERS:
            del self._browsers[next(iter(self._browsers))]

    def _must_encrypt(self, connection: Connection) -> bool:
        """It comes from another machine, in plain text, where that is not allowed."""
        return (
            self._door.required
            and not connection.encrypted
            and site(connection.peer[0]) is not None
        )

    def _begin_tls(self, connection: Connection, first: bytes) -> None:
        connection.first = first
        hello = client_hello(first)
        if hello is None:
            return
        if isinstance(hello, Unfit):
            self._refuse(connection, Hangup(hello.reason, tls_unfit()))
        elif hello.protocols is not None and OUR_PROTOCOLS.isdisjoint(hello.protocols):
            self._refuse(connection, Hangup("wants another protocol over TLS", tls_no_protocol()))
        else:
            self.handshakes.enter(connection)

    def _shaken(self, connection: Connection) -> None:
        """It is encrypted now: what it speaks is found out anew, and a person is greeted anew."""
        connection.first = b""
        connection.wait(self._limits.greeting_s, lambda: self._greet(connection))

    def _unshaken(self, connection: Connection, first: bytes) -> None:
        """The certificate that it waited for does not come."""
        connection.first = None
        self._open(connection, Kind.TLS, first)

    def _declined(self, connection: Connection) -> None:
        """The peer does not take our certificate; it is let go as after any alert. A browser asks so for each file."""
        self._crowd.discount(connection.peer[0])
        connection.finishing = True
        log.debug("%(peer)s does not take the certificate", {"peer": connection.address})

    def _too_slow(self, connection: Connection) -> None:
        self._lost(connection, "did not finish its TLS handshake in time")

    def ended(self, connection: Connection) -> None:
        """The peer ended its side, and nobody knows what it would have spoken."""
        if connection.first and sniff(connection.first) is Kind.TLS:
            self._lost(connection, "it ended during the TLS handshake")
        elif connection.first:
            self._refuse(connection, Hangup("its first line had no end", UNFINISHED))
        else:
            self._lost(connection, "left without a word")

    def _too_late(self, connection: Connection) -> None:
        words = TOO_LATE
        if connection.dialect is not None:
            refusal = Refusal("hello_first", "You did not join in time. Connect again.")
            words = connection.dialect.reply(Refused(refusal))
        self._refuse(connection, Hangup("did not join in time", words))
