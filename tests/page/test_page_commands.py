"""Commands at the page: each that `/help` lists does something sensible, and what the page knows of people is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

LATER = "const now = Date.now; Date.now = () => now() + 60_000;"
"""A minute has passed, for those who ask what time it is."""

NO_TICK = "window.setInterval = window.setTimeout = () => 0;"
"""Nothing happens by itself any more: neither a countdown nor another try."""

EXAMPLE = {"NAME": "Bob", "#room": "#lobby", "text": "words", "reason": "words", "10m": "10m"}


def typed(usage: str) -> str:
    """The shortest form of a command, with an example for each field that it needs."""
    command, *fields = re.sub(r"\[[^]]*\]", "", usage).split()
    return " ".join([command, *(EXAMPLE.get(field, field) for field in fields)])


@pytest.mark.parametrize("place", ["room", "conversation"])
def test_every_command_of_the_help_is_known(
    start: Start, visit: Visit, tmp_path: Path, place: str
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.say("1", "words")
    alice = visit(server, "Alice")
    alice.reads("words")
    usages = [row["usage"] for row in bob.ask("help")["commands"] if row["usage"]]
    usages.remove("/quit [text]")
    wrong = []
    for number, usage in enumerate(usages):
        alice.page.locator("#rooms .place", has_text="#lobby").click()
        if place == "conversation":
            alice.page.click("#people button")
        alice.say(typed(usage))
        expect(alice.page.locator("#text")).to_have_value("")
        # Answers come in order.
        alice.say(f"/away {number}")
        last = alice.page.locator("#log .notice").last
        expect(last).to_have_text(f"You are away: {number}. /away brings you back.")
        words = " ".join(alice.page.locator("#log .notice.error").all_inner_texts())
        if "no command" in words or "Usage" in words:
            wrong.append(usage)
    print(f"\n{len(usages)} commands tried in a {place}, {len(wrong)} failed")
    assert wrong == []


def test_history_goes_back_to_where_it_is_asked_for(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.say_lines(300)
    alice = visit(server, "Alice")
    alice.reads("line 299")
    seq = bob.ask("history", room="#lobby", limit=250)["records"][0]["seq"]
    pointed = alice.page.locator("#log .pointed")
    for command in ("/history 3", "/history 200", f"/history 10 before {seq}", "/history since 1h"):
        alice.say(command)
        expect(alice.page.locator("#text")).to_have_value("")
        message = command_message(command)
        wanted = bob.ask("history", room="#lobby", **message)["records"][0]["seq"]
        line = alice.page.locator(f'#log [data-seq="{wanted}"]')
        expect(line).to_be_in_viewport()
        expect(pointed.last).to_be_in_viewport()
        if command == "/history 3":
            expect(alice.page.locator("#latest")).to_be_hidden()
        else:
            alice.page.click("#latest")
        alice.reads("line 299")
    assert alice.page.locator("#log .notice.error").count() == 0
    alice.say("/history before 1")
    expect(alice.page.locator("#log .notice").last).to_have_text("Nothing was said there.")
    alice.say("/history nonsense")
    expect(alice.page.locator("#log .notice.error").last).to_contain_text("Usage: /history [limit]")


def command_message(command: str) -> dict[str, object]:
    """The same for the native dialect."""
    words = command.split()[1:]
    message: dict[str, object] = {}
    if words[0].isdigit():
        message["limit"] = int(words.pop(0))
    if words:
        message[words[0]] = words[1] if words[0] == "since" else int(words[1])
    return message


def test_whoever_is_away_sees_it(start: Start, visit: Visit) -> None:
    server = start.server()
    start.native("Bob")
    alice = visit(server, "Alice")
    mine = alice.page.locator("#people .person", has_text="Alice")
    alice.say("/away lunch")
    expect(alice.page.locator("#log .notice").last).to_have_text(
        "You are away: lunch. /away brings you back."
    )
    expect(mine).to_have_class("person away")
    expect(mine.locator(".state")).to_have_text("away: lunch")
    alice.goes_offline()
    alice.context.set_offline(False)
    alice.tries_now()
    expect(alice.page.locator("#banner")).to_be_hidden()
    expect(mine.locator(".state")).to_have_text("away: lunch")
    alice.say("/away")
    expect(mine).to_have_class("person here")
    expect(mine.locator(".state")).to_have_count(0)


def test_whoever_is_away_sees_it_in_every_tab(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    other = alice.tab()
    other.is_in()
    mine = other.page.locator("#people .person", has_text="Alice")
    expect(mine).to_have_class("person here")
    alice.say("/away lunch")
    expect(mine.locator(".state")).to_have_text("away: lunch")
    alice.say("/away")
    expect(mine).to_have_class("person here")


def test_a_name_is_not_cut_for_what_else_is_known(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bartholomew-the")
    alice = visit(server, "Alice")
    bob.send("away", text="lunch with everybody who is in town")
    person = alice.page.locator("#people .person.away")
    expect(person.locator(".state")).to_contain_text("away: lunch")
    cut = "name => name.scrollWidth - name.clientWidth"
    assert person.locator(".name").evaluate(cut) <= 0
    assert person.evaluate("person => person.scrollWidth - person.clientWidth") <= 0


def test_nobody_stays_among_the_conversations(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    lobby = alice.page.locator("#rooms .place")
    privates = alice.page.locator("#privates .place")
    alice.say("/msg Nobody hi")
    expect(alice.page.locator(".refusal")).to_contain_text("Nobody here is called Nobody")
    expect(privates).to_have_text(["Nobody"])
    lobby.click()
    expect(privates).to_have_count(0)
    alice.page.click("#people button")
    alice.goes_to("Bob")
    alice.page.fill("#text", "half a thought")
    lobby.click()
    expect(privates).to_have_text(["Bob"])
    privates.click()
    expect(alice.page.locator("#text")).to_have_value("half a thought")
    alice.page.press("#text", "Enter")
    assert bob.read_until("dm")["text"] == "half a thought"
    lobby.click()
    expect(privates).to_have_text(["Bob"])


def test_the_banner_counts_what_waits_as_it_comes(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    alice.evaluate(NO_TICK)
    alice.goes_offline()
    banner = alice.page.locator("#banner")
    alice.say("one")
    expect(banner).to_contain_text("1 line waits")
    alice.say("two")
    expect(banner).to_contain_text("2 lines wait")


def test_who_has_never_looked_has_not_left(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.send("dm", id="1", to="Alice", text="the first")
    alice.page.locator("#privates .place").click()
    alice.reads("the first")
    assert alice.page.locator("#log .new-line").count() == 0
    alice.page.locator("#rooms .place").click()
    bob.send("dm", id="2", to="Alice", text="the second")
    expect(alice.page.locator("#privates .badge")).to_have_count(1)
    alice.page.locator("#privates .place").click()
    flow = alice.page.locator("#log .new-line, #log .text")
    expect(flow).to_have_text(["the first", "New since you left", "the second"])


def test_rooms_that_are_new_are_offered(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    bob.ask("join", room="#workshop")
    alice = visit(server, "Alice")
    offers = alice.page.locator("#offers li")
    alice.page.keyboard.type("/join #w")
    expect(offers).to_have_text(["#workshop"])
    bob.ask("join", room="#wine")
    alice.evaluate(LATER)
    alice.page.keyboard.type("i")
    expect(offers).to_have_text(["#wine"])
    alice.page.keyboard.press("Tab")
    expect(alice.page.locator("#text")).to_have_value("/join #wine ")


def test_an_alias_with_a_space_is_refused_in_a_few_words(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server)
    alice.page.fill("#door-alias", "Alice Liddell")
    alice.page.press("#door-alias", "Enter")
    expect(alice.page.locator("#door-error")).to_have_text(
        "An alias has no spaces. Choose another alias."
    )
