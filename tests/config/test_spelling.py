"""Values are shown as they would stand in the settings file, whatever they are."""

from __future__ import annotations

import datetime
import math
import tomllib

import pytest

from chatcore.config.operators import Operator
from chatcore.config.spelling import SHOWN_CHARS, short, spelt
from chatcore.config.values import addresses

DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [
        True,
        7,
        15.0,
        'Grüße, "Zoë"\nC:\\x',
        "\x1b[2J\u202e",
        "",
        ["a", ["b", 1]],
        [],
        {"to": [1, {"be": False}]},
        datetime.date(1979, 5, 27),
    ],
    ids=str,
)
def test_what_is_shown_can_be_read_again(value):
    text = spelt(value)
    assert text.isprintable()
    assert tomllib.loads(f"value = {text}")["value"] == value


def test_what_toml_has_no_word_for():
    assert spelt(None) == "none"
    assert spelt(()) == "[]"
    assert spelt(math.inf) == "inf"
    assert spelt("a\udcffb") == '"a\\udcffb"'


def test_addresses_are_spelt_as_they_are_given():
    assert spelt(addresses("localhost:7,[::1]:8")) == '["localhost:7", "[::1]:8"]'


def test_an_operator_is_a_name():
    assert spelt((Operator("Ann", "$scrypt$secret"),)) == '[{name = "Ann"}]'


@pytest.mark.parametrize(
    "value",
    [10**5_000, [10**5_000], DEEP, "x" * 10**6, {"\x1b": 1}, [1] * 10**5],
    ids=["digits", "digits in a list", "depth", "length", "key", "list"],
)
def test_a_wrong_value_is_shown_as_far_as_it_helps(value):
    text = short(value)
    assert len(text) <= SHOWN_CHARS + 1
    assert text.isprintable()
