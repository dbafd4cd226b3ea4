"""The way into a room: what is written while the server has not answered is for that room, or is said nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.conftest import NO_FLOOD
from tests.page.slow_answers import SlowAnswers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Native, Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

SPEECH = {"say", "me", "dm"}


def everywhere(start: Start) -> Native:
    """Bob, who hears everything."""
    bob = start.native("Bob")
    for room in ("#dev", "#ops"):
        bob.ask("join", room=room)
    return bob


def kept_waiting(start: Start, visit: Visit) -> tuple[Visitor, Native, SlowAnswers]:
    """Alice at the page, whose ways into rooms take their time, and Bob."""
    server = start.server()
    bob = everywhere(start)
    alice = visit(server)
    slow = SlowAnswers(alice, "ok")
    return alice.join("Alice"), bob, slow


def hears(bob: Native) -> tuple[str, str]:
    """Where the next line is said, and what."""
    message = bob.read_until(lambda each: each["t"] in SPEECH)
    return message.get("room", "Bob"), message["text"]


def said(bob: Native) -> list[dict[str, object]]:
    """What else was said until now."""
    return [message for message in bob.settle() if message["t"] in SPEECH]


@pytest.fixture
def settings() -> str:
    return NO_FLOOD


def test_what_is_typed_on_the_way_into_a_room_is_for_that_room(start: Start, visit: Visit) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    typing = alice.page.keyboard
    typing.type("/join #dev\n")
    slow.wait()
    typing.type("the password is tiger\n\n")
    typing.type("/msg Bob and sec")
    wanted = "the password is tiger\n/msg Bob and sec"
    expect(alice.page.locator("#text")).to_have_value(wanted)
    expect(alice.page.locator("#log .notice")).to_have_text(
        "What you write here waits until #dev opens."
    )
    assert said(bob) == []
    slow.let_through()
    alice.goes_to("#dev")
    typing.type("ret\n")
    assert hears(bob) == ("#dev", "the password is tiger")
    assert hears(bob) == ("Bob", "and secret")


def test_what_was_meant_for_a_locked_room_is_not_said_before_its_door(
    start: Start, visit: Visit
) -> None:
    server = start.server()
    bob = everywhere(start)
    bob.ask("lock", room="#dev", key="sesame")
    alice = visit(server)
    slow = SlowAnswers(alice, "refused")
    alice.join("Alice")
    typing = alice.page.keyboard
    typing.type("/join #dev\n")
    slow.wait()
    typing.type("the password is tiger\n")
    typing.type("and")
    slow.let_through()
    trouble = alice.page.locator("#log .notice.error")
    expect(trouble).to_have_count(1)
    typing.type(" more\n")
    wanted = "You wrote this for #dev. Press Enter again to say it in #lobby."
    expect(trouble.last).to_have_text(wanted)
    expect(alice.page.locator("#text")).to_have_value("the password is tiger\nand more")
    assert said(bob) == []


@pytest.mark.parametrize(
    "before", ["my password is hunter2\n", "my password is "], ids=["whole", "half"]
)
def test_whoever_goes_elsewhere_on_the_way_stays_there(
    start: Start, visit: Visit, before: str
) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    typing = alice.page.keyboard
    typing.type("/join #dev\n")
    slow.wait()
    alice.page.locator("#people button", has_text="Bob").click()
    alice.goes_to("Bob")
    typing.type(before)
    slow.let_through()
    expect(alice.page.locator("#rooms .place", has_text="#dev")).to_have_count(1)
    alice.goes_to("Bob")
    if not before.endswith("\n"):
        typing.type("hunter2\n")
    assert hears(bob) == ("Bob", "my password is hunter2")
    assert said(bob) == []


@pytest.mark.parametrize("end", ["\n", ""], ids=["entered", "begun"])
def test_what_was_written_for_a_room_that_is_not_opened_is_said_nowhere_unasked(
    start: Start, visit: Visit, end: str
) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    typing = alice.page.keyboard
    typing.type("/join #dev\n")
    slow.wait()
    typing.type(f"the password is tiger{end}")
    alice.page.locator("#people button", has_text="Bob").click()
    alice.goes_to("Bob")
    expect(alice.page.locator("#text")).to_have_value("")
    alice.page.locator("#rooms .place", has_text="#lobby").click()
    slow.let_through()
    expect(alice.page.locator("#rooms .place", has_text="#dev")).to_have_count(1)
    alice.goes_to("#lobby")
    typing.press("Enter")
    expect(alice.page.locator("#log .notice.error")).to_have_text(
        "You wrote this for #dev. Press Enter again to say it in #lobby."
    )
    assert said(bob) == []
    typing.press("Enter")
    assert hears(bob) == ("#lobby", "the password is tiger")


def test_what_waits_for_a_room_is_not_lost_with_the_connection(start: Start, visit: Visit) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    alice.page.keyboard.type("/join #dev\n")
    slow.wait()
    alice.page.keyboard.type("the password is tiger\n")
    slow.cut()
    trouble = alice.page.locator("#log .notice.error")
    expect(trouble.last).to_contain_text("connection was lost")
    expect(alice.page.locator("#text")).to_have_value("the password is tiger\n")
    alice.page.keyboard.press("Enter")
    expect(trouble.last).to_contain_text("You wrote this for #dev.")
    assert said(bob) == []


def test_what_waits_for_a_room_is_not_lost_with_a_reload(start: Start, visit: Visit) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    alice.page.keyboard.type("/join #dev\n")
    slow.wait()
    alice.page.keyboard.type("the password is tiger\nand the door is green")
    alice.page.reload()
    alice.is_in()
    field = alice.page.locator("#text")
    expect(field).to_have_value("the password is tiger\nand the door is green")
    field.press("Enter")
    trouble = alice.page.locator("#log .notice.error")
    expect(trouble.last).to_contain_text("You wrote this for #dev.")
    assert said(bob) == []
    field.press("Enter")
    assert hears(bob) == ("#lobby", "the password is tiger\nand the door is green")


def test_whoever_wants_to_leave_is_not_kept_waiting(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server)
    slow = SlowAnswers(alice, "ok")
    alice.join("Alice")
    alice.page.keyboard.type("/join #dev\n")
    slow.wait()
    alice.page.keyboard.type("/quit\n")
    expect(alice.page.locator("#door")).to_be_visible()


def test_of_two_ways_the_later_one_counts(start: Start, visit: Visit) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    for number, room in enumerate(("#dev", "#ops"), start=1):
        alice.page.fill("#join-room", room)
        alice.page.press("#join-room", "Enter")
        slow.wait(number)
    alice.page.keyboard.type("for ops\n")
    slow.let_through(1)
    expect(alice.page.locator("#rooms .place", has_text="#dev")).to_have_count(1)
    alice.goes_to("#lobby")
    assert said(bob) == []
    slow.let_through()
    alice.goes_to("#ops")
    assert hears(bob) == ("#ops", "for ops")
    assert said(bob) == []


def test_what_was_written_for_the_first_room_is_not_said_in_the_second(
    start: Start, visit: Visit
) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    alice.page.keyboard.type("/join #dev\n")
    slow.wait()
    alice.page.keyboard.type("for dev\n")
    alice.page.fill("#join-room", "#ops")
    alice.page.press("#join-room", "Enter")
    slow.wait(2)
    slow.let_through()
    alice.goes_to("#ops")
    expect(alice.page.locator("#text")).to_have_value("")
    alice.page.keyboard.type("for ops\n")
    assert hears(bob) == ("#ops", "for ops")
    assert said(bob) == []


def test_one_way_after_the_other_each_with_its_lines(start: Start, visit: Visit) -> None:
    alice, bob, slow = kept_waiting(start, visit)
    typing = alice.page.keyboard
    typing.type("/join #dev\n")
    slow.wait()
    typing.type("for dev\n/join #ops\nfor ops\nand")
    slow.let_through()
    alice.goes_to("#dev")
    slow.wait()
    assert hears(bob) == ("#dev", "for dev")
    expect(alice.page.locator("#text")).to_have_value("for ops\nand")
    slow.let_through()
    alice.goes_to("#ops")
    typing.type(" more\n")
    assert hears(bob) == ("#ops", "for ops")
    assert hears(bob) == ("#ops", "and more")


def test_lines_keep_their_order_wherever_somebody_reads(
    start: Start, visit: Visit, tmp_path: Path, settings: str
) -> None:
    server = start.server(data=tmp_path / "data", config=settings)
    bob = everywhere(start)
    for number in range(200):
        bob.send("say", id=f"b{number}", room="#lobby", text=f"line {number}")
    bob.read_until(lambda message: message.get("id") == "b199")
    seq = bob.ask("history", room="#lobby", limit=150)["records"][0]["seq"]
    alice = visit(server)
    slow = SlowAnswers(alice, "history", holding=False)
    alice.join("Alice")
    alice.reads("line 199")
    alice.say(f"/history before {seq}")
    expect(alice.page.locator("#log .pointed")).to_have_count(1)
    slow.hold()
    alice.page.keyboard.type("one\ntwo\nthree\n")
    assert [hears(bob)[1] for _ in range(3)] == ["one", "two", "three"]
    slow.wait()
    slow.hold(holding=False)
    slow.let_through()
    for text in ("one", "two", "three"):
        alice.has_stored(text)
    expect(alice.page.locator("#log .line .text").last).to_have_text("three")
    expect(alice.page.locator("#latest")).to_be_hidden()
