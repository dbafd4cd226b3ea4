"""Rows of the line being typed; `test_screen` holds them against a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client.layout import INDENT, INDENTED_COLUMNS, SGR, lay_out, wrap
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


LINK = "https://example.org/a-b?c=d"


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("Zoë: what about the cake", 20, ["Zoë: what about the", "  cake"]),
        ("fits in a row", 13, ["fits in a row"]),
        ("12345  67 89", 5, ["12345", "67 89"]),
        ("  indented line", 10, ["  indented", "line"]),
        ("a   b    ccc dddd", 6, ["a   b", "ccc", "dddd"]),
        (
            "Bob: " + "x" * 40 + " and then more",
            20,
            ["Bob: " + "x" * 15, "  " + "x" * 18, "  xxxxxxx and then", "  more"],
        ),
        ("Bob: 日本語日本語日本語日本語 abc", 20, ["Bob: 日本語日本語日", "  本語日本語 abc"]),
        ("日本語abcdefgh ijk mno", 9, ["日本語abc", "defgh ijk", "mno"]),
        ("e\u0301" * 5 + " 😀 xyz abcd", 7, ["e\u0301" * 5, "😀 xyz", "abcd"]),
        ("Bob: " + " " * 30 + "Eve: hi", 20, ["Bob:", "  Eve: hi"]),
        (f"Bob: see {LINK}", 30, ["Bob: see", f"  {LINK}"]),
        (f"Bob: see {LINK} now", 20, [f"Bob: see {LINK}", "  now"]),
        (f"Bob: 12345 67890 12345 {LINK}", 20, ["Bob: 12345 67890", f"  12345 {LINK}"]),
        (f"Bob: 123456789 12345 {LINK}", 20, ["Bob: 123456789 12345", f"  {LINK}"]),
        ("-- \x1b[2mone two three\x1b[0m four", 8, ["-- \x1b[2mone\x1b[m", "\x1b[2mtwo\x1b[m"]),
        ("a b", 1, ["a", "b"]),
        ("漢 字", 1, ["漢", "字"]),
        (" " * 30 + "漢 x", 20, ["漢 x"]),
    ],
)
def test_what_arrives_is_broken_between_words(text: str, columns: int, rows: list[str]) -> None:
    assert wrap(text, columns)[: len(rows)] == rows


@pytest.mark.parametrize(
    "blank",
    ["\xa0", "\u3000", "\u2007", "\u2800", "漢", " "],
    ids=["no-break", "ideographic", "figure", "braille", "wide", "space"],
)
@pytest.mark.parametrize(
    "filler", ["x", "漢", "https://x/", "https://"], ids=["word", "wide", "address", "scheme"]
)
@pytest.mark.parametrize(
    "forged",
    ["[19:36] Bob: I quit", "Bob: I quit", "-- Bob has left"],
    ids=["timed", "untimed", "notice"],
)
def test_nobody_writes_what_looks_like_another_line(forged: str, filler: str, blank: str) -> None:
    """Wherever the terminal or we begin a row."""
    columns = 40
    words = forged.replace(" ", blank)
    for padding in range(2 * columns):
        rows = wrap(f"[19:36] Eve: {filler}{'x' * padding}{words}", columns)
        edges = [row[at:] for row in rows for at in range(columns, len(row), columns)]
        assert all(row.startswith(INDENT) for row in rows[1:])
        assert not [edge for edge in edges if edge.startswith(("[", "Bob:", "--"))], rows


WORDS = st.sampled_from(
    ["a", "bcd", "ef-ghijk", "漢字", "x" * 30, LINK, "e\u0301", "😀", " ", "\x1b[1m", "\x1b[0m"]
)


@given(st.lists(WORDS).map(" ".join), st.integers(1, 40))
def test_of_what_arrives_only_spaces_at_the_end_of_a_row_go(text: str, columns: int) -> None:
    rows = [SGR.sub("", row) for row in wrap(text, columns)]
    for row in rows:
        assert LINK in row or columns == 1 or cells(row) <= columns
    rest = plain = SGR.sub("", text)
    for row in (rows[0], *(row.removeprefix(INDENT) for row in rows[1:])):
        rest = (
            rest.removeprefix(row) if rest.startswith(row) else rest.lstrip(" ").removeprefix(row)
        )
    assert rest.strip(" ") == ""
    assert "".join(rows).replace(" ", "") == plain.replace(" ", "")
    room = columns - (len(INDENT) if columns >= INDENTED_COLUMNS else 0)
    whole = [word for word in plain.split() if word.isascii() and len(word) <= room]
    kept = " ".join(rows).split()
    assert [word for word in kept if word in whole] == whole
