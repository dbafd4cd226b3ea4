from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from chatcore.store.lock import LOCK_FILE, FolderLock
from chatcore.store.schema import StoreError

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from chatcore.store.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_told_who_has_the_folder(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(StoreError, match=rf"process {os.getpid()}\b.*Stop that one first"):
        FolderLock(tmp_path)
    assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n", (
        "who is refused leaves no trace"
    )
    lock.close()
    FolderLock(tmp_path).close()


def test_a_killed_owner_leaves_it_free(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=rf"process {owner.pid}\b"):
            FolderLock(tmp_path)
        owner.kill()
    FolderLock(tmp_path).close()


def test_only_the_server_s_account_may_read_it(tmp_path: Path) -> None:
    FolderLock(tmp_path).close()
    assert (tmp_path / LOCK_FILE).stat().st_mode & 0o077 == 0


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        FolderLock(tmp_path / "missing")
