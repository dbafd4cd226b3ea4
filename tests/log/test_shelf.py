"""The shelf: bounded, and larger while there are readers who share."""

from __future__ import annotations

from chatcore.log.shelf import LEAST_BYTES, MOST_BYTES, SMALL_BYTES, Page, Pages, Shelf

PAGE_BYTES = 64 * 1024
MOST_UNSHARED = LEAST_BYTES // PAGE_BYTES
MOST_SHARED = MOST_BYTES // PAGE_BYTES


def page(seq: int, size: int = PAGE_BYTES) -> Page:
    return Page(seq + 10, b"x" * size, seq + 9)


def filled(pages: Pages, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        pages.put("plain", number * 10, page(number * 10))


def test_a_page_is_found_by_who_may_read_as_far_as_it_goes() -> None:
    pages = Pages(Shelf())
    whole, tail = Page(20, b"whole", 9), Page(20, b"tail", 20)
    pages.put("plain", 0, whole)
    pages.put("plain", 9, tail)
    assert pages.get("plain", 0, 20) is whole
    assert pages.get("plain", 0, 30) is whole
    assert pages.get("plain", 0, 8) is None, "it has more than who may not read on is to get"
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
    assert len(pages._pages) == MOST_UNSHARED
    assert pages.get("plain", 9_990, 10_000) is not None, "the newest"


def test_where_they_are_read_again_many_are_kept_and_never_too_many() -> None:
    pages = Pages(Shelf())
    for number in range(1_000):
        filled(pages, 1, number)
        assert pages.get("plain", number * 10, number * 10 + 10) is not None
        assert len(pages._pages) <= MOST_SHARED
    assert len(pages._pages) > MOST_SHARED // 2
    filled(pages, 10_000, 1_000)
    assert len(pages._pages) == MOST_UNSHARED, "when they no longer are, it shrinks"


def test_the_room_is_that_of_all_who_share_the_shelf() -> None:
    shelf = Shelf()
    first, second = Pages(shelf), Pages(shelf)
    filled(first, 4)
    filled(second, 1_000)
    assert not first._pages
    assert len(second._pages) == MOST_UNSHARED


def test_what_is_dropped_is_gone() -> None:
    pages = Pages(Shelf())
    filled(pages, 3)
    pages.drop(11)
    assert pages.get("plain", 10, 20) is None
    assert pages.get("plain", 20, 30) is not None


def test_small_pages_are_few_and_no_place_to_meet() -> None:
    """Or a reader would come back line by line, and each of its calls look at thousands."""
    pages = Pages(Shelf())
    pages.put("plain", 50, page(50))
    for seq in range(100, 40_000):
        pages.put("plain", seq, Page(seq + 2, b"few", seq + 1))
        assert pages.get("plain", seq, seq + 2) is not None  # as read again as can be
    assert pages.end("plain", 0, 50_000) == 50_000, "the whole one has gone meanwhile"
    assert len(pages._pages) <= MOST_BYTES // SMALL_BYTES
    assert len(pages._shelf._order) <= MOST_BYTES // SMALL_BYTES


def test_a_page_made_anew_stays_as_long_as_any() -> None:
    pages = Pages(Shelf())
    filled(pages, 1)
    filled(pages, MOST_UNSHARED - 2, 1)
    again = page(0)
    pages.put("plain", 0, again)
    filled(pages, 1, 50)
    assert pages.get("plain", 0, 10) is again


def test_a_whole_page_is_for_all_who_may_read_as_far() -> None:
    pages = Pages(Shelf())
    whole = Page(100, b"x" * PAGE_BYTES, 40)
    pages.put("plain", 0, whole)
    assert pages.get("plain", 0, 39) is None
    assert pages.get("plain", 0, 40) is whole
    assert pages.get("plain", 0, 70) is whole
    assert pages.get("plain", 0, 200) is whole
