"""Whose turn it is: nobody waits for ever, and those who are behind come together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatcore.dialects.plain_form import PlainForm
from chatcore.log.archive import Part, Past, Question, Rest
from chatcore.store.waiting import TAKEN_MOST, Request, Waiting


def behind(position: int) -> Rest:
    return Rest((Part("#lobby", 0, None),), position, 1_000_000, PlainForm())


PAST = Past("#lobby", 10, 99)


def request(question: Question) -> Request:
    return Request(question, lambda _: None)


def positions(waiting: Waiting) -> list[int | None]:
    found = []
    while waiting:
        question = waiting.take().question
        found.append(question.position if isinstance(question, Rest) else None)
    return found


def test_the_longest_waiting_and_the_farthest_behind_take_turns() -> None:
    waiting = Waiting()
    for question in (behind(50), behind(40), PAST, behind(10), behind(30), behind(20)):
        waiting.add(request(question))
    assert positions(waiting) == [50, 10, 40, 20, None, 30]


def test_of_those_who_are_as_far_behind_the_first_one_is_first() -> None:
    waiting = Waiting()
    first, *others = (request(behind(7)) for _ in range(3))
    waiting.add(request(PAST))
    for each in (first, *others):
        waiting.add(each)
    waiting.take()
    assert waiting.take() is first


def test_pages_alone_are_read_in_the_order_asked() -> None:
    waiting = Waiting()
    questions = [request(PAST) for _ in range(5)]
    for each in questions:
        waiting.add(each)
    assert [waiting.take() for _ in range(5)] == questions


def test_who_reads_a_year_keeps_nobody_waiting_for_more_than_twice_as_long() -> None:
    waiting = Waiting()
    others = [request(behind(position)) for position in range(100, 120)]
    for each in others:
        waiting.add(each)
    waiting.add(request(behind(0)))
    for _ in range(2 * len(others)):
        if waiting.take() not in others:
            waiting.add(request(behind(0)))  # and so on for a year
    assert all(each.taken for each in others)


def test_what_had_its_turn_is_let_go_while_somebody_reads_a_year() -> None:
    waiting = Waiting()
    waiting.add(request(behind(0)))
    for _ in range(20):
        waiting.add(request(behind(1_000)))
    for number in range(10_000):
        question = waiting.take().question
        far = isinstance(question, Rest) and question.position < 1_000
        waiting.add(request(behind(0 if far else 1_000 + number)))
    assert len(waiting._behind) <= 2 * 21 + TAKEN_MOST + 1
    assert len(waiting._in_order) <= 3 * 21


@given(st.lists(st.one_of(st.integers(0, 30), st.just("past"), st.just("take")), max_size=60))
def test_each_has_its_turn_exactly_once(steps: list[int | str]) -> None:
    waiting = Waiting()
    added: list[Request] = []
    taken: list[Request] = []
    for step in steps:
        if step != "take":
            added.append(request(behind(step) if isinstance(step, int) else PAST))
            waiting.add(added[-1])
        elif waiting:
            taken.append(waiting.take())
    assert len(waiting) == len(added) - len(taken)
    while waiting:
        taken.append(waiting.take())
    assert sorted(map(id, taken)) == sorted(map(id, added))
