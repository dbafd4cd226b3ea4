"""Bans: found however whom they concern is spelt, gone when they end, and never of everybody on the server's machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub.bans import Ban, Bans, key_of, network, shown_network

NOW = 1_000


def ban(to: str, until_ms: int = 0, sid: str = "", token_hash: str | None = None) -> Ban:
    return Ban(to, sid, token_hash, "Ann", "noise", until_ms)


def bans(*entries: Ban) -> Bans:
    made = Bans()
    for each in entries:
        made.put(each)
    return made


@pytest.mark.parametrize("name", ["Bob", "bob", "BOB", "b0b", "Воb"])
def test_a_name_is_banned_however_it_is_spelt_or_looks(name: str) -> None:
    assert bans(ban("Bob")).of_name(name, NOW) == ban("Bob")
    assert bans(ban(name)).of_name("Bob", NOW) == ban(name)


def test_others_are_not() -> None:
    found = bans(ban("Bob", sid="s1", token_hash="t"), ban("192.0.2.7"))
    assert found.of_name("Bobby", NOW) is None
    assert found.of_sid("s2", NOW) is None
    assert found.of_token("u", NOW) is None
    assert found.of_address("192.0.2.8", NOW) is None


def test_a_session_is_known_by_its_sid_and_by_its_token() -> None:
    found = bans(ban("Bob", sid="s1", token_hash="t"))
    assert found.of_sid("s1", NOW) == found.of_token("t", NOW) == ban("Bob", 0, "s1", "t")


@pytest.mark.parametrize(
    ("banned", "inside", "outside"),
    [
        ("192.0.2.7", ("192.0.2.7", "::ffff:192.0.2.7"), ("192.0.2.8", "::ffff:192.0.2.8")),
        ("::ffff:192.0.2.7", ("192.0.2.7",), ("192.0.2.6", "::192.0.2.7")),
        ("10.1.2.3/8", ("10.0.0.0", "10.255.255.255"), ("11.0.0.0", "9.255.255.255", "2001:db8::")),
        ("::ffff:10.0.0.0/104", ("10.9.9.9",), ("11.0.0.1",)),
        ("2001:db8::/64", ("2001:db8::1", "2001:DB8:0:0:ffff::"), ("2001:db8:0:1::1",)),
        ("2001:db8::1", ("2001:db8:0::1%eth0",), ("2001:db8::2",)),
    ],
)
def test_an_address_is_found_in_its_network(
    banned: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    found = bans(ban(banned), ban("203.0.113.0/24"))
    assert [each for each in inside if found.of_address(each, NOW) is None] == []
    assert [each for each in outside if found.of_address(each, NOW) is not None] == []
    found.drop(banned)
    assert [each for each in inside if found.of_address(each, NOW) is not None] == []


def test_loopback_is_in_no_network_and_what_is_no_address_neither() -> None:
    found = bans(ban("127.0.0.0/8"), ban("::/16"))
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "", "Bob", "a.b"):
        assert found.of_address(address, NOW) is None, address


@pytest.mark.parametrize("text", ["Bob", "1", "10", "a.b", "10.0.0", "10.0.0.256", ":", "::g", ""])
def test_a_name_is_no_network(text: str) -> None:
    assert network(text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.7/32", "192.0.2.7"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_network_has_one_spelling(text: str, shown: str) -> None:
    found = network(text)
    assert found is not None
    assert shown_network(found) == shown
    assert key_of(text) == key_of(shown)


def test_what_has_ended_is_found_no_more_and_pruned() -> None:
    found = bans(ban("Bob", NOW + 1, "s1"), ban("192.0.2.7", NOW), ban("Cy"))
    assert found.of_name("Bob", NOW) is not None
    assert found.of_name("Bob", NOW + 1) is None
    assert found.of_sid("s1", NOW + 1) is None
    assert found.of_address("192.0.2.7", NOW) is None
    assert [each.to for each in found.live(NOW)] == ["Bob", "Cy"]
    found.prune(NOW + 1)
    assert list(found.entries.values()) == [ban("Cy")]


def test_a_later_ban_takes_the_place_of_the_earlier() -> None:
    found = bans(ban("Bob", sid="s1"), ban("BOB", NOW + 5, "s2"))
    assert len(found) == 1
    assert found.of_name("bob", NOW) == ban("BOB", NOW + 5, "s2")
    assert found.of_sid("s1", NOW) is None


def test_two_that_look_alike_are_two_and_one_is_left_when_the_other_goes() -> None:
    found = bans(ban("Bob"), ban("b0b"))
    assert len(found) == 2
    found.drop("bob")
    assert found.of_name("Bob", NOW) == ban("b0b")
    found.drop("b0b")
    assert found.of_name("Bob", NOW) is None


NAMES = st.sampled_from(["Bob", "b0b", "Cy", "192.0.2.7", "192.0.2.0/24", "192.0.2.7/32", "::1:2"])
ENTRY = st.builds(
    ban, NAMES, st.sampled_from([0, 5, 9]), st.sampled_from(["", "s1"]), st.none() | st.just("t")
)


@given(st.lists(ENTRY | NAMES | st.integers(0, 10), max_size=30))
def test_what_is_put_and_dropped_is_what_is_found_and_what_is_saved_comes_back(
    steps: list[Ban | str | int],
) -> None:
    found, model = Bans(), dict[str, Ban]()
    for step in steps:
        if isinstance(step, Ban):
            found.put(step)
            model.pop(key_of(step.to), None)
            model[key_of(step.to)] = step
        elif isinstance(step, str):
            assert found.drop(step) == model.pop(key_of(step), None)
        else:
            found.prune(step)
            model = {key: each for key, each in model.items() if each.holds(step)}
    assert list(found.entries.values()) == list(model.values())
    again = bans(*(Ban(*each) for each in found.saved()))
    for mine in (found, again):
        for name in ("Bob", "b0b", "Cy"):
            assert (mine.of_name(name, 4) is None) == (
                not any(each.holds(4) for each in model.values() if _same_look(each.to, name))
            )
        assert (mine.of_address("192.0.2.7", 4) is None) == (
            not any(each.to.startswith("192.0") and each.holds(4) for each in model.values())
        )
        for to in list(mine.entries):
            mine.drop(to)
        assert (mine._found, mine._prefixes) == ({}, {}), "nothing is left behind"


def _same_look(one: str, other: str) -> bool:
    return one.casefold().replace("0", "o") == other.casefold().replace("0", "o")
