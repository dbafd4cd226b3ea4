"""What a client comes back to after the server was killed and started again on its folder: exactly what it left."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chatcore.store.batches import Batches
from chatcore.store.schema import LOG_FILE
from scripts.prove.process import tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Message, Native, Server, Start

GRACE = "[flood]\nenabled = false\n[presence]\ngrace_s = 60\n"
WINDOW = 256
"""Ids of one's own that a session remembers."""

RECORDS = {"say", "me", "join", "leave", "nick", "topic", "dm"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def first(start: Start, data: Path) -> Server:
    return start.server(config=GRACE, data=data)


def again(start: Start, server: Server, data: Path) -> Server:
    """Pull the plug, and start anew."""
    server.kill()
    return start.server("--port", str(server.address[1]), config=GRACE, data=data)


def arrive(start: Start, alias: str, *rooms: str) -> tuple[Native, Message]:
    client = start.native()
    return client, client.hello(alias, rooms=rooms or ("#lobby",))


def records(messages: list[Message]) -> list[tuple[int, str]]:
    return [(each["seq"], each["t"]) for each in messages if each["t"] in RECORDS]


def test_a_retry_of_a_stored_id_is_acknowledged_with_its_number_and_stored_once(
    start: Start, first: Server, data: Path
) -> None:
    alice, welcome = arrive(start, "Alice")
    stored = {f"id{number}": alice.say(f"id{number}", str(number))["seq"] for number in range(300)}
    again(start, first, data)
    back = start.native()
    assert back.back(welcome, max(stored.values()))["resumed"] is True
    for line_id in list(stored)[-WINDOW:]:
        answer = back.say(line_id, "not this text")
        assert (answer["t"], answer.get("seq")) == ("ack", stored[line_id])
    new = back.say("new", "a new one")
    assert (new["t"], new["seq"] > max(stored.values())) == ("say", True)
    page = back.ask("history", room="#lobby", limit=500)["records"]
    texts = [record["text"] for record in page if record["t"] == "say"]
    assert texts == [*map(str, range(300)), "a new one"]


@pytest.mark.parametrize("restarts", [1, 3])
def test_a_return_has_its_alias_its_rooms_and_exactly_what_it_missed_without_a_seam(
    start: Start, first: Server, data: Path, restarts: int
) -> None:
    """At every position, and over more than one restart."""
    alice, welcome = arrive(start, "Alice", "#lobby", "#dev", "#ops")
    alice.ask("nick", alias="Ally")
    alice.ask("topic", room="#dev", text="tea at four")
    alice.ask("part", room="#ops")
    bob, bobs = arrive(start, "Bob", "#lobby", "#dev")
    for number in range(20):
        bob.say(f"a{number}", f"before {number}", ("#lobby", "#dev")[number % 2])
    alice.read_until(lambda message: message.get("text") == "before 19")
    everything = records(alice.messages)
    positions = [seq for seq, _ in everything[-12:]]
    server = first
    for _ in range(restarts):
        server = again(start, server, data)
    bob = start.native()
    assert bob.back(bobs, positions[-1])["resumed"] is True
    for position in positions:
        back = start.native()
        resumed = back.back(welcome, position)
        assert (resumed["resumed"], resumed["alias"], resumed["sid"]) == (
            True,
            "Ally",
            welcome["sid"],
        )
        assert resumed["log"] == welcome["log"]
        topics = {room["room"]: room["topic"] for room in resumed["rooms"]}
        assert topics == {"#lobby": "", "#dev": "tea at four"}
        live = bob.say(f"live{position}", "live")
        everything.append((live["seq"], "say"))
        back.read_until(lambda message, seq=live["seq"]: message.get("seq") == seq)
        assert records(back.messages) == [each for each in everything if each[0] > position]
        assert not [each for each in back.messages if each["t"] == "gap"]


def test_who_has_no_token_left_with_the_kill_and_who_has_one_did_not(
    start: Start, first: Server, data: Path
) -> None:
    _, welcome = arrive(start, "Alice")
    start.plain("Carol")
    start.native().hello("Watcher")
    again(start, first, data)
    alice = start.native()
    back = alice.back(welcome, welcome["seq"])
    assert {person["alias"] for room in back["rooms"] for person in room["people"]} == {
        "Alice",
        "Watcher",
    }
    page = alice.ask("history", room="#lobby", limit=50)["records"]
    left = [(each["alias"], each["why"]) for each in page if each["t"] == "leave"]
    assert left == [("Carol", "lost")]
    start.plain("Carol")


def test_a_direct_message_waits_for_its_absent_reader_and_is_nobody_elses(
    start: Start, first: Server, data: Path
) -> None:
    alice, welcome = arrive(start, "Alice")
    bob, bobs = arrive(start, "Bob")
    eve, _ = arrive(start, "Eve")
    position = alice.ask("who") and welcome["seq"]
    alice.close()
    bob.read_until(lambda message: message.get("state") == "grace")
    bob.send("dm", id="psst", to="Alice", text="the kettle is on")
    sent = bob.read_until("dm")
    again(start, first, data)
    back = start.native()
    assert back.back(welcome, position)["resumed"] is True
    got = back.read_until("dm")
    assert got.items() >= {"seq": sent["seq"], "from": "Bob", "text": "the kettle is on"}.items()
    back.settle()
    assert len([each for each in back.messages if each["t"] == "dm"]) == 1
    eve, _ = arrive(start, "Mallory")
    eve.settle()
    assert eve.ask("search", text="kettle")["records"] == []
    assert "kettle" not in str(eve.ask("history", room="#lobby", limit=500))
    assert "kettle" not in str(eve.messages)
    for arguments in ([], ["--json"]):
        exported = tool("export", "--data", str(data), *arguments)
        assert exported.returncode == 0
        assert "Alice" in exported.stdout
        assert "kettle" not in exported.stdout
    returned = start.native()
    returned.back(bobs, bobs["seq"])
    assert returned.say("psst", "again")["t"] == "ack"


def test_numbers_names_and_topics_go_on_after_a_clean_stop_too(
    start: Start, first: Server, data: Path
) -> None:
    """The snapshot of a clean stop and the replay after a kill give the same state."""
    alice, welcome = arrive(start, "Alice", "#lobby", "#dev")
    alice.ask("topic", room="#dev", text="tea")
    before = alice.say("1", "one")["seq"]
    server = first
    for line_id, end in enumerate(("stop", "kill", "stop")):
        assert server.stop() == 0 if end == "stop" else server.kill() is None
        server = start.server("--port", str(server.address[1]), config=GRACE, data=data)
        alice = start.native()
        back = alice.back(welcome, before)
        assert (back["resumed"], back["log"]) == (True, welcome["log"])
        assert {room["room"]: room["topic"] for room in back["rooms"]} == {
            "#lobby": "",
            "#dev": "tea",
        }
        assert alice.say("1", "again")["t"] == "ack"
        after = alice.say(f"new{line_id}", "more")["seq"]
        assert after > before
        before = after


def test_whoever_returns_from_before_what_was_deleted_is_told_so_where_it_stood(
    start: Start, first: Server, data: Path, wait_for: Callable[..., None]
) -> None:
    _, welcome = arrive(start, "Alice", "#lobby", "#dev")
    bob, _ = arrive(start, "Bob")
    seqs = [bob.say(f"b{number}", f"line {number}")["seq"] for number in range(30)]
    assert first.stop() == 0
    few = f"{GRACE}[history]\nkeep_records = 5\n"
    server = start.server(config=few, data=data)

    def kept_from() -> int:
        with closing(Batches(data / LOG_FILE)) as batches:
            return batches.kept_from

    wait_for(lambda: kept_from() > seqs[20], "the old lines to be deleted")
    assert server.stop() == 0
    start.server(config=few, data=data)
    back = start.native()
    assert back.back(welcome, seqs[3])["resumed"] is True
    back.ask("ping")
    gaps = [each for each in back.messages if each["t"] == "gap"]
    begin = gaps[0]["next"]
    assert seqs[20] < begin <= seqs[-1]
    assert gaps == [
        {"t": "gap", "room": room, "missed": 0, "next": begin} for room in ("#lobby", "#dev")
    ]
    news = back.messages[back.messages.index(gaps[-1]) :]
    kept = [seq for seq in seqs if seq >= begin]
    assert [each["seq"] for each in news if each["t"] == "say"] == kept
