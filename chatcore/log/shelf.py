"""The shelf: rendered pages that are kept for a while. Readers that fell behind together read the same ones.

To render a page takes as long as to send it to ten readers or more. Two who fell behind at different moments would
never ask for the same one, so a page that would reach into a kept one ends where that begins: from there on they
share, and a hundred readers cost little more than one.

Invariant: a page holds what was asked for behind its beginning, without a hole, up to its end. Whoever puts pages here
takes them off when what they were rendered from must not be read any more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable

    Key: TypeAlias = tuple[Hashable, int]

MOST_BYTES = 4 * 1024 * 1024
"""Of all pages on the shelf of the streams in memory: half of a window, so that readers anywhere in it can share."""

LEAST_BYTES = 512 * 1024
"""Of all pages, as long as nobody asks for one again: a single reader that comes back to a long past shares with nobody."""

PAGE_COST_BYTES = 1024
"""What a page counts beside its own bytes: most pages are the few lines of one turn."""

UNUSED = 8
"""So many pages have to be put on the shelf, and none of those there be read, for a page's room to be given up. One
that is read makes room for one."""


class Kept(NamedTuple):
    """A page."""

    until: int
    """The `seq` up to which it was asked for. If it ends before, it is whole, and no later one would be longer."""
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
        self._order: deque[tuple[dict[Key, Kept], Key, int]] = deque()
        self._bytes = 0
        """Of those in `_order`; one that was taken off counts until its turn comes."""

    def put(self, pages: dict[Key, Kept], key: Key, page: Kept) -> None:
        pages[key] = page
        size = len(page.data) + PAGE_COST_BYTES
        self._order.append((pages, key, size))
        self._bytes += size
        self._room = max(LEAST_BYTES, self._room - size // UNUSED)
        while self._bytes > self._room:
            others, key, size = self._order.popleft()
            others.pop(key, None)
            self._bytes -= size

    def was_read(self, page: Kept) -> None:
        """Somebody else has asked for the page, so there are readers to share with."""
        self._room = min(self._most_bytes, self._room + len(page.data))


class Pages:
    """Pages of one source on a shelf. `kind` is what else a page depends on than where it begins: how it is rendered."""

    __slots__ = ("_ends", "_kept", "_shelf")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept: dict[Key, Kept] = {}
        self._ends: dict[Hashable, int] = {}
        """Of each kind, where the page begins that ends where there was no more to read."""

    def get(self, kind: Hashable, seq: int, until: int) -> Kept | None:
        """The page behind `seq`, if it is what would be rendered now for who may read up to `until`."""
        kept = self._kept.get((kind, seq))
        if kept is not None and (kept.until == until or kept.last < kept.until <= until):
            self._shelf.was_read(kept)
            return kept
        return None

    def end(self, kind: Hashable, seq: int, until: int) -> int:
        """Where a page behind `seq` is to end at the latest: at `until`, or where a kept one begins."""
        begins = [begin for each, begin in self._kept if each == kind and seq < begin < until]
        return min(begins, default=until)

    def put(self, kind: Hashable, seq: int, page: Kept) -> None:
        """Keep it; an empty one is nothing to keep.

        Of those that end where there was no more, only the newest: others at that place ask for it now or never, and
        each turn of a room makes one.
        """
        if not page.data:
            return
        end = self._ends.pop(kind, None)
        if page.last == page.until:
            if end is not None:
                self._kept.pop((kind, end), None)
            self._ends[kind] = seq
        elif end is not None and end != seq:
            self._ends[kind] = end
        self._shelf.put(self._kept, (kind, seq), page)

    def drop(self, before_seq: int) -> None:
        """What begins before this cannot be read any more."""
        for key in [key for key in self._kept if key[1] < before_seq]:
            del self._kept[key]

    def __len__(self) -> int:
        return len(self._kept)
