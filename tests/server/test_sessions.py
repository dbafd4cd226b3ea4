"""Sessions outlive connections: grace, return with a token, exactly the records after the position, nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Message, Native, Start

SHORT_GRACE = "[flood]\nenabled = false\n[presence]\ngrace_s = 0.3\n"
LONG_GRACE = "[flood]\nenabled = false\n[presence]\ngrace_s = 60\n"


def seqs(messages: list[Message]) -> list[int]:
    """Of the records among them."""
    kinds = {"say", "me", "join", "leave", "nick", "topic", "dm"}
    return [message["seq"] for message in messages if message["t"] in kinds]


def cut(client: Native, other: Native) -> None:
    """Reset the connection, and wait until the other is told."""
    client.reset()
    other.read_until(lambda message: message.get("state") == "grace")


def test_away_and_back_are_told_and_listed(start: Start, server: object) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    bob.ask("away", text="lunch")
    told = alice.read_until("presence")
    assert told == {"t": "presence", "alias": "Bob", "state": "away", "text": "lunch"}
    people = alice.ask("who")["rooms"][0]["people"]
    assert people[1] == {"alias": "Bob", "state": "away", "text": "lunch"}


def test_a_lost_connection_is_told_as_grace_and_its_return_as_here(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, plain, alice = start.native("Bob"), start.plain("Carol"), start.native()
    welcome = alice.hello("Alice")
    assert welcome["grace_s"] == 60
    bob.read_until(lambda message: message.get("alias") == "Alice")
    cut(alice, bob)
    plain.send("/who")
    assert plain.read_until("Alice \\(connection lost\\)")
    again = start.native()
    assert again.back(welcome, welcome["seq"])["resumed"] is True
    assert bob.read_until("presence") == {"t": "presence", "alias": "Alice", "state": "here"}
    assert not any("left" in line for line in plain.settle())


def test_a_return_gets_exactly_the_records_after_its_position(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice", rooms=["#lobby", "#dev"])
    bob.ask("join", room="#dev")
    for number in range(50):
        bob.say(f"a{number}", f"before {number}", ("#lobby", "#dev")[number % 2])
    position = alice.read_until(lambda message: message.get("text") == "before 29")["seq"]
    cut(alice, bob)
    for number in range(50):
        bob.say(f"b{number}", f"while away {number}", ("#dev", "#lobby")[number % 2])
    again = start.native()
    back = again.back(welcome, position)
    assert (back["resumed"], back["sid"], back["seq"]) == (True, welcome["sid"], position)
    assert sorted(room["room"] for room in back["rooms"]) == ["#dev", "#lobby"]
    bob.say("end", "end")
    again.read_until(lambda message: message.get("text") == "end")
    everything = seqs(bob.messages)
    assert seqs(again.messages) == [seq for seq in everything if seq > position]
    assert again.texts()[0] == "before 30"


def test_every_position_gives_every_later_line_once(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice")
    run = b"".join(
        b'{"t":"say","id":"%d","room":"#lobby","text":"%d"}\n' % (number, number)
        for number in range(12)
    )
    bob.send_bytes(run)
    last = bob.read_until(lambda message: message.get("text") == "11")["seq"]
    said = [message["seq"] for message in bob.messages if message["t"] == "say"]
    for position in range(said[0] - 1, last + 1):
        again = start.native()
        assert again.back(welcome, position)["resumed"] is True
        got = [message["seq"] for message in again.settle() if message["t"] == "say"]
        assert got == [seq for seq in said if seq > position]


def test_what_was_not_acknowledged_is_sent_again_and_stored_once(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice")
    for number in range(10):
        alice.send("say", id=str(number), room="#lobby", text=str(number))
    bob.read_until(lambda message: message.get("text") == "9")
    alice.close()
    again = start.native()
    again.back(welcome, welcome["seq"])
    for number in range(10):
        again.send("say", id=str(number), room="#lobby", text=str(number))
    acks = [again.read_until("ack") for _ in range(10)]
    again.say("10", "10")
    bob.read_until(lambda message: message.get("text") == "10")
    assert bob.texts() == again.texts() == [str(number) for number in range(11)]
    by_id = {message["id"]: message["seq"] for message in bob.messages if message["t"] == "say"}
    assert all(ack["seq"] == by_id[ack["id"]] for ack in acks)


def test_the_end_of_the_grace_is_leaving_because_the_connection_was_lost(start: Start) -> None:
    start.server(config=SHORT_GRACE)
    bob, plain, alice = start.native("Bob"), start.plain("Carol"), start.native("Alice")
    cut(alice, bob)
    left = bob.read_until("leave")
    assert left.items() >= {"alias": "Alice", "why": "lost", "room": "#lobby"}.items()
    plain.read_until("^Alice has left the chat room!$")
    start.native("Alice")


def test_a_return_after_the_grace_misses_nothing_and_doubles_nothing(start: Start) -> None:
    start.server(config=SHORT_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice")
    alice.say("a", "before")
    position = alice.messages[-1]["seq"]
    cut(alice, bob)
    bob.say("b", "in the grace")
    bob.read_until("leave")
    bob.say("c", "after the grace")
    again = start.native()
    back = again.back(welcome, position)
    assert (back["resumed"], back["sid"], back["alias"]) == (True, welcome["sid"], "Alice")
    again.send("say", id="a", room="#lobby", text="before")
    assert again.read_until("ack")["seq"] == position
    again.say("d", "back")
    assert again.texts() == ["in the grace", "after the grace", "back"]
    positions = seqs(again.messages)
    assert positions == sorted(set(positions))
    assert positions[0] > position
    bob.read_until(lambda message: message.get("text") == "back")
    assert seqs(again.messages) == [seq for seq in seqs(bob.messages) if seq > position]


def test_an_alias_in_grace_is_refused_with_the_time_it_is_held(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, alice = start.native("Bob"), start.native("Alice")
    cut(alice, bob)
    refused = start.native().hello("alice")
    assert refused["code"] == "alias_in_grace"
    assert 0 < refused["retry_s"] <= 60
    plain = start.plain()
    plain.send("Alice")
    assert "Alice" in plain.read_until("^-- ")[0]
    plain.join("Another")


def test_with_no_grace_a_lost_connection_has_left_at_once(start: Start) -> None:
    start.server(config="[presence]\ngrace_s = 0\n")
    bob, alice = start.native("Bob"), start.native("Alice")
    alice.reset()
    assert bob.read_until("leave")["why"] == "lost"


def test_each_connection_of_a_session_gets_every_record(start: Start) -> None:
    start.server(config=SHORT_GRACE)
    bob, first, second = start.native("Bob"), start.native(), start.native()
    welcome = first.hello("Alice")
    assert second.back(welcome, welcome["seq"])["resumed"] is True
    first.say("1", "from the first")
    second.say("2", "from the second")
    bob.say("3", "from Bob")
    for client in (first, second):
        client.read_until(lambda message: message.get("text") == "from Bob")
    for client in (first, second, bob):
        assert client.texts() == ["from the first", "from the second", "from Bob"]
    first.reset()
    bob.say("4", "one is enough")
    assert second.read_until("say")["text"] == "one is enough"
    assert [m for m in bob.settle() if m["t"] in {"presence", "leave"}] == []
    second.send("quit")
    second.read_until("bye")
    assert bob.read_until("leave")["why"] == "quit"


def test_quit_on_one_connection_ends_the_others_of_the_session(start: Start) -> None:
    start.server(config=LONG_GRACE)
    first, second = start.native(), start.native()
    welcome = first.hello("Alice")
    second.back(welcome, welcome["seq"])
    first.send("quit", text="bye")
    first.read_messages_to_end()
    second.read_messages_to_end()
    fresh = start.native().back(welcome, welcome["seq"])
    assert fresh["resumed"] is False


@pytest.mark.parametrize("wrong", ["token", "log"])
def test_an_unknown_token_or_another_log_is_a_fresh_arrival(start: Start, wrong: str) -> None:
    start.server(config=SHORT_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice")
    alice.say("a", "hi")
    cut(alice, bob)
    bob.read_until("leave")
    again = start.native()
    back = again.back(welcome, 1, **{wrong: "something else"})
    assert back["resumed"] is False
    assert back["sid"] != welcome["sid"]
    assert back["token"] != welcome["token"]
    assert again.say("a", "a new line")["t"] == "say"


def test_an_alias_changed_before_the_cut_is_still_ones_own_after_it(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice")
    alice.ask("nick", alias="Ally")
    cut(alice, bob)
    assert start.native().back(welcome, welcome["seq"])["alias"] == "Ally"


def test_direct_messages_wait_for_a_return(start: Start) -> None:
    start.server(config=LONG_GRACE)
    bob, alice = start.native("Bob"), start.native()
    welcome = alice.hello("Alice")
    cut(alice, bob)
    bob.send("dm", id="d", to="Alice", text="psst")
    bob.read_until("dm")
    again = start.native()
    again.back(welcome, welcome["seq"])
    assert again.read_until("dm")["text"] == "psst"
