"""Moderation as the page shows it: to whom it happens, to whom it is told, and to those who do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from chatcore.passwords import Scrypt
from tests.conftest import NO_FLOOD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Native, Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

HOSTILE = "<img src=x onerror=alert(1)> https://evil.example/"


@pytest.fixture
def settings() -> str:
    """An operator whose password is `geheim`, at a cost that no test waits for."""
    cheap = Scrypt.of("geheim", cost_log2=4)
    return f'{NO_FLOOD}[[operators]]\nname = "Root"\nhash = "{cheap}"\n'


def operator(start: Start) -> Native:
    root = start.native("Ann")
    assert root.ask("oper", name="Root", password="geheim")["t"] == "ok"
    return root


def test_whom_it_concerns_reads_what_was_done(start: Start, visit: Visit, settings: str) -> None:
    server = start.server(config=settings)
    root = operator(start)
    alice = visit(server, "Alice")
    events = alice.page.locator("#log .event")
    root.ask("mute", name="Alice", text=HOSTILE, **{"for": "10m"})
    expect(events.last).to_contain_text(f"Ann muted you for 10 minutes ({HOSTILE})")
    alice.say("may I?")
    expect(alice.page.locator(".refusal")).to_be_visible()
    root.ask("unmute", name="Alice")
    expect(events.last).to_contain_text("Ann lets you speak again")
    alice.page.click(".refusal >> text=Try again")
    alice.has_stored("may I?")
    root.ask("announce", text=HOSTILE)
    expect(events.last).to_contain_text(f"Announcement from Ann: {HOSTILE}")
    root.ask("join", room="#den")
    root.ask("lock", room="#den", key="sesame")
    root.ask("invite", name="Alice", room="#den")
    expect(events.last).to_contain_text("Ann invites you to #den")
    alice.page.click("#log .event >> text=Go to #den")
    alice.goes_to("#den")
    root.ask("op", name="Alice", room="#den")
    expect(events.last).to_contain_text("Ann made you a moderator")
    root.ask("kick", name="Alice", room="#den", text=HOSTILE)
    alice.goes_to("#lobby")
    expect(events.last).to_contain_text(f"Ann kicked you out of #den ({HOSTILE})")
    expect(alice.page.locator("#rooms .place")).to_have_text(["#lobby"])
    assert alice.evaluate("document.querySelectorAll('#house img').length") == 0


@pytest.mark.parametrize("act", ["kick", "ban"])
def test_whoever_is_put_out_sees_why_and_does_not_come_back_alone(
    start: Start, visit: Visit, settings: str, act: str
) -> None:
    server = start.server(config=settings)
    root = operator(start)
    alice = visit(server, "Alice")
    root.ask(act, name="Alice", text=HOSTILE)
    expect(alice.page.locator("#door-error")).to_contain_text(HOSTILE)
    assert alice.evaluate("document.querySelectorAll('#door img').length") == 0
    alice.page.reload()
    expect(alice.page.locator("#door-alias")).to_have_value("Alice")
    alice.page.press("#door-alias", "Enter")
    if act == "ban":
        expect(alice.page.locator("#door-error")).to_contain_text("banned")
    else:
        alice.is_in()


def test_an_operator_at_the_page(start: Start, visit: Visit, settings: str) -> None:
    server = start.server(config=settings)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    last = alice.page.locator("#log .notice").last
    alice.say("/kick Bob")
    expect(last).to_have_class("notice error")
    alice.say("/oper Root geheim")
    expect(last).to_contain_text("You are an operator now")
    alice.page.press("#text", "ArrowUp")
    expect(alice.page.locator("#text")).not_to_have_value("/oper Root geheim")
    alice.page.fill("#text", "")
    alice.say("/mute Bob 2h too loud")
    expect(last).to_have_text("Bob is muted.")
    assert bob.read_until("act")["text"] == "too loud"
    alice.say("/ban Mallory 10m")
    expect(last).to_contain_text("Mallory is banned from the server")
    alice.say("/bans")
    expect(last).to_contain_text("Mallory until")
    alice.say("/modlog")
    expect(last).to_contain_text("banned Mallory from the server for 10 minutes")
    alice.say("/lag")
    expect(last).to_have_text("Everybody is up to date.")
    alice.say("/kick Bob go home")
    assert "go home" in bob.read_until("bye")["words"]
    expect(alice.page.locator("#log .event").last).to_contain_text("Bob left")


def test_a_moderator_locks_a_room(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("/join #den")
    alice.goes_to("#den")
    alice.say("/lock sesame")
    expect(alice.page.locator("#log .event").last).to_contain_text("Alice locked the room")
    assert bob.ask("join", room="#den")["code"] == "room_locked"
    assert bob.ask("join", room="#den", key="sesame")["t"] == "ok"
    alice.say("/kick Bob #den")
    left = alice.page.locator("#log .event", has_text="Bob left")
    expect(left).to_have_count(1)
    alice.page.fill("#text", "/join #lo")
    alice.page.press("#text", "Tab")
    expect(alice.page.locator("#text")).to_have_value("/join #lobby ")
