"""Plain commands from words: what is missing or too much is refused with the usage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.moments import Ago
from chatcore.hub.reply import Refusal
from chatcore.hub.verbs.table import NUMBER_DIGITS, Kind, Param, Verb, parse_words


class Built(NamedTuple):
    name: str = ""
    number: int | None = None
    words: str | None = None
    hidden: str | None = None


VERB: Any = Verb(
    "try",
    (
        Param("hidden", Kind.ID, plain=False),
        Param("name", Kind.NAME),
        Param("number", Kind.NUMBER, required=False),
        Param("words", Kind.WORDS, required=False),
    ),
    Built,  # type: ignore[arg-type]
    lambda world, session, command: Refusal("", ""),
    "/try NAME [number] [words]",
    "tries",
)


@pytest.mark.parametrize(
    ("words", "built"),
    [
        ("Ann", Built("Ann")),
        ("  Ann  ", Built("Ann")),
        ("Ann 12", Built("Ann", 12)),
        ("Ann   007   a  b ", Built("Ann", 7, "a  b")),
        ("Ann\u00a0B\u2003C 1", Built("Ann\u00a0B\u2003C", 1)),
        ("Ann 1 \u00a0", Built("Ann", 1)),
        ("Ann 1 \ta ", Built("Ann", 1, "\ta")),
        (f"Ann {'9' * NUMBER_DIGITS}", Built("Ann", 10**NUMBER_DIGITS - 1)),
    ],
)
def test_words_become_parameters(words: str, built: Built) -> None:
    assert parse_words(VERB, words) == built


@pytest.mark.parametrize("number", ["x", "+1", "-1", "1_0", "１", "²", "1.0", "9" * 19])
def test_a_number_is_ascii_digits_and_not_endless(number: str) -> None:
    assert parse_words(VERB, f"Ann {number}") == Refusal(
        "bad_field", "number must be a whole number. Usage: /try NAME [number] [words]"
    )


def test_what_is_needed_is_asked_for_by_name() -> None:
    assert parse_words(VERB, "") == Refusal(
        "bad_field", "/try needs a name. Usage: /try NAME [number] [words]"
    )
    other = replace(VERB, params=(Param("alias", Kind.NAME),))
    assert parse_words(other, " ") == Refusal(
        "bad_field", "/try needs an alias. Usage: /try NAME [number] [words]"
    )


class Keyed(NamedTuple):
    number: int | None = None
    first: int | None = None
    then: Ago | int | None = None


KEYED: Any = replace(
    VERB,
    params=(
        Param("number", Kind.NUMBER, required=False),
        Param("before", Kind.NUMBER, required=False, keyed=True, field="first"),
        Param("since", Kind.TIME, required=False, keyed=True, field="then"),
    ),
    build=Keyed,  # type: ignore[arg-type]
)


@pytest.mark.parametrize(
    ("words", "built"),
    [
        ("", Keyed()),
        ("5", Keyed(5)),
        ("5 before 7", Keyed(5, 7)),
        ("since  2h", Keyed(then=Ago(7_200_000))),
        ("5 since 1970-01-01T00:00:01Z before 7 ", Keyed(5, 7, 1_000)),
    ],
)
def test_what_has_a_name_stands_behind_it_in_any_order(words: str, built: Keyed) -> None:
    assert parse_words(KEYED, words) == built


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("before", "before must be a whole number"),
        ("before x", "before must be a whole number"),
        ("5 since never", "since must be a time, as 2h, 3d, 2026-11-20 or 2026-11-20T14:02:11Z"),
        ("before 7 5", "/try takes no more than that"),
        ("before 7 before 8", "/try takes no more than that"),
    ],
)
def test_what_is_wrong_with_a_name_or_its_value_is_said(words: str, wrong: str) -> None:
    assert parse_words(KEYED, words) == Refusal(
        "bad_field", f"{wrong}. Usage: /try NAME [number] [words]"
    )


def test_too_much_is_refused() -> None:
    short = replace(VERB, params=VERB.params[:3])
    assert parse_words(short, "Ann 1 more") == Refusal(
        "bad_field", "/try takes no more than that. Usage: /try NAME [number] [words]"
    )


@given(st.text())
def test_any_words_become_a_command_or_a_refusal(words: str) -> None:
    assert isinstance(parse_words(VERB, words), Built | Refusal)


def test_a_verb_without_usage_is_not_for_plain_clients() -> None:
    assert VERB.plain
    assert not replace(VERB, usage="").plain


class Banned(NamedTuple):
    name: str
    room: str | None = None
    for_ms: int | None = None
    words: str | None = None


BAN: Any = replace(
    VERB,
    params=(
        Param("name", Kind.NAME),
        Param("room", Kind.ROOM, required=False),
        Param("for", Kind.SPAN, required=False, field="for_ms"),
        Param("words", Kind.WORDS, required=False),
    ),
    build=Banned,
)


@pytest.mark.parametrize(
    ("words", "built"),
    [
        ("Ann", Banned("Ann")),
        ("Ann 10m", Banned("Ann", None, 600_000)),
        ("Ann #a", Banned("Ann", "#a")),
        ("Ann #a 1h", Banned("Ann", "#a", 3_600_000)),
        ("Ann #a 1h too loud", Banned("Ann", "#a", 3_600_000, "too loud")),
        ("Ann too loud", Banned("Ann", None, None, "too loud")),
        ("Ann 1h too loud", Banned("Ann", None, 3_600_000, "too loud")),
        ("Ann 1h #a", Banned("Ann", None, 3_600_000, "#a")),
        ("Ann 10 minutes", Banned("Ann", None, None, "10 minutes")),
    ],
)
def test_a_room_and_a_span_are_known_by_how_they_look(words: str, built: Banned) -> None:
    assert parse_words(BAN, words) == built


def test_an_impossible_span_is_no_reason() -> None:
    refusal = parse_words(BAN, "Ann 99999d")
    assert type(refusal) is Refusal
    assert refusal.words.startswith("for must be a time of at least a second")
