"""A stream: bounded, trimmed from the old end, and exact about what is gone; pages of it are whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.record import Joined, Said, TopicSet, last_seq, size_of, texts_of
from chatcore.log.stream import (
    COUNTED_RECORDS,
    PAGE_BYTES,
    TRIM_SHARE,
    WINDOW_BYTES,
    WINDOW_RECORDS,
    Stream,
    fill_page,
    pages,
    pieces,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatcore.log.record import Record

    Make = Callable[..., Said]

STEPS = st.lists(
    st.tuples(
        st.integers(1, 5),  # lines of the run
        st.integers(0, 4),  # numbers of other streams before it
        st.none() | st.integers(0, 6),  # trim to that many records after it
    ),
    max_size=25,
)


def lines_of_all(records: Iterable[Record]) -> list[tuple[int, str]]:
    return [
        (record.seq + line, text)
        for record in records
        if type(record) is Said
        for line, text in enumerate(texts_of(record))
    ]


class Model:
    """A stream, and beside it every line that ever stood in it."""

    def __init__(self, said: Make, steps: list[tuple[int, int, int | None]]) -> None:
        self.stream = Stream("#a")
        self.lines: list[tuple[int, str]] = []
        self.floor = 0
        self.head = 0
        records: list[Said] = []
        for lines, others, keep in steps:
            seq = self.head + others + 1
            record = said(seq, *(f"{seq + line}" for line in range(lines)))
            self.stream.extend([record])
            records.append(record)
            self.lines += lines_of_all([record])
            self.head = last_seq(record)
            if keep is not None and len(records) > keep:
                self.stream.trim(WINDOW_BYTES, keep)
                self.floor = last_seq(records[-keep - 1])
                records = records[len(records) - keep :]
        self.records = records

    def kept(self) -> list[tuple[int, str]]:
        return [line for line in self.lines if line[0] > self.floor]


@given(STEPS)
def test_the_number_of_lines_is_exact_at_every_position(
    said: Make, steps: list[tuple[int, int, int | None]]
) -> None:
    model = Model(said, steps)
    stream = model.stream
    assert stream.records == model.records
    assert stream.size == sum(map(size_of, model.records))
    assert stream.floor_seq == model.floor
    assert stream.newest_seq() == (model.lines[-1][0] if model.lines else 0)
    assert stream.next_kept() == (model.kept() or model.lines[-1:] or [(0, "")])[0][0]
    for seq in range(model.head + 3):
        assert stream.lines_up_to(seq) == sum(line <= seq for line, _ in model.lines)
        for until in (model.floor // 2, model.floor, model.head):
            gone = min(model.floor, until)
            assert stream.missed_after(seq, until) == sum(
                seq < line <= gone for line, _ in model.lines
            )


@given(STEPS)
def test_reading_forward_and_backward_from_every_position_gives_the_kept_lines(
    said: Make, steps: list[tuple[int, int, int | None]]
) -> None:
    model = Model(said, steps)
    stream, kept = model.stream, model.kept()
    ends = [0, *(last_seq(record) for record in model.records), model.head + 2]
    for seq in range(model.head + 3):
        assert lines_of_all(reversed(list(stream.before(seq)))) == [
            line for line in kept if line[0] < seq
        ]
        for until in ends:
            expected = [line for line in kept if seq < line[0] <= until]
            assert lines_of_all(stream.after(seq, until)) == expected
            assert stream.has_after(seq, until) == bool(expected)


def test_reading_cuts_runs_only_and_hands_out_whole_records_as_they_are(said: Make) -> None:
    stream = Stream("#a")
    joined = Joined(1, 1, "#a", "s1", "Ann", quiet=False)
    run = said(2, "x", "y")
    stream.extend([joined])
    stream.extend([run])
    assert list(stream.after(0, 3)) == [joined, run]
    assert list(stream.after(0, 3))[1] is run
    assert list(stream.before(4)) == [run, joined]
    assert list(stream.before(2)) == [joined]
    assert list(stream.before(1)) == []


def test_an_empty_stream_has_nothing_and_misses_nothing() -> None:
    stream = Stream("#a")
    assert (stream.lines_up_to(9), stream.missed_after(0, 9), stream.newest_seq()) == (0, 0, 0)
    assert stream.next_kept() == 0
    assert list(stream.after(0, 9)) == []
    assert list(stream.before(9)) == []
    assert not stream.has_after(0, 9)
    stream.trim(0, 0)
    assert stream.floor_seq == 0


def test_the_window_is_bounded_in_bytes_and_gives_up_an_eighth_at_once(said: Make) -> None:
    stream = Stream("#a")
    text = "x" * (256 * 1024)
    trims = 0
    for seq in range(1, 201):
        before = stream.floor_seq
        stream.extend([said(seq, text)])
        assert stream.size <= WINDOW_BYTES
        if stream.floor_seq != before:
            trims += 1
            assert stream.size <= WINDOW_BYTES - WINDOW_BYTES // TRIM_SHARE
    assert stream.size > WINDOW_BYTES // 2
    assert 0 < trims < 60, "deleting from the front is rare"
    assert stream.missed_after(0, 200) + len(stream.records) == 200


def test_the_window_is_bounded_in_records() -> None:
    """Only records without a text are small enough to get there before the bytes do."""
    stream = Stream("#a")
    for seq in range(1, WINDOW_RECORDS + 1):
        stream.extend([Joined(seq, 1, "#a", "s1", "Ann", quiet=False)])
    assert stream.floor_seq == 0
    stream.extend([Joined(WINDOW_RECORDS + 1, 1, "#a", "s1", "Ann", quiet=False)])
    assert len(stream.records) == WINDOW_RECORDS - WINDOW_RECORDS // TRIM_SHARE
    assert stream.missed_after(0, WINDOW_RECORDS) == WINDOW_RECORDS + 1 - len(stream.records)


def test_a_reader_from_before_all_that_is_counted_is_told_a_lower_bound(said: Make) -> None:
    """All that is counted; exact for everybody after that."""
    stream, seq = Stream("#a"), 1
    for _ in range(COUNTED_RECORDS + COUNTED_RECORDS // TRIM_SHARE + 10):
        stream.extend([said(seq, "x", "y", "z")])
        seq += 3
    stream.trim(WINDOW_BYTES, 5)
    kept = 15
    missed = seq - 1 - kept
    assert len(stream._lasts) == COUNTED_RECORDS + 5
    first_counted = stream._lasts[0] - 2
    uncounted = first_counted - 1
    assert stream.missed_after(0, seq) == stream.missed_after(uncounted, seq)
    assert stream.missed_after(0, seq) == missed - uncounted
    for position in range(uncounted, first_counted + 9):
        assert stream.missed_after(position, seq) == missed - position
    for position in range(seq - kept - 4, seq + 2):
        assert stream.lines_up_to(position) == min(position, seq - 1)
        assert stream.missed_after(position, seq) == max(0, seq - 1 - kept - position)


def test_a_page_is_whole_lines_and_goes_on_where_it_ended(said: Make, form: Any) -> None:
    stream = Stream("#a")
    for seq in range(1, 300):
        stream.extend([said(seq, "x" * 999)])
    position, received = 0, b""
    while position < 299:
        data, last = stream.page(form.record, position, 299)
        assert len(data) <= PAGE_BYTES
        assert data.endswith(b"\n")
        assert last > position
        received, position = received + data, last
    assert received == b"".join(map(form.record, stream.records))


def test_readers_that_fell_behind_together_get_the_same_bytes(said: Make, form: Any) -> None:
    stream = Stream("#a")
    for seq in range(1, 200):
        stream.extend([said(seq, "x" * 999)])
    full, last = stream.page(form.record, 0, 150)
    assert last < 150
    assert stream.page(form.record, 0, 150)[0] is full
    assert stream.page(form.record, 0, 199)[0] is full, "a full page is the same with more to come"
    assert stream.page(form.record, 0, last - 1)[1] == last - 1, "but not with less"


def test_a_page_that_was_not_full_is_made_anew_when_there_is_more(said: Make, form: Any) -> None:
    stream = Stream("#a")
    stream.extend([said(1)])
    assert stream.page(form.record, 0, 1) == (b"1 line 1\n", 1)
    stream.extend([said(2)])
    assert stream.page(form.record, 0, 2) == (b"1 line 1\n2 line 2\n", 2)


def test_pages_of_what_was_trimmed_are_let_go(
    said: Make, form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatcore.log.stream.PAGE_BYTES", 30)
    stream = Stream("#a")
    for seq in range(1, 20):
        stream.extend([said(seq)])
    for position in range(15):
        stream.page(form.record, position, 19)
    stream.trim(WINDOW_BYTES, 7)
    assert len(stream._pages._pages) == 3, "those behind 12, 13 and 14"
    stream.trim(WINDOW_BYTES, 2)
    assert not stream._pages._pages
    assert stream.page(form.record, 17, 19) == (b"18 line 18\n19 line 19\n", 19)


def test_who_catches_up_meets_whole_pages_and_not_what_others_left_of_each_turn(
    said: Make, form: Any
) -> None:
    stream = Stream("#a")
    calls: list[int] = []

    def render(record: Record) -> bytes:
        calls.append(record.seq)
        data: bytes = form.record(record)
        return data

    for seq in range(1, 401):
        stream.extend([said(seq, "x" * 999)])
        stream.page(render, seq - 1, seq)  # somebody is answered, and given the turn's line
    for begin in (0, 100, 7, 250, 390):
        calls.clear()
        position, pages_read = begin, 0
        while position < 400:
            _, position = stream.page(render, position, 400)
            pages_read += 1
        assert pages_read <= 2 + (400 - begin) // 60
        assert not begin or len(calls) < 2 * PAGE_BYTES // 1_000, "the others' pages are there"


RUNS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=20)


@given(RUNS, st.data())
def test_readers_from_anywhere_get_each_line_once_whoever_reads_beside_them(
    said: Make, form: Any, runs: list[tuple[int, int]], data: st.DataObject
) -> None:
    """What the shelf has, and where pages end because of it, changes no byte of what a reader gets in all."""
    stream, seq = Stream("#a"), 1
    ends = [0]
    for lines, others in runs:
        seq += others
        stream.extend([said(seq, *(f"line {seq + line}" for line in range(lines)))])
        seq += lines
        ends.append(seq - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chatcore.log.stream.PAGE_BYTES", data.draw(st.sampled_from([40, 90, 400])))
        patch.setattr("chatcore.log.shelf.SMALL_BYTES", data.draw(st.sampled_from([1, 30, 200])))
        begins = data.draw(st.lists(st.integers(0, seq - 1), min_size=1, max_size=4))
        readers = [[begin, begin, b""] for begin in begins]
        heads = data.draw(st.lists(st.sampled_from(ends), min_size=3, max_size=12))
        for head in [*heads, *[ends[-1]] * 400]:
            begin_at = data.draw(st.integers(0, len(readers) - 1)) if head != ends[-1] else head
            reader = readers[begin_at % len(readers)]
            readers.append(readers.pop(0))
            if reader[1] < head:
                page, last = stream.page(form.record, reader[1], head)
                assert reader[1] < last <= head
                reader[1], reader[2] = last, reader[2] + page
    for begin, position, received in readers:
        assert position == ends[-1] or begin >= ends[-1]
        assert received == b"".join(map(form.record, stream.after(begin, ends[-1])))


def test_two_forms_never_share_a_page(said: Make, form: Any) -> None:
    stream = Stream("#a")
    stream.extend([said(1)])
    assert stream.page(form.record, 0, 1) == (b"1 line 1\n", 1)
    assert stream.page(lambda _: b"other\n", 0, 1) == (b"other\n", 1)


def test_what_is_shown_to_nobody_makes_no_page(form: Any) -> None:
    hidden = TopicSet(1, 1, "#a", "s1", "Ann", "")
    assert fill_page([hidden], form.record, 7) == (b"", 7)
    assert list(pages([hidden], form.record, 7)) == []


@given(
    st.lists(st.lists(st.integers(0, 9_000), min_size=1, max_size=40), max_size=12),
)
def test_pages_hold_every_line_once_and_positions_between_lines(
    said: Make, form: Any, runs: list[list[int]]
) -> None:
    records, seq = [], 1
    for run in runs:
        records.append(said(seq, *("x" * size for size in run)))
        seq += len(run)
    found = list(pages(records, form.record, seq + 5))
    assert b"".join(data for data, _ in found) == b"".join(map(form.record, records))
    for data, last in found[:-1]:
        assert 0 < len(data) <= PAGE_BYTES
        assert int(data.splitlines()[-1].split()[0]) == last
    if found:
        assert found[-1][1] == seq + 5
        assert len(found[-1][0]) <= PAGE_BYTES


@pytest.mark.parametrize("size", [1, PAGE_BYTES // 3, PAGE_BYTES // 2, PAGE_BYTES - 100])
def test_pieces_of_a_run_render_to_a_page_at_most(said: Make, form: Any, size: int) -> None:
    run = said(1, *("x" * size for _ in range(7)))
    cut = pieces(run, form.record)
    assert b"".join(map(form.record, cut)) == form.record(run)
    assert all(len(form.record(piece)) <= PAGE_BYTES for piece in cut)
    assert (len(cut) == 1) == (size == 1)


def test_a_single_line_longer_than_a_page_is_not_cut(said: Make, form: Any) -> None:
    """The text limits keep it from happening; nothing is lost if they change."""
    long = said(1, "x" * (PAGE_BYTES + 1))
    assert pieces(long, form.record) == [long]
    topic = TopicSet(1, 1, "#a", "s1", "Ann", "x" * (PAGE_BYTES + 1))
    assert pieces(topic, form.record) == [topic]
