"""Requests on their way: waiting to be sent, or sent and not answered yet.

Invariants: they go out in the order in which they were made; after a loss those in flight stand before those that
wait, in their old order and with their old ids, so that a server which stored one recognises the retry; one leaves
only by its answer. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatcore.client.wire import MAX_LINE_BYTES, MAX_TEXT_BYTES, MAX_TEXT_LINES, encode_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatcore.client.messages import Request

MAX_IN_FLIGHT = 64
"""A quarter of the 256 ids that a server remembers of a session: a retry is always recognised."""


@dataclass(slots=True)
class Outgoing:
    key: str
    request: Request
    data: bytes
    sent_at: float = 0.0
    was_sent: bool = False


class Outbox:
    """`prefix`: random, of `A-Za-z0-9`, made once a process, so that two processes never share an id."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self._waiting: deque[Outgoing] = deque()
        self._flight: dict[str, Outgoing] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flight)

    def __iter__(self) -> Iterator[Request]:
        """The oldest first."""
        for outgoing in (*self._flight.values(), *self._waiting):
            yield outgoing.request

    def new_key(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def add(self, request: Request) -> str:
        """The reason in words why it cannot be sent, or nothing."""
        key = self.new_key()
        data = encode_request(request, key)
        words = _too_long(request, len(data))
        if not words:
            self._waiting.append(Outgoing(key, request, data))
        return words

    def next(self, now: float) -> bytes | None:
        """The next one to send; from here on it is in flight."""
        if not self._waiting or len(self._flight) >= MAX_IN_FLIGHT:
            return None
        outgoing = self._waiting.popleft()
        outgoing.sent_at, outgoing.was_sent = now, True
        self._flight[outgoing.key] = outgoing
        return outgoing.data

    def answered(self, key: str) -> Outgoing | None:
        return self._flight.pop(key, None)

    def stored(self, key: str) -> bool:
        """The line turns out to be stored, perhaps before it was sent again."""
        if self._flight.pop(key, None) is not None:
            return True
        for outgoing in self._waiting:
            if outgoing.key == key:
                self._waiting.remove(outgoing)
                return True
        return False

    def withdraw(self) -> list[Request]:
        """Takes back the lines that were never sent. One that was may be stored, and must be asked about again."""
        lines = [each for each in self._waiting if each.request.is_line and not each.was_sent]
        for each in lines:
            self._waiting.remove(each)
        return [each.request for each in lines]

    def unanswered(self) -> list[tuple[Request, bool]]:
        """The lines that wait, and of each whether it was ever sent: then it may be stored."""
        both = (*self._flight.values(), *self._waiting)
        return [(each.request, each.was_sent) for each in both if each.request.is_line]

    def requeue(self) -> None:
        """The connection is gone: nothing is in flight any more."""
        self._waiting.extendleft(reversed(self._flight.values()))
        self._flight.clear()


def _too_long(request: Request, size: int) -> str:
    text = request.text or ""
    text_bytes = len(text.encode("utf-8", "replace"))
    if text_bytes > MAX_TEXT_BYTES:
        return f"it has {text_bytes:,} bytes; at most {MAX_TEXT_BYTES:,} are allowed"
    if (lines := text.count("\n") + 1) > MAX_TEXT_LINES:
        return f"it has {lines:,} lines; at most {MAX_TEXT_LINES:,} are allowed"
    return "it is too long to send" if size > MAX_LINE_BYTES else ""
