"""The log: one order, windows bounded together, and nothing out before it is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.log import NO_NEWS, TOTAL_WINDOW_BYTES, Log
from chatcore.log.record import Direct, Joined, Said, last_seq
from chatcore.log.shelf import LEAST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1024 * 1024


def test_a_new_log_holds_nothing_and_knows_its_name() -> None:
    log = Log("n1")
    assert (log.name, log.head_seq, log.durable_seq, log.streams) == ("n1", 0, 0, {})
    assert not log.under_way
    assert log.take_batch() == []
    assert log.durable(5) is NO_NEWS
    assert log.durable_seq == 0


def test_a_record_is_kept_in_each_of_its_streams() -> None:
    log = Log("n1")
    direct = Direct(1, 1, "s1", "Ann", "s2", "Bob", "psst", None)
    quiet = Joined(2, 1, "#a", "s1", "Ann", quiet=True)
    log.append(direct)
    log.append(quiet)
    assert [log.peek(name).records for name in ("s1", "s2", "#a")] == [[direct], [direct], []]
    assert log.head_seq == 2


def test_head_is_the_last_line_of_the_last_run(said: Callable[..., Said]) -> None:
    log = Log("n1")
    log.append(said(1, "x", "y", "z"))
    assert log.head_seq == 3
    assert log.stream("#a").records == [said(1, "x", "y", "z")]


def test_a_batch_is_taken_once_and_is_under_way_until_durable(said: Callable[..., Said]) -> None:
    log = Log("n1")
    log.append(said(1))
    assert not log.under_way, "the journal does not have it yet"
    assert log.take_batch() == [said(1)]
    assert log.take_batch() == []
    assert log.under_way
    assert log.durable(1).records == [said(1)]
    assert not log.under_way
    assert log.durable(1) is NO_NEWS


def test_what_is_not_durable_does_not_come_out(said: Callable[..., Said]) -> None:
    log = Log("n1")
    log.append(said(1))
    log.append(said(2, "x", "y"))
    log.append(said(4))
    log.take_batch()
    assert log.durable(0) is NO_NEWS
    assert log.durable(1) == ([said(1)], {"#a": [said(1)]}, 1)
    assert log.durable(2).records == [], "half of a run is not a record"
    assert log.durable(3).records == [said(2, "x", "y")]
    assert log.under_way
    assert log.durable(4) == ([said(4)], {"#a": [said(4)]}, 1)


def test_a_stream_has_what_was_appended_whenever_it_is_asked_for(
    said: Callable[..., Said],
) -> None:
    log = Log("n1")
    log.append(said(1))
    log.append(Direct(2, 1, "s1", "Ann", "s2", "Bob", "psst", None))
    assert log.peek("#a").records == [said(1)]
    log.append(said(3, "x", "y"))
    assert log.stream("#a").records == [said(1), said(3, "x", "y")]
    batch = log.take_batch()
    news = log.durable(4)
    assert news.records == batch
    assert news.streams == {"#a": [batch[0], batch[2]], "s1": [batch[1]], "s2": [batch[1]]}
    assert news.lines == 3


def test_what_is_unsaved_is_counted_until_it_is_durable(said: Callable[..., Said]) -> None:
    log = Log("n1")
    for seq in (1, 2):
        log.append(said(seq, "12345"))
        log.take_batch()
        assert log.unsaved_chars == 5 * seq
    log.durable(1)
    assert log.unsaved_chars == 5
    log.durable(2)
    assert log.unsaved_chars == 0


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 4)), max_size=40))
def test_records_come_out_once_in_order_and_never_early(
    said: Callable[..., Said], steps: list[tuple[int, bool, int]]
) -> None:
    """Random appends, commits and journals that lag behind."""
    log = Log("n1")
    handed_over: list[Said] = []
    out: list[Said] = []
    appended: list[Said] = []
    for lines, take, lag in steps:
        appended.append(said(log.head_seq + 1, *["x"] * lines))
        log.append(appended[-1])
        if take:
            handed_over += log.take_batch()  # type: ignore[arg-type]
        ends = [last_seq(record) for record in handed_over]
        durable = ends[-1 - lag] if len(ends) > lag else 0
        out += log.durable(durable).records  # type: ignore[arg-type]
        assert all(last_seq(record) <= log.durable_seq for record in out)
        assert out == appended[: len(out)]
    handed_over += log.take_batch()  # type: ignore[arg-type]
    out += log.durable(log.head_seq).records  # type: ignore[arg-type]
    assert out == appended == handed_over


def test_all_windows_together_are_bounded_and_the_largest_gives_way(
    said: Callable[..., Said],
) -> None:
    log = Log("n1")
    log.append(said(1, "kept", room="#small"))
    seq = 2
    # 8 MiB is the most of one stream; twelve full ones are over the total.
    for room in range(12):
        for _ in range(28):
            log.append(said(seq, "x" * (MIB // 4), room=f"#{room}"))
            seq += 1
            log.take_batch()
            assert sum(stream.size for stream in log.streams.values()) <= TOTAL_WINDOW_BYTES
    assert log.streams["#small"].records == [said(1, "kept", room="#small")]
    sizes = [stream.size for name, stream in log.streams.items() if name != "#small"]
    assert sum(sizes) > TOTAL_WINDOW_BYTES // 2
    assert all(stream.records[-1].seq for stream in log.streams.values())


def test_the_pages_of_all_streams_share_one_bound(said: Callable[..., Said]) -> None:
    log, seq = Log("n1"), 1
    for room in range(100):
        log.append(said(seq, "x" * (MIB // 16), room=f"#{room}"))
        log.stream(f"#{room}").page(lambda record: bytes(MIB // 16), seq - 1, seq)
        seq += 1
    kept = [page for stream in log.streams.values() for page in stream._pages._pages.values()]
    assert 0 < sum(len(page.data) for page in kept) <= LEAST_BYTES


def test_a_dropped_stream_gives_its_memory_back(said: Callable[..., Said]) -> None:
    log = Log("n1")
    seq = 1
    for room in range(20):
        for _ in range(28):
            log.append(said(seq, "x" * (MIB // 4), room=f"#{room}"))
            seq += 1
        assert len(log.stream("#0").records) == 28 or room == 0
        if room:
            log.drop_stream(f"#{room}")
    log.drop_stream("#never")
    assert list(log.streams) == ["#0"]
    assert len(log.streams["#0"].records) == 28


def test_a_stream_is_made_when_it_is_first_asked_for() -> None:
    log = Log("n1")
    stream = log.stream("#a")
    assert (stream.name, stream.records) == ("#a", [])
    assert log.stream("#a") is stream
