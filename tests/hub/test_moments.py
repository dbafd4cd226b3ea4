"""Moments as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.moments import Ago, at_ms, moment


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
