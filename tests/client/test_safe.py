"""Nothing that somebody typed moves a cursor here."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client.safe import safe, safe_lines


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("\x1b[2J", "␛[2J"),
        ("\a\b\r\t\0", "␇␈␍ ␀"),
        ("\x7f", "␡"),
        ("\x9b31m", "�31m"),
        ("a\u202eb\u2066c", "a�b�c"),
        ("a\u2028b", "a�b"),
        ("\ud800", "�"),
        ("one\ntwo", "one␊two"),
        ("naïve 漢字 👍🏽", "naïve 漢字 👍🏽"),
        ("a\u200db\u200ec", "a\u200db�c"),
    ],
)
def test_stand_ins(typed, shown):
    assert safe(typed) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_at_all_holds_a_control_character_afterwards(text):
    for line in safe_lines(text):
        assert not [each for each in line if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}]
        assert not [
            each for each in line if unicodedata.bidirectional(each) in {"RLO", "LRO", "RLE", "LRE"}
        ]
        line.encode()
