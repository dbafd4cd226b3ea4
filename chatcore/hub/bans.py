"""Lists of bans and mutes: whom they concern, and how they are found when somebody comes, joins or speaks.

Whom a ban concerns is a name, with whatever looks like it and the session that had it, or an IP address or network.
Owned by `State` and written by `apply` alone. Invariants: time is an argument, so the same records give the same
list; what has ended is found no more; and nothing of loopback is ever an address here, because everybody on the
server's machine shares it.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, final

from chatcore.hub.names import fold
from chatcore.hub.skeleton import look, looks

if TYPE_CHECKING:
    from collections.abc import Iterator

Network: TypeAlias = IPv4Network | IPv6Network

BANS_MOST = 1_000
"""Bans, or mutes, of the server: all are frozen in one step of a snapshot, at 1.5 µs each (measured)."""

ROOM_BANS_MOST = 100
"""Bans of a room. Anybody can make rooms, and names that nobody has cost 2 KiB a ban too."""

SHORTEST_PREFIX = {4: 8, 6: 16}
"""Bits of the largest network that may be banned, by IP version: beyond it are whole continents."""

MAPPED_BITS = 96
"""IPv4 addresses stand in IPv6 as ::ffff:0:0/96."""

ADDRESSES_KEPT = 1_024
"""Addresses that are not parsed again: those who come back, come back often."""


@final
class Ban(NamedTuple):
    """A ban, or a mute."""

    to: str
    """The alias, the address or the network."""
    sid: str
    """The session that had the alias; empty: none did, or it is an address."""
    token_hash: str | None
    """That session's, which outlives it: with its token it would come back under another alias."""
    by: str
    text: str
    until_ms: int
    """0: until it is taken back."""

    def holds(self, now_ms: int) -> bool:
        return not self.until_ms or now_ms < self.until_ms


class Bans:
    """See the module. Each name or network stands in it once: a later ban of it takes the place of the earlier."""

    __slots__ = ("_found", "_prefixes", "entries")

    def __init__(self) -> None:
        self.entries: dict[str, Ban] = {}
        """By the name as it is compared, or the network."""
        self._found: dict[str, dict[str, Ban]] = {}
        """All that a ban can be found by, each with the bans that are, by the key of `entries`."""
        self._prefixes: dict[tuple[int, int], int] = {}
        """IP version and bits of the networks that are banned, with how many are."""

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, ban: Ban) -> None:
        self.drop(ban.to)
        key = key_of(ban.to)
        self.entries[key] = ban
        for each in self._ways(ban):
            self._found.setdefault(each, {})[key] = ban
        if net := network(ban.to):
            size = (net.version, net.prefixlen)
            self._prefixes[size] = self._prefixes.get(size, 0) + 1

    def drop(self, to: str) -> Ban | None:
        """Take it out; what it was."""
        key = key_of(to)
        ban = self.entries.pop(key, None)
        if ban is None:
            return None
        for each in self._ways(ban):
            del self._found[each][key]
            if not self._found[each]:
                del self._found[each]
        if net := network(ban.to):
            size = (net.version, net.prefixlen)
            self._prefixes[size] -= 1
            if not self._prefixes[size]:
                del self._prefixes[size]
        return ban

    def prune(self, now_ms: int) -> None:
        """Take out what has ended."""
        for ban in [ban for ban in self.entries.values() if not ban.holds(now_ms)]:
            self.drop(ban.to)

    def live(self, now_ms: int) -> Iterator[Ban]:
        """Those that hold, in the order in which they were made."""
        return (ban for ban in self.entries.values() if ban.holds(now_ms))

    def of_name(self, name: str, now_ms: int) -> Ban | None:
        """The ban of a name that is spelt so, or looks so."""
        if not self.entries:
            return None
        return self._first(f"n{fold(name)}", now_ms) or self._first(f"l{look(name)}", now_ms)

    def of_sid(self, sid: str, now_ms: int) -> Ban | None:
        return self._first(f"s{sid}", now_ms) if self.entries else None

    def of_token(self, token_hash: str, now_ms: int) -> Ban | None:
        return self._first(f"t{token_hash}", now_ms) if self.entries else None

    def of_address(self, address: str, now_ms: int) -> Ban | None:
        if not self._prefixes or (net := network(address)) is None or net.is_loopback:
            return None
        for version, bits in self._prefixes:
            if version == net.version and (
                ban := self._first(_network_key(net.supernet(new_prefix=bits)), now_ms)
            ):
                return ban
        return None

    def of_network(self, net: Network, now_ms: int) -> Ban | None:
        """The ban of just that network."""
        ban = self.entries.get(str(net))
        return ban if ban is not None and ban.holds(now_ms) else None

    def saved(self) -> list[list[Any]]:
        """In values of JSON; each of them is one `Ban` again."""
        return [list(ban) for ban in self.entries.values()]

    def _first(self, way: str, now_ms: int) -> Ban | None:
        for ban in self._found.get(way, {}).values():
            if ban.holds(now_ms):
                return ban
        return None

    @staticmethod
    def _ways(ban: Ban) -> Iterator[str]:
        if net := network(ban.to):
            yield _network_key(net)
            return
        yield f"n{fold(ban.to)}"
        yield from (f"l{key}" for key in looks(ban.to))
        if ban.sid:
            yield f"s{ban.sid}"
        if ban.token_hash is not None:
            yield f"t{ban.token_hash}"


def key_of(to: str) -> str:
    """What stands for whom a ban concerns, however it is spelt."""
    net = network(to)
    return fold(to) if net is None else str(net)


@lru_cache(ADDRESSES_KEPT)
def network(text: str) -> Network | None:
    """The network, an address being one by itself; None if it is none. An IPv4 address in IPv6 is the IPv4 one."""
    if "." not in text and ":" not in text:
        return None
    try:
        net = ip_network(text.partition("%")[0], strict=False)
    except ValueError:
        return None
    if type(net) is IPv6Network and (mapped := net.network_address.ipv4_mapped) is not None:
        return IPv4Network((int(mapped), max(0, net.prefixlen - MAPPED_BITS)))
    return net


def place(net: Network) -> int:
    """Its first address as a number: an address is in a network when both are the same but for the host's bits.

    Those of IPv4 are negative, so that none of one version is ever in a network of the other.
    """
    first = int(net.network_address)
    return first if net.version == 6 else ~first


def shown_network(net: Network) -> str:
    """A single address without the bits."""
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


def _network_key(net: Network) -> str:
    return f"a{net}"
