"""Everything that can be cut under an open page, again and again: nothing is lost, nothing comes twice, all in order."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.conftest import NO_FLOOD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import WebSocketRoute

    from tests.conftest import Native, Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]


def said(reader: Native) -> list[str]:
    """What was said in the lobby, as the server kept it."""
    records = reader.ask("history", room="#lobby", limit=500)["records"]
    return [record["text"] for record in records if record["t"] == "say"]


def test_a_reload_while_the_server_is_killed_sends_each_line_once(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data", config=NO_FLOOD)
    alice = visit(server, "Alice")
    port = str(server.address[1])
    lines: list[str] = []
    for cut in range(3):
        for number in range(5):
            lines.append(f"cut {cut}, line {number}")
            alice.say(lines[-1])
        # No look at what has arrived: some lines are stored, some on the way, some nowhere.
        server.kill()
        server = start.server("--port", port, data=tmp_path / "data", config=NO_FLOOD)
        alice.page.reload()
        alice.is_in()
        alice.has_stored(lines[-1])
    kept = said(start.native("Bob"))
    print(
        f"\n{len(lines)} lines over 3 kills and reloads: {len(kept)} stored, {len(set(kept))} once"
    )
    assert kept == lines
    alice.shows(lines)
    expect(alice.page.locator(".line.pending")).to_have_count(0)


def test_a_page_that_is_closed_sends_what_was_pending_when_it_is_opened_again(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    alice = visit(server, "Alice")
    server.kill()
    alice.say("typed when nobody was there")
    expect(alice.page.locator(".line.pending")).to_have_count(1)
    alice.page.close()
    start.server("--port", str(server.address[1]), data=tmp_path / "data")
    again = alice.tab()
    again.is_in()
    again.has_stored("typed when nobody was there")
    assert said(start.native("Bob")) == ["typed when nobody was there"]


def test_a_line_that_came_back_as_a_record_is_settled(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    """No acknowledgement of its own comes for it. What stayed in the outbox would be sent again for ever."""
    server = start.server(data=tmp_path / "data")
    alice = visit(server, "Alice")
    for text in ("first", "second"):
        alice.say(text)
        alice.has_stored(text)
    kept = "Object.keys(localStorage).filter(key => key.startsWith('chatcore.line.')).length"
    assert alice.evaluate(kept) == 0
    sent: list[str] = []
    alice.page.on(
        "websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data))
    )
    alice.page.reload()
    alice.is_in()
    alice.say("third")
    alice.has_stored("third")
    said_again = [message["text"] for message in map(json.loads, sent) if message["t"] == "say"]
    assert said_again == ["third"]


def test_what_is_old_is_not_sent_without_asking(start: Start, visit: Visit, tmp_path: Path) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.evaluate(
        "localStorage.setItem('chatcore.line.old-1', JSON.stringify("
        "{t: 'say', room: '#lobby', text: 'from yesterday', id: 'old-1',"
        " time: new Date(Date.now() - 86400000).toISOString()}))"
    )
    alice.page.reload()
    alice.is_in()
    expect(alice.page.locator(".refusal")).to_contain_text("Send it now?")
    assert said(bob) == []
    alice.page.click(".refusal >> text=Try again")
    alice.has_stored("from yesterday")
    assert said(bob) == ["from yesterday"]


@pytest.mark.parametrize("times", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_on_and_off_with_traffic(start: Start, visit: Visit, times: int, tmp_path: Path) -> None:
    server = start.server(data=tmp_path / "data", config=NO_FLOOD)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for number in range(times):
        alice.goes_offline()
        alice.say(f"alice away {number}")
        bob.say(f"away{number}", f"bob while she is away {number}")
        alice.context.set_offline(False)
        bob.say(f"back{number}", f"bob while she comes back {number}")
        alice.say(f"alice back {number}")
        alice.has_stored(f"alice back {number}")
    alice.reads(f"bob while she comes back {times - 1}")
    kept = said(bob)
    shown = alice.texts()
    print(
        f"\n{times} cuts: {len(kept)} lines, {len(set(kept) - set(shown))} lost, order {kept == shown}"
    )
    assert len(kept) == len(set(kept)) == 4 * times
    assert shown == kept


@pytest.mark.parametrize("kept", [True, False], ids=["the same log", "another log"])
def test_two_tabs_over_a_restart_stay_one_person(
    start: Start, visit: Visit, kept: bool, tmp_path: Path
) -> None:
    data = tmp_path / "data" if kept else None
    server = start.server(data=data)
    alice = visit(server, "Alice")
    alice.say("before")
    alice.has_stored("before")
    tab = alice.tab()
    tab.is_in()
    server.kill()
    alice.say("typed in the first tab")
    tab.say("typed in the second tab")
    start.server("--port", str(server.address[1]), data=data)
    bob = start.native("Bob")
    for each in (alice, tab):
        each.tries_now()
    for each in (alice, tab):
        each.reads("typed in the first tab")
        each.reads("typed in the second tab")
        each.sees("Alice", "Bob")
    lines = said(bob)
    assert sorted(lines) == ["before"] * kept + [
        "typed in the first tab",
        "typed in the second tab",
    ]
    assert (
        len({m["sid"] for m in bob.ask("history", room="#lobby")["records"] if m["t"] == "say"})
        == 1
    )
    for each in (alice, tab):
        each.shows(lines)


def test_a_room_joined_in_one_tab_is_whole_in_the_other(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    bob.ask("join", room="#dev", topic="the workshop")
    bob.say("1", "said before she came", room="#dev")
    alice = visit(server, "Alice")
    tab = alice.tab()
    tab.is_in()
    alice.say("/join #dev")
    tab.page.locator("#rooms .place", has_text="#dev").click()
    tab.reads("said before she came")
    expect(tab.page.locator("#room-topic")).to_have_text("the workshop")
    tab.sees("Alice", "Bob")
    alice.say("/part #dev")
    expect(tab.page.locator("#rooms .place")).to_have_text(["#lobby"])
    tab.goes_to("#lobby")


def test_the_next_person_at_this_browser_finds_nothing(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    tab = alice.tab()
    tab.is_in()
    bob.send("dm", id="1", to="Alice", text="a secret")
    alice.page.click("#privates .place")
    alice.reads("a secret")
    alice.say("/quit")
    for each in (alice, tab):
        expect(each.page.locator("#door")).to_be_visible()
    assert (
        alice.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])").count("secret")
        == 0
    )
    alice.join("Carol")
    alice.goes_to("#lobby")
    expect(alice.page.locator("#privates .place")).to_have_count(0)
    assert "a secret" not in alice.page.content()


def test_a_browser_that_keeps_nothing_can_chat(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server)
    alice.context.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError'); }});"
    )
    alice.page.reload()
    alice.join("Alice")
    alice.say("hello")
    alice.has_stored("hello")


def test_a_rejected_room_does_not_keep_anybody_out(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.ask("join", room="#dev")
    bob.ask("lock", room="#dev", key="sesame")
    alice = visit(server)
    alice.evaluate(
        'localStorage.setItem(\'chatcore.session\', \'{"alias": "Alice", "rooms": ["#dev"]}\')'
    )
    alice.page.reload()
    alice.join("Alice")
    alice.goes_to("#lobby")
    alice.say("/join #dev")
    expect(alice.page.locator("#log .notice.error")).to_contain_text("key")
    alice.say("/join #dev sesame")
    alice.goes_to("#dev")


def test_whose_name_was_taken_meanwhile_chooses_another_and_misses_nothing(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data", config="[presence]\ngrace_s = 0.2\n")
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("before")
    alice.has_stored("before")
    alice.goes_offline()
    alice.say("typed while away")
    bob.read_until(lambda message: message["t"] == "leave")
    start.native("Alice")
    bob.say("1", "said meanwhile")
    alice.context.set_offline(False)
    expect(alice.page.locator("#door-error")).to_contain_text("Alice is taken")
    alice.join("Alison")
    alice.has_stored("typed while away")
    alice.shows(["before", "said meanwhile", "typed while away"])
    last = bob.ask("last", room="#lobby", **{"from": "Alison"})["records"]
    assert [record["text"] for record in last] == ["typed while away"]


def test_a_connection_that_died_unseen_is_noticed(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    """A laptop that slept, a router that forgot: nothing says so, and no answer comes."""
    server = start.server(data=tmp_path / "data")
    alice = visit(server)
    alice.page.clock.install()
    alice.page.reload()
    alice.join("Alice")
    server.signal(signal.SIGSTOP)
    alice.say("into the void")
    alice.page.clock.fast_forward(30_000)
    alice.page.clock.fast_forward(13_000)
    expect(alice.page.locator("#banner")).to_contain_text("Connection lost")
    server.signal(signal.SIGCONT)
    alice.page.clock.fast_forward(2_000)
    alice.has_stored("into the void")
    expect(alice.page.locator("#banner")).to_be_hidden()
    assert said(start.native("Bob")) == ["into the void"]


LINES, WORDS = 24_000, "x" * 400
"""Together more than the 8 MiB that memory keeps of a room (docs/PROTOCOL.md)."""


@pytest.mark.slow
def test_what_is_no_longer_kept_is_said(start: Start, visit: Visit) -> None:
    server = start.server(config=NO_FLOOD)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("before")
    alice.has_stored("before")
    alice.goes_offline()
    for number in range(LINES):
        bob.send("say", id=f"b{number}", room="#lobby", text=f"{number} {WORDS}")
        if number % 500 == 499:
            bob.settle()
    frames: list[str] = []
    alice.page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(data))
    )
    alice.context.set_offline(False)
    alice.reads(f"{LINES - 1} {WORDS}")
    came = [json.loads(frame) for frame in frames]
    gaps = [message for message in came if message["t"] == "gap"]
    lines = [int(message["text"].split()[0]) for message in came if message["t"] == "say"]
    print(
        f"\n{LINES:,} lines while away: {len(lines):,} came, {gaps[0]['missed']:,} are said to be missing"
    )
    assert len(gaps) == 1
    assert lines == list(range(LINES - len(lines), LINES))
    shown = [int(text.split()[0]) for text in alice.texts()]
    assert shown == list(range(LINES - len(shown), LINES))


def test_a_gap_stands_where_it_is(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server)
    gap = {"t": "gap", "room": "#lobby", "missed": 1_204}

    def with_a_gap(route: WebSocketRoute) -> None:
        upstream = route.connect_to_server()

        def from_server(data: str | bytes) -> None:
            message = json.loads(data)
            if message.get("text") == "behind it":
                route.send(json.dumps({**gap, "next": message["seq"]}))
            if message.get("text") != "lost":
                route.send(data)

        upstream.on_message(from_server)

    alice.page.route_web_socket("**/ws", with_a_gap)
    alice.page.reload()
    alice.join("Alice")
    bob.say("1", "before it")
    bob.say("2", "lost")
    bob.say("3", "behind it")
    alice.reads("behind it")
    # Both were drawn together with the line behind them, or before it.
    flow = alice.page.locator("#log .text, #log .event span").all_inner_texts()
    where = flow.index("before it")
    assert flow[where : where + 3] == [
        "before it",
        "1,204 lines are missing here: the server keeps no more than these",
        "behind it",
    ]
