"""How the page comes to the browser: from this server alone, over https too, and a second time only if it has changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from chatcore.page import FOLDER
from tests.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.certificates import Pair
    from tests.conftest import Start
    from tests.page.conftest import Visitor

    Visit = Callable[..., Visitor]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_comes_from_anywhere_else(
    start: Start, visit: Visit, pair: Pair, scheme: str
) -> None:
    server = start.server("--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    bob = start.native("Bob")
    alice = visit(server, scheme=scheme, ignore_https_errors=True).join("Alice")
    bob.say("1", "see https://example.org/picture.png and http://127.0.0.1:1/x for Alice")
    alice.page.wait_for_selector("#log a")
    alice.say("over " + scheme)
    assert bob.read_until(lambda message: message.get("text") == f"over {scheme}")
    alice.has_stored("over " + scheme)
    alice.page.reload()
    alice.is_in()
    alice.reads("over " + scheme)
    host = "{}:{}".format(*server.address)
    asked = {(urlsplit(url).scheme, urlsplit(url).netloc) for url in alice.requests}
    assert asked == {(scheme, host), (scheme.replace("http", "ws"), host)}


def test_a_second_visit_fetches_nothing_that_is_there(start: Start, visit: Visit) -> None:
    server = start.server("--log-level", "debug")
    alice = visit(server)
    answers: dict[str, int] = {}
    alice.page.on("response", lambda got: answers.update({urlsplit(got.url).path: got.status}))
    alice.page.reload()
    expect(alice.page.locator("#door")).to_be_visible()
    # A page that is reloaded asks again for each file; what the browser has, it is told so.
    alice.page.wait_for_load_state("networkidle")
    etag = alice.page.request.get(f"{alice.address}page.css").headers["etag"]
    known = alice.page.request.get(f"{alice.address}page.css", headers={"If-None-Match": etag})
    assert (known.status, known.body()) == (304, b"")
    assert answers
    assert set(answers.values()) <= {200, 304}


def test_fetching_the_page_is_no_news_for_the_log(start: Start, visit: Visit) -> None:
    server = start.server()
    alice = visit(server, "Alice")
    alice.page.request.get(f"{alice.address}nothing-here?secret=1")
    alice.page.reload()
    alice.is_in()
    assert "fetched" not in server.log
    eventually(lambda: server.log.count("was turned away") == 1, "what is not there is logged")
    assert "secret" not in server.log


def test_the_page_names_every_module_that_is_imported_so_that_all_come_at_once() -> None:
    imported: set[str] = set()
    unread = {"main.js"}
    while unread:
        imported |= unread
        sources = [(FOLDER / name).read_text() for name in unread]
        unread = {
            name for source in sources for name in re.findall(r'from "\./([^"]+)"', source)
        } - imported
    named = re.findall(r'rel="modulepreload" href="/([^"]+)"', (FOLDER / "index.html").read_text())
    assert sorted(named) == sorted(imported - {"main.js"})
