"""Pages of what was said, and a room as its people see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.decision import (
    SCANNED_ON_JOIN,
    first_lines_after,
    last_lines,
    recent,
    view_of,
)
from chatcore.hub.reply import Person, RoomView
from chatcore.log.record import Joined, Said, last_seq, lines_of, texts_of
from chatcore.log.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.log.record import Record

SIZES = st.lists(st.integers(0, 4), max_size=15)
"""Lines of each record; 0 is a join."""


def filled(sizes: list[int]) -> tuple[Stream, list[tuple[int, str]]]:
    stream, lines, seq = Stream("#a"), [], 1
    for size in sizes:
        if size == 0:
            stream.append(Joined(seq, 1, "#a", "s1", "Ann", quiet=False))
            lines.append((seq, "-"))
            seq += 1
        else:
            texts = [f"{seq + line}" for line in range(size)]
            stream.append(Said(seq, 1, "#a", "s1", "Ann", "\n".join(texts), size, (), me=False))
            lines += [(seq + line, text) for line, text in enumerate(texts)]
            seq += size
    return stream, lines


def apart(records: Iterable[Record]) -> list[tuple[int, str]]:
    return [
        (record.seq + line, text)
        for record in records
        for line, text in enumerate(texts_of(record) if type(record) is Said else ["-"])
    ]


@given(SIZES, st.integers(0, 45), st.integers(1, 12), st.booleans())
def test_the_last_lines_before_a_position_and_whether_there_are_older_ones(
    sizes: list[int], before: int, lines: int, talk_only: bool
) -> None:
    stream, everything = filled(sizes)
    wanted = [
        line for line in everything if line[0] < before and not (talk_only and line[1] == "-")
    ]
    records, more = last_lines(stream, before, lines, talk_only=talk_only)
    assert apart(records) == wanted[-lines:]
    assert more == (len(wanted) > lines)


@given(SIZES, st.integers(0, 45), st.integers(1, 12))
def test_the_first_lines_after_a_position_and_whether_there_are_newer_ones(
    sizes: list[int], after: int, lines: int
) -> None:
    stream, everything = filled(sizes)
    head = everything[-1][0] if everything else 0
    wanted = [line for line in everything if line[0] > after]
    records, more = first_lines_after(stream, after, head, lines)
    assert apart(records) == wanted[:lines]
    assert more == (len(wanted) > lines)


def test_comings_and_goings_are_looked_through_only_so_far() -> None:
    stream = Stream("#a")
    stream.append(Said(1, 1, "#a", "s1", "Ann", "hi", 1, (), me=False))
    for seq in range(2, SCANNED_ON_JOIN + 1):
        stream.append(Joined(seq, 1, "#a", "s2", "Bob", quiet=False))
    head = last_seq(stream.records[-1])
    assert apart(last_lines(stream, head + 1, 20, talk_only=True)[0]) == [(1, "hi")]
    stream.append(Joined(head + 1, 1, "#a", "s2", "Bob", quiet=False))
    assert last_lines(stream, head + 2, 20, talk_only=True) == ((), False)
    assert len(last_lines(stream, head + 2, 5_000, talk_only=False)[0]) == SCANNED_ON_JOIN + 1


def test_who_joins_is_shown_the_last_lines_said(house: Any) -> None:
    ann = house.enter("Ann")
    assert recent(house.world, "#lobby") is None, "nothing was said"
    for k in range(25):
        house.say(ann, f"line {k}")
    house.enter("Bob")
    page = recent(house.world, "#lobby")
    assert page is not None
    assert (page.room, page.more, page.now_ms, page.asked) == ("#lobby", True, 1_000, False)
    assert [text for _, text in apart(page.records)] == [f"line {k}" for k in range(5, 25)]
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


def test_a_room_is_seen_with_its_people_and_who_is_about_to_join(house: Any) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    zed = house.enter("Zed", "#other")
    house.world.presence.set_away(ann.sid, "tea")
    room = house.state.named["#lobby"]
    here = (Person("Ann", "away", "tea"), Person("Bob", "here", ""))
    assert view_of(house.world, room, 100) == RoomView("#lobby", "", 2, here)
    assert view_of(house.world, room, 100, bob) == RoomView("#lobby", "", 2, here)
    with_zed = (*here, Person("Zed", "here", ""))
    assert view_of(house.world, room, 100, zed) == RoomView("#lobby", "", 3, with_zed)
    assert view_of(house.world, room, 1) == RoomView("#lobby", "", 2, here[:1])
    assert view_of(house.world, room, 1, zed).people == (here[0], with_zed[2])
