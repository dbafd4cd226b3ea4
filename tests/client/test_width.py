"""Cells against the `wcwidth` package, clusters against the places where a person expects the cursor."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st
from wcwidth.table_vs16 import VS16_NARROW_TO_WIDE

from chatcore.client.width import after, before, cells, clusters, snap

FAMILY, RAINBOW, FLAG, THUMB = "👨‍👩‍👧", "🏳️‍🌈", "🇫🇷", "👍🏽"
WIDE_SINCE_UNICODE_16 = {  # whether `unicodedata` knows it depends on the version of Python
    *range(0x2630, 0x2638),
    *range(0x268A, 0x2690),
    *range(0x4DC0, 0x4E00),
    *range(0x1D300, 0x1D357),
    *range(0x1D360, 0x1D377),
}
NO_WIDTH = {"Cc", "Cs", "Cn", "Co"}
"""Controls and surrogates are shown by stand-ins; the others have no meaning to agree on."""
MIXED = st.lists(
    st.sampled_from(
        ["a", " ", "漢", "é", "e\u0301", "\u0301", FAMILY, RAINBOW, FLAG, "🇫", THUMB, "🏽"]
    )
    | st.sampled_from(["\u200d", "\ufe0f", "1\ufe0f\u20e3", "각", "\u200b", "\n", "नि"])
    | st.characters()
).map("".join)


def test_every_assigned_character_has_the_cells_that_wcwidth_gives_it() -> None:
    different = {
        hex(code): (cells(chr(code)), wcwidth.wcwidth(chr(code)))
        for code in range(0x20, 0x110000)
        if unicodedata.category(chr(code)) not in NO_WIDTH
        and code not in WIDE_SINCE_UNICODE_16
        and cells(chr(code)) != wcwidth.wcwidth(chr(code))
    }
    assert different == {}


def test_every_emoji_of_text_style_becomes_wide_with_the_emoji_selector() -> None:
    table = next(iter(VS16_NARROW_TO_WIDE.values()))
    narrow = [
        hex(code)
        for first, last in table
        for code in range(first, last + 1)
        if cells(f"{chr(code)}\ufe0f") != 2
    ]
    assert narrow == []


@pytest.mark.parametrize(
    "text",
    [FAMILY, RAINBOW, FLAG, THUMB, "❤️\u200d🔥", "1️⃣", "‼️", "⛹🏽\u200d♂️", "🏴\U000e0067\U000e0062\U000e007f", "é", "한글", "각", "नमस्ते", "தமிழ்", "สำ", "a\u200b", "ｱﾞ", f"{FLAG}🇩", "\xad", "", "日本語 and English"],
)  # fmt: skip
def test_sequences_have_the_cells_that_wcwidth_gives_them(text: str) -> None:
    assert cells(text) == wcwidth.wcswidth(text)


@pytest.mark.parametrize(
    ("text", "ours", "why"),
    [
        ("☝🏽", 2, "a skin tone makes it an emoji; wcwidth counts only the base"),
        ("⌚\ufe0e", 2, "few terminals narrow a wide character for the text selector"),
        ("क्षि", 3, "a conjunct may be drawn as its parts"),
        ("a\u200db", 2, "letters are not joined; wcwidth drops whatever follows ZWJ"),
    ],
)
def test_where_terminals_differ_the_greater_width_is_taken(text: str, ours: int, why: str) -> None:
    assert cells(text) == ours > wcwidth.wcswidth(text), why


def test_emoji_newer_than_the_tables_are_wide() -> None:
    assert cells("\U0001fae8") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab", ["a", "b"]),
        ("ae\u0301\u0302b", ["a", "e\u0301\u0302", "b"]),
        (f"{FAMILY}x{RAINBOW}", [FAMILY, "x", RAINBOW]),
        (f"{FLAG}{FLAG}🇩x", [FLAG, FLAG, "🇩", "x"]),
        ("❤\ufe0f1\ufe0f\u20e3", ["❤\ufe0f", "1\ufe0f\u20e3"]),
        (f"{THUMB}a🏽", [THUMB, "a", "🏽"]),
        ("👨\u200d1\ufe0f\u20e3", ["👨\u200d", "1\ufe0f\u20e3"]),
        ("1\u200d👨", ["1\u200d", "👨"]),
        ("각한", ["각", "한"]),
        ("\n\u0301x", ["\n", "\u0301", "x"]),
        ("a\u200bb", ["a", "\u200b", "b"]),
        ("\u0301\u0301a", ["\u0301\u0301", "a"]),
    ],
)
def test_a_cluster_is_what_a_person_takes_for_one_character(text: str, expected: list[str]) -> None:
    assert clusters(text) == expected


@given(MIXED)
def test_going_left_and_right_visits_the_same_places(text: str) -> None:
    places = [0]
    while places[-1] < len(text):
        places.append(after(text, places[-1]))
    assert "".join(clusters(text)) == text
    assert [len(part) for part in clusters(text)] == [b - a for a, b in itertools.pairwise(places)]
    assert [before(text, place) for place in places[1:]] == places[:-1]
    for index in range(len(text) + 1):
        assert snap(text, index) == next(place for place in places if place >= index)


@given(MIXED)
def test_a_cluster_has_at_most_two_cells(text: str) -> None:
    assert all(0 <= cells(cluster) <= 2 for cluster in clusters(text))
    assert cells(text) == sum(map(cells, clusters(text)))
