"""SIGHUP: what is right holds at once, what is wrong changes nothing and is named, what has to wait is said."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server, Start

BROKEN = """
[server]
port = 70000
pasword = "secret-of-the-file"
password = " secret-of-the-file"
[limits]
handshakes = 0
[[operators]]
name = "two words"
"""


def events(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.splitlines()]


def reload(server: Server, wait_for: Callable[..., None], text: str, event: str) -> None:
    """`event`: the last one that it makes."""
    before = [each["event"] for each in events(server)].count(event)
    server.config_path.write_text(text)
    server.signal(signal.SIGHUP)
    wait_for(lambda: [each["event"] for each in events(server)].count(event) > before, event)


def test_every_mistake_is_an_event_of_the_log_and_nothing_changes(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(config="[server]\nmotd = 'Be kind.'\n")
    alice = start.plain("Alice")
    reload(server, wait_for, BROKEN, "the_configuration_has_mistakes_the_old")
    told = [each["mistake"] for each in events(server) if each["event"] == "configuration"]
    assert len(told) == 6
    text = "\n".join(told)
    for part in ("server.port", "pasword", "server.password", "limits.handshakes", "entry 1"):
        assert part in text
    assert "secret-of-the-file" not in server.log
    assert all(each["level"] == "error" for each in events(server) if "mistake" in each)
    assert any("Be kind." in line for line in start.plain().join("Bob"))
    assert [line for line in alice.settle() if "Bob has connected" in line]


def test_what_has_to_wait_for_a_restart_is_said_and_the_rest_holds_at_once(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(config="[server]\nmotd = 'Be kind.'\n")
    text = "[server]\nmotd = 'Be brief.'\nlog_format = 'human'\n[storage]\ndurability = 'fast'\n"
    reload(server, wait_for, text, "changed_but_not_in_force_before")
    (waits,) = (each for each in events(server) if each["event"].startswith("changed_but"))
    assert (waits["level"], waits["keys"]) == ("warning", "server.log_format, storage.durability")
    assert any("Be brief." in line for line in start.plain().join("Bob"))
    reload(server, wait_for, "[server]\nmotd = 'Be kind.'\n", "configuration_reloaded")
    start.plain("Carol")
    assert len([each for each in events(server) if each["event"].startswith("changed_but")]) == 1
