"""Vitals: notices the peers that are gone without a word while something is still due to them.

A dead machine, a pulled cable, a router that has forgotten: nothing comes back, and the kernel by itself tries for a
quarter of an hour. Keepalive asks idle connections only. TCP_USER_TIMEOUT would end a peer that merely does not read,
which we never do; so once a second some connections are looked at (`TCP_INFO`), and one is lost when something of it
is unacknowledged or unsent, the kernel has asked at least twice in vain, and not a segment has come from the peer for
`unsent_s`. A reader that stands still answers the kernel's probes of its closed window: it is kept, for ever.

Invariants: bounded work a turn; what is remembered is of peers that do not answer, and forgotten once they do.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from chatcore.connection.connection import Connection
    from chatcore.connection.limits import Limits
    from chatcore.reactor.loop import Reactor

LOOK_S = 1.0
"""Between two looks."""

LET_GO_S = 0.05
"""Between two looks at who has everything when the server stops: nobody waits for a restart for longer than this."""

LOOKS_A_TURN = 2_000
"""Connections looked at in one turn: 1.5 µs each. With 10,000 of them each is looked at every five seconds."""

IN_VAIN = 2
"""Questions without an answer: a single one may be lost on the way."""

IPPROTO_TCP = 6
TCP_INFO = 11
"""linux/tcp.h: `struct tcp_info`. It has only ever grown at its end; the kernel returns as much as it knows."""

INFO_BYTES = 148
"""To the end of `tcpi_notsent_bytes`, which is there since Linux 4.6. A kernel that returns less is not asked again."""

RETRANSMITS = 2
"""Offset of `tcpi_retransmits`: times that the first unacknowledged segment was sent again."""
PROBES = 3
"""Offset of `tcpi_probes`: questions after a closed window, or after an idle peer, that nobody has answered yet."""
UNACKED = 24
"""Offset of `tcpi_unacked`: segments sent and not acknowledged."""
LAST_ACK_RECV = 56
"""Offset of `tcpi_last_ack_recv`: milliseconds since the peer was last heard of."""
NOTSENT = 144
"""Offset of `tcpi_notsent_bytes`: what waits for the peer's window."""

_u32 = struct.Struct("=I")


class Vitals:
    """See the module. Looks at the `connections` that are there at each look; `lost` ends one."""

    def __init__(
        self,
        reactor: Reactor,
        limits: Limits,
        connections: Collection[Connection],
        lost: Callable[[Connection, str], None],
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._connections = connections
        self._lost = lost
        self._round: list[Connection] = []
        """Those that are still to be looked at before anybody is looked at again."""
        self._silent: dict[Connection, float] = {}
        """Since when each that owes an answer has been heard no more, as far as we saw it."""
        self._able = True
        reactor.call_later(LOOK_S, self._look)

    def let_go(self) -> None:
        """The server stops: close those whose machines have everything, whether or not they end their side too.

        Otherwise a person who left `nc` open would hold up every stop for `drain_s`.
        """
        self._reactor.call_later(LET_GO_S, self.let_go)
        for connection in list(self._connections):
            if connection.is_taken():
                self._lost(connection, "done")

    def _look(self) -> None:
        # First of all, so that a bug in one look does not end the looking.
        self._reactor.call_later(LOOK_S, self._look)
        if not self._able:
            return
        if not self._round:
            self._round = list(self._connections)
            self._silent = {each: at for each, at in self._silent.items() if not each.closing}
        now = self._reactor.now
        taken, self._round = self._round[-LOOKS_A_TURN:], self._round[:-LOOKS_A_TURN]
        for connection in taken:
            if not connection.closing:
                self._examine(connection, now)

    def _examine(self, connection: Connection, now: float) -> None:
        info = connection.option(IPPROTO_TCP, TCP_INFO, INFO_BYTES)
        if len(info) < INFO_BYTES:
            # A kernel that knows less of it: its own patience has to do. Nothing at all: not a TCP socket any more.
            self._able = not info
            return
        in_vain = info[RETRANSMITS] + info[PROBES]
        if not in_vain or not (_number(info, UNACKED) or _number(info, NOTSENT)):
            self._silent.pop(connection, None)
            return
        since = self._silent.setdefault(connection, now)
        silent_s = now - since
        if _number(info, LAST_ACK_RECV) < silent_s * 1_000:
            self._silent[connection] = now
        elif silent_s >= self._limits.unsent_s and in_vain >= IN_VAIN:
            self._lost(connection, f"acknowledged nothing for {self._limits.unsent_s:g} s")


def _number(info: bytes, offset: int) -> int:
    value: int = _u32.unpack_from(info, offset)[0]
    return value
