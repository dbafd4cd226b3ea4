"""A self-made certificate whose making waits until a test lets it go on, or fail."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import eventually

if TYPE_CHECKING:
    import pytest

BROKEN = "broken on purpose"

SITE = f"""\
import os, sys
if any(each.endswith("self_made.py") for each in sys.orig_argv):
    folder = sys.orig_argv[3]
    if folder != "-":
        open(os.path.join(folder, "tls.key.new"), "w").close()
    if open(os.environ["TEST_MAKING"]).read() == "fail":
        os.write(2, b"{BROKEN}\\n")
        os._exit(1)
"""
"""Python loads it before anything else. A pipe with a name: its reader waits for whoever writes into it."""


class HeldMaking:
    """For the servers that are started after it was made."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pipe = folder / "making"
        os.mkfifo(self._pipe)
        (folder / "sitecustomize.py").write_text(SITE)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setenv("TEST_MAKING", str(self._pipe))
        self._fd = -1

    def begun(self) -> None:
        """Wait until it is under way."""
        eventually(self._is_read, "a certificate is being made")

    def _is_read(self) -> bool:
        try:
            self._fd = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            # Nobody reads yet.
            if error.errno != errno.ENXIO:
                raise
            return False
        return True

    def goes_on(self) -> None:
        self._end(b"go")

    def fails(self) -> None:
        self._end(b"fail")

    def _end(self, word: bytes) -> None:
        os.write(self._fd, word)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def children(pid: int) -> list[int]:
    """Of the main thread."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
