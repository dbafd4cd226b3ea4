"""Moments as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.moments import (
    SPAN_MOST_MS,
    Ago,
    at_ms,
    looks_like_span,
    moment,
    span,
    span_words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", Ago(30_000)),
        ("5m", Ago(300_000)),
        ("2h", Ago(7_200_000)),
        ("3d", Ago(259_200_000)),
        ("1w", Ago(604_800_000)),
        ("0s", Ago(0)),
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500),
        ("1900-01-01T00:00:00Z", 0),
    ],
)
def test_a_span_or_a_time(text: str, expected: object) -> None:
    assert moment(text) == expected


def test_a_day_begins_at_midnight_where_the_server_is() -> None:
    midnight = datetime(2026, 11, 20).astimezone()
    assert moment("2026-11-20") == int(midnight.timestamp() * 1000)


@pytest.mark.parametrize(
    "text",
    [
        *("", "2", "h", "2x", "-2h", "2.5h", "２h", "2 h", "2h ago", "1234567s", "yesterday"),
        *("2026-11-20T14:02:11", "2026-11", "2026-13-01", "2026-W01-1", "20261120", "2026-02-30"),
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert moment(text) is None


@given(st.text())
def test_any_text_is_a_moment_or_none(text: str) -> None:
    then = moment(text)
    assert then is None or at_ms(then, 10**12) >= 0


@given(st.dates())
def test_any_day_of_the_calendar_is_a_moment_or_none(day: datetime) -> None:
    then = moment(day.isoformat()[:10])
    assert then is None or at_ms(then, 0) >= 0


def test_back_from_now_and_never_before_the_beginning() -> None:
    assert at_ms(Ago(1_000), 5_000) == 4_000
    assert at_ms(Ago(6_000), 5_000) == 0
    assert at_ms(3_000, 5_000) == 3_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("30s", 30_000),
        ("10m", 600_000),
        ("3650d", SPAN_MOST_MS),
        ("3651d", None),
        ("999999w", None),
        ("0s", None),
    ],
)
def test_a_span_lasts_a_while_and_not_for_ever(text: str, ms: int | None) -> None:
    assert looks_like_span(text)
    assert span(text) == ms


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-1m", "ten", "2026-11-20"])
def test_what_is_no_span(text: str) -> None:
    assert not looks_like_span(text)
    assert span(text) is None


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "1 second"),
        (999, "1 second"),
        (1_000, "1 second"),
        (59_000, "59 seconds"),
        (60_000, "1 minute"),
        (90_000, "90 seconds"),
        (600_000, "10 minutes"),
        (3_600_000, "1 hour"),
        (90 * 60_000, "90 minutes"),
        (86_400_000, "1 day"),
        (36 * 3_600_000, "36 hours"),
        (3_650 * 86_400_000, "3,650 days"),
    ],
)
def test_a_span_is_said_as_people_say_it(ms: int, words: str) -> None:
    assert span_words(ms) == words
