"""`scripts/prove.sh`: it finds nothing wrong with the server, and it would find whatever can be wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.prove.process import ROOT
from scripts.prove.verdict import Account, History, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN_S = 110.0
ROOM = "#lobby"
COUNTS = re.compile(r"tried ([\d,]+) · lost (\d+) · doubled (\d+) · reordered (\d+)")


def prove(*arguments: str, patience: float, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "prove.sh", *arguments],
        env=os.environ | {"PYTHON": sys.executable} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S * patience,
    )


def test_the_rounds_find_nothing_and_say_so_in_a_line_each(tmp_path: Path, patience: float) -> None:
    """With a Python that sees nothing that is installed."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    sizes = ("--kills", "2", "--cuts", "5", "--lines", "20000")
    result = prove(*sizes, patience=patience, PYTHON=str(bare))
    print(f"\n{result.stdout}")
    assert (result.returncode, result.stderr) == (0, "")
    *rounds, last = result.stdout.splitlines()
    assert last == "nothing lost, nothing doubled, nothing reordered"
    assert [line.partition("  ")[0] for line in rounds] == [
        "the server is killed",
        "the network is cut",
        "two do not read",
        "the disk is full",
    ]
    for line in rounds:
        found = COUNTS.search(line)
        if found is None:
            assert "not tried" in line
            assert "CI" not in os.environ, line
        else:
            assert int(found[1].replace(",", "")) > 100
            assert found.groups()[1:] == ("0", "0", "0")


def test_a_server_that_does_not_start_is_told_and_the_code_is_1(
    tmp_path: Path, patience: float
) -> None:
    broken = tmp_path / "sitecustomize.py"
    broken.write_text("import sys\nsys.argv[0].endswith('server_1.py') and sys.exit('no server')\n")
    result = prove("--kills", "1", patience=patience, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert "FAILED: the server did not start" in result.stdout
    assert result.stdout.endswith("THE PROMISE IS BROKEN\n")


def told(seqs: list[int]) -> Account:
    """One who said lines 1 to 5, has them acknowledged, and saw those."""
    account = Account("a", (ROOM,), sees_all=True, said=5)
    account.acked = {f"a-{number}": number for number in range(1, 6)}
    account.seen = [(seq, f"a-{seq}") for seq in seqs]
    return account


def kept(*seqs: int) -> History:
    records = [{"t": "say", "seq": seq, "room": ROOM, "text": f"a-{seq} words"} for seq in seqs]
    return History({ROOM: records})


def counts(history: History, account: Account) -> tuple[int, int, int]:
    verdict = judge(history, [account])
    assert verdict.good == (verdict.lost == verdict.doubled == verdict.reordered == 0)
    return verdict.lost, verdict.doubled, verdict.reordered


ALL = [1, 2, 3, 4, 5]


def test_a_history_that_agrees_has_no_faults() -> None:
    assert counts(kept(*ALL), told(ALL)) == (0, 0, 0)


def spoilt(change: Callable[[History, Account], None]) -> tuple[int, int, int]:
    history, account = kept(*ALL), told(ALL)
    change(history, account)
    return counts(history, account)


@pytest.mark.parametrize(
    ("seqs", "expected"),
    [
        ([2, 3, 4, 5], (2, 0, 0)),  # acknowledged, and seen
        ([1, 2, 4, 5], (2, 0, 0)),
        ([1, 2, 3, 4, 5, 5], (0, 1, 0)),
    ],
)
def test_what_the_history_lacks_or_has_twice_is_counted(
    seqs: list[int], expected: tuple[int, int, int]
) -> None:
    assert counts(kept(*seqs), told(ALL)) == expected


@pytest.mark.parametrize(
    ("seqs", "expected"),
    [
        ([1, 2, 4, 5], (1, 0, 0)),
        ([1, 2, 3, 4], (1, 0, 0)),
        ([1, 2, 2, 3, 4, 5], (0, 1, 0)),
        ([1, 3, 2, 4, 5], (0, 0, 1)),
        ([3, 4, 5], (0, 0, 0)),  # from the first that it saw
    ],
)
def test_what_a_reader_lacks_sees_twice_or_in_another_order_is_counted(
    seqs: list[int], expected: tuple[int, int, int]
) -> None:
    assert counts(kept(*ALL), told(seqs)) == expected


def test_numbers_that_do_not_agree_are_counted() -> None:
    def as_another(_: History, account: Account) -> None:
        account.acked["a-3"] = 4

    def seen_as_another(_: History, account: Account) -> None:
        account.seen[2] = (7, "a-3")

    assert spoilt(as_another) == (0, 0, 1)
    assert spoilt(seen_as_another) == (0, 0, 1)


def test_lines_stored_in_another_order_than_they_were_said_are_counted() -> None:
    history, account = kept(*ALL), told([])
    history.order = ["a-1", "a-3", "a-2", "a-4", "a-5"]
    assert counts(history, account) == (0, 0, 1)


def test_pages_out_of_order_are_counted() -> None:
    history, account = kept(*ALL), told(ALL)
    history.seqs = [[1, 2, 4, 3, 5]]
    assert counts(history, account) == (0, 0, 1)
