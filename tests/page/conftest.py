"""A real browser: Debian's chromium, driven by playwright, and visitors who use the page as people do."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.conftest import DEADLINE_S, PATIENCE, Server, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE_MS = DEADLINE_S * PATIENCE * 1000
expect.set_options(timeout=DEADLINE_MS)

ARGUMENTS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

OF_THE_NETWORK = ("net::ERR", "WebSocket connection to", "Failed to load resource")
"""Console errors that a cut network and a killed server are allowed to cause."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests; each visitor has a profile of its own."""
    path = shutil.which("chromium")
    if path is None:
        reason = "there is no chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        launched.close()


class Visitor:
    """Somebody with a browser; `trouble` is what must not happen to them."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page = self._tab()

    def _tab(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(DEADLINE_MS)
        page.on("pageerror", lambda error: self.trouble.append(f"page error: {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("dialog", lambda dialog: (self.trouble.append("a dialog"), dialog.dismiss()))
        page.goto(self.address)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(map(message.text.count, OF_THE_NETWORK)):
            self.trouble.append(f"console: {message.text}")

    def tab(self) -> Visitor:
        """Another tab of the same person."""
        other = Visitor.__new__(Visitor)
        other.context, other.address = self.context, self.address
        other.trouble, other.requests = self.trouble, self.requests
        other.page = other._tab()
        return other

    def join(self, alias: str) -> Visitor:
        self.page.fill("#door-alias", alias)
        self.page.press("#door-alias", "Enter")
        self.is_in()
        return self

    def is_in(self) -> None:
        self.page.wait_for_selector("#house:not([hidden])")
        self.page.wait_for_selector("#room-name:not(:empty)")

    def say(self, text: str) -> None:
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def reads(self, text: str) -> None:
        """The text stands in the flow, once."""
        expect(self.page.locator("#log").get_by_text(text, exact=True)).to_have_count(1)

    def shows(self, texts: list[str]) -> None:
        """All that was said and is shown, in order. After a return the past may come behind what is new."""
        expect(self.page.locator("#log .line .text")).to_have_text(texts)

    def texts(self) -> list[str]:
        """What is shown at this moment: for what cannot change any more."""
        return self.page.locator("#log .line .text").all_inner_texts()

    def sees(self, *people: str) -> None:
        expect(self.page.locator("#people .name")).to_have_text(people)

    def goes_to(self, place: str) -> None:
        """As far as the name over the lines; a room that is joined comes with the server's answer."""
        expect(self.page.locator("#room-name")).to_have_text(place)

    def goes_offline(self) -> None:
        """The network goes, and the page has noticed: what is said from now on is not on its way."""
        self.context.set_offline(True)
        expect(self.page.locator("#banner")).to_contain_text("Connection lost")

    def tries_now(self) -> None:
        """Press the button of the banner, unless the page has come back by itself: then nobody sees it."""
        self.page.locator("#banner-now").dispatch_event("click")

    def finds(self, words: str, lines: int = 1) -> None:
        """Search until so many are found: what was said a moment ago is placed in the index a little later."""

        def found() -> bool:
            head = self.page.locator("#found-head")
            head.evaluate("head => head.textContent = ''")
            self.page.fill("#search-words", words)
            self.page.press("#search-words", "Enter")
            expect(head).not_to_be_empty()
            return self.page.locator("#found-lines li").count() >= lines

        eventually(found, f"{lines} lines with {words}")

    def has_stored(self, text: str) -> None:
        """One's own line has its tick."""
        line = self.page.locator("#log .line:not(.pending)", has_text=text)
        expect(line.locator(".tick")).to_have_count(1)

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """`visit(server, alias="", **options)`: a new person at the page; nothing of `trouble` may have happened."""
    visitors: list[Visitor] = []

    def made(server: Server, alias: str = "", scheme: str = "http", **options: Any) -> Visitor:
        context = browser.new_context(**options)
        host, port = server.address
        visitors.append(Visitor(context, f"{scheme}://{host}:{port}/"))
        return visitors[-1].join(alias) if alias else visitors[-1]

    yield made
    for visitor in visitors:
        visitor.context.close()
    for visitor in visitors:
        assert visitor.trouble == []
