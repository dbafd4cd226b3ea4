"""The sieve: one peer cannot fill the log with lines about itself.

What is told of a peer has a field `peer`, and is a matter of routine (up to `info`). Of each address so many of these
are let through in a minute; one line says that the rest is left out, and how many they were is told when the minute
is over and the address is heard of again. Warnings and worse always come through, and so does loopback: it is the
administrator. Invariant: the table is emptied every minute, and holds no more than `ADDRESSES_MOST` meanwhile.
"""

from __future__ import annotations

import logging

from chatcore.connection.crowd import site

LINES_A_MINUTE = 120
"""About one address: two a second, a class that comes back at once; some 20 MB a day if it never ends."""

ADDRESSES_MOST = 10_000
"""About addresses beyond these nothing is told for the rest of the minute: that many need a fleet, and are a flood."""

MINUTE_S = 60.0


class Sieve:
    """See the module. Time is that of the records."""

    def __init__(self) -> None:
        self._began = 0.0
        self._counts: dict[str, int] = {}
        self._left_out = 0
        """Lines of this minute."""

    def sift(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """What is to be written: the event, nothing, or with it what has to be said about others."""
        if record.levelno > logging.INFO or not isinstance(record.args, dict):
            return [record]
        peer = record.args.get("peer")
        address = _address(peer) if isinstance(peer, str) else None
        if address is None:
            return [record]
        told = []
        if not 0 <= record.created - self._began < MINUTE_S:
            if self._left_out:
                words = {"lines": f"{self._left_out:,}"}
                told.append(notice("%(lines)s lines were left out in that minute", words))
            self._began, self._left_out = record.created, 0
            self._counts.clear()
        return told + self._counted(record, address)

    def _counted(self, record: logging.LogRecord, address: str) -> list[logging.LogRecord]:
        count = self._counts.get(address, 0) + 1
        if count > LINES_A_MINUTE or (count == 1 and len(self._counts) >= ADDRESSES_MOST):
            self._left_out += 1
            return []
        self._counts[address] = count
        if count < LINES_A_MINUTE:
            return [record]
        words = {"peer": address}
        return [record, notice("%(peer)s fills the log: more is left out for a minute", words)]


def notice(template: str, fields: dict[str, str]) -> logging.LogRecord:
    """An event of the log itself."""
    return logging.LogRecord("chatcore", logging.WARNING, "", 0, template, (fields,), None)


def _address(peer: str) -> str | None:
    """What counts as one; None for what is exempt."""
    return site(peer.rpartition(":")[0].strip("[]"))
