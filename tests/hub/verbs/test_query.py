"""The little language of a search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.command import Search
from chatcore.hub.moments import Ago
from chatcore.hub.reply import Refusal
from chatcore.hub.verbs.query import USAGE, WORDS_MOST, Query, parse


def query(
    *words: str,
    room: str | None = None,
    alias: str | None = None,
    since: Ago | int | None = None,
    before: Ago | int | None = None,
) -> Query:
    return Query(words, room, alias, since, before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tea", query("tea")),
        ("  green   tea ", query("green", "tea")),
        ('"green tea" at four', query("green tea", "at", "four")),
        ('at "green tea', query("at", "green tea")),
        ('say"hi"', query('say"hi"')),
        ('tea "" " "', query("tea")),
        ("from:Ann tea", query("tea", alias="Ann")),
        ("tea FROM:Ann in:#dev", query("tea", alias="Ann", room="#dev")),
        ("since:2d a b before:3h", query("a", "b", since=Ago(172_800_000), before=Ago(10_800_000))),
        ("since:1970-01-01T00:00:01Z", query(since=1_000)),
        ("from:a:b", query(alias="a:b")),
        ("from: tea", query("from:", "tea")),
        ("http://x to:bob", query("http://x", "to:bob")),
        ('"from:ann"', query("from:ann")),
        ('in:#a"b', query(room='#a"b')),
    ],
)
def test_what_is_typed_is_understood(text: str, expected: Query) -> None:
    assert parse(Search(text)) == expected


def test_the_fields_of_a_command_say_the_same_as_the_filters() -> None:
    assert parse(Search("tea", "#dev", "Ann", Ago(1), 5)) == query(
        "tea", room="#dev", alias="Ann", since=Ago(1), before=5
    )
    assert parse(Search("", None, "Ann")) == query(alias="Ann")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Search(""), "Say what to look for"),
        (Search('"" '), "Say what to look for"),
        (Search("from:a from:b"), "Give from: once"),
        (Search("tea in:#a", "#b"), "Give in: once"),
        (
            Search("since:yesterday"),
            "since: must be a time, as 2h, 3d, 2026-11-20 or 2026-11-20T14:02:11Z",
        ),
        (Search("tea " * (WORDS_MOST + 1)), f"A search has at most {WORDS_MOST} words"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_usage(command: Search, words: str) -> None:
    assert parse(command) == Refusal("bad_field", f"{words}. Usage: {USAGE}")


def test_as_many_words_as_are_allowed_are_taken() -> None:
    assert parse(Search("tea " * WORDS_MOST)) == query(*["tea"] * WORDS_MOST)


@given(st.text())
def test_any_text_is_a_query_or_a_refusal(text: str) -> None:
    assert isinstance(parse(Search(text)), Query | Refusal)
