"""Rows of the line being typed; `test_screen` holds them against a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client.layout import lay_out
from chatcore.client.width import cells


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a␊b"),
        ("\x1b[31m\x07\x7f\t", "␛[31m␇␡␉"),
        ("\x9b31m", "\ufffd31m"),
        ("a\u202eb\u2066c\u200fd\u2028", "a\ufffdb\ufffdc\ufffdd\ufffd"),
        ("\ufeff\u200b\u3164", "\ufffd\ufffd\ufffd"),
        ("\u0301a", "\u25cc\u0301a"),
        ("\n\u0301", "␊\u25cc\u0301"),
        ("👨‍👩‍👧e\u0301", "👨‍👩‍👧e\u0301"),
        ("🏴\U000e0067\U000e007f", "🏴\ufffd\ufffd"),
        ("\U000e0067", "\u25cc\ufffd"),
    ],
)
def test_what_would_not_be_seen_or_would_act_is_shown_by_a_stand_in(text: str, shown: str) -> None:
    assert [row.shown for row in lay_out("", text, 0, 80).rows] == [shown]


@pytest.mark.parametrize(
    ("text", "cursor", "rows", "place"),
    [
        ("abcd", 4, ["abcd", ""], (1, 0)),  # a full row is followed by one for the cursor
        ("abcd", 3, ["abcd"], (0, 3)),
        ("abcde", 4, ["abcd", "e"], (1, 0)),
        ("abc漢", 3, ["abc", "漢"], (1, 0)),  # before a character that did not fit
        ("abc漢", 4, ["abc", "漢"], (1, 2)),
        ("", 0, [""], (0, 0)),
    ],
)
def test_the_cursor_is_always_on_a_cell(
    text: str, cursor: int, rows: list[str], place: tuple[int, int]
) -> None:
    layout = lay_out("", text, cursor, 4)
    assert [row.shown for row in layout.rows] == rows
    assert (layout.row, layout.before.width) == place


def test_a_wide_character_on_one_column_has_a_stand_in() -> None:
    assert [row.shown for row in lay_out("", "a漢b", 0, 1).rows] == ["a", "?", "b"]


def test_colours_of_the_prompt_end_with_their_row_and_have_no_width() -> None:
    layout = lay_out("\x1b[1m\x1b[32mabcdef\x1b[0m> ", "x", 1, 4)
    assert [row.shown for row in layout.rows] == [
        "\x1b[1m\x1b[32mabcd\x1b[m",
        "\x1b[1m\x1b[32mef\x1b[m> ",
        "x",
    ]
    assert [row.width for row in layout.rows] == [4, 4, 1]


@given(
    st.text(st.characters() | st.sampled_from("🏴\U000e0067\u200d\u0301\t\u200b")),
    st.integers(1, 20),
)
def test_rows_fit_and_nothing_in_them_acts(text: str, columns: int) -> None:
    for cursor in {0, len(text)}:
        layout = lay_out("> ", text, cursor, columns)
        assert layout.before.width < columns
        for row in layout.rows:
            assert row.width <= columns
            assert cells(row.shown) == row.width
            assert not any(
                unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in row.shown
            )
