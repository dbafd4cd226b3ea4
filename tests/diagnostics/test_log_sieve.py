"""The sieve: an address that fills the log is told of so often in a minute, and what was left out is counted."""

from __future__ import annotations

import logging

import pytest

from chatcore.diagnostics.sieve import ADDRESSES_MOST, LINES_A_MINUTE, Sieve


def record(peer: str, at: float = 1_000.0, level: int = logging.INFO) -> logging.LogRecord:
    made = logging.LogRecord("x", level, "", 0, "%(peer)s came", ({"peer": peer},), None)
    made.created = at
    return made


def written(sieve: Sieve, *records: logging.LogRecord) -> list[str]:
    return [line.getMessage() for each in records for line in sieve.sift(each)]


def test_an_address_is_told_of_so_often_and_others_as_before():
    sieve = Sieve()
    lines = written(sieve, *(record(f"192.0.2.1:{port}") for port in range(10 * LINES_A_MINUTE)))
    assert len(lines) == LINES_A_MINUTE + 1
    assert lines[-1] == "192.0.2.1 fills the log: more is left out for a minute"
    assert written(sieve, record("192.0.2.2:1")) == ["192.0.2.2:1 came"]


def test_what_was_left_out_is_told_when_the_minute_is_over():
    sieve = Sieve()
    written(sieve, *(record("192.0.2.1:1") for _ in range(LINES_A_MINUTE + 1_234)))
    later = record("192.0.2.1:2", at=1_060.0)
    assert written(sieve, later, later) == [
        "1,234 lines were left out in that minute",
        "192.0.2.1:2 came",
        "192.0.2.1:2 came",
    ]


def test_a_clock_that_goes_back_begins_a_new_minute():
    sieve = Sieve()
    written(sieve, *(record("192.0.2.1:1") for _ in range(2 * LINES_A_MINUTE)))
    assert written(sieve, record("192.0.2.1:1", at=5.0))[-1] == "192.0.2.1:1 came"


@pytest.mark.parametrize("peer", ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"])
def test_who_is_exempt(peer):
    sieve = Sieve()
    assert (
        len(written(sieve, *(record(peer) for _ in range(3 * LINES_A_MINUTE))))
        == 3 * LINES_A_MINUTE
    )


def test_what_matters_always_comes_through():
    sieve = Sieve()
    many = [record("192.0.2.1:5", level=logging.WARNING) for _ in range(3 * LINES_A_MINUTE)]
    assert len(written(sieve, *many)) == 3 * LINES_A_MINUTE
    without = logging.LogRecord("x", logging.INFO, "", 0, "stopped", (), None)
    assert written(sieve, without) == ["stopped"]


def test_an_ipv6_customer_is_one_address():
    sieve = Sieve()
    many = (record(f"[2001:db8::{number:x}]:5") for number in range(2 * LINES_A_MINUTE))
    assert len(written(sieve, *many)) == LINES_A_MINUTE + 1


def test_the_table_has_an_end():
    sieve = Sieve()
    lines = written(
        sieve,
        *(record(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}:1") for n in range(ADDRESSES_MOST + 500)),
    )
    assert len(lines) == ADDRESSES_MOST
    assert written(sieve, record("10.0.0.1:1", at=1_070.0))[0].startswith("500 lines were left out")
