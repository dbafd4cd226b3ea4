"""Framing: the same lines whatever the split, a bound on a line, and work linear in the bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.dialects.lines import OVERLONG, Lines, Overlong

if TYPE_CHECKING:
    import random

LIMIT = 8


def lines_in(data: bytes, limit: int) -> list[bytes | Overlong]:
    """What framing means, written down the slow way: whole lines as they are, too long ones as `OVERLONG`."""
    return [
        OVERLONG if len(line) - line.endswith(b"\r") > limit else line
        for line in data.split(b"\n")[:-1]
    ]


def taken(lines: Lines, most: int) -> list[bytes | Overlong]:
    """All lines that are there, in blocks of at most `most`."""
    found: list[bytes | Overlong] = []
    while (block := lines.take(most)) is not None:
        if isinstance(block, Overlong):
            found.append(block)
            continue
        here = block.split(b"\n")
        assert len(here) <= most
        found += here
    return found


def fed(pieces: list[bytes], most: int = 1_000, limit: int = LIMIT) -> list[bytes | Overlong]:
    """The lines of all pieces, taken after each of them."""
    lines = Lines(limit)
    found: list[bytes | Overlong] = []
    for piece in pieces:
        lines.feed(piece)
        found += taken(lines, most)
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"hi", []),
        (b"hi\n", [b"hi"]),
        (b"\n", [b""]),
        (b"a\r\nb\n", [b"a\r", b"b"]),
        (b"a\x0bb\x0cc\x1cd\xc2\x85e\rf\n", [OVERLONG]),
        (b"a\x0bb\x0cc\x1cd\r\n", [b"a\x0bb\x0cc\x1cd\r"]),
        (b"12345678\n", [b"12345678"]),
        (b"12345678\r\n", [b"12345678\r"]),
        (b"123456789\n", [OVERLONG]),
        (b"123456789\r\n", [OVERLONG]),
        (b"1234567890123\nok\n", [OVERLONG, b"ok"]),
        (b"ok\n1234567890123\nok\n", [b"ok", OVERLONG, b"ok"]),
        (b"a\nb\nc\nd\ne\nf\n", [b"a", b"b", b"c", b"d", b"e", b"f"]),
    ],
)
def test_lines_are_told_apart_by_line_feeds_at_every_split(
    data: bytes, expected: list[bytes | Overlong]
) -> None:
    assert fed([data]) == expected
    for at in range(len(data) + 1):
        assert fed([data[:at], data[at:]]) == expected, at
    assert fed([data[k : k + 1] for k in range(len(data))]) == expected


def overlong_in_progress(data: bytes) -> list[Overlong]:
    """A line without its end that is too long is reported as soon as that is certain."""
    tail = data.rpartition(b"\n")[2]
    return [OVERLONG] if len(tail) > LIMIT + 1 else []


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\n", b"\r", b"a", b"bcd", b"1234567", b"12345678", b"\xff", b"x" * 20]),
        max_size=30,
    ),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_every_split_gives_the_lines_of_the_definition(
    tokens: list[bytes], most: int, rng: random.Random
) -> None:
    data = b"".join(tokens)
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert fed(pieces, most) == lines_in(data, LIMIT) + overlong_in_progress(data)


def test_a_line_of_exactly_the_limit_passes_and_one_byte_more_is_refused_once() -> None:
    limit = 4_096
    data = b"x" * limit + b"\n" + b"y" * (limit + 1) + b"\n" + b"next\n"
    expected = [b"x" * limit, OVERLONG, b"next"]
    assert fed([data], limit=limit) == expected
    assert fed([data[k : k + 1] for k in range(len(data))], limit=limit) == expected
    assert fed([data[:6_000], data[6_000:]], limit=limit) == expected


def test_an_endless_line_is_reported_once_and_costs_no_memory() -> None:
    lines = Lines(4_096)
    for _ in range(1_000):
        lines.feed(b"x" * 1_000)
        assert lines.unfinished
        assert len(lines._partial or b"") <= 4_097
    assert lines.take(1) is OVERLONG
    assert lines.take(1) is None
    lines.feed(b"\nback\n")
    assert lines.take(1) == b"back"
    assert not lines.unfinished


class Counted(bytes):
    """Bytes that count what is copied out of them and what is searched in them."""

    cost = 0

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        found = super().__getitem__(key)
        Counted.cost += len(found) if isinstance(found, bytes) else 1
        return Counted(found) if isinstance(found, bytes) else found

    def find(self, wanted, at=0):  # type: ignore[no-untyped-def]
        found = super().find(wanted, at)
        Counted.cost += (len(self) if found < 0 else found + 1) - at
        return found

    def index(self, wanted, at=0):  # type: ignore[no-untyped-def]
        return self.find(wanted, at)

    def count(self, *args):  # type: ignore[no-untyped-def]
        Counted.cost += len(self)
        return super().count(*args)

    def rfind(self, *args):  # type: ignore[no-untyped-def]
        found = super().rfind(*args)
        Counted.cost += len(self) - max(found, 0)
        return found


class CountedArray(bytearray):
    """A buffer that counts what is appended to it; what it holds is never moved by that."""

    def __iadd__(self, data):  # type: ignore[no-untyped-def]
        Counted.cost += len(data)
        return super().__iadd__(data)


def cost_of(pieces: list[bytes], most: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("chatcore.dialects.lines.bytearray", CountedArray, raising=False)
    Counted.cost = 0
    lines = Lines(4_096)
    for piece in pieces:
        lines.feed(Counted(piece))
        taken(lines, most)
    return Counted.cost


@pytest.mark.parametrize(
    "unit",
    [b"x", b"x" * 64, b"x" * 4_095 + b"\n", b"ab\nc", b"\n"],
    ids=["endless by byte", "endless by 64", "longest lines", "torn lines", "empty lines"],
)
def test_work_is_linear_in_the_bytes(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    small = cost_of([unit] * 1_000, 1_000, monkeypatch)
    large = cost_of([unit] * 10_000, 1_000, monkeypatch)
    assert large <= 11 * max(small, 1_000)
    assert large <= 4 * 10_000 * len(unit)


@pytest.mark.parametrize("most", [1, 3, 20])
@pytest.mark.parametrize("unit", [b"\n", b"ab\n", b"x" * 100 + b"\n"])
def test_work_is_linear_when_a_read_is_taken_in_small_blocks(
    unit: bytes, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = unit * (65_536 // len(unit))
    assert cost_of([read], most, monkeypatch) <= 6 * len(read)


def test_blank_lines_that_come_next_are_passed_over() -> None:
    lines, blank = Lines(LIMIT), re.compile(rb"(?:\r?\n)+")
    lines.skip_blank(blank)
    lines.feed(b"a\n\n\r\n\nb\n")
    assert lines.take(1) == b"a"
    lines.skip_blank(blank)
    lines.skip_blank(blank)
    assert lines.take(1) == b"b"
    assert lines.take(1) is None


def test_empty_means_that_nothing_waits() -> None:
    lines = Lines(LIMIT)
    assert lines.empty
    for data, takes in ((b"a\n", 1), (b"b\nc\nd\ne\nf\n", 5), (b"x" * 20 + b"\n", 1)):
        lines.feed(data)
        for _ in range(takes):
            assert not lines.empty
            assert lines.take(1) is not None
        assert lines.empty
    lines.feed(b"x")
    assert not lines.empty
    lines.feed(b"x" * 20)
    assert lines.take(1) is OVERLONG
    assert not lines.empty
    lines.feed(b"\n")
    assert lines.empty


def test_a_block_of_many_lines_can_be_taken_one_by_one() -> None:
    lines = Lines(LIMIT)
    lines.feed(b"a\nb\nc\n")
    assert [lines.take(1), lines.take(1), lines.take(1), lines.take(1)] == [b"a", b"b", b"c", None]


def test_reads_that_nobody_takes_wait_in_their_order() -> None:
    lines = Lines(LIMIT)
    for piece in (b"a\n", b"b\nc\n", b"d", b"\ne\n", b"123456789\n", b"f\n"):
        lines.feed(piece)
    assert taken(lines, 1) == [b"a", b"b", b"c", b"d", b"e", OVERLONG, b"f"]


def test_an_idle_framing_holds_no_containers() -> None:
    lines = Lines(LIMIT)
    lines.feed(b"a\n")
    assert lines.take(1) == b"a"
    assert lines._blocks is None
    assert lines._partial is None
    lines.feed(b"a\n123456789\n")
    assert lines.take(5) == b"a"
    assert lines.take(5) is OVERLONG
    assert lines._blocks is None


def test_the_end_of_a_skipped_line_may_come_much_later() -> None:
    lines = Lines(LIMIT)
    for _ in range(3):
        lines.feed(b"x" * 20)
    assert lines.take(1) is OVERLONG
    lines.feed(b"x")
    assert lines.unfinished
    lines.feed(b"x\nok\n")
    assert lines.take(1) == b"ok"
    assert lines.take(1) is None


def test_an_unfinished_line_is_known() -> None:
    lines = Lines(LIMIT)
    assert not lines.unfinished
    lines.feed(b"a\nb")
    assert lines.unfinished
    lines.feed(b"\n")
    assert not lines.unfinished
