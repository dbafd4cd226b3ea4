"""Reading: what one looks at stays where it is, what one has chosen stays chosen, and memory stays bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.conftest import NO_FLOOD, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import WebSocketRoute

    from tests.conftest import Native, Plain, Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]

MANY = f"{NO_FLOOD}[limits]\narrivals_per_minute = 0\n"

DOM_MOST = 1_000
"""Elements in the flow: 600 lines, and the days and notices between them."""


def burst(bob: Native, count: int, name: str) -> None:
    for number in range(count):
        bob.send("say", id=f"{name}{number}", room="#lobby", text=f"{name} {number}")
    bob.read_until(lambda message: message.get("id") == f"{name}{count - 1}")


def elements(visitor: Visitor) -> int:
    return int(visitor.evaluate("document.querySelectorAll('#log > *').length"))


@pytest.mark.parametrize("lines", [1_600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_reading_back_while_thousands_of_lines_come(
    start: Start, visit: Visit, lines: int, tmp_path: Path
) -> None:
    server = start.server(data=tmp_path / "data", config=NO_FLOOD)
    bob = start.native("Bob")
    burst(bob, 100, "old")
    alice = visit(server, "Alice")
    alice.reads("old 99")
    alice.page.locator("#scroll").evaluate("scroll => scroll.scrollTop = 0")
    alice.reads("old 0")
    mark = alice.page.get_by_text("old 10", exact=True)
    mark.evaluate("line => line.scrollIntoView({block: 'center'})")
    before = mark.bounding_box()
    burst(bob, lines, "new")
    expect(alice.page.locator("#latest")).to_have_text(f"↓ {lines:,} new")
    assert mark.bounding_box() == before, "the view has not jumped"
    assert elements(alice) <= DOM_MOST
    seen: dict[str, None] = {}
    end = f"new {lines - 1}"
    if lines <= 1_600:  # page by page down to the end: nothing is missing, nothing twice
        for _ in range(400):
            texts = alice.texts()
            assert len(set(texts)) == len(texts)
            seen.update(dict.fromkeys(texts))
            if end in seen:
                break
            alice.page.locator("#scroll").evaluate(
                "scroll => new Promise(done => {scroll.scrollTop = scroll.scrollHeight; setTimeout(done, 30);})"
            )
        assert list(seen) == [f"old {n}" for n in range(100)] + [f"new {n}" for n in range(lines)]
    else:
        alice.page.click("#latest")
        alice.reads(end)
    assert elements(alice) <= DOM_MOST
    bob.say("live", "and live again")
    alice.page.locator("#scroll").evaluate("scroll => scroll.scrollTop = scroll.scrollHeight")
    expect(alice.page.get_by_text("and live again", exact=True)).to_be_in_viewport()
    expect(alice.page.locator("#latest")).to_be_hidden()


def test_a_room_that_is_hardly_longer_than_the_screen_does_not_jump(
    start: Start, visit: Visit
) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for number in range(15):
        bob.say(f"b{number}", f"b {number}")
    alice.reads("b 14")
    scroll = alice.page.locator("#scroll")
    content = scroll.evaluate("scroll => document.getElementById('log').offsetHeight")
    around = scroll.evaluate("scroll => innerHeight - scroll.clientHeight")
    height = int(content + around - 40)
    alice.page.set_viewport_size({"width": 900, "height": height})
    # Not before the page itself has seen that it is smaller now, and has gone to the end because of it.
    alice.page.wait_for_function(
        "height => innerHeight === height && document.getElementById('scroll').scrollTop > 0",
        arg=height,
    )
    scroll.evaluate("scroll => scroll.scrollTop = 0")
    expect(alice.page.locator("#latest")).to_be_visible()
    bob.say("more", "said below")
    expect(alice.page.locator("#latest")).to_have_text("↓ 1 new")
    assert scroll.evaluate("scroll => scroll.scrollTop") == 0


def test_whoever_reads_along_stays_at_the_end(start: Start, visit: Visit) -> None:
    server = start.server(config=NO_FLOOD)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    for number in range(5):
        burst(bob, 300, f"b{number}")
        expect(alice.page.get_by_text(f"b{number} 299", exact=True)).to_be_in_viewport()
        expect(alice.page.locator("#latest")).to_be_hidden()
    assert elements(alice) <= DOM_MOST
    alice.page.set_viewport_size({"width": 800, "height": 400})
    expect(alice.page.get_by_text("b4 299", exact=True)).to_be_in_viewport()


def test_what_has_the_focus_keeps_it(start: Start, visit: Visit) -> None:
    server = start.server(config=NO_FLOOD)
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("/msg Nobody hello")
    refused = alice.page.locator(".refusal >> text=Try again")
    refused.focus()
    bob.send("dm", id="1", to="Alice", text="psst")
    expect(alice.page.locator("#privates .badge")).to_have_count(1)
    expect(refused).to_be_focused()
    place = alice.page.locator("#rooms .place")
    place.focus()
    bob.say("2", "for Alice")
    expect(alice.page.locator("#rooms .badge")).to_have_count(1)
    expect(place).to_be_focused()
    place.press("Enter")
    person = alice.page.locator("#people button", has_text="Bob")
    expect(person).to_be_visible()
    person.focus()
    start.plain("Carol")
    bob.send("away", text="lunch")
    expect(alice.page.locator("#people .away")).to_contain_text("away: lunch")
    expect(person).to_be_focused()
    alice.page.locator("#scroll").focus()
    alice.page.keyboard.type("typed anywhere")
    expect(alice.page.locator("#text")).to_have_value("typed anywhere")


def test_the_keyboard_comes_everywhere_in_a_sensible_order(start: Start, visit: Visit) -> None:
    server = start.server()
    start.native("Bob")
    alice = visit(server, "Alice")
    focused = "document.activeElement.id || document.activeElement.textContent"
    order = []
    alice.evaluate("document.activeElement.blur()")
    for _ in range(24):
        alice.page.keyboard.press("Tab")
        order.append(alice.evaluate(focused))
    order = order[order.index("#lobby") :]
    wanted = ["#lobby", "join-room", "+", "notify", "search-words", "scroll", "text", "send"]
    assert [each for each in order if each in wanted][: len(wanted)] == wanted
    assert any(each.startswith("Bob") for each in order)


def test_what_is_typed_stays_with_its_room(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    alice.say("/join #dev")
    alice.goes_to("#dev")
    alice.page.fill("#text", "half a thought")
    alice.page.locator("#rooms .place", has_text="#lobby").click()
    expect(alice.page.locator("#text")).to_have_value("")
    alice.page.locator("#rooms .place", has_text="#dev").click()
    expect(alice.page.locator("#text")).to_have_value("half a thought")


def test_words_of_the_server_stay_where_they_were_said(start: Start, visit: Visit) -> None:
    server = start.server(config='[server]\nmotd = "Be kind."\n')
    bob = start.native("Bob")
    bob.say("0", "said before")
    alice = visit(server, "Alice")
    alice.reads("Be kind.")
    bob.say("1", "one")
    alice.reads("one")
    alice.say("/topic")
    expect(alice.page.locator("#log .notice").last).to_contain_text("There is no topic")
    bob.say("2", "two")
    alice.reads("two")
    flow = alice.page.locator("#log .text, #log .notice")
    wanted = ["said before", "Be kind.", "one", "There is no topic. Set one: /topic words", "two"]
    expect(flow).to_have_text(wanted)
    alice.say("/join #dev")
    alice.goes_to("#dev")
    alice.page.locator("#rooms .place", has_text="#lobby").click()
    expect(flow).to_have_text(wanted)


def test_a_conversation_goes_on_under_a_new_name(start: Start, visit: Visit) -> None:
    server = start.server()
    bob = start.native("Bob")
    alice = visit(server, "Alice")
    alice.say("/msg bob hello")
    assert bob.read_until("dm")["text"] == "hello"
    alice.reads("hello")
    bob.ask("nick", alias="Robert")
    alice.goes_to("Robert")
    alice.say("and again")
    assert bob.read_until("dm")["text"] == "and again"
    alice.say("/nick Alicia")
    expect(alice.page.locator("#me")).to_have_text("You are Alicia")
    alice.page.reload()
    alice.is_in()
    expect(alice.page.locator("#me")).to_have_text("You are Alicia")
    expect(alice.page.locator("#privates .place")).to_have_count(2)
    alice.page.locator("#privates .place", has_text="Robert").click()
    alice.reads("and again")


def test_people_of_a_big_room_are_counted_and_bounded(start: Start, visit: Visit) -> None:
    server = start.server(config=MANY)
    start.crowd(150)
    alice = visit(server, "Alice")
    head = alice.page.locator("#people-head")
    expect(head).to_have_text("151 people here")
    later = start.crowd(120, "late")
    expect(head).to_have_text("271 people here")
    alice.say("/who")  # names all of them
    expect(alice.page.locator("#people .person")).to_have_count(200)
    expect(alice.page.locator("#people .others")).to_have_text("and 71 others")
    for client in later:
        client.close()
    expect(head).to_have_text("151 people here")


def big_room(start: Start, size: int) -> tuple[Native, list[Plain]]:
    """Somebody and so many others in the lobby, all of whom have been told of."""
    bob = start.native("Bob")
    crowd = start.crowd(size)
    told = 0
    while told < size:
        message = bob.read_until(lambda message: message["t"] in {"join", "crowd"})
        told += 1 if message["t"] == "join" else told_of(message["joined"])
    return bob, crowd


def told_of(group: dict[str, Any]) -> int:
    return len(group["aliases"]) + int(group["more"])


def test_whoever_arrives_in_a_big_room_is_counted_once(start: Start, visit: Visit) -> None:
    server = start.server(config=MANY)
    big_room(start, 120)
    alice = visit(server, "Alice")
    head = alice.page.locator("#people-head")
    alice.reads("Alice came in")  # the room was told of her, and so was she
    assert head.inner_text() == "122 people here"


def test_how_many_are_in_a_crowd_is_what_the_server_says(start: Start, visit: Visit) -> None:
    """Whoever arrives among others stands in the view already, and the notice counts them once more, unnamed."""
    server = start.server()
    alice = visit(server)

    def with_crowd(route: WebSocketRoute) -> None:
        upstream = route.connect_to_server()

        def from_server(data: str | bytes) -> None:
            message = json.loads(data)
            route.send(data)
            if message.get("text") == "come":
                crowd = {"t": "crowd", "time": message["time"], "room": "#lobby", "count": 121}
                joined, left = {"aliases": ["Yan", "Zoe"], "more": 1}, {"aliases": [], "more": 0}
                seq = message["seq"] + 1
                route.send(json.dumps({**crowd, "seq": seq, "joined": joined, "left": left}))

        upstream.on_message(from_server)

    alice.page.route_web_socket("**/ws", with_crowd)
    alice.page.reload()
    alice.join("Alice")
    alice.say("come")
    expect(alice.page.locator("#people-head")).to_have_text("121 people here")


LOOK_MS = 5_000 * PATIENCE
"""The notices say how many are left; without that the count would be mended after ten seconds."""


def test_whoever_returns_to_a_big_room_sees_how_many_are_left(start: Start, visit: Visit) -> None:
    server = start.server(config=MANY)
    bob, crowd = big_room(start, 150)
    alice = visit(server, "Alice")
    alice.reads("Alice came in")
    alice.goes_offline()
    for client in crowd[:40]:
        client.close()
    gone = 0
    while gone < 40:
        gone += told_of(bob.read_until(lambda message: message["t"] == "crowd")["left"])
    alice.context.set_offline(False)
    # The welcome has counted them out, and what was missed tells of them once more.
    expect(alice.page.locator("#log .event").last).to_contain_text("left")
    head = alice.page.locator("#people-head")
    expect(head).to_have_text("112 people here", timeout=LOOK_MS)


def test_the_list_of_people_is_bounded(start: Start, visit: Visit) -> None:
    """Whatever a server tells: a thousand who come in one by one."""
    server = start.server()
    alice = visit(server)

    def with_many(route: WebSocketRoute) -> None:
        upstream = route.connect_to_server()

        def from_server(data: str | bytes) -> None:
            message = json.loads(data)
            route.send(data)
            if message.get("text") == "come":
                join = {"t": "join", "time": message["time"], "room": "#lobby"}
                for at in range(message["seq"] + 1, message["seq"] + 1_001):
                    here = {**join, "seq": at, "sid": f"s{at}", "alias": f"guest{at}"}
                    route.send(json.dumps(here))

        upstream.on_message(from_server)

    alice.page.route_web_socket("**/ws", with_many)
    alice.page.reload()
    alice.join("Alice")
    alice.say("come")
    expect(alice.page.locator("#people-head")).to_have_text("1,001 people here")
    expect(alice.page.locator("#people .person")).to_have_count(200)
    expect(alice.page.locator("#people .others")).to_have_text("and 801 others")
