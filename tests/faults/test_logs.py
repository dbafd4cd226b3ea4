"""The log of a real server: every line is whole and valid whatever peers send, nothing secret stands in it, and a
log that nobody takes costs the room nothing."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore.passwords import Scrypt
from tests.conftest import DEADLINE_S, NO_FLOOD, Plain, clean_environment, end_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start

ROOT = Path(__file__).parents[2]

PASSWORD = "correct-horse-battery"
TRIED = "hunter2-tried-and-wrong"
SAID = "the-cake-is-a-lie"

CONFIG = f"""{NO_FLOOD}
[server]
password = "{Scrypt.of(PASSWORD, cost_log2=4, parallel=1)}"
[[operators]]
name = "Root"
hash = "{Scrypt.of(PASSWORD, cost_log2=4, parallel=1)}"
[limits]
logins_per_minute = 1000
logins_waiting = 1000
[timeouts]
progress_s = 1
drain_s = 0.2
"""

EVIL = [
    b"a\nb",
    b"\r\n14:02:11 Mallory is admin",
    b"\x1b[2J\x1b]0;owned\x07",
    b"%s%d%n%(peer)s%%",
    b"{}{0}{peer!r}${HOME}",
    b"\x9b31m\x7f\x00",
    "\u202e\u2028\u2029\u0085\u2066".encode(),
    b"\xff\xfe\xed\xa0\x80\xc0\x80",
    b"x" * 10_240,
    "\U0001f600é".encode() * 1_000,
    b'"}{"level":"critical","message":"x"}',
    b"\\\\\\u0000\\ud800",
    b"{",
    b'{"t":"hello","v":1,"alias":"\\ud800\\n\\u001b"}',
    b"GET /\x1b[2J HTTP/1.1\r\nHost: %s\r\n\r\n",
    b"NICK \x1b[31m\r\n",
    b"\x16\x03\x01\xff\xff%s%s%s",
    b"\xff\xfb\x01\xff\xf0",
]


def speak_evil(start: Start) -> int:
    """As an opening, as an alias, as a password, as words, as reasons. Returns how many connections that took."""
    clients: list[Plain] = []
    for evil in EVIL:
        for lines in (
            (evil,),
            (evil, PASSWORD.encode()),
            (b"NAME", evil, TRIED.encode()),
            (b"NAME", PASSWORD.encode(), b"/nick " + evil, evil, b"/quit " + evil),
            (b"NAME", PASSWORD.encode(), b"/oper " + evil + b" " + TRIED.encode()),
            (b"NAME%s{}", PASSWORD.encode(), SAID.encode(), b"/away " + evil),
        ):
            client = start.unkept()
            # A name of its own each: of a taken one, the next line would be the next try.
            text = b"\n".join(lines).replace(b"NAME", b"Bob%d" % len(clients))
            client.send_bytes(text + b"\n")
            client.end_input()
            clients.append(client)
    for client in clients:
        with client:
            drain(client)
    return len(clients)


def drain(client: Plain) -> None:
    """Read until the server ends it: then it has been logged, or will be in this turn."""
    end = end_of(DEADLINE_S)
    try:
        while client.receive(end):
            pass
    except ConnectionError:
        # It may say no more to somebody who still talks.
        pass


def talk_natively(start: Start) -> list[str]:
    """One who comes, is refused, says something and returns. The secrets of that."""
    client = start.native()
    assert client.hello("Ann", password=TRIED)["t"] == "refused"
    welcome = client.hello("Ann", password=PASSWORD)
    client.ask("oper", name=TRIED, password=TRIED)
    client.say("m1", SAID)
    client.reset()
    back = start.native()
    again = back.back(welcome, 0)
    assert again["resumed"] is True
    return [welcome["token"], again.get("token") or welcome["token"]]


@pytest.mark.parametrize("form", ["json", "human"])
def test_every_line_of_the_log_is_whole_and_no_secret_stands_in_it(
    start: Start, wait_for: Callable[..., None], form: str
) -> None:
    server = start.server("--log-format", form, "--log-level", "debug", config=CONFIG)
    tokens = talk_natively(start)
    tried = speak_evil(start)
    server.config_path.write_text(
        "[server]\nport = '\\u001b[2J'\n[\"\\u001b]0;x\\u0007\"]\na = 1\n"
    )
    server.signal(1)
    wait_for(lambda: "the old one stays" in server.log, "it answers the hangup signal")
    server.stop()
    raw = server._log_path.read_bytes()
    lines = raw.decode().split("\n")
    assert lines.pop() == ""
    bad = [line for line in lines if not is_whole(line, form)]
    secrets = [PASSWORD, TRIED, SAID, *tokens]
    found = [secret for secret in secrets if secret.encode() in raw]
    controls = set(raw) & (set(range(32)) - {10} | {0x7F})
    print(
        f"\n{form}: {tried} connections, {len(lines)} lines, {len(bad)} broken, {len(found)} secrets"
    )
    assert bad == []
    assert found == []
    assert controls == set()
    assert len(lines) > tried
    assert "internal error" not in server.log


def is_whole(line: str, form: str) -> bool:
    if form == "human":
        return re.match(r"\d\d:\d\d:\d\d \S", line) is not None
    event = json.loads(line)
    return {"time", "level", "event", "message"} <= event.keys() and line.isascii()


class Deaf:
    """A server whose stderr nobody takes: a pipe that is full, or a disk."""

    def __init__(self, stderr: int, folder: Path) -> None:
        self._admin = folder / "admin.sock"
        config = folder / "chatcore.toml"
        config.write_text(f'{NO_FLOOD}[admin]\nlisten = "{self._admin}"\n')
        self.process = subprocess.Popen(
            [sys.executable, "server_1.py", "--port", "0", "--ephemeral", "--config", str(config)],
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        assert self.process.stdout is not None
        found = None
        while found is None:
            line = self.process.stdout.readline()
            assert line, "it did not start"
            found = re.search(rb"listening on (\S+):(\d+)", line)
        self.address = (found[1].decode(), int(found[2]))

    def figure(self, name: str) -> float:
        """One of its metrics."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE_S)
            sock.connect(str(self._admin))
            sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        found = re.search(rf"^{name} (\S+)$", answer, re.MULTILINE)
        assert found, answer
        return float(found[1])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(params=["pipe", "disk"])
def deaf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deaf]:
    """Nobody reads its pipe, or `/dev/full` takes its log."""
    if request.param == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = os.open("/dev/null", os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)
    server = Deaf(writing, tmp_path)
    os.close(writing)
    yield server
    server.close()
    os.close(reading)


NAMES = 12_000
"""New names, each a line of some 250 bytes: a pipe of 64 KiB and the queue behind it are full after 4,400."""

AT_ONCE = 50


def test_a_log_that_nobody_takes_costs_the_room_nothing(deaf: Deaf) -> None:
    with Plain(deaf.address) as alice, Plain(deaf.address) as bob:
        alice.join("Alice")
        bob.join("Bob")
        deaf.figure("chatcore_loop_stall_seconds")
        slowest_s = 0.0
        for number in range(0, NAMES, AT_ONCE):
            bob.send(*(f"/nick Bob{each}" for each in range(number, number + AT_ONCE)))
            began = time.monotonic()
            alice.settle()
            slowest_s = max(slowest_s, time.monotonic() - began)
            bob.settle()
        dropped = deaf.figure("chatcore_log_lines_dropped_total")
        stall_s = deaf.figure("chatcore_loop_stall_most_seconds")
        print(
            f"\n{NAMES} lines, {dropped:.0f} dropped; the slowest answer took {slowest_s * 1000:.0f} ms, "
            f"the longest turn {stall_s * 1000:.0f} ms"
        )
        assert NAMES // 2 < dropped <= NAMES + 100
        deaf.process.terminate()
        alice.read_until("The server is stopping")
    assert deaf.process.wait(DEADLINE_S) == 0
