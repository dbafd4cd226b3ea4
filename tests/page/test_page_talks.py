"""The page and the terminals are in the same room, and what is said arrives: once, in order, whatever is cut."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.conftest import DEADLINE_S, NO_FLOOD, PATIENCE, ROOT, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server, Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

PRECONNECTED_S = 3.0
"""For how long a browser keeps a connection that it opened ahead before it uses it, in this test."""


def client(
    server: Server, *arguments: str, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    host, port = server.address
    command = [sys.executable, "clients/client_2.py", f"{host}:{port}", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * PATIENCE,
        check=True,
    )


def test_page_and_terminal_client_talk_both_ways(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    client(server, text="hello from a terminal\n")
    alice.reads("hello from a terminal")
    carol = start.plain("Carol")
    alice.say("hello from the page")
    carol.read_until("^Alice: hello from the page$")
    alice.has_stored("hello from the page")


def test_several_lines_are_one_message(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.page.fill("#text", "one\n  two\nthree")
    alice.page.press("#text", "Enter")
    assert bob.read_until("say")["text"] == "one\n  two\nthree"


def test_a_reload_loses_nothing_and_keeps_the_order(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for number in range(20):
        alice.say(f"line {number}")
        bob.say(f"b{number}", f"answer {number}")
        bob.settle()
    alice.has_stored("line 19")
    alice.reads("answer 19")
    before = alice.texts()
    assert len(before) == 40
    alice.page.reload()
    alice.is_in()
    alice.shows(before)
    alice.sees("Alice", "Bob")


def test_offline_lines_wait_and_are_sent_once(start: Start, visit: Visit, tmp_path: Path) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("before")
    alice.has_stored("before")
    alice.goes_offline()
    alice.say("typed while away")
    expect(alice.page.locator(".line.pending")).to_have_count(1)
    expect(alice.page.locator("#banner")).to_contain_text("1 line waits")
    bob.say("b1", "said meanwhile")
    alice.context.set_offline(False)
    alice.has_stored("typed while away")
    expect(alice.page.locator("#banner")).to_be_hidden()
    alice.shows(["before", "said meanwhile", "typed while away"])
    bob.read_until(lambda message: message.get("text") == "typed while away")
    assert bob.settle() == []


def test_the_server_is_killed_under_an_open_page(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    alice = visit(server, "Alice")
    alice.say("before the kill")
    alice.has_stored("before the kill")
    server.kill()
    alice.say("pending one")
    alice.say("pending two")
    expect(alice.page.locator(".line.pending")).to_have_count(2)
    start.server("--port", str(server.address[1]), data=tmp_path / "data")
    bob = start.native("Bob")
    alice.tries_now()
    alice.has_stored("pending two")
    alice.shows(["before the kill", "pending one", "pending two"])
    page = bob.ask("history", room="#lobby", limit=100)
    said = [record["text"] for record in page["records"] if record["t"] == "say"]
    assert said == ["before the kill", "pending one", "pending two"]
    alice.sees("Alice", "Bob")


def test_what_was_under_way_when_the_page_was_reloaded_is_sent(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    alice = visit(server, "Alice")
    alice.goes_offline()
    alice.say("still on its way")
    expect(alice.page.locator(".line.pending")).to_have_count(1)
    # Offline there is nothing to reload from: the network comes back with the new page.
    alice.page.evaluate("window.stop()")
    alice.context.set_offline(False)
    alice.page.reload()
    alice.is_in()
    alice.has_stored("still on its way")
    alice.shows(["still on its way"])


def test_two_tabs_are_one_person(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.read_until("join")
    tab = alice.tab()
    tab.is_in()
    alice.say("from the first tab")
    tab.reads("from the first tab")
    tab.say("from the second tab")
    alice.reads("from the second tab")
    said = [message for message in bob.settle() if message["t"] != "presence"]
    assert [message["t"] for message in said] == ["say", "say"], "nobody else came"
    assert len({message["sid"] for message in said}) == 1
    tab.page.close()
    alice.say("and one is left")
    assert bob.read_until("say")["text"] == "and one is left"


def test_a_connection_that_was_opened_ahead_is_not_greeted(start: Start, visit: Visit) -> None:
    server = start.server()
    visit(server)
    with socket.create_connection(server.address) as ahead:
        ready, _, _ = select.select([ahead], [], [], PRECONNECTED_S)
        assert not ready, "a browser could not use it any more"
        ahead.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ahead.settimeout(DEADLINE_S)
        assert ahead.recv(64 * 1024).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_burst_leaves_the_tab_usable_and_small(start: Start, visit: Visit) -> None:
    server = start.server(config=NO_FLOOD)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for number in range(2_000):
        bob.send("say", id=f"b{number}", room="#lobby", text=f"burst {number}")
    alice.say("typed in the middle of it")
    alice.reads("burst 1999")
    assert alice.evaluate("document.querySelectorAll('#log > *').length") <= 1_000
    alice.say("and still here")
    alice.has_stored("and still here")
    assert bob.read_until(lambda message: message.get("text") == "and still here")


def test_a_line_that_is_refused_can_be_tried_again_changed_or_removed(
    start: Start, visit: Visit
) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    alice.say("/msg Bob are you there?")
    refusal = alice.page.locator(".line.refused .refusal")
    expect(refusal).to_contain_text("Nobody here is called Bob")
    bob = start.native("Bob")
    alice.page.click(".refusal >> text=Try again")
    assert bob.read_until("dm")["text"] == "are you there?"
    alice.has_stored("are you there?")
    bob.send("quit")
    bob.read_until("bye")
    alice.say("and now?")
    alice.page.click(".refusal >> text=Edit")
    expect(alice.page.locator("#text")).to_have_value("and now?")
    expect(alice.page.locator(".line.pending")).to_have_count(0)
    alice.page.press("#text", "Enter")
    alice.page.click(".refusal >> text=Remove")
    expect(alice.page.locator(".line.pending")).to_have_count(0)
    alice.shows(["are you there?"])


def test_what_is_too_long_stays_in_the_field(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for text, words in (("🦆" * 1_500, "6,000 bytes long"), ("\n".join("x" * 257), "257 lines")):
        alice.say(text)
        expect(alice.page.locator("#log .notice.error").last).to_contain_text(words)
        expect(alice.page.locator("#text")).to_have_value(text)
    alice.say("🦆" * 1_024)
    assert bob.read_until("say")["text"] == "🦆" * 1_024


def test_a_direct_message_sent_while_the_page_was_closed_arrives(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.say("1", "said in the room")
    alice.reads("said in the room")
    alice.page.goto("about:blank")
    bob.send("dm", id="2", to="Alice", text="while you were out")
    bob.read_until("dm")
    alice.page.goto(alice.address)
    alice.is_in()
    alice.reads("said in the room")
    expect(alice.page.locator("#privates .badge")).to_contain_text("1")
    alice.page.click("#privates .place")
    alice.reads("while you were out")
