"""A reader: what one connection still has to read, as positions and not as copies.

A reader follows streams (its rooms, and its private one) and is sent replies. `pull()` merges them by position:
each record exactly once, in order, and a reply after the records that were there when it was decided. It is the
definition of delivery; the fast path in `chatcore.connection.delivery` must give the same bytes.

What memory has let go of is read from the archive, if there is one: `pull` then gives nothing and leaves in `wants`
what is to be asked; with the answer, `take` moves the reader on. Without an archive a notice stands in the gap.

Memory is O(1): what is sent is a page shared with others, and at most one of them (64 KiB) is held until the
socket has taken it. Only a connection's own replies queue up, and its commands wait when they do.
"""

from __future__ import annotations

from collections import deque
from heapq import merge
from typing import TYPE_CHECKING, Protocol

from chatcore.log.archive import Part, Rest
from chatcore.log.stream import PAGE_BYTES, fill_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatcore.log.archive import Stretch
    from chatcore.log.record import Record
    from chatcore.log.stream import Stream


class Form(Protocol):
    """A wire form: how a dialect writes what everyone reads. Two readers of one form get the same bytes."""

    def record(self, record: Record) -> bytes:
        """Whole lines, at most a page for a single line; empty for a record that is shown to nobody."""

    def gap(self, stream: str, missed: int, next_seq: int) -> bytes:
        """The notice in the place of `missed` lines; 0: nobody knows how many of those before `next_seq` there were."""


class Subscription:
    """A stream that a reader follows, from one position to another."""

    __slots__ = ("after", "missed", "stream", "until")

    def __init__(self, stream: Stream, after: int) -> None:
        self.stream = stream
        self.after = after
        """Lines up to here are not this reader's: it joined after them, or was told that it missed them."""
        self.until: int | None = None
        """The last `seq` that is this reader's, when it has left; None while it follows."""
        self.missed = 0
        """Lines up to `after` that were gone when the reader came to them; it is still to be told so."""


class Due:
    """A reply under way to one reader."""

    __slots__ = ("data", "needs", "position")

    def __init__(self, position: int, needs: int, data: bytes | None) -> None:
        self.position = position
        """It comes after the records up to here."""
        self.needs = needs
        """It tells of state up to here, and waits until that is durable."""
        self.data = data
        """None: promised, and still to be read from the archive."""


class Reader:
    """See the module. `position` is the last `seq` that has been read or passed over."""

    __slots__ = (
        "_queued_bytes",
        "_replies",
        "_replies_sent",
        "_urgent",
        "form",
        "position",
        "subscriptions",
        "wants",
    )

    def __init__(self, form: Form, position: int) -> None:
        self.form = form
        self.position = position
        self.wants: Rest | None = None
        """What is to be asked of the archive before there is more to pull."""
        self.subscriptions: list[Subscription] = []
        # Made when first needed: ten thousand idle readers have neither.
        self._replies: deque[Due] | None = None
        self._urgent: deque[tuple[int, bytes]] | None = None
        """Replies that may overtake, each with how many others were asked for before it."""
        self._replies_sent = 0
        self._queued_bytes = 0

    @property
    def queued_bytes(self) -> int:
        """Bytes of replies that wait."""
        return self._queued_bytes

    @property
    def owed(self) -> bool:
        """There are replies to come, be it that their bytes are still to be read from the archive."""
        return bool(self._replies or self._urgent)

    @property
    def has_edge(self) -> bool:
        """One of its streams begins or ends for it at a record that it has not come to yet."""
        position = self.position
        return any(each.until is not None or each.after > position for each in self.subscriptions)

    def follow(self, stream: Stream, after: int) -> None:
        """Read the stream's lines after `after`."""
        self.subscriptions.append(Subscription(stream, after))

    def leave(self, stream: Stream, until: int) -> None:
        """Read the stream's lines up to `until` and no further."""
        for subscription in self.subscriptions:
            if subscription.stream is stream and subscription.until is None:
                subscription.until = until

    def reply(self, data: bytes, position: int, needs: int) -> None:
        """Queue a reply that tells of state; see `Due`."""
        self.fulfil(self.promise(position, needs), data)

    def promise(self, position: int, needs: int) -> Due:
        """Keep the place of a reply whose bytes are still to come; everything behind it waits for them."""
        if self._replies is None:
            self._replies = deque()
        due = Due(position, needs, None)
        self._replies.append(due)
        return due

    def fulfil(self, due: Due, data: bytes) -> None:
        due.data = data
        self._queued_bytes += len(data)

    def reply_now(self, data: bytes) -> None:
        """Queue a reply that tells nothing of state: it may overtake, and waits for no disk."""
        if self._urgent is None:
            self._urgent = deque()
        self._urgent.append((self._replies_sent + len(self._replies or ()), data))
        self._queued_bytes += len(data)

    def pull(self, durable_seq: int) -> bytes:
        """The next whole lines to send, about a page at most; empty when there is nothing (yet). Moves the position."""
        parts: list[bytes] = []
        room = PAGE_BYTES
        while room > 0 and (part := self._pull_part(durable_seq)):
            parts.append(part)
            room -= len(part)
        # After what may go now, so that a welcome comes first; before what waits, for the disk or its turn.
        while part := self._next_urgent(None):
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _next_urgent(self, before: int | None) -> bytes:
        """The next reply that may overtake; with `before`, only if it was asked for before that many others."""
        if not self._urgent or (before is not None and self._urgent[0][0] > before):
            return b""
        _, data = self._urgent.popleft()
        self._queued_bytes -= len(data)
        if not self._urgent:
            self._urgent = None
        return data

    def _pull_part(self, durable_seq: int) -> bytes:
        """The next page of records, gap notice or reply."""
        replies = self._replies
        until = min(durable_seq, replies[0].position) if replies else durable_seq
        while True:
            self.wants = self._beyond_memory(until)
            if self.wants is not None:
                return b""
            data, limit = self._gap(until, durable_seq)
            if data:
                return data
            if self.position >= until:
                break
            if data := self._page(limit):
                return data
        return self._next_reply(durable_seq) if replies else b""

    def _next_reply(self, durable_seq: int) -> bytes:
        """The reply whose turn it is, if it may go; a promise that is not fulfilled yet holds up what comes after it."""
        data = b""
        while self._replies and not data:
            due = self._replies[0]
            if due.position > self.position or due.needs > durable_seq or due.data is None:
                break
            if data := self._next_urgent(self._replies_sent):
                return data
            self._replies.popleft()
            self._replies_sent += 1
            data = due.data
        self._queued_bytes -= len(data)
        if not self._replies:
            self._replies = None
        return data

    def _beyond_memory(self, until: int) -> Rest | None:
        """The question for what the archive has and memory has not, up to `until`."""
        farthest = 0
        for subscription in self.subscriptions:
            stream = subscription.stream
            begin = max(self.position, subscription.after)
            if begin < stream.floor_seq and stream.archived:
                last = min(stream.floor_seq, _limit(subscription, until))
                if begin < last:
                    farthest = max(farthest, last)
        if not farthest:
            return None
        parts = tuple(Part(each.stream.name, each.after, each.until) for each in self.subscriptions)
        return Rest(parts, self.position, farthest, self.form)

    def take(self, stretch: Stretch) -> None:
        """The archive's answer is on its way to the reader: go on behind it."""
        self.wants = None
        self.position = stretch.position
        self._drop_finished()

    def _gap(self, until: int, durable_seq: int) -> tuple[bytes, int]:
        """The notice for lines that were dropped before this reader came to them, or how far to read before it.

        A reader may take `next` - 1 for its position, so whatever its other streams have before `next` goes first.
        """
        for subscription in self.subscriptions:
            stream, most = subscription.stream, _limit(subscription, durable_seq)
            if stream.archived:
                continue
            begin = max(self.position, subscription.after)
            if missed := stream.missed_after(begin, most):
                subscription.missed += missed
                subscription.after = min(stream.floor_seq, most)
            if subscription.missed:
                next_seq = min(stream.next_kept(), most + 1)
                if next_seq <= self.position + 1:
                    missed, subscription.missed = subscription.missed, 0
                    return self.form.gap(stream.name, missed, next_seq), until
                until = min(until, next_seq - 1)
        return b"", until

    def _page(self, until: int) -> bytes:
        """A page of records after the position, which moves. Empty when the streams have none up to `until`."""
        news = [
            subscription
            for subscription in self.subscriptions
            if subscription.stream.has_after(
                max(self.position, subscription.after), _limit(subscription, until)
            )
        ]
        render = self.form.record
        if not news:
            data, self.position = b"", until
        elif len(news) == 1:
            limit = _limit(news[0], until)
            begin = max(self.position, news[0].after)
            data, self.position = news[0].stream.page(render, begin, limit)
            if self.position == limit:
                self.position = until
        else:
            records = merge(*(self._records(each, until) for each in news), key=_seq)
            data, self.position = fill_page(records, render, until)
        self._drop_finished()
        return data

    def _drop_finished(self) -> None:
        if any(each.until is not None for each in self.subscriptions):
            self.subscriptions = [each for each in self.subscriptions if not self._over(each)]

    def _records(self, subscription: Subscription, until: int) -> Iterator[Record]:
        begin = max(self.position, subscription.after)
        return subscription.stream.after(begin, _limit(subscription, until))

    def _over(self, subscription: Subscription) -> bool:
        return (
            subscription.until is not None
            and subscription.until <= self.position
            and not subscription.missed
        )


def _limit(subscription: Subscription, until: int) -> int:
    return until if subscription.until is None else min(until, subscription.until)


def _seq(record: Record) -> int:
    return record.seq
