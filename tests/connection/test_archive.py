"""What memory has let go of is read from the archive: by those who fell behind, who return, and who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatcore.hub import state as states
from chatcore.log.archive import Past, Rest

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_RECORDS = 8
LINES = 200


@pytest.fixture
def house(make_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A house whose memory holds a few records of each room."""
    monkeypatch.setattr("chatcore.log.stream.WINDOW_RECORDS", WINDOW_RECORDS)
    made = make_house(archived=True)
    made.lag(lambda waiting: waiting)
    return made


def say_many(house: Any, sock: Any, count: int = LINES, first: int = 0) -> list[str]:
    texts = [f"line {n}" for n in range(first, first + count)]
    for text in texts:
        sock.say(text)
        house.turn()
    house.settle()
    return texts


def rests(house: Any) -> list[Rest]:
    return [each for each in house.archive.questions if type(each) is Rest]


def test_a_reader_that_fell_behind_memory_misses_nothing_and_is_live_again(house: Any) -> None:
    ann, slow, native = house.plain("Ann"), house.plain("Slow"), house.native("Nat")
    ann.sent.clear()
    slow.sent.clear()
    slow.blocked = native.blocked = True
    texts = say_many(house, ann)
    slow.blocked = native.blocked = False
    house.settle()
    assert [line for line in slow.lines if line.startswith("Ann: ")] == [f"Ann: {t}" for t in texts]
    assert not [line for line in slow.lines if "missed" in line]
    assert [each["text"] for each in native.messages if each["t"] == "say"] == texts
    assert not [each for each in native.messages if each["t"] == "gap"]
    assert rests(house)
    asked = len(house.archive.questions)
    ann.say("on")
    house.settle()
    assert slow.lines[-1] == "Ann: on"
    assert len(house.archive.questions) == asked


def test_nobody_waits_for_a_reader_that_is_parked(house: Any) -> None:
    ann, slow = house.plain("Ann"), house.plain("Slow")
    slow.blocked = True
    say_many(house, ann)
    house.archive.holds = True
    slow.blocked = False
    slow.sent.clear()
    ann.sent.clear()
    ann.say("on", "/ping")
    house.settle()
    assert ann.lines == ["Ann: on", "-- pong"]
    assert not [line for line in slow.lines if line == "Ann: on"]
    house.archive.answer_all()
    house.settle()
    assert slow.lines[-1] == "Ann: on"


def test_a_parked_reader_may_leave_before_its_answer_comes(house: Any) -> None:
    ann, slow = house.plain("Ann"), house.plain("Slow")
    slow.blocked = True
    say_many(house, ann)
    house.archive.holds = True
    slow.blocked = False
    house.settle()
    assert house.archive.asked
    slow.reset()
    house.settle()
    assert slow.closes == 1
    house.archive.answer_all()
    house.settle()
    assert slow.closes == 1
    assert ann.lines[-1] == "Slow has left the chat room!"


def test_a_reader_whose_rest_is_unreadable_is_closed_and_not_skipped_ahead(house: Any) -> None:
    ann, slow = house.plain("Ann"), house.plain("Slow")
    slow.blocked = True
    texts = say_many(house, ann)
    house.archive.unreadable = True
    slow.blocked = False
    house.settle()
    assert slow.closes == 1
    said = [line for line in slow.lines if line.startswith("Ann: ")]
    assert said == [f"Ann: {text}" for text in texts[: len(said)]]
    assert len(said) < LINES


def test_a_session_that_returns_reads_on_from_its_position_and_then_live(house: Any) -> None:
    ann = house.plain("Ann")
    gone, connection = house.connect()
    gone.say({"t": "hello", "v": 1, "alias": "Gone"})
    house.settle()
    welcome = gone.messages[0]
    seen = gone.messages[-1]["seq"]
    gone.reset()
    house.settle()
    texts = say_many(house, ann)
    back, _ = house.connect()
    hello = {"t": "hello", "v": 1, "alias": "Gone", "token": welcome["token"]}
    back.say(hello | {"log": welcome["log"], "after": seen})
    house.archive.holds = True
    house.settle()
    ann.say("live")
    house.settle()
    house.archive.answer_all()
    house.settle()
    assert back.messages[0]["resumed"]
    says = [each for each in back.messages if each["t"] == "say"]
    assert [each["text"] for each in says] == [*texts, "live"]
    assert rests(house)
    assert connection.closing


def test_history_from_the_archive_keeps_its_place_and_the_commands_behind_it_wait(
    house: Any,
) -> None:
    ann = house.plain("Ann")
    texts = say_many(house, ann)
    ann.sent.clear()
    house.archive.holds = True
    ann.say("/history 100", "behind")
    house.settle()
    assert ann.lines == []
    house.archive.answer_all()
    house.settle()
    assert len(ann.lines) == 101
    assert [line.split("] ")[1] for line in ann.lines[:-1]] == [f"Ann: {t}" for t in texts[-100:]]
    assert ann.lines[-1] == "Ann: behind"
    assert any(type(each) is Past for each in house.archive.questions)


def test_who_joins_reads_the_last_lines_from_the_archive_before_what_is_said_then(
    house: Any,
) -> None:
    ann = house.plain("Ann")
    texts = say_many(house, ann)
    house.archive.holds = True
    bob, _ = house.connect()
    bob.say("Bob")
    house.settle()
    ann.say("live")
    house.settle()
    house.archive.answer_all()
    house.settle()
    said = [line.split("] ")[-1] for line in bob.lines if "Ann: " in line]
    assert said == [f"Ann: {text}" for text in [*texts[-20:], "live"]]


def test_history_that_is_unreadable_is_answered_and_the_connection_lives(house: Any) -> None:
    ann = house.plain("Ann")
    say_many(house, ann)
    ann.sent.clear()
    house.archive.unreadable = True
    ann.say("/history 100", "on")
    house.settle()
    assert ann.lines == ["-- It is lost.", "Ann: on"]


def test_whoever_asks_and_goes_is_not_answered(house: Any) -> None:
    ann = house.plain("Ann")
    say_many(house, ann)
    house.archive.holds = True
    ann.say("/history 100")
    house.settle()
    ann.reset()
    connection = house.connection_of(ann)
    house.exchange.lost(connection, "test")
    house.settle()
    house.archive.answer_all()
    house.settle()
    assert ann.closes == 1


def test_an_answer_that_cannot_be_told_ends_the_asker_and_nobody_else(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    say_many(house, ann)
    bob.sent.clear()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("chatcore.connection.lookups.complete", fail)
    ann.say("/history 100")
    for _ in range(10):
        house.turn()
    assert ann.closes == 1
    assert house.reactor.stats.faults == 1
    bob.say("/ping")
    for _ in range(10):
        house.turn()
    assert bob.lines[-1] == "-- pong"


def test_a_reader_that_cannot_be_served_is_closed_and_the_others_are_served(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, carol = (house.plain(name) for name in ("Ann", "Bob", "Carol"))
    broken = house.connection_of(bob).reader
    pull = type(broken).pull

    def sometimes(reader: Any, durable_seq: int) -> bytes:
        if reader is broken:
            raise ZeroDivisionError
        found: bytes = pull(reader, durable_seq)
        return found

    monkeypatch.setattr(type(broken), "pull", sometimes)
    for sock in (ann, bob, carol):
        sock.sent.clear()
        sock.say("/ping")
    for _ in range(10):
        house.turn()
    assert bob.closes == 1
    assert ann.lines[0] == carol.lines[0] == "-- pong"


def test_a_room_that_was_forgotten_has_its_history_when_it_is_made_again(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "MOST_ROOMS", 2)
    ann = house.plain("Ann")
    for line in ("/join #dev", "first", "/join #lobby", "/join #ops", "second", "/join #lobby"):
        ann.say(line)
        house.settle()
    assert [*house.world.state.named] == ["#lobby", "#ops"]
    assert "#dev" not in house.world.log.streams
    ann.sent.clear()
    bob = house.plain("Bob")
    for line in ("/join #dev", "/history"):
        bob.say(line)
        house.settle()
        house.archive.answer_all()
        house.settle()
    assert [line[-10:] for line in bob.lines if "Ann: " in line] == ["Ann: first"]
    bob.say("third")
    house.settle()
    assert bob.lines[-1] == "Bob: third"
