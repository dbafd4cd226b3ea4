"""The crowd: how many connections each address has and how fast they come, so that one address cannot take all places.

An address is what one customer has: an IPv4 address, or an IPv6 /64. Loopback is exempt: it is the administrator,
and every test. Only the socket's own peer counts: what somebody writes about an address (a PROXY line, an
X-Forwarded-For) is not looked at. Invariant: the tables hold no more than the connections that are there, and the
addresses of the last minute, at most `ADDRESSES_MOST` of them.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from typing import TypeAlias

    from chatcore.connection.limits import Limits

    Reason: TypeAlias = Literal["no_descriptors", "connections_per_address", "arrivals_per_minute"]

IPV6_SITE_BITS = 64
"""One IPv6 customer has at least a /64, so that is one address."""

MINUTE_S = 60.0

ADDRESSES_MOST = 65_536
"""Addresses whose arrivals are remembered: some 15 MB. Beyond, the one that has been quiet for longest is forgotten,
which gives it a fresh allowance: who has so many addresses needs none."""

PARTS_AN_ARRIVAL = 32
"""Connections of a browser that count as one arrival, if they only fetched a file of the page, or did not take our
certificate. A visit takes some thirty of the first; and where nobody vouches for the certificate, a browser that was told
to go on anyway tries without that first, each time. Who opens the page and reloads it twice is no flood."""

EXPIRED_AN_ARRIVAL = 4
"""Addresses let go of at one arrival, if their minute is over: the table shrinks faster than it can grow."""

FAREWELLS: dict[Reason, bytes] = {
    "no_descriptors": b"-- The server is full. Try again in a while.\n",
    "connections_per_address": b"-- Too many connections from your address. Close one first, or ask for a higher limit.\n",
    "arrivals_per_minute": b"-- Too many new connections from your address in a short time. Try again in a minute.\n",
}
"""What somebody who is turned away at the door is told."""


class Crowd:
    """See the module."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.descriptors = 0
        """A connection whose descriptor has this number, or a higher one, is one too many; 0 for any number."""
        self._here: Counter[str] = Counter()
        """Connections of each address that has any."""
        self._arrivals: dict[str, tuple[float, float]] = {}
        """Of each address that came lately, the one that came last at the end: when, and what it may still do then."""
        self.turned_away: Counter[Reason] = Counter(dict.fromkeys(FAREWELLS, 0))
        """Connections closed at the door, by reason."""

    def enter(self, host: str, now: float) -> Reason | None:
        """Count one more; or say, uncounted, why the address may not have it."""
        address = site(host)
        if address is None:
            return None
        most = self._limits.connections_per_address
        if most and self._here[address] >= most:
            return "connections_per_address"
        if not self._may_arrive(address, now):
            return "arrivals_per_minute"
        self._here[address] += 1
        return None

    def leave(self, host: str) -> None:
        address = site(host)
        if address is None:
            return
        self._here[address] -= 1
        if self._here[address] <= 0:
            del self._here[address]

    def discount(self, host: str) -> None:
        """That one was a part of an arrival only."""
        address = site(host)
        if address in self._arrivals:
            then, left = self._arrivals[address]
            left = min(self._limits.arrivals_per_minute, left + 1 - 1 / PARTS_AN_ARRIVAL)
            self._arrivals[address] = (then, left)

    def _may_arrive(self, address: str, now: float) -> bool:
        """A bucket that holds a minute's arrivals and is filled evenly."""
        most = self._limits.arrivals_per_minute
        if not most:
            self._arrivals.clear()
            return True
        self._expire(now)
        then, left = self._arrivals.pop(address, (now, most))
        left = min(most, left + (now - then) * most / MINUTE_S)
        allowed = left >= 1
        self._arrivals[address] = (now, left - 1 if allowed else left)
        return allowed

    def _expire(self, now: float) -> None:
        """After a quiet minute an allowance is whole again, so there is nothing to remember."""
        arrivals = self._arrivals
        for _ in range(EXPIRED_AN_ARRIVAL):
            oldest = next(iter(arrivals), None)
            if oldest is None:
                return
            if now - arrivals[oldest][0] < MINUTE_S and len(arrivals) < ADDRESSES_MOST:
                return
            del arrivals[oldest]


def site(host: str) -> str | None:
    """What counts as one address; None for loopback."""
    if ":" not in host:
        return None if host.startswith("127.") else host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        # `is_loopback` is False for a mapped loopback address before 3.13.
        return site(str(address.ipv4_mapped))
    if address.is_loopback:
        return None
    return str(ipaddress.ip_network((address, IPV6_SITE_BITS), strict=False))
