"""Pages of history: the same, wherever their lines are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.hub.names import fold
from chatcore.hub.pages import complete, page_after, page_before, recent
from chatcore.hub.reply import HistoryPage, Refusal, Refused, SearchPage, Wanted
from chatcore.log.archive import Found, Past, Search, Unreadable
from chatcore.log.paging import SCANNED_ON_JOIN, between, first_page, last_page
from chatcore.log.record import Joined, Said, lines_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.log.record import Record

SIZES = st.lists(st.integers(0, 4), max_size=15)
"""Lines of each record; 0 is a join."""

LINES = st.integers(1, 12)
PLACE = st.integers(0, 45)


class Shelf:
    """An archive that has everything, and answers as the one on disk does."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)
        self.asked: list[Past | Search] = []

    def answer(self, question: Past | Search) -> Found:
        self.asked.append(question)
        if type(question) is Search:
            by = [
                each
                for each in self.records
                if type(each) is Said and fold(each.alias) == question.alias
            ]
            parts = (part for each in reversed(by) if (part := between(each, 0, question.before)))
            records, more = last_page(parts, question.lines, talk_only=False)
            return Found(records[::-1], more)
        assert type(question) is Past
        after = -1 if question.after is None else question.after
        found = [
            part
            for record in self.records
            if record.time_ms >= (question.since_ms or 0)
            and (part := between(record, after, question.before))
        ]
        if question.after is None and question.since_ms is None:
            lines, talk_only = question.lines, question.talk_only
            return Found(*last_page(reversed(found), lines, talk_only=talk_only))
        return Found(*first_page(found, question.lines))


def filled(house: Any, sizes: list[int]) -> Any:
    """A house whose lobby has these records, each a second after the one before; Ann and Bob take turns."""
    log, seq = house.world.log, 0
    for turn, size in enumerate(sizes):
        alias = "Ann" if turn % 2 else "Bob"
        if size == 0:
            log.append(Joined(seq + 1, 1_000 * turn, "#lobby", "s1", alias, quiet=False))
        else:
            text = "\n".join(f"{seq + 1 + line}" for line in range(size))
            log.append(Said(seq + 1, 1_000 * turn, "#lobby", "s1", alias, text, size, (), me=False))
            house.state.named["#lobby"].history = True
        seq = log.head_seq
    return house


def apart(page: HistoryPage) -> list[tuple[int, str]]:
    return [
        (record.seq + line, text)
        for record in page.records
        for line, text in enumerate(texts_of(record) if type(record) is Said else ["-"])
    ]


EMPTY = HistoryPage("#lobby", (), False, 0, 7)


@settings(deadline=None)
@given(SIZES, st.integers(0, 16), st.data())
def test_a_page_is_the_same_whatever_memory_has_let_go_of(
    new_house: Any, sizes: list[int], kept: int, data: Any
) -> None:
    whole, house = filled(new_house(), sizes), filled(new_house(), sizes)
    log = house.world.log
    shelf = Shelf(whole.world.log.stream("#lobby").records)
    house.world.log.archived = True
    if kept:
        log.stream("#lobby").trim(10**9, kept - 1)
    else:
        log.drop_stream("#lobby")
    lines, place = data.draw(LINES), data.draw(PLACE)
    ask: Callable[[Any], HistoryPage | Wanted] = data.draw(
        st.sampled_from(
            [
                lambda world: page_before(world, EMPTY, lines, place),
                lambda world: page_before(world, EMPTY, lines, place, alias=fold("ann")),
                lambda world: page_before(world, EMPTY, lines, log.head_seq + 1, talk_only=True),
                lambda world: page_after(world, EMPTY, lines, after=place),
                lambda world: page_after(world, EMPTY, lines, since_ms=500 * place),
            ]
        )
    )
    expected, page = ask(whole.world), ask(house.world)
    assert type(expected) is HistoryPage
    if type(page) is Wanted:
        assert type(page.question) in (Past, Search)
        assert page.question.before <= page.needs + 1
        # What is said until the answer comes is not on this page.
        log.append(Said(log.head_seq + 1, 10**6, "#lobby", "s1", "Ann", "later", 1, (), me=False))
        page = complete(page, shelf.answer(page.question))
    assert type(page) is HistoryPage
    assert apart(page) == apart(expected)
    assert page._replace(records=()) == expected._replace(records=())


@pytest.fixture
def halved(house: Any) -> Any:
    """Lines 1 to 10, the older five on disk only."""
    filled(house, [1] * 10)
    house.world.log.archived = True
    house.world.log.stream("#lobby").trim(10**9, 5)
    return house


def test_what_memory_can_answer_alone_it_answers(halved: Any) -> None:
    world = halved.world
    for page in [
        page_before(world, EMPTY, 4, 11),
        page_before(world, EMPTY, 1, 8),
        page_after(world, EMPTY, 3, after=5),
        page_after(world, EMPTY, 3, since_ms=5_001),
        page_after(world, EMPTY, 3, after=99),
        page_before(world, EMPTY, 3, 1),
    ]:
        assert type(page) is HistoryPage


def test_the_disk_is_asked_only_for_what_memory_has_not(halved: Any) -> None:
    world = halved.world
    page = page_before(world, EMPTY, 8, 11)
    assert type(page) is Wanted
    assert (page.question, page.needs) == (Past("#lobby", 3, 6), 5)
    page = page_before(world, EMPTY, 8, 4)
    assert type(page) is Wanted
    assert (page.question, page.needs) == (Past("#lobby", 8, 4), 3)
    page = page_after(world, EMPTY, 8, after=2)
    assert type(page) is Wanted
    assert (page.question, page.needs) == (Past("#lobby", 8, 6, after=2), 5)
    page = page_after(world, EMPTY, 8, since_ms=4_000)
    assert type(page) is Wanted
    assert page.question == Past("#lobby", 8, 6, since_ms=4_000)


def test_without_an_archive_there_is_what_memory_has(halved: Any) -> None:
    halved.world.log.archived = False
    page = page_before(halved.world, EMPTY, 8, 11)
    assert type(page) is HistoryPage
    assert [seq for seq, _ in apart(page)] == [6, 7, 8, 9, 10]
    page = page_after(halved.world, EMPTY, 8, after=2)
    assert type(page) is HistoryPage
    assert [seq for seq, _ in apart(page)] == [6, 7, 8, 9, 10]


def test_history_that_cannot_be_read_is_refused_with_the_cause(halved: Any) -> None:
    page = page_before(halved.world, EMPTY, 8, 11)
    assert type(page) is Wanted
    refusal = Refusal("history_unreadable", "The disk is gone.")
    assert complete(page, Unreadable("The disk is gone.")) == Refused(refusal, None, 7)


def test_what_a_search_found_is_its_page() -> None:
    wanted = Wanted(Search(("x",), ("#a",), 5, 9), SearchPage((), False, 7), 5, 8)
    hit = Said(3, 1, "#a", "s1", "Ann", "x", 1, (), me=False)
    assert complete(wanted, Found((hit,), True)) == SearchPage((hit,), True, 7)
    assert type(complete(wanted, Unreadable("No."))) is Refused


def test_who_joins_after_a_restart_is_shown_what_the_disk_has(house: Any) -> None:
    shelf = Shelf(filled(house, [1, 2, 0, 3]).world.log.stream("#lobby").records)
    house.world.log.archived = True
    house.world.log.drop_stream("#lobby")
    page = recent(house.world, "#lobby")
    assert type(page) is Wanted
    assert page.question == Past("#lobby", 20, 8, talk_only=True)
    found = complete(page, shelf.answer(page.question))
    assert type(found) is HistoryPage
    assert not found.asked
    assert [seq for seq, _ in apart(found)] == [1, 2, 3, 5, 6, 7]


def test_a_room_where_nothing_was_said_is_not_looked_up(house: Any) -> None:
    house.world.log.archived = True
    house.enter("Ann", "#new")
    assert recent(house.world, "#new") is None


def test_a_room_full_of_comings_and_goings_is_looked_through_only_so_far(house: Any) -> None:
    filled(house, [1, *([0] * (SCANNED_ON_JOIN + 1))])
    house.world.log.archived = True
    assert recent(house.world, "#lobby") is None


def test_who_joins_is_shown_the_last_lines_said(house: Any) -> None:
    ann = house.enter("Ann")
    assert recent(house.world, "#lobby") is None, "nothing was said"
    for k in range(25):
        house.say(ann, f"line {k}")
    house.enter("Bob")
    page = recent(house.world, "#lobby")
    assert type(page) is HistoryPage
    assert (page.room, page.more, page.now_ms, page.asked) == ("#lobby", True, 1_000, False)
    assert [text for _, text in apart(page)] == [f"line {k}" for k in range(5, 25)]
    assert sum(map(lines_of, page.records)) == 20


@pytest.mark.parametrize("history", [0, 20])
def test_no_history_is_shown_where_there_is_none_or_it_is_switched_off(
    new_house: Any, history: int
) -> None:
    house = new_house(history_on_join=history)
    ann = house.enter("Ann")
    assert recent(house.world, "#nothing") is None
    house.say(ann, "hi")
    assert (recent(house.world, "#lobby") is None) == (history == 0)
