"""Typing: every key counts, and what is meant for one place is not said in another, whatever happens meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from chatcore.passwords import Scrypt
from tests.conftest import NO_FLOOD
from tests.page.slow_answers import SlowAnswers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Native, Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

PASTED = "/msg Bob the password is tiger"

FOCUSED = "document.activeElement.id"

ALT_GR = """() => document.activeElement.dispatchEvent(new KeyboardEvent(
    'keydown', {key: '@', ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true}))"""
"""An `@` of a German keyboard as Windows tells it."""


def operator(start: Start) -> Native:
    root = start.native("Ann")
    assert root.ask("oper", name="Root", password="geheim")["t"] == "ok"
    return root


@pytest.fixture
def settings() -> str:
    """An operator whose password is `geheim`, at a cost that no test waits for."""
    cheap = Scrypt.of("geheim", cost_log2=4)
    return f'{NO_FLOOD}[[operators]]\nname = "Root"\nhash = "{cheap}"\n'


def test_what_is_typed_after_a_search_is_said_whole(
    start: Start, visit: Visit, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.say("1", "the needle in it")
    alice = visit(server, "Alice")
    alice.finds("needle")
    expect(alice.page.locator("#found-lines button")).to_be_focused()
    alice.page.keyboard.type(PASTED)
    alice.page.keyboard.press("Enter")
    seen = [message for message in bob.settle() if message["t"] in {"say", "dm"}]
    seen = seen or [bob.read_until("dm")]
    assert [(message["t"], message["text"]) for message in seen] == [
        ("dm", "the password is tiger")
    ]


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("#rooms .place", id="room"),
        pytest.param("#people button", id="person"),
        pytest.param("#log a", id="link"),
        pytest.param("#scroll", id="lines"),
        pytest.param("#send", id="send"),
        pytest.param("#notify", id="notify"),
        pytest.param("#latest", id="latest"),
    ],
)
def test_whoever_types_without_a_field_means_the_composer(
    start: Start, visit: Visit, place: str
) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    bob.say("1", "see https://example.org/")
    alice.page.wait_for_selector("#log a")
    alice.evaluate("document.getElementById('latest').hidden = false")
    alice.page.locator(place).first.focus()
    alice.page.keyboard.type("/me dances")
    expect(alice.page.locator("#text")).to_have_value("/me dances")
    alice.page.keyboard.press("Enter")
    assert bob.read_until(lambda message: message["t"] in {"say", "me"})["t"] == "me"


def test_what_is_pasted_without_a_field_is_for_the_composer(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    text = alice.page.locator("#text")
    place = alice.page.locator("#rooms .place")
    alice.page.fill("#text", PASTED)
    alice.page.keyboard.press("Control+A")
    alice.page.keyboard.press("Control+X")
    place.focus()
    alice.page.keyboard.press("Control+V")
    expect(text).to_have_value(PASTED)
    alice.page.fill("#text", "")
    place.focus()
    alice.page.keyboard.press("Shift+Insert")
    expect(text).to_have_value(PASTED)


def test_keys_that_are_no_text_stay_where_they_are(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    lines = alice.page.locator("#scroll")
    for key in ("Control+a", "Alt+b", "Shift", "PageUp", "F2", "Space"):
        lines.focus()
        alice.page.keyboard.press(key)
        assert alice.evaluate(FOCUSED) == "scroll", key
    alice.evaluate(ALT_GR)
    assert alice.evaluate(FOCUSED) == "text"
    alice.page.focus("#join-room")
    alice.page.keyboard.type("dev")
    expect(alice.page.locator("#join-room")).to_have_value("dev")


@pytest.mark.parametrize("field", ["text", "search-words"])
def test_what_was_found_takes_the_focus_from_nobody_who_types_on(
    start: Start, visit: Visit, tmp_path: Path, field: str
) -> None:
    server = start.server(data=tmp_path / "data")
    bob = start.native("Bob")
    bob.say("1", "the needle in it")
    alice = visit(server)
    slow = SlowAnswers(alice, "search")
    alice.join("Alice")
    alice.page.focus(f"#{field}")
    alice.page.keyboard.type("/search needle" if field == "text" else "needle")
    alice.page.keyboard.press("Enter")
    slow.wait()
    alice.page.keyboard.type(" and")
    slow.let_through()
    expect(alice.page.locator("#found-head")).not_to_be_empty()
    alice.page.keyboard.type(" more")
    wanted = " and more" if field == "text" else "needle and more"
    expect(alice.page.locator(f"#{field}")).to_have_value(wanted)


def test_what_is_typed_while_the_page_arrives_stays(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    slow = SlowAnswers(alice, "welcome")
    slow.wait()
    alice.page.keyboard.press("Enter")
    alice.page.keyboard.type("/msg Bob the first half")
    slow.let_through()
    alice.goes_to("#lobby")
    alice.page.keyboard.type(" and the second\n")
    said = bob.read_until(lambda message: message["t"] in {"say", "dm"})
    assert (said["t"], said["text"]) == ("dm", "the first half and the second")


def test_what_was_begun_in_a_room_that_is_gone_is_not_said_elsewhere_unasked(
    start: Start, visit: Visit, settings: str
) -> None:
    server = start.server(config=settings)
    root = operator(start)
    alice = visit(server, "Alice")
    alice.say("/join #den")
    alice.goes_to("#den")
    alice.page.keyboard.type("the password of the de")
    root.ask("kick", name="Alice", room="#den")
    alice.goes_to("#lobby")
    alice.page.keyboard.type("n is tiger\n")
    notice = alice.page.locator("#log .notice.error")
    expect(notice).to_have_text("You wrote this for #den. Press Enter again to say it in #lobby.")
    expect(alice.page.locator("#text")).to_have_value("the password of the den is tiger")
    assert [message for message in root.settle() if message["t"] == "say"] == []
    alice.page.fill("#text", "")
    alice.page.keyboard.type("hello\n")
    assert root.read_until("say")["text"] == "hello"
    alice.page.keyboard.press("ArrowUp")
    expect(alice.page.locator("#text")).to_have_value("hello")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("hello all", "say", id="say"),
        pytest.param("/me hello all", "me", id="me"),
        pytest.param("/topic hello all", "topic", id="topic"),
    ],
)
def test_what_was_begun_elsewhere_is_said_when_it_is_meant(
    start: Start, visit: Visit, settings: str, text: str, kind: str
) -> None:
    server = start.server(config=settings)
    root = operator(start)
    alice = visit(server, "Alice")
    alice.say("/join #den")
    alice.goes_to("#den")
    alice.page.keyboard.type(text)
    root.ask("kick", name="Alice", room="#den")
    alice.goes_to("#lobby")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#log .notice.error")).to_have_count(1)
    assert [message for message in root.settle() if message["t"] == kind] == []
    alice.page.keyboard.press("Enter")
    assert root.read_until(kind)["text"] == "hello all"


def test_what_was_begun_is_there_after_a_reload_and_what_was_said_is_not(
    start: Start, visit: Visit
) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    field = alice.page.locator("#text")
    field.fill("begun in the lobby")
    alice.page.fill("#join-room", "dev")
    alice.page.press("#join-room", "Enter")
    alice.goes_to("#dev")
    expect(field).to_have_value("")
    field.fill("begun in dev")
    alice.page.reload()
    alice.goes_to("#dev")
    expect(field).to_have_value("begun in dev")
    field.press("Enter")
    alice.has_stored("begun in dev")
    alice.page.reload()
    alice.goes_to("#dev")
    alice.reads("begun in dev")
    expect(field).to_have_value("")
    alice.page.locator("#rooms .place", has_text="#lobby").click()
    expect(field).to_have_value("begun in the lobby")
    field.fill("/oper Root geheim")
    alice.page.reload()
    alice.goes_to("#lobby")
    alice.reads("Alice came in")
    expect(field).to_have_value("")
    assert "geheim" not in alice.evaluate("JSON.stringify(sessionStorage)")


def test_a_new_name_takes_nothing_from_what_is_being_typed(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("/msg Bob hello")
    alice.has_stored("hello")
    alice.page.keyboard.type("the first half")
    bob.ask("nick", alias="Robert")
    alice.goes_to("Robert")
    alice.page.keyboard.type(" and the second\n")
    wanted = "the first half and the second"
    assert bob.read_until(lambda message: message.get("text") == wanted)["t"] == "dm"


def test_whoever_is_put_out_while_typing_types_into_no_field(
    start: Start, visit: Visit, settings: str
) -> None:
    server = start.server(config=settings)
    root = operator(start)
    alice = visit(server, "Alice")
    alice.page.keyboard.type("the password is t")
    root.ask("kick", name="Alice")
    expect(alice.page.locator("#door-error")).to_be_focused()
    alice.page.keyboard.type("iger\n")
    expect(alice.page.locator("#door-alias")).to_have_value("Alice")
    expect(alice.page.locator("#door")).to_be_visible()
    assert [message for message in root.settle() if message["t"] == "join"] == []


def test_what_follows_a_mistaken_command_takes_its_place(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.page.keyboard.type("/histroy 3\n")
    expect(alice.page.locator("#log .notice.error")).to_contain_text("no command /histroy")
    expect(alice.page.locator("#text")).to_have_value("/histroy 3")
    alice.page.keyboard.type("/me waves\n")
    assert bob.read_until("me")["text"] == "waves"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" /quit smoking is hard", id="quit"),
        pytest.param("\t/who knows", id="who"),
        pytest.param("  /part two", id="part"),
        pytest.param("  /usr/bin is a folder", id="no-command"),
        pytest.param("two lines:\n/part two", id="later-line"),
    ],
)
def test_a_command_stands_at_the_very_beginning(start: Start, visit: Visit, text: str) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say(text)
    assert bob.read_until("say")["text"] == text
    expect(alice.page.locator("#text")).to_have_value("")
    assert alice.page.locator("#log .notice").count() == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("  /msg Bob psst", id="msg"),
        pytest.param(" /OPER Root geheim", id="oper"),
        pytest.param("look\n /msg Bob psst", id="later-line"),
    ],
)
def test_what_is_private_is_not_said_for_a_space(start: Start, visit: Visit, text: str) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say(text)
    expect(alice.page.locator("#log .notice.error")).to_contain_text("aloud")
    expect(alice.page.locator("#text")).to_have_value(text)
    alice.page.keyboard.type("hello\n")
    assert bob.read_until(lambda message: message["t"] in {"say", "dm"})["text"] == "hello"
