"""K3: the bundled client at a terminal, while its server is killed again and again: what is typed arrives once."""

from __future__ import annotations

import random
import re
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pexpect
import pytest

from scripts.prove.process import PATIENCE, ROOT, Server
from scripts.prove.wire import Asker

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_261_121
BACK = r"-- Back after (less than a second|\d+ s)\. "


class Alice:
    """`client_1.py --plain`: it appends, so that all it ever showed can be read."""

    def __init__(self, address: tuple[str, int]) -> None:
        host, port = address
        client = str(ROOT / "clients" / "client_1.py")
        self.child = pexpect.spawn(
            sys.executable,
            [client, "--plain", "--color", "never", "--time", "none", f"{host}:{port}"],
            echo=False,
            encoding="utf-8",
            timeout=20 * PATIENCE,
            dimensions=(24, 200),
        )
        self.child.delaybeforesend = None
        self.shown = ""

    def sees(self, pattern: str) -> None:
        """Read on to the first line in which it is found."""
        self.child.expect(pattern + r"[^\n]*\n")
        self.shown += self.child.before + self.child.match.group()

    def types(self, *lines: str) -> None:
        for line in lines:
            self.child.sendline(line)

    def close(self) -> None:
        self.child.close(force=True)


def check_kills(folder: Path, kills: int) -> None:
    rng = random.Random(SEED)
    server = Server(folder)
    lines: list[str] = []

    def some(where: str) -> list[str]:
        more = [f"{where} {len(lines) + number}" for number in range(rng.randint(1, 5))]
        lines.extend(more)
        return more

    alice = Alice(server.address)
    try:
        alice.sees("Alice has connected to the chat room")
        for _ in range(kills):
            alice.types(*some("there"))
            if rng.random() < 0.5:
                alice.sees(f"Alice: {lines[-1]}\\b")
            server.kill()
            alice.sees("-- Disconnected")
            alice.types(*some("away"))
            server = Server(folder, server.address[1])
            alice.types("/reconnect")
            alice.sees(BACK)
            alice.sees(f"Alice: {lines[-1]}\\b")
        alice.types("the end")
        alice.sees("Alice: the end")
        with closing(Asker(server.address, "Asker", ("#lobby",))) as asker:
            records = asker.history("#lobby")
    finally:
        alice.close()
        server.close()
    stored = [record["text"] for record in records if record["t"] == "say"]
    shown = re.findall(r"Alice: (.*?)\r?\n", alice.shown)
    print(
        f"\n{kills} kills: tried {len(lines)} · lost {len(set(lines) - set(stored))} · doubled "
        f"{len(stored) - len(set(stored))}"
    )
    assert stored == [*lines, "the end"]
    assert shown == [*lines, "the end"]
    assert len(re.findall(BACK, alice.shown)) == kills
    assert "new arrival" not in alice.shown
    assert not [record for record in records if record["t"] == "leave"], "nobody was told she left"


def test_what_is_typed_over_ten_kills_of_the_server_arrives_once(tmp_path: Path) -> None:
    check_kills(tmp_path, 10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_typed_over_a_hundred_kills_of_the_server_arrives_once(tmp_path: Path) -> None:
    check_kills(tmp_path, 100)
