"""Connections break, servers are killed: what was typed goes out on return, and no reader sees anything twice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.conftest import Chatters, Network

GRACE = "[flood]\nenabled = false\n[presence]\ngrace_s = 60\n"
WIDE = (120, 40)
"""No line of these is wrapped."""
SEED = 20_261_121


def is_lost(network: Network, text: str) -> Callable[[], bool]:
    return lambda: text.encode() in network.swallowed


def test_a_line_that_never_reached_the_server_goes_out_on_return(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GRACE)
    zed, network = chatters.netcat("Zed"), chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address).joined()
    network.hold("up")
    alice.types("lost on the way")
    wait_for(is_lost(network, "lost on the way"), "the line is lost")
    network.cut()
    alice.sees("^── disconnected .* 1 line waiting")
    alice.types("/reconnect")
    alice.sees("^── back after .* nothing missed", "^Alice: lost on the way$")
    zed.sees("^Alice: lost on the way$")
    zed.settle()
    alice.settle()
    assert zed.count("lost on the way") == alice.count("Alice: lost on the way") == 1
    assert zed.count("Alice has") == 1, "nobody was told that she had left"


def test_a_stored_line_whose_acknowledgement_was_lost_is_not_doubled(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GRACE)
    zed, network = chatters.netcat("Zed"), chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address).joined()
    network.hold("down")
    alice.types("stored but not heard of")
    zed.sees("^Alice: stored but not heard of$")
    wait_for(is_lost(network, "stored but not heard of"), "its record is lost")
    alice.until(lambda: alice.typed.startswith("(… stored but not heard of)"), "a line that waits")
    assert alice.count("Alice: stored") == 0, "it is not shown as said before it is"
    network.cut()
    alice.sees("^── disconnected")
    alice.types("/reconnect")
    alice.sees("^── back after", "^Alice: stored but not heard of$")
    alice.settle()
    zed.settle()
    assert zed.count("stored but") == alice.count("Alice: stored but") == 1


def test_lines_typed_while_away_wait_and_what_was_missed_is_shown_once(chatters: Chatters) -> None:
    chatters.server(config=GRACE)
    zed, network = chatters.netcat("Zed"), chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address).joined()
    network.hold("up")
    network.hold("down")
    alice.types("typed before")
    zed.send("missed one", "missed two")
    zed.sees("^Zed: missed two$")
    network.cut()
    alice.sees("^── disconnected")
    alice.types("typed after", "/reconnect")
    alice.sees("^── back after .* 2 missed lines below", "^Alice: typed after$")
    alice.settle()
    zed.sees("^Alice: typed after$")
    zed.settle()
    expected = ["Zed: missed one", "Zed: missed two", "Alice: typed before", "Alice: typed after"]
    seen = [line for line in alice.said if line in expected]
    assert seen == expected
    assert [line for line in zed.lines if line in expected] == expected


def test_over_many_cuts_every_line_is_seen_exactly_once_and_in_order(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GRACE)
    rng = random.Random(SEED)
    zed, network = chatters.netcat("Zed"), chatters.network()
    alice = chatters.person(1, size=(80, 200), address=network.address).joined()
    lines: list[str] = []
    for round_number in range(8):
        batch = [f"line {round_number}.{number}" for number in range(rng.randint(1, 8))]
        how = rng.choice(["up", "down", "now"])
        if how != "now":
            network.hold(how)
        alice.types(*batch)
        lines += batch
        if how == "up":
            wait_for(is_lost(network, batch[-1]), "the lines are lost")
        elif how == "down":
            zed.sees(f"^Alice: {batch[-1]}$")
        network.cut()
        alice.until(lambda n=round_number: alice.count("^── disconn") > n, "she is away")
        alice.types("/reconnect")
        alice.until(lambda n=round_number: alice.count("^── back after") > n, "she is back")
    alice.sees(f"^Alice: {lines[-1]}$")
    zed.sees(f"^Alice: {lines[-1]}$")
    alice.settle()
    zed.settle()
    expected = [f"Alice: {line}" for line in lines]
    assert [line for line in zed.lines if line.startswith("Alice: ")] == expected
    assert [line for line in alice.said if line.startswith("Alice: ")] == expected


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_pipe_outlives_a_cut_and_still_leaves_with_0(
    chatters: Chatters, wait_for: Callable[..., None], direction: str
) -> None:
    chatters.server(config=GRACE)
    zed, network = chatters.netcat("Zed"), chatters.network()
    pipe = chatters.pipe(1, address=network.address)
    pipe.reads("Alice has connected")
    lines = [f"line {number}" for number in range(100)]
    network.hold(direction)
    pipe.send(*lines)
    # of a hundred, 64 are on their way at a time
    wait_for(is_lost(network, "line 63"), "the first of them are lost")
    network.cut()
    result = pipe.ends()
    assert result.code == 0
    zed.sees("^Alice has left")
    assert [line for line in zed.lines if line.startswith("Alice: ")] == [
        f"Alice: {line}" for line in lines
    ]


def test_a_pipe_that_has_said_all_does_not_wait_for_a_server_that_is_gone(
    chatters: Chatters,
) -> None:
    server = chatters.server()
    pipe = chatters.pipe(1)
    pipe.send("all that there is")
    pipe.reads("Alice: all that there is")
    server.kill()
    pipe.reads("disconnected")
    assert pipe.ends().code == 0


def test_after_a_killed_server_what_waited_goes_to_the_next_one_once(chatters: Chatters) -> None:
    server = chatters.server()
    port = str(server.address[1])
    alice = chatters.person(1, size=WIDE).joined()
    alice.types("to the first server")
    alice.sees("^Alice: to the first server$")
    server.close()
    alice.sees("^── disconnected")
    alice.types("typed while it was down", "and one more")
    alice.until(lambda: "and 1 more) #lobby (offline)>" in alice.typed, "two lines that wait")
    chatters.server("--port", port)
    zed = chatters.netcat("Zed")
    alice.types("/reconnect")
    alice.sees("^── back after .* you are a new arrival", "^Alice: and one more$")
    zed.sees("Alice: and one more$")
    zed.settle()
    alice.settle()
    seen = [line.rpartition("Alice: ")[2] for line in zed.lines if "Alice: " in line]
    assert seen == ["typed while it was down", "and one more"]
    assert alice.count("^Alice: typed while") == alice.count("^Alice: and one more") == 1


def test_an_unacknowledged_line_is_sent_to_the_server_that_forgot_it(chatters: Chatters) -> None:
    server = chatters.server()
    old, network = chatters.netcat("Zed"), chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address).joined()
    network.hold("down")
    alice.types("never acknowledged")
    old.sees("^Alice: never acknowledged$")
    server.close()
    chatters.server("--port", str(server.address[1]))
    new = chatters.netcat("Ann")
    network.cut()
    alice.sees("^── disconnected .* 1 line waiting")
    alice.types("/reconnect")
    alice.sees("^Alice: never acknowledged$")
    new.sees("Alice: never acknowledged$")
    new.settle()
    alice.settle()
    assert new.count("never acknowledged") == alice.count("Alice: never acknowledged") == 1


def test_clients_of_a_restarted_server_find_each_other_again(chatters: Chatters) -> None:
    server = chatters.server()
    people = [chatters.person(number, size=WIDE).joined() for number in (1, 2)]
    people[0].sees("^Bob has connected")
    server.close()
    for person in people:
        person.sees("^── disconnected")
    chatters.server("--port", str(server.address[1]))
    for person in people:
        person.types("/reconnect")
        person.sees("^── back after")
    for person, name in zip(people, ("Alice", "Bob"), strict=True):
        person.types(f"here is {name}")
    for person in people:
        person.sees("^Alice: here is Alice$", "^Bob: here is Bob$")


def test_a_server_killed_and_started_again_with_its_log_is_a_gap_in_the_flow_and_no_more(
    chatters: Chatters, tmp_path: Path
) -> None:
    """What was acknowledged is there once, what waited goes out once, and what was missed is shown once."""
    data = tmp_path / "data"
    server = chatters.server(config=GRACE, data=data)
    alice = chatters.person(1, size=WIDE).joined()
    alice.types("stored before the kill")
    alice.sees("^Alice: stored before the kill$")
    server.kill()
    alice.sees("^── disconnected")
    alice.types("typed while it was down")
    alice.until(lambda: "typed while it was down" in alice.typed, "a line that waits")
    chatters.server("--port", str(server.address[1]), config=GRACE, data=data)
    zed = chatters.netcat("Zed")
    zed.send("missed by Alice")
    zed.sees("^Zed: missed by Alice$")
    alice.types("/reconnect")
    alice.sees(
        "^── back after .* 1 missed line below", "^Zed: missed by Alice$", "^Alice: typed while it"
    )
    zed.sees("^Alice: typed while it was down$")
    alice.settle()
    zed.settle()
    expected = [
        "Alice: stored before the kill",
        "Zed: missed by Alice",
        "Alice: typed while it was down",
    ]
    assert [line for line in alice.said if line.startswith(("Alice: ", "Zed: "))] == expected
    assert zed.count("^Alice: ") == 1
    assert zed.count("Alice: stored before the kill$") == 1, "it is in the history on joining"
