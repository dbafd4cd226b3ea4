"""One turn serves so many of those who catch up as there is time for; the others have the next ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatcore.connection import delivery

if TYPE_CHECKING:
    import pytest

PEOPLE = 100


def test_many_who_are_due_at_once_are_served_over_several_turns(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F8. Each takes a millisecond, by this clock."""
    people = [house.plain(f"user{number}") for number in range(PEOPLE)]
    for each in people:
        each.sent.clear()
        each.say("/rooms")
    sent_before = sum(each.sends for each in people)

    def clock() -> float:
        return (sum(each.sends for each in people) - sent_before) / 1_000

    monkeypatch.setattr(delivery, "monotonic", clock)
    served = []
    while not served or served[-1] < PEOPLE:
        house.turn()
        served.append(sum(bool(each.sent) for each in people))
        assert len(served) <= PEOPLE
    a_turn = [after - before for before, after in zip([0, *served], served, strict=False)]
    most = delivery.PUMPS_S * 1_000 + delivery.CLOCK_EVERY
    assert max(a_turn) <= most
    assert len(served) >= PEOPLE / most
    house.settle()
    assert all(each.lines == ["-- #lobby (100)"] for each in people)


def test_what_news_have_taken_is_not_there_for_those_who_catch_up_but_something_is(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F8. A line to half of them, answers to the others; each send takes a millisecond, by this clock."""
    people = [house.plain(f"user{number}") for number in range(PEOPLE)]
    readers, askers = people[: PEOPLE // 2], people[PEOPLE // 2 :]
    for each in people:
        each.sent.clear()
    readers[0].say("hello")
    for each in askers:
        each.say("/rooms")
    sent_before = sum(each.sends for each in people)

    def clock() -> float:
        return (sum(each.sends for each in people) - sent_before) / 1_000

    monkeypatch.setattr(delivery, "monotonic", clock)
    house.turn()
    assert all(each.lines == ["user0: hello"] for each in readers)
    served = sum(bool(each.sent) for each in askers)
    least = delivery.PUMPS_LEAST_S * 1_000
    assert least <= served <= least + delivery.CLOCK_EVERY
    house.settle()
    assert all(sorted(each.lines) == ["-- #lobby (100)", "user0: hello"] for each in askers)
