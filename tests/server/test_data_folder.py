"""The data folder: kept without asking, and what a restart finds in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Start

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20


def said(lines: list[str]) -> list[str]:
    """What people said, of lines with or without a time."""
    return [line.rpartition("] ")[2] for line in lines if ": " in line and "-- " not in line]


def test_without_a_word_history_is_kept_where_the_system_keeps_state(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "CHATCORE" not in name}
    environment.pop("STATE_DIRECTORY", None)
    process = subprocess.Popen(
        [sys.executable, "server_1.py", "--port", "0"],
        cwd=ROOT,
        env=environment | {"XDG_STATE_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        assert "listening on" in lines[0]
        assert str(tmp_path / "chatcore") in lines[1]
        assert (tmp_path / "chatcore" / "chatcore.db").exists()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0


def test_what_was_said_is_there_after_a_stop_and_after_a_kill(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = start.server(data=data)
    ann = start.plain("Ann")
    ann.send("one", "/topic tea")
    ann.read_until("set the topic")
    assert first.stop() == 0
    second = start.server(data=data)
    bob = start.plain()
    joined = bob.join("Bob")
    assert "Ann: one" in said(joined)
    assert any(line.endswith("Topic: tea") for line in joined)
    bob.send("two")
    bob.read_until("Bob: two")
    second.kill()
    start.server(data=data)
    carol = start.plain()
    assert said(carol.join("Carol"))[-2:] == ["Ann: one", "Bob: two"]
    carol.send("/history")
    # Who had no token left at once when the server was gone.
    assert carol.read_until("Carol has connected")[-2].endswith("Bob has left the chat room!")


def test_those_who_join_are_told_how_long_history_is_kept(start: Start, tmp_path: Path) -> None:
    start.server(data=tmp_path / "data", config="[history]\nkeep_days = 30\n")
    ann = start.plain()
    assert any("kept for 30 days" in line for line in ann.join("Ann"))
    bob = start.native()
    assert "30 days" in bob.hello("Bob")["kept"]
