"""A reader gets each line once and in order, replies in their place, and the true number of what it missed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatcore.log.reader import Reader
from chatcore.log.record import Said, TopicSet, last_seq
from chatcore.log.stream import PAGE_BYTES, WINDOW_BYTES, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Said]
    Op = tuple[Any, ...]

NAMES = ("#a", "#b", "#c")
NAME = st.sampled_from(NAMES)
WIDTHS = st.sampled_from([1, 1, 1, 7_000, 30_000])

OPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), NAME, st.integers(1, 4), WIDTHS),
        st.tuples(st.just("say"), NAME, st.integers(1, 4), st.just(1)),
        st.tuples(st.just("hidden"), NAME),
        st.tuples(st.just("trim"), NAME, st.integers(0, 3)),
        st.tuples(st.just("follow"), NAME),
        st.tuples(st.just("leave"), NAME),
        st.tuples(st.just("reply"), st.booleans()),
        st.tuples(st.just("now")),
        st.tuples(st.just("durable"), st.integers(0, 3)),
        st.tuples(st.just("pull")),
    ),
    max_size=40,
)


class Bench:
    """A reader, a log around it, and a plain list of all that it should be sent."""

    def __init__(self, said: Make, form: Any, position: int = 0) -> None:
        self.said = said
        self.form = form
        self.streams = {name: Stream(name) for name in NAMES}
        self.reader = Reader(form, position)
        self.head = 0
        self.ends = [0]
        self.durable = 0
        self.sent: dict[str, list[int]] = {name: [] for name in NAMES}
        """The lines that are the reader's, by stream."""
        self.following: set[str] = set()
        self.replies: list[tuple[int, int]] = []
        """Position and need of each reply."""
        self.urgent = 0
        self.out = b""
        self.pulls: list[tuple[int, bytes]] = []

    def append(self, record: Any) -> None:
        self.streams[record.room].extend([record])
        self.head = last_seq(record)
        self.ends.append(self.head)

    def run(self, op: Op) -> None:
        kind, *rest = op
        getattr(self, f"do_{kind}")(*rest)

    def do_say(self, name: str, lines: int, width: int) -> None:
        self.append(self.said(self.head + 1, *["x" * width] * lines, room=name))
        if name in self.following:
            first = self.head - lines + 1
            self.sent[name] += [
                seq for seq in range(first, self.head + 1) if seq > self.reader_began
            ]

    reader_began = 0

    def do_hidden(self, name: str) -> None:
        """Takes a number, and shows nothing; it stands in no stream, as quiet joins do."""
        self.head += 1
        self.ends.append(self.head)

    def do_trim(self, name: str, keep: int) -> None:
        self.streams[name].trim(WINDOW_BYTES, keep)

    def do_follow(self, name: str) -> None:
        if name not in self.following:
            self.following.add(name)
            self.reader.follow(self.streams[name], self.head)

    def do_leave(self, name: str) -> None:
        if name in self.following:
            self.following.discard(name)
            self.reader.leave(self.streams[name], self.head)

    def do_reply(self, needs_head: bool) -> None:
        needs = self.head if needs_head else 0
        data = b"reply %d\n" % len(self.replies)
        self.replies.append((self.head, needs))
        self.reader.reply(data, self.head, needs)

    def do_now(self) -> None:
        self.reader.reply_now(b"now %d\n" % self.urgent)
        self.urgent += 1

    def do_durable(self, lag: int) -> None:
        self.durable = max(self.durable, self.ends[max(0, len(self.ends) - 1 - lag)])

    def do_pull(self) -> bytes:
        data = self.reader.pull(self.durable)
        self.pulls.append((self.durable, data))
        self.out += data
        return data

    def finish(self) -> None:
        self.durable = self.head
        while self.do_pull():
            assert len(self.pulls) < 10_000, "it ends"

    # What must hold

    def check(self) -> None:
        self.check_pulls()
        received: list[int] = []
        missed = dict.fromkeys(NAMES, 0)
        told, urgent, position = 0, 0, -1
        for line in self.out.decode().splitlines():
            if match := re.fullmatch(r"(\d+) x+", line):
                seq = int(match[1])
                assert seq > position, "in order, and never below a position that a gap gave"
                position = seq
                received.append(seq)
            elif match := re.fullmatch(r"gap (#\w) (\d+) (\d+)", line):
                missed[match[1]] += int(match[2])
                position = max(position, int(match[3]) - 1)
            elif match := re.fullmatch(r"reply (\d+)", line):
                assert int(match[1]) == told
                place = self.replies[told][0]
                told += 1
                assert all(seq <= place for seq in received)
                due = [seq for seq in received if seq <= place]
                later = self.lines_received()[len(due) :]
                assert all(seq > place for seq in later), "after the records that it follows"
            else:
                assert line == f"now {urgent}"
                urgent += 1
        assert (told, urgent) == (len(self.replies), self.urgent)
        for name in NAMES:
            mine = [seq for seq in self.sent[name] if seq in set(received)]
            assert len(mine) + missed[name] == len(self.sent[name]), name
        assert set(received) <= {seq for lines in self.sent.values() for seq in lines}
        kept = {
            record.seq + line
            for stream in self.streams.values()
            for record in stream.records
            for line in range(last_seq(record) - record.seq + 1)
        }
        for lines in self.sent.values():
            assert kept & set(lines) <= set(received), "what is kept is never called missed"
        assert self.reader.queued_bytes == 0
        assert self.reader.position == self.head

    def check_pulls(self) -> None:
        for durable, data in self.pulls:
            assert not data or data.endswith(b"\n"), "whole lines"
            urgent = sum(len(line) for line in data.splitlines(True) if line.startswith(b"now"))
            assert len(data) - urgent < 2 * PAGE_BYTES
            for match in re.finditer(rb"^(\d+) x", data, re.MULTILINE):
                assert int(match[1]) <= durable, "nothing leaves before it is durable"
            for match in re.finditer(rb"^reply (\d+)", data, re.MULTILINE):
                assert max(self.replies[int(match[1])]) <= durable

    def lines_received(self) -> list[int]:
        return [int(seq) for seq in re.findall(rb"^(\d+) x", self.out, re.MULTILINE)]


@settings(max_examples=300)
@given(OPS)
@example([("follow", "#a"), ("follow", "#b"), ("say", "#b", 1, 1), ("say", "#a", 1, 1), ("say", "#b", 1, 1), ("trim", "#b", 0)])  # fmt: skip
@example([("follow", "#a"), ("say", "#a", 3, 1), ("leave", "#a"), ("say", "#a", 1, 1), ("follow", "#a"), ("say", "#a", 1, 1), ("trim", "#a", 0)])  # fmt: skip
def test_each_line_once_in_order_with_replies_in_place_and_the_true_number_missed(
    said: Make, form: Any, ops: list[Op]
) -> None:
    bench = Bench(said, form)
    for op in ops:
        bench.run(op)
    bench.finish()
    bench.check()


@given(
    st.lists(st.tuples(NAME, st.integers(1, 4)), min_size=1, max_size=12),
    st.sets(NAME),
    st.integers(0, 30),
    st.lists(st.tuples(NAME, st.integers(0, 4)), max_size=3),
)
def test_a_reader_that_returns_goes_on_after_its_position_even_inside_a_run(
    said: Make,
    form: Any,
    runs: list[tuple[str, int]],
    followed: set[str],
    position: int,
    trims: list[tuple[str, int]],
) -> None:
    bench = Bench(said, form)
    sent: dict[str, list[int]] = {name: [] for name in NAMES}
    for name, lines in runs:
        sent[name] += range(bench.head + 1, bench.head + lines + 1)
        bench.do_say(name, lines, 1)
    position = min(position, bench.head)
    for name, keep in trims:
        bench.do_trim(name, keep)
    bench.reader.position = position
    for name in sorted(followed):
        bench.reader.follow(bench.streams[name], 0)
        bench.sent[name] = [seq for seq in sent[name] if seq > position]
    bench.finish()
    bench.check()


def read_all(reader: Reader, durable: int) -> bytes:
    pulled = [reader.pull(durable) for _ in range(100)]
    assert pulled[-1] == b"", "it ends"
    return b"".join(pulled)


@pytest.fixture
def streams() -> dict[str, Stream]:
    return {name: Stream(name) for name in NAMES}


def test_a_reader_of_nothing_reads_nothing_and_moves_on(form: Any) -> None:
    reader = Reader(form, 0)
    assert reader.pull(7) == b""
    assert reader.position == 7


def test_streams_are_merged_by_number(said: Make, form: Any, streams: dict[str, Stream]) -> None:
    reader = Reader(form, 0)
    reader.follow(streams["#a"], 0)
    reader.follow(streams["#b"], 0)
    for seq, name in [(1, "#b"), (2, "#a"), (3, "#c"), (4, "#b")]:
        streams[name].extend([said(seq, name, room=name)])
    assert reader.pull(4) == b"1 #b\n2 #a\n4 #b\n"
    assert reader.pull(4) == b""


def test_a_reader_that_joins_reads_from_there_and_that_leaves_to_there(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    stream = streams["#a"]
    reader = Reader(form, 0)
    for seq in range(1, 7):
        stream.extend([said(seq, "x")])
    reader.follow(stream, 2)
    reader.leave(stream, 4)
    reader.leave(streams["#b"], 5)
    assert read_all(reader, 6) == b"3 x\n4 x\n"
    assert reader.subscriptions == []


def test_a_stream_has_an_edge_for_a_reader_until_it_has_come_to_it(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    reader = Reader(form, 0)
    reader.follow(streams["#a"], 0)
    assert not reader.has_edge
    reader.follow(streams["#b"], 2)
    edges = [(reader.pull(seq), reader.has_edge)[1] for seq in range(4)]
    assert edges == [True, True, False, False]
    reader.leave(streams["#b"], 5)
    edges = [(reader.pull(seq), reader.has_edge)[1] for seq in range(3, 7)]
    assert edges == [True, True, False, False]


def test_who_leaves_and_comes_back_reads_both_stays(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    stream = streams["#a"]
    for seq in range(1, 7):
        stream.extend([said(seq, "x")])
    reader = Reader(form, 0)
    reader.follow(stream, 0)
    reader.leave(stream, 2)
    reader.follow(stream, 4)
    reader.leave(stream, 5)
    assert read_all(reader, 6) == b"1 x\n2 x\n5 x\n"


def test_a_reply_waits_for_the_records_before_it_and_for_the_disk(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    stream = streams["#a"]
    reader = Reader(form, 0)
    reader.follow(stream, 0)
    stream.extend([said(1, "x")])
    reader.reply(b"first\n", position=1, needs=2)
    stream.extend([said(2, "x")])
    stream.extend([said(3, "x")])
    assert reader.queued_bytes == len(b"first\n")
    assert reader.pull(0) == b""
    assert reader.pull(1) == b"1 x\n"
    assert reader.pull(1) == b"", "its state is not on the disk"
    assert read_all(reader, 3) == b"first\n2 x\n3 x\n"
    assert reader.queued_bytes == 0


def test_a_reply_that_tells_no_state_overtakes_what_waits_but_not_what_may_go(
    form: Any,
) -> None:
    reader = Reader(form, 0)
    reader.reply(b"welcome\n", position=0, needs=0)
    reader.reply(b"later\n", position=0, needs=9)
    reader.reply_now(b"pong\n")
    assert reader.pull(0) == b"welcome\npong\n"
    assert reader.pull(9) == b"later\n"


def test_what_shows_nothing_does_not_stop_the_reader(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    stream = streams["#a"]
    reader = Reader(form, 0)
    reader.follow(stream, 0)
    stream.extend([TopicSet(1, 1, "#a", "s1", "Ann", "")])
    assert reader.pull(1) == b""
    assert reader.position == 1
    stream.extend([said(2, "x")])
    assert reader.pull(2) == b"2 x\n"


def test_many_small_pages_go_out_together_and_a_large_one_alone(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    reader = Reader(form, 0)
    reader.follow(streams["#a"], 0)
    for seq in range(1, 200):
        streams["#a"].extend([said(seq, "x" * 1_000)])
    sizes = []
    while data := reader.pull(199):
        sizes.append(len(data))
    assert all(PAGE_BYTES - 1_100 < size < 2 * PAGE_BYTES for size in sizes[:-1])


def test_the_gap_of_one_room_does_not_push_the_position_over_lines_of_another(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    """A client may take `next` − 1 for its position: everything before that must have come first."""
    for seq, name in [(1, "#a"), (2, "#b"), (3, "#a"), (4, "#b")]:
        streams[name].extend([said(seq, "x", room=name)])
    streams["#a"].extend([said(5, "x")])
    streams["#a"].trim(WINDOW_BYTES, 1)
    reader = Reader(form, 0)
    reader.follow(streams["#a"], 0)
    reader.follow(streams["#b"], 0)
    assert read_all(reader, 5) == b"2 x\n4 x\ngap #a 2 5\n5 x\n"


def test_lines_after_one_has_left_are_not_missed(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    stream = streams["#a"]
    for seq in range(1, 7):
        stream.extend([said(seq, "x")])
    reader = Reader(form, 0)
    reader.follow(stream, 0)
    reader.leave(stream, 2)
    stream.trim(WINDOW_BYTES, 1)
    assert read_all(reader, 6) == b"gap #a 2 3\n"


def test_a_gap_never_gives_a_position_beyond_what_is_durable(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    for seq in range(1, 7):
        streams["#a"].extend([said(seq, "x")])
    streams["#a"].trim(WINDOW_BYTES, 1)
    reader = Reader(form, 0)
    reader.follow(streams["#a"], 0)
    assert read_all(reader, 3) == b"gap #a 3 4\n"
    assert read_all(reader, 6) == b"gap #a 2 6\n6 x\n"


def test_a_window_that_moves_on_while_a_gap_waits_is_counted_too(
    said: Make, form: Any, streams: dict[str, Stream]
) -> None:
    first, other = streams["#a"], streams["#b"]
    first.extend([said(1, "x")])
    for seq in range(2, 12):
        other.extend([said(seq, "x" * 20_000, room="#b")])
    for seq in range(12, 15):
        first.extend([said(seq, "x")])
    reader = Reader(form, 0)
    reader.follow(first, 0)
    reader.follow(other, 0)
    first.trim(WINDOW_BYTES, 3)
    out = reader.pull(14)
    assert b"gap" not in out
    first.trim(WINDOW_BYTES, 1)
    out += read_all(reader, 14)
    assert out.endswith(b"gap #a 3 14\n14 x\n")
    assert out.count(b"gap") == 1
