"""The crowd: what one address may have, whatever it is written like, and what is remembered of it."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from chatcore.connection.crowd import (
    ADDRESSES_MOST,
    MINUTE_S,
    PARTS_AN_ARRIVAL,
    Crowd,
    site,
)
from chatcore.connection.limits import Limits

NOW = 1_000.0


def crowd_of(at_once: int = 0, a_minute: int = 0) -> Crowd:
    return Crowd(Limits(connections_per_address=at_once, arrivals_per_minute=a_minute))


def test_loopback_and_an_unlimited_server_count_nobody() -> None:
    crowd = crowd_of(1, 1)
    for host in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
        assert not any(crowd.enter(host, NOW) for _ in range(5))
        crowd.leave(host)
    unlimited = crowd_of()
    assert not any(unlimited.enter("10.0.0.1", NOW) for _ in range(5))
    assert not sum(crowd.turned_away.values())


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("10.0.0.1", "::ffff:a00:1", True),
        ("10.0.0.1", "0:0:0:0:0:ffff:10.0.0.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:DB8:0:1:0:0:0:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_one_customer_is_one_address(first: str, second: str, same: bool) -> None:
    crowd = crowd_of(1)
    assert crowd.enter(first, NOW) is None
    assert (crowd.enter(second, NOW) == "connections_per_address") is same
    crowd.leave(first)
    assert (crowd.enter(second, NOW) is None) is same


def test_a_customer_gains_nothing_from_all_addresses_it_has() -> None:
    """S12: a /64 has 2⁶⁴ of them, and an IPv4 address two ways to be written."""
    chance = random.Random(12)
    crowd = crowd_of(4, 6)
    inside = [0, 0]
    tried = 10_000
    for number in range(tried):
        spread = f"2001:db8:0:7:{':'.join(f'{chance.getrandbits(16):x}' for _ in range(4))}"
        mapped = chance.choice(["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"])
        for which, host in enumerate((spread, mapped)):
            # Half of those who come in leave at once, so that both limits are met.
            if crowd.enter(host, NOW) is None:
                inside[which] += 1
                if number % 2:
                    crowd.leave(host)
    print(f"\n{tried} arrivals from one /64 and one IPv4 address: {inside} let in")
    assert inside == [6, 6]
    assert len(crowd._arrivals) == 2


def test_what_left_is_no_longer_counted() -> None:
    crowd = crowd_of(2)
    for _ in range(2):
        assert crowd.enter("10.0.0.1", NOW) is None
    assert crowd.enter("10.0.0.1", NOW) == "connections_per_address"
    for _ in range(2):
        crowd.leave("10.0.0.1")
    assert not crowd._here


def test_a_minute_has_so_many_arrivals_however_they_are_spread() -> None:
    crowd = crowd_of(a_minute=60)
    let_in = 0
    for tenth in range(6_000):
        if crowd.enter("10.0.0.1", NOW + tenth / 10) is None:
            let_in += 1
            crowd.leave("10.0.0.1")
    # The full bucket at the beginning, and one a second after it.
    assert let_in == pytest.approx(60 + 600, abs=1)


def test_parts_of_a_page_are_hardly_arrivals_and_yet_bounded() -> None:
    crowd = crowd_of(a_minute=64)
    let_in = 0
    while crowd.enter("10.0.0.1", NOW) is None:
        crowd.discount("10.0.0.1")
        crowd.leave("10.0.0.1")
        let_in += 1
    assert let_in == pytest.approx(64 * PARTS_AN_ARRIVAL, abs=PARTS_AN_ARRIVAL)
    # Nothing is given that was not taken.
    later = NOW + 2 * MINUTE_S
    assert crowd.enter("10.0.0.1", later) is None
    for _ in range(1_000):
        crowd.discount("10.0.0.1")
    assert crowd._arrivals["10.0.0.1"][1] <= 64
    crowd.discount("127.0.0.1")
    crowd.discount("10.0.0.2")
    assert set(crowd._arrivals) == {"10.0.0.1"}


def test_who_was_refused_for_having_too_many_may_come_as_soon_as_one_has_left() -> None:
    crowd = crowd_of(1, 60)
    assert crowd.enter("10.0.0.1", NOW) is None
    for _ in range(1_000):
        assert crowd.enter("10.0.0.1", NOW) == "connections_per_address"
    crowd.leave("10.0.0.1")
    assert crowd.enter("10.0.0.1", NOW) is None


def test_a_reload_takes_effect_at_the_next_arrival() -> None:
    limits = Limits(connections_per_address=1, arrivals_per_minute=0)
    crowd = Crowd(limits)
    assert crowd.enter("10.0.0.1", NOW) is None
    assert crowd.enter("10.0.0.1", NOW) == "connections_per_address"
    limits.take(Limits(connections_per_address=3, arrivals_per_minute=2))
    assert [crowd.enter("10.0.0.1", NOW) for _ in range(2)] == [None, None]
    crowd.leave("10.0.0.1")
    assert crowd.enter("10.0.0.1", NOW) == "arrivals_per_minute"
    limits.take(Limits(connections_per_address=3, arrivals_per_minute=0))
    assert crowd.enter("10.0.0.1", NOW) is None
    assert not crowd._arrivals


def test_the_tables_forget_who_has_gone_and_stay_bounded() -> None:
    """C5: more addresses in one minute than are remembered, then a few in each of the next ones."""
    crowd = crowd_of(32, 64)
    tracemalloc.start()
    most = 0
    for number in range(2 * ADDRESSES_MOST):
        host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert crowd.enter(host, NOW + number / ADDRESSES_MOST) is None
        crowd.leave(host)
        most = max(most, len(crowd._arrivals))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    later = NOW + 2 * MINUTE_S
    for number in range(ADDRESSES_MOST):
        crowd.enter(f"11.0.{number >> 8 & 3}.{number & 255}", later + number / 1_000)
    print(
        f"\n{2 * ADDRESSES_MOST} addresses: {most} remembered at most, {used / 2**20:.0f} MiB; "
        f"{len(crowd._arrivals)} after 65 s of 1,024 others"
    )
    assert most <= ADDRESSES_MOST
    assert len(crowd._arrivals) == 1_024


def test_an_address_that_still_has_connections_is_counted_after_its_minute() -> None:
    crowd = crowd_of(1, 1)
    assert crowd.enter("10.0.0.1", NOW) is None
    for number in range(10):
        crowd.enter(f"10.0.1.{number}", NOW + 2 * MINUTE_S)
    assert "10.0.0.1" not in crowd._arrivals
    assert crowd.enter("10.0.0.1", NOW + 2 * MINUTE_S) == "connections_per_address"


def test_a_site_is_none_for_loopback_only() -> None:
    assert [site(host) for host in ("127.0.0.1", "::1", "::ffff:127.9.9.9")] == [None] * 3
    assert site("128.0.0.1") == "128.0.0.1"
    assert site("2001:db8::1") == "2001:db8::/64"
