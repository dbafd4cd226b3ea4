"""Who is behind: exactly by how many lines, and nobody else is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatcore.connection import lag
from chatcore.connection.lag import READERS_SHOWN, most_lines, worst

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = "x" * 400


def said(house: Any, sock: Any, lines: int) -> None:
    """So many lines, a few in a run."""
    while lines:
        count = min(lines, 7)
        sock.say(*[LINE] * count)
        house.settle()
        lines -= count


def test_nobody_is_behind_when_everybody_reads(house: Any) -> None:
    alice = house.plain("Alice")
    house.plain("Bob")
    said(house, alice, 20)
    assert worst(house.delivery) == ()
    assert most_lines(house.delivery) == 0


@pytest.mark.parametrize("lines", [1, 8, 2_000])
def test_a_reader_that_reads_nothing_is_behind_by_just_that(house: Any, lines: int) -> None:
    alice, bob = house.plain("Alice"), house.plain("Bob")
    bob.blocked = True
    said(house, alice, lines)
    (behind,) = worst(house.delivery)
    assert (behind.alias, behind.dialect, behind.lines) == ("Bob", "plain", lines)
    assert most_lines(house.delivery) == lines
    bob.blocked = False
    house.settle()
    assert worst(house.delivery) == ()
    assert bob.text.count(LINE) == lines


def test_only_its_own_rooms_count(house: Any) -> None:
    alice, bob, carol = house.plain("Alice"), house.plain("Bob"), house.plain("Carol")
    bob.say("/join #quiet")
    carol.say("/join #quiet")
    house.settle()
    bob.blocked = True
    carol.say("one line")
    house.settle()
    said(house, alice, 50)
    (behind,) = worst(house.delivery)
    assert (behind.alias, behind.lines) == ("Bob", 1)


def test_what_was_said_before_one_joined_does_not_count(house: Any) -> None:
    alice, bob, carol = house.plain("Alice"), house.native("Bob"), house.plain("Carol")
    bob.blocked = True
    said(house, alice, 2)
    carol.say("/join #busy")
    house.settle()
    said(house, carol, 30)
    before = most_lines(house.delivery)
    bob.say({"t": "join", "room": "#busy", "re": 1})
    house.settle()
    assert most_lines(house.delivery) == before + 1, "his own arrival there"


def test_it_tells_for_how_long(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = house.plain("Alice"), house.plain("Bob")
    bob.blocked = True
    said(house, alice, 1)
    (since,) = house.delivery.behind.values()
    said(house, alice, 5)
    monkeypatch.setattr(lag, "monotonic", lambda: since + 12.34)
    (behind,) = worst(house.delivery)
    assert behind.seconds == 12.3


def test_one_that_goes_is_not_behind_any_more(house: Any) -> None:
    alice, bob = house.plain("Alice"), house.plain("Bob")
    bob.blocked = True
    said(house, alice, 3)
    bob.reset()
    house.settle()
    assert worst(house.delivery) == ()
    assert not house.delivery.behind


def test_the_worst_come_first_and_only_so_many(house: Any) -> None:
    alice = house.plain("Alice")
    readers = [house.plain(f"reader{number}") for number in range(READERS_SHOWN + 5)]
    for reader in readers:
        reader.blocked = True
        said(house, alice, 1)
    found = worst(house.delivery)
    assert [each.alias for each in found] == [f"reader{n}" for n in range(READERS_SHOWN)]
    assert [each.lines for each in found] == list(range(READERS_SHOWN + 5, 5, -1))


def test_one_that_waits_for_the_archive_is_behind(make_house: Callable[..., Any]) -> None:
    house = make_house(archived=True)
    alice, bob = house.plain("Alice"), house.plain("Bob")
    house.archive.holds = True
    bob.blocked = True
    said(house, alice, 600)
    stream = house.world.log.streams["#lobby"]
    stream.trim(0, 0)
    bob.blocked = False
    house.rest()
    assert house.delivery.parked == 1
    (behind,) = worst(house.delivery)
    assert behind.alias == "Bob"
    assert 0 < behind.lines < 600
    house.archive.answer_all()
    house.settle()
    assert worst(house.delivery) == ()
    assert house.delivery.parked == 0


def test_operators_are_told_and_nobody_else(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = house.plain("Alice"), house.plain("Bob")
    carol = house.native("Carol")
    bob.blocked = True
    said(house, alice, 1_500)
    alice.sent.clear()
    carol.sent.clear()
    alice.say("/lag")
    carol.say({"t": "lag", "re": 7})
    house.settle()
    assert alice.text.startswith("-- Only operators")
    assert carol.messages[-1] | {"words": ""} == {
        "t": "refused", "re": 7, "code": "not_operator", "words": "",
    }  # fmt: skip
    (since,) = house.delivery.behind.values()
    monkeypatch.setattr(lag, "monotonic", lambda: since + 12)
    for sock in (alice, carol):
        session = house.connection_of(sock).session
        house.world.presence.make_operator(session.sid, "root")
        sock.sent.clear()
    alice.say("/lag")
    carol.say({"t": "lag", "re": 8})
    house.settle()
    assert alice.lines == ["-- Bob  1,500 lines  12.0 s  plain"]
    (row,) = carol.messages[-1].pop("readers")
    assert carol.messages[-1]["re"] == 8
    assert (row["alias"], row["dialect"], row["lines"]) == ("Bob", "plain", 1_500)
    bob.blocked = False
    house.settle()
    alice.sent.clear()
    alice.say("/lag")
    house.settle()
    assert alice.lines == ["-- Nobody is behind."]


def test_what_delivery_counts(house: Any) -> None:
    alice, bob = house.plain("Alice"), house.plain("Bob")
    counted = house.delivery.delivered
    before = (counted.records, counted.lines, counted.pushes, counted.push_bytes, counted.pages)
    alice.sent.clear()
    alice.say("one", "two", "three")
    house.settle()
    records, lines, pushes, push_bytes, pages = (
        after - old
        for after, old in zip(
            (counted.records, counted.lines, counted.pushes, counted.push_bytes, counted.pages),
            before,
            strict=True,
        )
    )
    assert (records, lines, pushes, pages) == (1, 3, 2, 0)
    assert push_bytes == len(alice.sent) + len(bob.sent)
    alice.say("/topic tea")
    house.settle()
    assert counted.records == before[0] + 2
    assert counted.lines == before[1] + 3, "an event is no line"
    bob.say("/ping")
    house.settle()
    assert counted.pages == before[4] + 1
