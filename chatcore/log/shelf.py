"""The shelf: rendered pages that are kept for a while. Readers that fell behind together read the same ones.

To render a page takes as long as to send it to ten readers or more. Two who fell behind at different moments would
never ask for the same one, so a page that would reach into one on the shelf ends where that begins: from there on they
share, and a hundred readers cost little more than one.

Invariant: a page holds all that there was to read between its beginning and its end. Whoever puts pages here takes
them off when what they were rendered from must not be read any more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    Key: TypeAlias = tuple[Hashable, int]

MOST_BYTES = 4 * 1024 * 1024
"""Of all pages on the shelf of the streams in memory: half of one busy room's window."""

LEAST_BYTES = 512 * 1024
"""Of all pages, as long as nobody asks for one again: a single reader that comes back to a long past shares with nobody."""

SMALL_BYTES = 8 * 1024
"""A page of less is no place to meet: to end there costs a question, or a call, for a few lines. It counts as much on the
shelf, so that a shelf never holds more than some hundreds of them."""

UNSHARED = 8
"""Of the bytes put on the shelf, an eighth is taken off its room; a page that is read again adds all of its bytes."""


class Page(NamedTuple):
    until: int
    """The `seq` up to which it was asked for. If it ends before, no later one would be given more of it."""
    data: bytes
    last: int
    """The `seq` that it ends at."""


class Shelf:
    """Room for pages, of several `Pages`. Where there is none left, the page that has been here for longest goes."""

    __slots__ = ("_bytes", "_most_bytes", "_order", "_room")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._room = LEAST_BYTES
        """Bytes that may lie here now."""
        self._order: deque[tuple[dict[Key, Page], Key, Page]] = deque()
        self._bytes = 0
        """Of those in `_order`; one that was taken off, or replaced, counts until its turn comes."""

    def put(self, pages: dict[Key, Page], key: Key, page: Page) -> None:
        pages[key] = page
        self._order.append((pages, key, page))
        size = _size(page)
        self._bytes += size
        self._room = max(LEAST_BYTES, self._room - size // UNSHARED)
        while self._bytes > self._room:
            others, oldest_key, oldest = self._order.popleft()
            self._bytes -= _size(oldest)
            if others.get(oldest_key) is oldest:
                del others[oldest_key]

    def was_read(self, page: Page) -> None:
        """Somebody else has asked for the page, so there are readers to share with."""
        self._room = min(self._most_bytes, self._room + len(page.data))


def _size(page: Page) -> int:
    """What it counts."""
    return max(len(page.data), SMALL_BYTES)


class Pages:
    """Pages of one source on a shelf. `kind` is what else a page depends on than where it begins: how it is rendered."""

    __slots__ = ("_begin_seq", "_pages", "_shelf")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._pages: dict[Key, Page] = {}
        self._begin_seq = 0
        """What begins before this was dropped."""

    def page(
        self, kind: Hashable, seq: int, until: int, render: Callable[[int], tuple[bytes, int]]
    ) -> tuple[bytes, int]:
        """What stands behind `seq`, up to `until` or a page's size, and the `seq` that it ends at: from the shelf, or else
        what `render` makes of it up to the `seq` that it is given."""
        page = self.get(kind, seq, until)
        if page is None:
            page = Page(until, *render(self.end(kind, seq, until)))
            self.put(kind, seq, page)
        return page.data, page.last

    def get(self, kind: Hashable, seq: int, until: int) -> Page | None:
        """The page behind `seq`, for who may read up to `until`: none if there may be more in it by now."""
        page = self._pages.get((kind, seq))
        if page is not None and (
            page.until == until or (page.last < page.until and page.last <= until)
        ):
            self._shelf.was_read(page)
            return page
        return None

    def end(self, kind: Hashable, seq: int, until: int) -> int:
        """Where a page behind `seq` is to end at the latest: at `until`, or where one begins that is worth to share."""
        begins = [
            begin
            for (each, begin), page in self._pages.items()
            if seq < begin < until and len(page.data) >= SMALL_BYTES and each == kind
        ]
        return min(begins, default=until)

    def put(self, kind: Hashable, seq: int, page: Page) -> None:
        """Keep it."""
        self._shelf.put(self._pages, (kind, seq), page)

    def drop(self, before_seq: int) -> None:
        """What begins before this must not be read any more."""
        if before_seq <= self._begin_seq:
            return
        self._begin_seq = before_seq
        for key in [key for key in self._pages if key[1] < before_seq]:
            del self._pages[key]
