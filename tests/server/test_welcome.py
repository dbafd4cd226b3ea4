"""What somebody new is told by a real server: for how long it keeps what is said, and its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import NO_FLOOD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start

KEPT = [
    ("keep_days = 30", "What is said here is kept for 30 days, then deleted."),
    (
        "keep_records = 5000",
        "What is said here is kept for the last 5,000 lines of all rooms, then deleted.",
    ),
    (
        "keep_days = 1\nkeep_records = 5000",
        "What is said here is kept for 1 day or the last 5,000 lines of all rooms, then deleted.",
    ),
]


@pytest.mark.parametrize(("settings", "words"), KEPT)
def test_the_welcome_names_the_retention_in_both_dialects(
    start: Start, tmp_path: Path, settings: str, words: str
) -> None:
    start.server(config=f"{NO_FLOOD}[history]\n{settings}\n", data=tmp_path / "data")
    assert start.native().hello("Nat")["kept"] == words
    ann = start.plain()
    ann.send("Ann")
    assert f"-- {words}" in ann.read_until("^Ann has connected")


def test_where_history_is_kept_for_ever_the_welcome_promises_nothing(
    start: Start, tmp_path: Path
) -> None:
    start.server(data=tmp_path / "data")
    assert "kept" not in start.native().hello("Nat")


def test_the_servers_words_are_for_those_who_are_new_and_come_last(
    start: Start, tmp_path: Path
) -> None:
    text = (
        '[server]\nmotd = """\nBe kind.\n\n\\u001b[31mNo tricks.\n"""\n[history]\nkeep_days = 3\n'
    )
    start.server(config=NO_FLOOD + text, data=tmp_path / "data")
    nat = start.native()
    welcome = nat.hello("Nat")
    assert welcome["motd"] == "Be kind.\n\n\x1b[31mNo tricks."
    ann = start.plain()
    ann.send("Ann")
    lines = ann.read_until("^Ann has connected")
    at = lines.index("-- Be kind.")
    assert lines[at - 1].startswith("-- What is said here is kept for 3 days")
    assert lines[at + 1 : at + 3] == ["-- ", "-- \u241b[31mNo tricks."]
    nat.reset()
    back = start.native().back(welcome, welcome["seq"])
    assert back["resumed"] is True
    assert "motd" not in back
