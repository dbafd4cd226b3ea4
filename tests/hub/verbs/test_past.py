"""Asking for what was said before: pages by number and by time, somebody's last lines, and search."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub.command import Dm, History, Join, Last, Part, Search
from chatcore.hub.moments import Ago
from chatcore.hub.reply import HistoryPage, Refusal, SearchPage, Wanted
from chatcore.hub.verbs.past import (
    HISTORY_DEFAULT,
    HISTORY_MOST,
    LAST_DEFAULT,
    SEARCH_DEFAULT,
    SEARCH_MOST,
)
from chatcore.log import archive
from chatcore.log.record import Said, TopicSet, texts_of


@pytest.fixture
def told(house: Any) -> Any:
    """Ann alone in a room, with ten lines a second apart: `line 0` at 10 s … `line 9` at 19 s."""
    ann = house.enter("Ann")
    for k in range(10):
        house.world.now_ms = 10_000 + 1_000 * k
        house.say(ann, f"line {k}")
    house.ann = ann
    house.first = house.records[-10].seq
    return house


def page(house: Any, **asked: Any) -> tuple[str, bool]:
    """The numbers of the lines on the page as one string (`+` for what is no line), and whether there are more."""
    (reply,) = house.do(house.ann, History("#lobby", re=7, **asked)).replies
    assert type(reply) is HistoryPage
    assert (reply.room, reply.re, reply.asked) == ("#lobby", 7, True)
    texts = [
        text
        for record in reply.records
        for text in (texts_of(record) if type(record) is Said else ["+"])
    ]
    return "".join(text[-1] for text in texts), reply.more


def test_the_last_lines(told: Any) -> None:
    assert page(told, limit=3) == ("789", True)
    assert page(told) == ("+0123456789", False)


def test_the_lines_before_and_after_a_number(told: Any) -> None:
    assert page(told, limit=3, before=told.first + 5) == ("234", True)
    assert page(told, limit=3, after=told.first + 5) == ("678", True)
    assert page(told, limit=9, after=told.first + 5) == ("6789", False)
    assert page(told, after=told.first + 9) == ("", False)
    assert page(told, before=1) == ("", False)


def test_the_lines_since_a_time(told: Any) -> None:
    assert page(told, since=0, limit=2) == ("+0", True)
    assert page(told, since=15_000) == ("56789", False)
    assert page(told, since=15_001, limit=2) == ("67", True)
    assert page(told, since=19_001) == ("", False)


def test_pages_put_together_are_the_whole_history(told: Any) -> None:
    pages, before = [], None
    while True:
        (reply,) = told.do(told.ann, History("#lobby", limit=3, before=before)).replies
        pages.insert(0, reply.records)
        if not reply.more:
            break
        before = reply.records[0].seq
    assert [record for records in pages for record in records] == told.world.log.streams[
        "#lobby"
    ].records


def test_a_page_has_100_lines_unless_asked_and_never_more_than_500(house: Any) -> None:
    assert (HISTORY_DEFAULT, HISTORY_MOST) == (100, 500)
    house.ann = house.enter("Ann")
    for k in range(600):
        house.say(house.ann, str(k))
    assert len(page(house)[0]) == 100
    assert len(page(house, limit=10**9)[0]) == 500


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_nothing_is_refused(told: Any, limit: int) -> None:
    assert told.refused(told.ann, History("#lobby", limit)).code == "bad_field"


@pytest.mark.parametrize(
    "asked", [{"before": 1, "after": 1}, {"after": 1, "since": 0}, {"before": 0, "since": 0}]
)
def test_one_says_where_a_page_is_only_once(told: Any, asked: dict[str, int]) -> None:
    assert told.refused(told.ann, History("#lobby", **asked)).code == "bad_field"


def test_without_a_room_it_is_the_only_one_that_one_is_in(told: Any) -> None:
    (reply,) = told.do(told.ann, History(limit=1)).replies
    assert reply.room == "#lobby"
    told.do(told.ann, Part("#lobby"))
    assert told.refused(told.ann, History()).code == "bad_field"


def test_a_room_one_is_not_in_tells_nothing(told: Any) -> None:
    bob = told.enter("Bob", "#den")
    assert told.refused(bob, History("#lobby")).code == "not_in_room"


def test_a_room_without_a_stream_has_an_empty_history(house: Any) -> None:
    """So it is when memory of it was dropped while somebody is there."""
    ann = house.enter("Ann", "#den")
    house.world.log.drop_stream("#den")
    assert house.do(ann, History("#den")).replies[0].records == ()
    assert house.do(ann, History("#den", since=0)).replies[0].records == ()


def test_history_holds_topics_and_comings_too(told: Any) -> None:
    told.state.named["#lobby"]
    told.world.log.append(
        TopicSet(told.world.log.head_seq + 1, 20_000, "#lobby", "s1", "Ann", "tea")
    )
    assert page(told, limit=2) == ("9+", True)


def test_the_lines_of_so_long_ago(told: Any) -> None:
    told.world.now_ms = 20_000
    assert page(told, since=Ago(3_000)) == ("789", False)
    assert page(told, since=Ago(10**12), limit=2) == ("+0", True)


def last(house: Any, *asked: Any) -> tuple[list[str], bool]:
    (reply,) = house.do(house.ann, Last(*asked)).replies
    assert type(reply) is HistoryPage
    assert all(type(record) is Said for record in reply.records)
    return [text for each in reply.records for text in texts_of(each)], reply.more


def test_the_last_lines_of_somebody_under_that_name(told: Any) -> None:
    bob = told.enter("Bob")
    told.say(bob, "a\nb\nc", "i", "j", "k")
    told.say(told.ann, "d")
    told.say(bob, "e")
    assert LAST_DEFAULT == 10
    assert last(told, "bob") == (["a", "b", "c", "e"], False)
    assert last(told, "BOB", 3, "#LOBBY") == (["b", "c", "e"], True)
    assert last(told, "Ann", 1) == (["d"], True)
    assert last(told, "Ann") == ([*(f"line {k}" for k in range(1, 10)), "d"], True)
    assert last(told, "Nobody") == ([], False)
    assert told.refused(told.ann, Last("Bob", 0)).code == "bad_field"
    assert told.refused(told.ann, Last("Bob", 1, "#den")).code == "no_such_room"


def test_a_server_that_keeps_nothing_on_disk_says_so_to_who_searches(told: Any) -> None:
    refusal = told.refused(told.ann, Search("tea"))
    assert refusal.code == "no_history"
    assert "--ephemeral" in refusal.words


@pytest.fixture
def kept(told: Any) -> Any:
    told.world.log.archived = True
    return told


def question(house: Any, command: Search) -> archive.Search:
    (reply,) = house.do(house.ann, command).replies
    assert type(reply) is Wanted
    assert type(reply.question) is archive.Search
    assert reply.page == SearchPage((), False, command.re)
    assert reply.needs == reply.question.before - 1 == house.world.log.head_seq
    return reply.question


def test_a_search_looks_into_ones_rooms_and_ones_own_direct_messages(kept: Any) -> None:
    kept.enter("Bob", "#secret")
    kept.do(kept.ann, Join("#den"))
    kept.do(kept.ann, Dm("Bob", "psst"))
    kept.world.now_ms = 90_000
    asked = question(kept, Search('"a tea" now from:BOB since:1m before:30s', limit=7, re=4))
    assert asked == archive.Search(
        ("a tea", "now"),
        ("#lobby", "#den", kept.ann.sid),
        7,
        kept.world.log.head_seq + 1,
        "bob",
        30_000,
        60_000,
    )
    assert question(kept, Search("tea in:#DEN")).streams == ("#den",)
    assert question(kept, Search("tea", "#lobby")).streams == ("#lobby",)


def test_nobody_searches_where_one_may_not_read(kept: Any) -> None:
    bob = kept.enter("Bob", "#secret")
    for text in ("x in:#secret", f"x in:{bob.sid}", f"x in:{kept.ann.sid}", "x in:nowhere"):
        refusal = kept.refused(kept.ann, Search(text))
        assert refusal.code in {"not_in_room", "no_such_room"}
    kept.do(kept.ann, Part("#lobby"))
    assert question(kept, Search("x")).streams == (kept.ann.sid,)


def test_a_search_finds_a_screen_unless_asked_and_never_more_than_100(kept: Any) -> None:
    assert (SEARCH_DEFAULT, SEARCH_MOST) == (20, 100)
    assert question(kept, Search("x")).lines == 20
    assert question(kept, Search("x", limit=10**9)).lines == 100
    assert kept.refused(kept.ann, Search("x", limit=0)).code == "bad_field"


def test_a_search_that_is_not_understood_is_refused(kept: Any) -> None:
    refusal = kept.refused(kept.ann, Search("since:never"))
    assert type(refusal) is Refusal
    assert refusal.code == "bad_field"
