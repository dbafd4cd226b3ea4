"""Records: how many numbers they take, where they stand, and how a run comes apart."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.record import (
    MODERATION,
    RECORD_BYTES,
    Act,
    Closed,
    Crowd,
    Direct,
    Joined,
    Left,
    Opened,
    Record,
    Renamed,
    Said,
    TopicSet,
    first_lines,
    from_line,
    last_seq,
    lines_of,
    size_of,
    streams_of,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SAID = Said(7, 1, "#a", "s1", "Ann", "one\ntwo\nthree", 3, ("i", "j", "k"), me=False)
DIRECT = Direct(7, 1, "s1", "Ann", "s2", "Bob", "psst", None)
TO_ONESELF = Direct(7, 1, "s1", "Ann", "s1", "Ann", "note", None)
JOINED = Joined(7, 1, "#a", "s1", "Ann", quiet=False)
LEFT = Left(7, 1, "#a", "s1", "Ann", "quit", "bye", quiet=False)
RENAMED = Renamed(7, 1, "#a", "s1", "Ann", "Anna")


def act(kind: str, room: str, to_sid: str = "s2") -> Act:
    return Act(7, 1, room, "s1", "Ann", kind, "Bob" if to_sid else "", to_sid, "why", 0)


STANDS_IN: list[tuple[Record, tuple[str, ...]]] = [
    (SAID, ("#a",)),
    (DIRECT, ("s1", "s2")),
    (TO_ONESELF, ("s1",)),
    (JOINED, ("#a",)),
    (JOINED._replace(quiet=True), ()),
    (LEFT, ("#a",)),
    (LEFT._replace(quiet=True), ()),
    (RENAMED, ("#a",)),
    (RENAMED._replace(room=""), ()),
    (TopicSet(7, 1, "#a", "s1", "Ann", "tea"), ("#a",)),
    (Crowd(7, 1, "#a", ("Ann",), 1, (), 0), ("#a",)),
    (Opened(7, 1, "s1", "Ann", None), ()),
    (Closed(7, 1, "s1", lapsed=False), ()),
    (act("op", "#a"), ("#a", MODERATION)),
    (act("deop", "#a"), ("#a", MODERATION)),
    (act("lock", "#a", ""), ("#a", MODERATION)),
    (act("unlock", "#a", ""), ("#a", MODERATION)),
    (act("announce", "#a", ""), ("#a",)),
    (act("announce", "", ""), (MODERATION,)),
    (act("invite", "#a"), ("s2", MODERATION)),
    (act("mute", ""), ("s2", MODERATION)),
    (act("mute", "", ""), (MODERATION,)),
    (act("unmute", ""), ("s2", MODERATION)),
    (act("kick", "#a"), ("s2", MODERATION)),
    (act("kick", ""), (MODERATION,)),
    (act("ban", "#a"), ("s2", MODERATION)),
    (act("ban", ""), (MODERATION,)),
    (act("unban", "#a", ""), (MODERATION,)),
    (act("oper", ""), (MODERATION,)),
]


@pytest.mark.parametrize(("record", "streams"), STANDS_IN, ids=lambda each: type(each).__name__)
def test_a_record_stands_where_its_readers_are(record: Record, streams: tuple[str, ...]) -> None:
    assert streams_of(record) == streams


@pytest.mark.parametrize("record", [record for record, _ in STANDS_IN[1:]])
def test_all_but_a_run_take_one_number(record: Record) -> None:
    assert lines_of(record) == 1
    assert last_seq(record) == record.seq


def test_a_run_takes_a_number_for_each_line() -> None:
    assert lines_of(SAID) == 3
    assert last_seq(SAID) == 9


def test_a_single_line_may_hold_line_ends() -> None:
    assert texts_of(SAID._replace(lines=1, ids=())) == ["one\ntwo\nthree"]


@pytest.mark.parametrize("record", [SAID, DIRECT, LEFT, TopicSet(7, 1, "#a", "s1", "Ann", "tea")])
def test_size_counts_the_text_in_bytes_of_memory(record: Record) -> None:
    longer = record._replace(text="\U0001f600" * 1_000)  # four bytes each in memory
    assert size_of(longer) - RECORD_BYTES >= 4_000
    assert size_of(record) - RECORD_BYTES == sys.getsizeof(record.text)  # type: ignore[union-attr]


def test_size_of_what_has_no_text_is_that_of_the_record() -> None:
    assert size_of(JOINED) == RECORD_BYTES


@given(st.lists(st.text(st.characters(exclude_characters="\n")), min_size=2, max_size=9), st.data())
def test_a_run_cut_in_two_has_the_same_lines_numbers_and_ids(
    said: Callable[..., Said], texts: list[str], data: st.DataObject
) -> None:
    ids = data.draw(st.sampled_from([(), tuple(map(str, range(len(texts))))]))
    run = said(40, *texts, ids=ids)
    cut = data.draw(st.integers(1, len(texts) - 1))
    head, tail = first_lines(run, cut), from_line(run, cut)
    assert (head.seq, tail.seq) == (40, 40 + cut)
    assert last_seq(head) + 1 == tail.seq
    assert last_seq(tail) == last_seq(run)
    assert texts_of(head) + texts_of(tail) == texts
    assert head.ids + tail.ids == ids
    assert head._replace(seq=0, text="", lines=0, ids=()) == run._replace(
        seq=0, text="", lines=0, ids=()
    )
