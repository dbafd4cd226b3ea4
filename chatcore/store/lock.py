"""One server for each data folder, kept by a lock that the kernel drops with the process, however it ends.

Invariant: the file is never removed. A server that removed it would let two others lock two files of one name.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from chatcore.store.schema import FILE_MODE, StoreError, explained

if TYPE_CHECKING:
    from pathlib import Path

LOCK_FILE = "lock"

PID_BYTES = 32
"""Most of the file that is read: a process id in digits."""


class FolderLock:
    """Held from its making to `close`, or to the end of the process. Raises StoreError when another has it."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        with explained(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
            except BlockingIOError:
                owner = os.pread(self._fd, PID_BYTES, 0).decode(errors="replace").strip()
                os.close(self._fd)
                raise StoreError(
                    f"Another chatcore server (process {owner or 'unknown'}) keeps its history in {folder}. "
                    "Stop that one first, or name another folder with --data."
                ) from None
            except OSError:
                os.close(self._fd)
                raise

    def close(self) -> None:
        """Let go; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd != -1:
            os.close(fd)
