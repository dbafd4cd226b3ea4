"""Asking: pages of history, a sign of life, and what to do about a command that does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub.command import History, Mistake, Part, Ping
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import HistoryPage, Pong, Refusal, Refused
from chatcore.hub.verbs.info import HISTORY_DEFAULT, HISTORY_MOST, unknown_command
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


def test_a_ping_is_answered(house: Any) -> None:
    ann = house.enter("Ann")
    assert house.do(ann, Ping(3)) == Outcome((Pong(3),), (), ())


def test_a_mistake_is_answered_with_what_was_wrong(house: Any) -> None:
    ann = house.enter("Ann")
    refusal = Refusal("bad_field", "No.")
    assert house.do(ann, Mistake(refusal, "i", 4)).replies == (Refused(refusal, "i", 4),)


def test_a_command_that_does_not_exist_is_answered_with_the_one_that_was_meant() -> None:
    assert unknown_command("jion", ["join", "quit"], "/") == Refusal(
        "unknown_command", "There is no command /jion. Did you mean /join?"
    )
    assert unknown_command("xyz", ["join"], "").words == (
        "There is no command xyz. help lists the commands."
    )
