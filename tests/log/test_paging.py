"""Pages of history: the right lines from either end, and the truth about whether there are more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.paging import (
    PAGE_TEXT_BYTES,
    SCANNED_ON_JOIN,
    between,
    first_page,
    last_page,
)
from chatcore.log.record import Joined, Said, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatcore.log.record import Record

    Make = Callable[..., Said]

RUNS = st.lists(st.integers(1, 4), max_size=8)


def runs(said: Make, lengths: Sequence[int]) -> list[Said]:
    made, seq = [], 1
    for lines in lengths:
        made.append(said(seq, *(f"line {seq + line}" for line in range(lines))))
        seq += lines
    return made


def texts(records: Sequence[Record]) -> list[str]:
    return [text for record in records if type(record) is Said for text in texts_of(record)]


@given(lengths=RUNS, lines=st.integers(1, 12))
def test_a_page_is_an_end_of_all_lines_and_more_tells_the_rest(
    said: Make, lengths: list[int], lines: int
) -> None:
    records = runs(said, lengths)
    everything = texts(records)
    last, older = last_page(reversed(records), lines)
    first, newer = first_page(records, lines)
    assert texts(last) == everything[-lines:]
    assert texts(first) == everything[:lines]
    assert older == newer == (len(everything) > lines)


@pytest.mark.parametrize("page", [first_page, last_page])
def test_a_page_ends_when_its_text_is_long_enough(said: Make, page: Callable[..., object]) -> None:
    taken: list[int] = []

    def long_ones() -> object:
        for seq in range(1, 10_000):
            taken.append(seq)
            yield said(seq, "x" * 4096)

    found, more = page(long_ones(), 500)  # type: ignore[misc]
    assert more
    assert len(found) <= PAGE_TEXT_BYTES // 4096
    assert len(taken) == len(found) + 1, "and nothing beyond it is read"


def test_only_so_much_is_looked_through_for_talk(said: Make) -> None:
    came = Joined(9, 1_000, "#a", "s1", "Ann", quiet=False)
    assert last_page([came, said(1)], 5, talk_only=True) == ((said(1),), False)
    assert last_page([came, said(1)], 5) == ((said(1), came), False)
    assert last_page([came] * SCANNED_ON_JOIN + [said(1)], 5, talk_only=True) == ((), False)


@given(
    first=st.integers(1, 5),
    lines=st.integers(1, 5),
    after=st.integers(0, 11),
    width=st.integers(0, 12),
)
def test_what_lies_between_two_numbers(
    said: Make, first: int, lines: int, after: int, width: int
) -> None:
    before = after + width
    record = said(first, *(f"line {first + line}" for line in range(lines)))
    wanted = [seq for seq in range(first, first + lines) if after < seq < before]
    part = between(record, after, before)
    if part is None:
        assert not wanted
    else:
        assert type(part) is Said
        assert part.seq == wanted[0]
        assert texts_of(part) == [f"line {seq}" for seq in wanted]


def test_what_is_no_run_lies_between_or_does_not() -> None:
    came = Joined(5, 1_000, "#a", "s1", "Ann", quiet=False)
    assert between(came, 4, 6) is came
    assert between(came, 5, 7) is None
    assert between(came, 3, 5) is None
