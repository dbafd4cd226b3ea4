"""What the tests of the store share: a folder, and records to put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatcore.log.record import Said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_MS = 1_790_000_000_000


def one_said(seq: int, lines: int = 1, room: str = "#lobby", time_ms: int = 0) -> Said:
    text = "\n".join(f"line {seq + line}" for line in range(lines))
    return Said(seq, time_ms or START_MS + seq, room, "ann-1", "Ann", text, lines, (), me=False)


@pytest.fixture
def said() -> Callable[..., Said]:
    """`said(seq, lines, room)`: a run, of which line *k* is `line` and its number."""
    return one_said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that is not there yet."""
    return tmp_path / "data"
