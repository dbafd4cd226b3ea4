"""What was acknowledged outlives the process, and everybody sees it once, in order: kills, cuts, copies, a second server.

The people, the breakages and the comparison are those of `scripts/prove`; here each has the size of a test.
"""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scripts.prove.people import Talker, wait_for
from scripts.prove.process import CONFIG, Server, tool
from scripts.prove.rounds import ROOMS, WINDOW, begin, cut_rounds, finish, kill_rounds
from scripts.prove.verdict import History
from scripts.prove.wire import Asker

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.prove.people import Person
    from scripts.prove.verdict import Verdict
    from tests.conftest import Start

SEED = 20_261_121
REFUSED_S = 1.0


def passes(verdict: Verdict) -> None:
    print(f"\n{verdict}")
    assert verdict.tried
    assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.faults) == (0, 0, 0, [])


def test_ten_kills_under_eight_writers_lose_double_and_reorder_nothing(tmp_path: Path) -> None:
    """D1."""
    passes(kill_rounds(tmp_path, 10, SEED))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_kills_under_eight_writers_lose_double_and_reorder_nothing(
    tmp_path: Path,
) -> None:
    passes(kill_rounds(tmp_path, 100, SEED))


def test_twenty_cuts_of_the_network_lose_double_and_reorder_nothing(tmp_path: Path) -> None:
    passes(cut_rounds(tmp_path, 20, SEED))


def test_a_backup_under_load_is_a_prefix_without_a_gap(tmp_path: Path) -> None:
    """D10."""
    people: list[Person] = []
    with closing(Server(tmp_path / "first")) as server:
        people += [
            Talker(f"native{number}", server.address, ROOMS, window=WINDOW) for number in range(3)
        ]
        begin(people)
        wait_for(lambda: len(people[0].acked) > 500, people, "there is something to copy")
        saved = tool("backup", "--data", str(server.data), str(tmp_path / "copy"))
        assert (saved.returncode, saved.stderr) == (0, "")
        acked = len(people[0].acked)
        wait_for(lambda: len(people[0].acked) > acked + 100, people, "they go on talking")
        passes(finish(server, people))
    with closing(Server(tmp_path / "first")) as server:
        all_of_it = pages(server)
    second = tmp_path / "second" / "data"
    second.mkdir(parents=True)
    shutil.copy(tmp_path / "copy", second / "chatcore.db")
    checked = tool("check", "--data", str(second))
    assert (checked.returncode, checked.stderr) == (0, "")
    with closing(Server(tmp_path / "second")) as server:
        copied = pages(server)
    print(f"\nsaved while people talked: {len(copied):,} of {len(all_of_it):,} lines")
    assert 1_000 < len(copied) < len(all_of_it)
    assert copied == all_of_it[: len(copied)]


def pages(server: Server) -> list[str]:
    """Every line that a server keeps, in order."""
    with closing(Asker(server.address, "Asker", ROOMS)) as asker:
        return History({room: asker.history(room) for room in ROOMS}).order


def test_a_second_server_on_the_folder_is_refused_and_the_first_is_unharmed(
    tmp_path: Path, start: Start
) -> None:
    """D11."""
    first = start.server(data=tmp_path / "data")
    alice = start.native("Alice")
    alice.say("1", "before")
    config = tmp_path / "second.toml"
    config.write_text(CONFIG)
    began = time.monotonic()
    # By its own name and not by `tool`, so that nothing but the folder is in its way.
    second = tool("serve", "--port", "0", "--data", str(tmp_path / "data"), "--config", str(config))
    print(f"\nrefused in {time.monotonic() - began:.2f} s: {second.stderr.strip()}")
    assert (second.returncode, second.stdout) == (74, "")
    assert second.stderr.count("\n") == 1
    assert f"process {first.pid}" in second.stderr
    alice.say("2", "after")
    first.kill()
    start.server(data=tmp_path / "data")
    assert start.native().hello("Bob")["t"] == "welcome"


def test_the_folder_is_free_again_as_soon_as_its_server_is_killed(
    tmp_path: Path, start: Start
) -> None:
    for _ in range(5):
        start.server(data=tmp_path / "data").kill()
