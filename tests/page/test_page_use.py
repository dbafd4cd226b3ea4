"""What people do at the page: rooms, reading back, searching, completing, on a phone and with the keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.conftest import NO_FLOOD, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}


POINTED = """() => {
    window.pointed = [];
    new MutationObserver((changes) => {
        for (const {target} of changes)
            if (target.matches('.line.pointed')) pointed.push(target.innerText.match(/needle/)?.[0]);
    }).observe(document.getElementById('log'), {subtree: true, attributeFilter: ['class']});
}"""
"""Which lines are pointed at: that lasts for seconds, and a slow machine may look later."""


def test_rooms_and_unread_counts(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("/join #dev the workshop")
    alice.goes_to("#dev")
    expect(alice.page.locator("#room-topic")).to_have_text("the workshop")
    bob.say("1", "one")
    bob.say("2", "two for Alice")
    lobby = alice.page.locator("#rooms .place", has_text="#lobby")
    expect(lobby.locator(".badge.mentioned")).to_contain_text("2")
    expect(alice.page).to_have_title(re.compile(r"^\(2\) #dev"))
    lobby.click()
    alice.reads("one")
    expect(lobby.locator(".badge")).to_have_count(0)
    expect(alice.page).to_have_title(re.compile("^#lobby"))
    expect(alice.page.locator("#log .new-line")).to_have_count(1)
    expect(alice.page.locator("#log .line.mentioned")).to_contain_text("two for Alice")
    bob.say("3", "three")
    alice.reads("three")
    expect(alice.page.locator("#log .new-line")).to_have_count(1)


def test_direct_messages_have_a_place_of_their_own(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.send("dm", id="1", to="Alice", text="psst")
    bob.read_until("dm")
    expect(alice.page.locator("#privates .badge.mentioned")).to_contain_text("1")
    assert "psst" not in alice.texts()
    alice.page.click("#privates .place")
    alice.reads("psst")
    alice.say("what is it?")
    assert bob.read_until("dm")["text"] == "what is it?"
    alice.page.reload()
    alice.is_in()
    alice.reads("psst")
    alice.reads("what is it?")


def test_new_since_you_left_stands_after_a_reload(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.say("1", "read before")
    alice.reads("read before")
    alice.page.goto("about:blank")
    bob.say("2", "said while away")
    alice.page.goto(alice.address)
    alice.is_in()
    flow = alice.page.locator("#log .new-line, #log .text")
    expect(flow).to_have_text(["read before", "New since you left", "said while away"])


def test_older_lines_come_without_a_jump(start: Start, visit: Visit, tmp_path: Path) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.say_lines(300)
    alice = visit(server, "Alice")
    alice.reads("line 299")
    first, count = alice.texts()[0], len(alice.texts())
    alice.page.locator("#scroll").evaluate("scroll => scroll.scrollTop = 0")
    seen = alice.page.get_by_text(first, exact=True)
    lines = alice.page.locator("#log .line")
    expect(lines).not_to_have_count(count)
    expect(seen).to_be_in_viewport()

    def at_the_top() -> bool:
        alice.page.locator("#scroll").evaluate("scroll => scroll.scrollTop = 0")
        return alice.texts()[0] == "line 0"

    eventually(at_the_top, "every older line has come")
    assert alice.texts() == [f"line {number}" for number in range(300)]
    alice.page.locator("#scroll").evaluate("scroll => scroll.scrollTop = 0")
    expect(alice.page.get_by_text("line 0", exact=True)).to_be_in_viewport()
    bob.say("new", "said while she reads back")
    expect(alice.page.locator("#latest")).to_have_text("↓ 1 new")
    expect(alice.page.get_by_text("line 0", exact=True)).to_be_in_viewport()
    alice.page.click("#latest")
    expect(alice.page.get_by_text("said while she reads back")).to_be_in_viewport()


def test_searching_finds_and_shows_the_line(start: Start, visit: Visit, tmp_path: Path) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.say("needle", "the needle in it")
    for number in range(200):
        bob.send("say", id=f"b{number}", room="#lobby", text=f"hay {number}")
    bob.read_until(lambda message: message.get("id") == "b199")
    alice = visit(server, "Alice")
    alice.finds("needle")
    alice.evaluate(POINTED)
    alice.page.click("#found-lines li button")
    line = alice.page.locator("#log .line", has_text="the needle in it")
    expect(line).to_be_in_viewport()
    eventually(lambda: alice.evaluate("pointed") == ["needle"], "it is pointed at, for a moment")
    alice.page.click("#latest")
    alice.reads("hay 199")


def test_links_can_be_clicked_and_nothing_else_becomes_one(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.say(
        "1",
        "see https://example.org/a_(b)?x=1#y. (http://example.net/), javascript:alert(1) data:text/html,x",
    )
    bob.say(
        "2",
        "資料は「https://example.org/資料」、https://example.org/b。「次」 “https://example.org/c”",
    )
    links = alice.page.locator("#log a")
    expect(links).to_have_count(5)
    assert [link.get_attribute("href") for link in links.all()] == [
        "https://example.org/a_(b)?x=1#y",
        "http://example.net/",
        "https://example.org/資料",
        "https://example.org/b",
        "https://example.org/c",
    ]
    bob.send("topic", room="#lobby", text="plan: https://example.org/plan.")
    in_the_topic = alice.page.locator("#room-topic a, #log .event a")
    expect(in_the_topic).to_have_text(["https://example.org/plan"] * 2)
    assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer nofollow"}


def test_whoever_spoke_last_is_offered_first_and_accents_need_not_be_typed(
    start: Start, visit: Visit
) -> None:
    server = start.server()
    for name in ("Anna", "Ånne"):
        start.native(name)
    annika = start.native("Annika")
    alice = visit(server, "Alice")
    offers = alice.page.locator("#offers li")
    alice.page.type("#text", "an")
    expect(offers).to_have_text(["Anna", "Ånne", "Annika"])
    alice.page.fill("#text", "")
    annika.say("1", "here I am")
    alice.reads("here I am")
    alice.page.type("#text", "an")
    expect(offers).to_have_text(["Annika", "Anna", "Ånne"])


def test_the_key_that_ends_an_input_method_sends_nothing(start: Start, visit: Visit) -> None:
    """Safari's comes when all is over, with a number that says what it was."""
    server = start.server()
    alice = visit(server, "Alice")
    alice.page.fill("#text", "かんじ")
    press = """code => document.getElementById('text').dispatchEvent(
        new KeyboardEvent('keydown', {key: 'Enter', keyCode: code, bubbles: true, cancelable: true}))"""
    alice.page.evaluate(press, 229)
    expect(alice.page.locator("#text")).to_have_value("かんじ")
    alice.page.evaluate(press, 13)
    alice.reads("かんじ")


def test_notifications_that_a_browser_refuses_are_not_offered_again(
    start: Start, visit: Visit
) -> None:
    """Chrome on a phone grants the permission, and throws for each that a page makes."""
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.evaluate(
        """() => {
        window.Notification = class {
            static permission = 'granted';
            static async requestPermission() { return 'granted'; }
            constructor() { throw new TypeError('Illegal constructor'); }
        };
        document.hasFocus = () => false;
    }"""
    )
    alice.page.click("#notify")
    expect(alice.page.locator("#notify")).to_have_text("Notifications on")
    bob.say("1", "Alice?")
    alice.reads("Alice?")
    expect(alice.page.locator("#notify")).to_be_hidden()


def test_rooms_are_sorted_as_people_count(start: Start, visit: Visit) -> None:
    server = start.server(config=NO_FLOOD)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for number in (10, 9):
        alice.say(f"/join #room{number}")
        alice.goes_to(f"#room{number}")
    expect(alice.page.locator("#rooms .place-name")).to_have_text(["#lobby", "#room9", "#room10"])
    for number in range(1_001):
        bob.send("say", id=f"b{number}", room="#lobby", text=str(number))
    expect(alice.page.locator("#rooms .badge")).to_have_text(["999+ new"])


def test_the_keyboard_alone(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bobby")
    alice = visit(server)
    press = alice.page.keyboard.press
    alice.page.keyboard.type("Alice")
    press("Enter")
    alice.is_in()
    expect(alice.page.locator("#text")).to_be_focused()
    alice.page.keyboard.type("Bob")
    expect(alice.page.locator("#offers li")).to_have_text(["Bobby"])
    press("Tab")
    alice.page.keyboard.type("hi")
    press("Shift+Enter")
    alice.page.keyboard.type("second line")
    press("Enter")
    assert bob.read_until("say")["text"] == "Bobby: hi\nsecond line"
    alice.page.keyboard.type("/top")
    press("ArrowDown")
    press("Enter")
    alice.page.keyboard.type("keys only")
    press("Enter")
    assert bob.read_until("topic")["text"] == "keys only"
    press("ArrowUp")
    expect(alice.page.locator("#text")).to_have_value("/topic keys only")
    press("ArrowUp")
    expect(alice.page.locator("#text")).to_have_value("Bobby: hi\nsecond line")
    alice.page.fill("#text", "")
    press("Shift+Tab")
    expect(alice.page.locator("#text")).not_to_be_focused()


def test_on_a_phone(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, **PHONE)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert alice.evaluate(fits)
    alice.join("Alice")
    bob.say("1", "w" * 400)
    bob.send("topic", room="#lobby", text="t" * 300)
    bob.say("2", "https://example.org/" + "x" * 300)
    alice.page.wait_for_selector("#log a")
    assert alice.evaluate(fits)
    assert alice.evaluate("document.getElementById('scroll').scrollWidth <= innerWidth")
    alice.page.tap("#show-people")
    alice.sees("Alice", "Bob")
    alice.page.tap("#people-side .close-side")
    alice.page.tap("#show-rooms")
    alice.page.fill("#join-room", "dev")
    alice.page.tap("#join-form button")
    alice.goes_to("#dev")
    expect(alice.page.locator("#rooms-side")).to_be_hidden()
    alice.page.fill("#text", "from a phone")
    alice.page.tap("#send")
    alice.has_stored("from a phone")
    assert alice.evaluate(fits)


def test_commands(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    notices = alice.page.locator("#log .notice")
    alice.say("/nosuch thing")
    expect(notices.last).to_contain_text("There is no command /nosuch")
    alice.page.fill("#text", "")
    alice.say("/help")
    expect(notices.filter(has_text="/join #room")).to_have_count(1)
    alice.say("/who")
    expect(notices.last).to_have_text("In #lobby: Bob, Alice")
    alice.say("/nick Ally")
    bob.read_until("nick")
    expect(alice.page.locator("#me")).to_have_text("You are Ally")
    alice.say("//slashed")
    assert bob.read_until("say")["text"] == "/slashed"
    alice.say("/me waves")
    assert bob.read_until("me")["text"] == "waves"
    alice.say("/quit")
    expect(alice.page.locator("#door")).to_be_visible()
    assert bob.read_until("leave")["why"] == "quit"


def test_an_alias_that_is_taken_is_asked_for_again(start: Start, visit: Visit) -> None:
    server = start.server()
    start.native("Alice")
    alice = visit(server)
    alice.page.fill("#door-alias", "Alice")
    alice.page.click("#door-go")
    expect(alice.page.locator("#door-error")).to_contain_text("Alice is taken")
    alice.join("Alison")


def test_a_password_is_asked_for(start: Start, visit: Visit) -> None:
    server = start.server(config='[server]\npassword = "open sesame"\n')
    alice = visit(server)
    alice.page.fill("#door-alias", "Alice")
    alice.page.click("#door-go")
    alice.page.wait_for_selector("#door-password")
    alice.page.fill("#door-password", "open sesame")
    alice.page.press("#door-password", "Enter")
    alice.is_in()
