"""A person with the real `nc`."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import time
from contextlib import suppress

import pytest

READ_BYTES = 64 * 1024


def require_nc() -> None:
    if shutil.which("nc") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no nc here: the tests need netcat-openbsd")
        pytest.skip("there is no nc here")


class Netcat:
    """A person with the real `nc`."""

    def __init__(self, address: tuple[str, int], deadline_s: float) -> None:
        self._deadline_s = deadline_s
        host, port = address
        self.process = subprocess.Popen(
            ["nc", host, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.raw = b""

    @property
    def lines(self) -> list[str]:
        """The whole lines that came."""
        return self.raw.decode().split("\n")[:-1]

    def send(self, *lines: str) -> None:
        self.send_bytes("".join(f"{line}\n" for line in lines).encode())

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, line)) for line in self.lines)

    def sees(self, *patterns: str, times: int = 1) -> None:
        """Wait until each regular expression is found in so many lines."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        end = time.monotonic() + self._deadline_s
        for pattern in patterns:
            while self.count(pattern) < times:
                ready, _, _ = select.select([fd], [], [], max(end - time.monotonic(), 0))
                data = os.read(fd, READ_BYTES) if ready else b""
                assert data, f"nc read no {pattern!r}: {self.lines[-15:]}"
                self.raw += data

    def settle(self) -> None:
        """All that is due before the answer to a ping has come."""
        before = self.count("^-- pong$")
        self.send("/ping")
        self.sees("^-- pong$", times=before + 1)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.process.wait(self._deadline_s)
