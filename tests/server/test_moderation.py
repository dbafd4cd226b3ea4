"""Moderation on a real server, over a restart and a kill: who was put out stays out, and the log says by whom."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore.passwords import Scrypt
from tests.conftest import DEADLINE_S, NO_FLOOD, ROOT

if TYPE_CHECKING:
    from tests.conftest import Message, Native, Start

KEY = "sesame-9f2c"
REASON = "far-too-loud"


@pytest.fixture
def settings() -> str:
    """An operator whose password is `geheim`, at a cost that no test waits for."""
    cheap = Scrypt.of("geheim", cost_log2=4)
    return f'{NO_FLOOD}[[operators]]\nname = "Root"\nhash = "{cheap}"\n'


def operator(start: Start, welcome: Message | None = None) -> tuple[Native, Message]:
    """Ann, who comes, or comes back, and says the password of an operator."""
    root = start.native()
    welcome = root.hello("Ann") if welcome is None else root.back(welcome, welcome["seq"])
    assert root.ask("oper", name="Root", password="geheim")["t"] == "ok"
    return root, welcome


def tool(name: str, data: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "chatcore", name, "--data", str(data), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=DEADLINE_S,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_acts_hold_over_a_restart(start: Start, tmp_path: Path, settings: str, how: str) -> None:
    data = tmp_path / "data"
    server = start.server(config=settings, data=data)
    root, anns = operator(start)
    bob, mod, eve = start.native(), start.native(), start.native()
    bobs, mods, eves = bob.hello("Bob"), mod.hello("Mod", rooms=["#dev"]), eve.hello("Eve")
    assert root.ask("mute", name="Eve", text=REASON)["t"] == "ok"
    assert mod.ask("lock", room="#dev", key=KEY)["t"] == "ok"
    assert mod.ask("ban", room="#dev", name="Eve")["t"] == "ok"
    assert root.ask("ban", name="Bob", text=REASON, **{"for": "2h"})["t"] == "ok"
    bye = bob.read_until(lambda message: message["t"] == "bye")
    assert REASON in json.dumps(bye)
    assert server.stop() == 0 if how == "stop" else server.kill() is None

    start.server(config=settings, data=data)
    again = start.native()
    for fields in ({"alias": "b0b"}, {"alias": "Rob", "token": bobs["token"], "log": bobs["log"]}):
        refused = again.ask("hello", v=1, **fields)
        assert (refused["code"], REASON in refused["words"]) == ("banned", True)
    assert refused["retry_s"] <= 7_200
    newcomer = start.native("Cy")
    assert newcomer.ask("join", room="#dev")["code"] == "room_locked"
    assert newcomer.ask("join", room="#dev", key=KEY)["t"] == "ok"
    back = start.native()
    assert back.back(mods, mods["seq"])["resumed"] is True
    assert back.ask("op", room="#dev", name="Cy")["t"] == "ok", "whoever made it moderates it still"
    late = start.native()
    assert late.back(eves, eves["seq"])["resumed"] is True
    assert late.say("i", "hi")["code"] == "muted"
    check_logs(start, anns, data)


def check_logs(start: Start, anns: Message, data: Path) -> None:
    """What was done is told by the server and by the tools, and keys and hashes by neither."""
    root, _ = operator(start, anns)
    page = root.ask("modlog")
    done = [(each["from"], each["act"], each.get("to")) for each in page["records"]]
    assert done == [
        ("Ann", "oper", "Root"),
        ("Ann", "mute", "Eve"),
        ("Mod", "lock", None),
        ("Mod", "ban", "Eve"),
        ("Ann", "ban", "Bob"),
        ("Mod", "op", "Cy"),
        ("Ann", "oper", "Root"),
    ]
    lines = tool("modlog", data).splitlines()
    assert len(lines) == len(done)
    assert "Ann banned Bob from the server for 2 hours (far-too-loud), until " in lines[4]
    records = [json.loads(line) for line in tool("modlog", data, "--json").splitlines()]
    assert records == page["records"]
    exported = tool("export", data, "--json")
    assert '"act":"lock"' in exported
    assert '"act":"mute"' not in exported, "what one person was told is not for all"
    assert ": no fault" in tool("check", data)
    for file in filter(Path.is_file, data.iterdir()):
        content = file.read_bytes()
        assert KEY.encode() not in content, file
        assert b"geheim" not in content, file
