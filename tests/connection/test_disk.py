"""What everybody sees of a disk that is slow, full, or broken."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chatcore.connection.attendance import GATHER_S
from chatcore.connection.exchange import UNSAVED_CHARS

FULL = "The disk is full: nothing can be stored until somebody makes room."


class Disk:
    """Makes nothing durable until it is told to."""

    def __init__(self, house: Any) -> None:
        self._house = house
        self.ready = False
        self.journal = house.lag(lambda waiting: waiting if self.ready else 0)

    def fill(self, sock: Any) -> None:
        """From now on it is full, and somebody's line `held` is the first that it cannot take."""
        self.ready = False
        sock.say("held")
        self._house.rest()
        self.journal.troubled = FULL
        sock.say("/ping")
        self._house.rest()

    def make_room(self) -> None:
        self.ready, self.journal.troubled = True, ""
        self._house.settle()


@pytest.fixture
def disk(house: Any) -> Disk:
    return Disk(house)


def test_nothing_is_seen_before_it_is_durable_and_pings_are_answered_meanwhile(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.plain("Ann"), house.plain("Bob")
    ann.sent.clear()
    disk.ready = False
    ann.say("hi", "/who", "/ping")
    bob.say("/ping")
    house.rest()
    assert ann.lines == ["-- pong"]
    assert bob.lines == ["-- pong"]
    disk.ready = True
    house.settle()
    assert ann.lines == ["-- pong", "Ann: hi", "-- In #lobby (2): Ann, Bob"]
    assert bob.lines == ["-- pong", "Ann: hi"]


def test_a_disk_far_behind_holds_back_those_who_speak_and_nobody_else(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.plain("Ann"), house.plain("Bob")
    ann.sent.clear()
    disk.ready = False
    line = "x" * 4_000
    lines = UNSAVED_CHARS // len(line) + 16
    for _ in range(lines // 16 + 1):
        ann.say(*[line] * 16)
    ann.say("/who")
    house.rest()
    held = house.world.log.unsaved_chars
    assert UNSAVED_CHARS < held < UNSAVED_CHARS + 256 * 1024
    assert ann.incoming, "what it goes on sending is not read"
    bob.say("/ping", "and I", "/ping")
    house.rest()
    assert bob.lines == ["-- pong"]
    disk.ready = True
    house.settle()
    said = [each for each in bob.lines if each.startswith("Ann: ")]
    assert len(said) == (lines // 16 + 1) * 16
    assert "Bob: and I" in bob.lines
    assert bob.lines.count("-- pong") == 2
    assert ann.lines[-1].startswith("-- In #lobby")


def held_back(house: Any, disk: Disk) -> tuple[Any, Any]:
    """Ann has said more than may wait for the disk, so what Bob says is not decided."""
    disk.ready = True
    ann, bob = house.plain("Ann"), house.plain("Bob")
    disk.ready = False
    for _ in range(UNSAVED_CHARS // 60_000 + 1):
        ann.say(*["x" * 4_000] * 15)
    house.rest()
    bob.say("held")
    house.rest()
    return ann, bob


@pytest.mark.usefixtures("large_reads")
def test_a_connection_that_is_held_back_may_go(house: Any, disk: Disk) -> None:
    ann, bob = held_back(house, disk)
    house.exchange.lost(house.connection_of(bob), "test")
    house.rest()
    assert bob.closes == 1
    disk.ready = True
    house.settle()
    assert ann.lines[-1] == "Bob has left the chat room!"


def test_a_full_disk_refuses_lines_with_the_reason_and_takes_them_again(
    house: Any, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chatcore.server")
    disk.ready = True
    ann, bob = house.plain("Ann"), house.native("Bob")
    ann.sent.clear()
    disk.journal.troubled = FULL
    ann.say("/ping")
    house.settle()
    ann.say("hi", "/who")
    bob.say({"t": "say", "id": "b1", "room": "#lobby", "text": "hi"})
    house.settle()
    assert FULL in ann.lines[1]
    assert ann.lines[2].startswith("-- In #lobby")
    (refused,) = [each for each in bob.messages if each["t"] == "refused"]
    assert (refused["id"], refused["code"]) == ("b1", "storage_full")
    disk.journal.troubled = ""
    ann.say("/ping")
    house.settle()
    bob.say({"t": "say", "id": "b1", "room": "#lobby", "text": "hi"})
    house.settle()
    assert ann.lines[-1] == "Bob: hi"
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", f"storing: {FULL}"),
        ("INFO", "storing: the disk takes what is said again"),
    ]


def test_a_broken_disk_ends_the_server_and_acknowledges_nothing_more(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.plain("Ann"), house.native("Bob")
    ann.sent.clear()
    disk.ready = False
    ann.say("stored?")
    bob.say({"t": "say", "id": "b1", "room": "#lobby", "text": "stored?"})
    house.rest()
    disk.journal.failed = "The log cannot be written: disk I/O error."
    ann.say("/ping", "more")
    house.rest()
    assert ann.ended
    assert bob.ended
    assert not [line for line in ann.lines if "stored?" in line]
    assert ann.lines[-1].startswith("-- The server could not write to its disk")
    assert [each["t"] for each in bob.messages if each["t"] in {"say", "ack", "bye"}] == ["bye"]
    assert bob.messages[-1]["reason"] == "storage"
    assert house.server.exit_code == 74


def test_while_nothing_can_be_stored_questions_are_answered_of_what_is(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.plain("Ann"), house.native("Bob")
    ann.say("stored")
    house.settle()
    ann.sent.clear()
    disk.fill(ann)
    ann.say("/who", "/rooms", "/history 1", "/last Ann")
    bob.say({"t": "history", "room": "#lobby", "limit": 10, "re": 1})
    house.rest()
    assert [line.rpartition("] ")[2] for line in ann.lines] == [
        "-- pong",
        "-- In #lobby (2): Ann, Bob",
        "-- #lobby (2)",
        "Ann: stored",
        "Ann: stored",
    ]
    (page,) = [each for each in bob.messages if each["t"] == "history" and each.get("re") == 1]
    assert [each.get("text") for each in page["records"]][-1] == "stored"
    disk.make_room()
    assert ann.lines[-1] == "Ann: held"


def test_while_nothing_can_be_stored_refusals_do_not_wait_for_what_cannot_be_stored(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, gone = house.plain("Ann"), house.plain("Gone")
    ann.sent.clear()
    disk.fill(ann)
    gone.end()  # a record that cannot be stored either, and that changes who is here
    house.rest()
    for _ in range(1_000):
        ann.say("no")
        house.rest()
    ann.say("/history 1", "/who", "/ping")
    house.rest()
    assert ann.lines[0] == "-- pong"
    assert all(FULL in line for line in ann.lines[1:1_001])
    assert ann.lines[-2].endswith("Gone has connected to the chat room")
    assert ann.lines[-1] == "-- pong"
    disk.make_room()
    assert ann.lines[-3:] == [
        "Ann: held",
        "Gone has left the chat room!",
        "-- In #lobby (1): Ann",
    ]


def test_while_nothing_can_be_stored_a_session_that_is_held_may_return(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.plain("Ann"), house.connect()[0]
    bob.say({"t": "hello", "v": 1, "alias": "Bob"})
    house.settle()
    welcome = bob.messages[0]
    bob.reset()
    house.settle()
    disk.fill(ann)
    back = house.connect()[0]
    hello = {"t": "hello", "v": 1, "alias": "Bob", "token": welcome["token"]}
    back.say(hello | {"log": welcome["log"], "after": welcome["seq"]})
    house.rest()
    assert back.messages[0]["resumed"]
    assert not [each for each in back.messages if each["t"] == "say"]
    disk.make_room()
    assert back.messages[-1]["text"] == "held"


def test_a_line_sent_again_while_the_first_waits_for_the_disk_is_not_acknowledged_before_it(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.native("Ann"), house.plain("Bob")
    say = {"t": "say", "id": "a1", "room": "#lobby", "text": "hi"}
    private = {"t": "dm", "id": "d1", "to": "Bob", "text": "psst"}
    disk.ready = False
    ann.say(say, private)
    house.rest()
    disk.journal.troubled = FULL
    bob.say("/ping")
    house.rest()
    ann.say(say, private)
    house.rest()
    assert [each["t"] for each in ann.messages if each["t"] in {"ack", "say", "dm"}] == []
    disk.make_room()
    told = [(each["t"], each["id"]) for each in ann.messages if "id" in each]
    assert sorted(told) == [("ack", "a1"), ("ack", "d1"), ("dm", "d1"), ("say", "a1")]


def test_nobody_is_told_how_somebody_is_before_the_records_that_say_who_that_is(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    ann, bob = house.native("Ann"), house.native("Bob")
    disk.ready = False
    ann.say({"t": "nick", "alias": "Annie"}, {"t": "away", "text": "tea"})
    guest, _ = house.connect()
    guest.say({"t": "hello", "v": 1, "alias": "Carol"})
    house.rest()
    guest.reset()
    house.rest()
    assert bob.messages == []
    disk.make_room()
    told = [(each["t"], each.get("alias") or each["to"]) for each in bob.messages]
    assert told == [
        ("nick", "Annie"),
        ("presence", "Annie"),
        ("join", "Carol"),
        ("presence", "Carol"),
    ]


def two_connections(house: Any, **more: Any) -> tuple[Any, Any]:
    """Of one session; what they were sent so far is forgotten."""
    first, _ = house.connect()
    first.say({"t": "hello", "v": 1, "alias": "Ann"} | more)
    house.settle()
    (welcome,) = [each for each in first.messages if each["t"] == "welcome"]
    second = house.native("Ann", token=welcome["token"], log=welcome["log"])
    first.sent.clear()
    return first, second


def in_dev(line_id: str, text: str) -> dict[str, Any]:
    return {"t": "say", "id": line_id, "room": "#dev", "text": text}


def test_the_other_connection_reads_nothing_of_a_room_after_a_leave_that_the_disk_was_slow_with(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    bob = house.native("Bob", rooms=["#dev"])
    first, second = two_connections(house, rooms=["#lobby", "#dev"])
    disk.ready = False
    first.say({"t": "part", "room": "#dev"})
    house.rest()
    bob.say(in_dev("b1", "together with the leave"))
    house.rest()
    disk.make_room()
    bob.say(in_dev("b2", "long after it"))
    house.settle()
    assert [each["t"] for each in first.messages] == ["leave", "ok"]
    assert [each["t"] for each in second.messages] == ["leave"]


def test_the_other_connection_reads_nothing_of_a_room_before_a_join_that_the_disk_was_slow_with(
    house: Any, disk: Disk
) -> None:
    disk.ready = True
    bob = house.native("Bob", rooms=["#dev"])
    first, second = two_connections(house)
    disk.ready = False
    bob.say(in_dev("b1", "before the join"))
    house.rest()
    first.say({"t": "join", "room": "#dev"})
    house.rest()
    disk.make_room()
    assert [each["t"] for each in first.messages] == ["ok", "history", "join"]
    assert [each["t"] for each in second.messages] == ["join"]
    bob.say(in_dev("b2", "after it"))
    house.settle()
    assert [each["t"] for each in second.messages] == ["join", "say"]
    assert house.connection_of(second).live_in == ("#lobby", "#dev")


def test_whoever_was_kicked_out_of_a_big_room_reads_no_more_of_it_with_a_slow_disk_either(
    house: Any, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody is told of a quiet leave, so nothing in the room's stream ends what is pushed.
    monkeypatch.setattr("chatcore.hub.verbs.rooms.BIG_ROOM", 1)
    disk.ready = True
    bob = house.native("Bob", rooms=["#dev"])
    ann = house.native("Ann", rooms=["#lobby", "#dev"])
    house.pass_time(GATHER_S)
    ann.sent.clear()
    disk.ready = False
    bob.say({"t": "kick", "room": "#dev", "name": "Ann"})
    house.rest()
    disk.make_room()
    bob.say(in_dev("b1", "after it"))
    house.settle()
    assert [each["t"] for each in ann.messages] == ["act"]


@pytest.mark.usefixtures("large_reads")
def test_whoever_is_put_out_while_held_back_keeps_nobody_awake(house: Any, disk: Disk) -> None:
    _, bob = held_back(house, disk)
    bob.blocked = True
    house.server.stop()
    disk.ready = True
    house.settle()
    bob.blocked = False
    house.settle()
    assert bob.text.endswith("-- The server is stopping.\n")
    assert "held" not in bob.text
