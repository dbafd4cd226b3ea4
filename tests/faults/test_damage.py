"""Damaged, foreign and lost files, before a real server: it leaves with 74, says why in one line, and changes nothing.

`tests/store` has more of them, before the code that reads; here is what an administrator sees.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scripts.prove.process import CONFIG, tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Start

STORAGE_FAILED = 74
LINES = 200
HEADER_BYTES = 100
"""Of an SQLite file."""


def sql(*statements: str) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        with closing(sqlite3.connect(data / "chatcore.db", isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change


def overwrite(name: str, at: int, with_: bytes) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        with (data / name).open("r+b") as file:
            file.seek(at)
            file.write(with_)

    return change


def cut_in_half(data: Path) -> None:
    path = data / "chatcore.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def empty(data: Path) -> None:
    (data / "chatcore.db").write_bytes(b"")


def remove(data: Path) -> None:
    (data / "chatcore.db").unlink()


def lose_root_page(data: Path) -> None:
    """The first page of the table that holds the lines is nothing but noise."""
    with closing(sqlite3.connect(data / "chatcore.db")) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'batches'"
        ).fetchone()[0]
    overwrite("chatcore.db", (root - 1) * size, b"\xa5" * size)(data)


NEWEST = "(SELECT max(seq) FROM batches)"
MIDDLE = "(SELECT seq FROM batches ORDER BY seq LIMIT 1 OFFSET 100)"

STOPPED: dict[str, Callable[[Path], None]] = {
    "cut in half": cut_in_half,
    "header of zeros": overwrite("chatcore.db", 0, bytes(HEADER_BYTES)),
    "noise": overwrite("chatcore.db", 0, b"\xa5" * 4096),
    "empty, the index is not": empty,
    "gone, the index is not": remove,
    "another program's": sql("PRAGMA application_id = 7"),
    "of a newer version": sql("PRAGMA user_version = 99"),
    "a table is gone": sql("DROP TABLE state"),
    "what it says of itself is gone": sql("DELETE FROM meta"),
    "the lines are noise": lose_root_page,
    "the newest lines are gone": sql(f"DELETE FROM batches WHERE seq = {NEWEST}"),
    "the newest lines are not JSON": sql(f"UPDATE batches SET body = '[' WHERE seq = {NEWEST}"),
}
"""After a clean stop."""

KILLED: dict[str, Callable[[Path], None]] = {
    "the -wal's header": overwrite("chatcore.db-wal", 8, b"\xa5" * 8),
    "a page of the -wal, with newer lines behind it": overwrite("chatcore.db-wal", 50_000, b"\xa5"),
    "gone, the -wal is not": remove,
    "lines in the middle are gone": sql(f"DELETE FROM batches WHERE seq = {MIDDLE}"),
    "lines in the middle are others": sql(
        f"UPDATE batches SET last = last + 5 WHERE seq = {MIDDLE}"
    ),
}
"""After a kill: the lines are in the -wal, and the snapshot holds none of them."""


def hashes(data: Path) -> dict[str, str]:
    """Of what holds the lines. The -shm is only a cache, and the lock names who came last."""
    paths = (data / name for name in ("chatcore.db", "chatcore.db-wal"))
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()
    }


@pytest.mark.parametrize(
    ("end", "name"),
    [*(("stop", name) for name in STOPPED), *(("kill", name) for name in KILLED)],
)
def test_what_is_damaged_is_refused_with_its_cause_and_left_as_it_is(
    tmp_path: Path, start: Start, end: str, name: str
) -> None:
    """D8."""
    data = tmp_path / "data"
    server = start.server(data=data)
    alice = start.native("Alice")
    for number in range(LINES):
        alice.say(str(number), f"line {number}")
    if end == "stop":
        assert server.stop() == 0
    else:
        server.kill()
    (STOPPED if end == "stop" else KILLED)[name](data)
    before = hashes(data)
    config = tmp_path / "chatcore.toml"
    config.write_text(CONFIG)
    result = tool("serve", "--port", "0", "--data", str(data), "--config", str(config))
    print(f"\n{result.stderr.strip()}")
    assert (result.returncode, result.stdout) == (STORAGE_FAILED, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("chatcore: ")
    assert "chatcore.db" in result.stderr
    assert hashes(data) == before
