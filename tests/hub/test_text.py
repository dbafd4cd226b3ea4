"""Text: nothing that a person types can move a cursor, change a terminal or reorder a line."""

from __future__ import annotations

import itertools
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.text import UNSAFE, replace_surrogates, shown, shown_lines

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
NASTY = st.text(
    st.sampled_from("ab \n\t\r\x1b\x07\x7f\x85\x9b\u202e\u2066\u2028\ufeff\U000e0041\ud800é🙂")
)


def forbidden() -> set[int]:
    """Written out once more, from the standards and not from the module."""
    ranges = [
        (0x00, 0x1F),
        (0x7F, 0x9F),
        (0x202A, 0x202E),
        (0x2066, 0x2069),
        (0x200E, 0x200F),
        (0x061C, 0x061C),
    ]
    ranges += [
        (0x2028, 0x2029),
        (0xFEFF, 0xFEFF),
        (0xFFF9, 0xFFFB),
        (0xE0000, 0xE007F),
        (0xD800, 0xDFFF),
    ]
    codes = {code for first, last in ranges for code in range(first, last + 1)}
    nonchars = {
        code
        for code in range(sys.maxunicode + 1)
        if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    }
    return codes | nonchars


FORBIDDEN = forbidden()

SHOWN = [
    ("plain", "plain"),
    ("", ""),
    ("\x1b[2J", "␛[2J"),
    ("\x07", "␇"),
    ("\x00", "␀"),
    ("a\rb", "a␍b"),
    ("a\tb", "a b"),
    ("a\nb", "a␊b"),
    ("\x7f", "␡"),
    ("\x9b31m", "\ufffd31m"),
    ("\u202eevil", "\ufffdevil"),
    ("\u2028", "\ufffd"),
    ("\ud800", "\ufffd"),
    ("\U0001fffe\U0010ffff", "\ufffd\ufffd"),
    ("\U000e0041", "\ufffd"),
]

KEPT = ["👩‍👩‍👧", "❤️", "نمی‌خواهم", "a\u00a0b", "a\u3000b", "e\u0301", "\u00ad", "\ue000"]
"""Joined emoji, variation selectors, ZWNJ, other spaces, marks: not printable by Python, but harmless."""


@pytest.mark.parametrize(("text", "safe"), SHOWN, ids=[ascii(text) for text, _ in SHOWN])
def test_unsafe_characters_become_visible_stand_ins(text: str, safe: str) -> None:
    assert shown(text) == safe
    assert shown_lines(text) == safe.replace("␊", "\n")


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_what_languages_and_emoji_need_stays(text: str) -> None:
    assert shown(text) == text
    assert shown_lines(text) == text


def test_lines_stay_lines_beside_every_kind_of_text() -> None:
    for text in ("a\nb", "é\nb", "a\n\x1b", "é\n\x1b", "a\n\u200db"):
        assert shown_lines(text).count("\n") == 1
        assert "\n" not in shown(text)


def test_every_character_is_replaced_exactly_when_it_is_forbidden() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        assert (shown(character) != character) == (code in FORBIDDEN), hex(code)
        assert (UNSAFE.match(character) is not None) == (code in FORBIDDEN), hex(code)
        assert shown_lines(character) == ("\n" if character == "\n" else shown(character)), hex(
            code
        )


def test_the_quick_check_never_passes_anything_forbidden() -> None:
    assert not [hex(code) for code in FORBIDDEN if chr(code).isprintable()]


@given(ANY_TEXT | NASTY)
def test_shown_text_is_safe_and_showing_it_again_changes_nothing(text: str) -> None:
    for show, spared in ((shown, set()), (shown_lines, {10})):
        safe = show(text)
        assert not {ord(c) for c in safe} & (FORBIDDEN - spared)
        assert show(safe) == safe
        assert len(safe) == len(text)
        safe.encode()


@given(st.lists(ANY_TEXT | NASTY, max_size=5))
def test_a_run_shown_as_one_is_its_lines_shown_one_by_one(texts: list[str]) -> None:
    lines = "\n".join(texts).split("\n")
    assert shown_lines("\n".join(lines)) == "\n".join(map(shown, lines))


def escapes() -> list[str]:
    """RELIABILITY S5: what changes titles, clipboards, colours and screens, whole and unterminated."""
    introducers = {"OSC": "]", "DCS": "P", "APC": "_", "PM": "^", "SOS": "X", "CSI": "["}
    bodies = [
        "0;title",
        "8;;http://example.org",
        "52;c;aGk=",
        "21t",
        "6n",
        "$qm",
        "31m",
        "2J",
        "?1049h",
        "?2004h",
        "",
    ]
    ends = ["\x07", "\x1b\\", "\x9c", ""]
    seven_bit = [
        f"\x1b{i}{b}{e}" for i, b, e in itertools.product(introducers.values(), bodies, ends)
    ]
    eight_bit = [
        f"{chr(0x40 + ord(i))}{b}{e}"
        for i, b, e in itertools.product(introducers.values(), bodies, ends)
    ]
    return [
        *seven_bit,
        *eight_bit,
        "\x1bc",
        "\x1b(0",
        "\x1b#8",
        "\x1b7",
        "\x0e",
        "\x05",
        "\x18",
        "\x1a",
    ]


def test_no_escape_sequence_leaves_a_control_character() -> None:
    sequences = escapes()
    assert len(sequences) >= 300
    for sequence in sequences:
        for text in (sequence, f"hello {sequence} you", f"é{sequence}", f"a\n{sequence}\nb"):
            assert not any(unicodedata.category(c) == "Cc" for c in shown(text))
            assert not any(
                unicodedata.category(c) == "Cc" for c in shown_lines(text).replace("\n", "")
            )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("é🙂", "é🙂"),
        ("\ud83d\ude42", "🙂"),
        ("\ud800", "\ufffd"),
        ("\ud800a", "\ufffda"),
        ("a\udc00b", "a\ufffdb"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("\ud800\ud83d\ude42", "\ufffd🙂"),
    ],
    ids=ascii,
)
def test_surrogates_are_joined_or_replaced(text: str, clean: str) -> None:
    assert replace_surrogates(text) == clean


@given(ANY_TEXT)
def test_text_without_surrogates_can_always_be_encoded(text: str) -> None:
    clean = replace_surrogates(text)
    clean.encode()
    assert replace_surrogates(clean) == clean
    if not any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        assert clean == text
