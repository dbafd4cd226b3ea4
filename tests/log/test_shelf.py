"""The shelf: bounded, and larger while there are readers who share."""

from __future__ import annotations

from chatcore.log.shelf import LEAST_BYTES, MOST_BYTES, PAGE_COST_BYTES, Kept, Pages, Shelf

PAGE_BYTES = 64 * 1024
MOST_UNSHARED = LEAST_BYTES // (PAGE_BYTES + PAGE_COST_BYTES)
MOST_SHARED = MOST_BYTES // (PAGE_BYTES + PAGE_COST_BYTES)


def page(seq: int, size: int = PAGE_BYTES) -> Kept:
    return Kept(seq + 10, b"x" * size, seq + 9)


def filled(pages: Pages, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        pages.put("plain", number * 10, page(number * 10))


def test_a_page_is_found_by_who_may_read_as_far_as_it_goes() -> None:
    pages = Pages(Shelf())
    whole, tail = Kept(20, b"whole", 9), Kept(20, b"tail", 20)
    pages.put("plain", 0, whole)
    pages.put("plain", 9, tail)
    assert pages.get("plain", 0, 20) is whole
    assert pages.get("plain", 0, 30) is whole
    assert pages.get("plain", 0, 15) is None, "it may be shorter for who may not read on"
    assert pages.get("plain", 9, 20) is tail
    assert pages.get("plain", 9, 30) is None, "there may be more in it by now"
    assert pages.get("native", 0, 20) is None
    assert pages.get("plain", 1, 20) is None


def test_a_page_ends_where_the_next_one_of_its_kind_begins() -> None:
    pages = Pages(Shelf())
    for kind, seq in (("plain", 50), ("plain", 30), ("native", 20), ("plain", 10)):
        pages.put(kind, seq, page(seq))
    assert pages.end("plain", 10, 100) == 30
    assert pages.end("plain", 30, 100) == 50
    assert pages.end("plain", 50, 100) == 100
    assert pages.end("plain", 0, 10) == 10


def test_where_nobody_shares_few_are_kept() -> None:
    pages = Pages(Shelf())
    filled(pages, 1_000)
    assert len(pages) == MOST_UNSHARED
    assert pages.get("plain", 9_990, 10_000) is not None, "the newest"


def test_where_they_are_read_again_many_are_kept_and_never_too_many() -> None:
    pages = Pages(Shelf())
    for number in range(1_000):
        filled(pages, 1, number)
        assert pages.get("plain", number * 10, number * 10 + 10) is not None
        assert len(pages) <= MOST_SHARED
    assert len(pages) > MOST_SHARED // 2
    filled(pages, 10_000, 1_000)
    assert len(pages) == MOST_UNSHARED, "when they no longer are, it shrinks"


def test_of_pages_up_to_the_newest_line_one_is_kept_and_the_whole_ones_stay() -> None:
    """A room's turns make a page each, of a few lines; it is whole pages that others come to read again."""
    pages = Pages(Shelf())
    pages.put("plain", 0, Kept(20, b"whole", 9))
    for seq in range(9, 20):
        pages.put("plain", seq, Kept(seq + 1, b"newest", seq + 1))
    pages.put("native", 9, Kept(20, b"newest", 20))
    assert len(pages) == 3
    assert pages.get("plain", 19, 20) is not None
    pages.put("plain", 19, Kept(50, b"whole by now", 30))
    pages.put("plain", 30, Kept(31, b"newest", 31))
    assert len(pages) == 4
    assert pages.get("plain", 19, 60) is not None


def test_the_room_is_that_of_all_who_share_the_shelf() -> None:
    shelf = Shelf()
    first, second = Pages(shelf), Pages(shelf)
    filled(first, 4)
    filled(second, 1_000)
    assert not len(first)
    assert len(second) == MOST_UNSHARED


def test_what_is_dropped_is_gone_and_what_is_empty_is_not_kept() -> None:
    pages = Pages(Shelf())
    filled(pages, 3)
    pages.put("plain", 99, page(99, size=0))
    assert len(pages) == 3
    pages.drop(11)
    assert pages.get("plain", 10, 20) is None
    assert pages.get("plain", 20, 30) is not None
