"""Sentences that several dialects speak."""

from __future__ import annotations

import pytest

from chatcore.dialects.wording import and_others, too_long


@pytest.mark.parametrize(
    ("names", "count", "expected"),
    [
        (("Ann",), 1, "Ann"),
        (("Ann", "Bob"), 2, "Ann and Bob"),
        (("Ann", "Bob", "Cy"), 3, "Ann, Bob and Cy"),
        (("Ann",), 2, "Ann and 1 other"),
        (("Ann", "Bob"), 3, "Ann, Bob and 1 other"),
        (("Ann", "Bob"), 64, "Ann, Bob and 62 others"),
        (("Ann", "Bob"), 5_002, "Ann, Bob and 5,000 others"),
    ],
)
def test_names_are_listed_as_a_person_would(
    names: tuple[str, ...], count: int, expected: str
) -> None:
    assert and_others(names, count) == expected


def test_a_too_long_refusal_names_the_limit_and_the_way_out() -> None:
    refusal = too_long("Your line", "4,096 bytes")
    assert refusal.code == "too_long"
    assert refusal.words == (
        "Your line is longer than 4,096 bytes; nothing of it was sent. Send it in parts."
    )
