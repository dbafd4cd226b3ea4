"""The orderer: numbers rise by lines, time never goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.order import LocalOrderer
from chatcore.log.record import DRAFT, Closed, Said, last_seq

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSED = Closed(DRAFT, DRAFT, "s1", lapsed=True)


def test_numbers_begin_at_one() -> None:
    assert LocalOrderer().number(CLOSED, 5) == Closed(1, 5, "s1", lapsed=True)


def test_numbers_and_times_go_on_after_those_that_are_stored() -> None:
    assert LocalOrderer(head_seq=41, time_ms=900).number(CLOSED, 100) == Closed(
        42, 900, "s1", lapsed=True
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 100)), max_size=30))
def test_no_number_is_given_twice_and_time_never_goes_back(
    said: Callable[..., Said], drafts: list[tuple[int, int]]
) -> None:
    orderer = LocalOrderer()
    next_seq, newest_ms = 1, 0
    for lines, now_ms in drafts:
        draft = said(DRAFT, *["x"] * lines, time_ms=DRAFT)
        record = orderer.number(draft, now_ms)
        newest_ms = max(newest_ms, now_ms)
        assert record == draft._replace(seq=next_seq, time_ms=newest_ms)
        assert type(record) is Said
        next_seq = last_seq(record) + 1
        assert orderer.head_seq == next_seq - 1
