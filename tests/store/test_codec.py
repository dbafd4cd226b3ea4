from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.log.record import (
    ACTS,
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
)
from chatcore.store.codec import SHAPES, TAGS, decode, encode

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

NUMBER = st.integers(1, 2**53)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))
NAMES = st.lists(TEXT, max_size=3).map(tuple)
HEAD = (NUMBER, NUMBER)


@st.composite
def runs(draw: st.DrawFn) -> Said:
    lines = draw(st.lists(LINE, min_size=2, max_size=5) | st.tuples(TEXT))
    ids = draw(st.just(()) | st.tuples(*[TEXT] * len(lines)))
    head = [draw(each) for each in (*HEAD, TEXT, TEXT, TEXT)]
    return Said(*head, "\n".join(lines), len(lines), ids, draw(st.booleans()), draw(st.booleans()))


KINDS: dict[type[Any], SearchStrategy[Any]] = {
    Said: runs(),
    Direct: st.builds(Direct, *HEAD, *[TEXT] * 5, st.none() | TEXT),
    Opened: st.builds(Opened, *HEAD, TEXT, TEXT, st.none() | TEXT),
    Closed: st.builds(Closed, *HEAD, TEXT, st.booleans()),
    Joined: st.builds(Joined, *HEAD, *[TEXT] * 3, st.booleans()),
    Left: st.builds(Left, *HEAD, *[TEXT] * 5, st.booleans()),
    Renamed: st.builds(Renamed, *HEAD, *[TEXT] * 4),
    TopicSet: st.builds(TopicSet, *HEAD, *[TEXT] * 4),
    Crowd: st.builds(Crowd, *HEAD, TEXT, NAMES, NUMBER, NAMES, NUMBER, NUMBER),
    Act: st.builds(
        Act, *HEAD, *[TEXT] * 3, st.sampled_from(sorted(ACTS)), *[TEXT] * 3, st.just(0) | NUMBER
    ),
}


def stored(record: Record) -> Record:
    return record._replace(clean=False) if isinstance(record, Said) else record


def test_every_kind_of_record_has_its_tag_and_shape() -> None:
    kinds = set(get_args(Record))
    assert set(TAGS) == set(KINDS) == kinds
    assert {tag: SHAPES[tag][0] for tag in SHAPES} == {tag: kind for kind, tag in TAGS.items()}


@given(st.lists(st.one_of(*KINDS.values()), max_size=6))
def test_what_is_decoded_is_what_was_encoded(records: list[Record]) -> None:
    body = encode(records)
    found = decode(body.encode().decode())
    assert found == [stored(each) for each in records]
    assert [type(each) for each in found] == [type(each) for each in records]
    assert "\n" not in body


GOOD = json.loads(
    encode([Said(7, 9, "#a", "s", "Ann", "x\ny", 2, ("i", "j"), me=False)]),
)[0]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[",
        "null",
        "{}",
        '"s"',
        "[" * 100_000,
        "[null]",
        "[[]]",
        "[[1]]",
        "[[[]]]",
        '[["x", 1, 2]]',
        '[["c", 1, 2, "s"]]',
        '[["c", 1, 2, "s", 0]]',
        '[["c", 1, 2, "s", false, false]]',
        '[["c", true, 2, "s", false]]',
        '[["c", 1.0, 2, "s", false]]',
        '[["c", NaN, 2, "s", false]]',
        '[["o", 1, 2, "s", "Ann", 5]]',
        '[["w", 1, 2, "#a", [1], 1, [], 0]]',
        '[["w", 1, 2, "#a", [["b"]], 1, [], 0]]',
        '[["a", 1, 2, "#a", "s", "Ann", "kick", "Bob", "s2", "why", null]]',
        '[["a", 1, 2, "#a", "s", "Ann", "kick", "Bob", "s2", "why"]]',
        '[["a", 1, 2, "#a", "s", "Ann", "boot", "Bob", "s2", "why", 0]]',
    ],
)
def test_what_is_no_batch_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(body)


@pytest.mark.parametrize(
    ("field", "value"), [(6, "x"), (6, "x\ny\nz"), (7, 0), (7, -1), (7, 1), (8, ["i"]), (8, [1, 2])]
)
def test_a_run_must_hold_the_lines_that_it_says(field: int, value: object) -> None:
    decode(json.dumps([GOOD]))
    with pytest.raises(ValueError, match=r"."):
        decode(json.dumps([[*GOOD[:field], value, *GOOD[field + 1 :]]]))


@given(st.data())
def test_a_batch_with_a_byte_changed_is_records_or_refused(data: st.DataObject) -> None:
    body = encode([data.draw(kind) for kind in KINDS.values()])
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + data.draw(st.characters(exclude_categories=["Cs"])) + body[at + 1 :]
    try:
        found = decode(changed)
    except ValueError:
        return
    assert all(isinstance(each, get_args(Record)) for each in found)


def test_a_crowd_of_an_earlier_version_does_not_say_how_many_are_there() -> None:
    assert decode('[["w", 1, 2, "#a", ["b"], 1, [], 0]]') == [Crowd(1, 2, "#a", ("b",), 1, (), 0)]
