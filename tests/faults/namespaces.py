"""Networks of a test's own: Linux network namespaces that only this test is in, joined by a cable that it can pull.

A socket belongs to the namespace that it was made in, and so does a process: `with side:` makes both there.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

OURS = Path(f"/proc/{os.getpid()}/ns/net")
START_S = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


def impossible() -> str:
    """Why there can be no namespaces here; empty if there can."""
    for tool in ("ip", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            return f"there is no {tool} (packages iproute2, util-linux)"
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        return "making network namespaces is not allowed (it needs root)"
    return ""


def demand_namespaces() -> None:
    """Skip where they are impossible, with the reason; where everything must run, fail."""
    if reason := impossible():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


class Side:
    """One namespace, held open by a process that does nothing."""

    def __init__(self, wait_for: Callable[..., None]) -> None:
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._path = Path(f"/proc/{self.process.pid}/ns/net")
        self._home: int | None = None
        try:
            wait_for(lambda: self._path.readlink() != OURS.readlink(), "there is a namespace")
            self.run("ip", "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def run(self, *command: str) -> None:
        """A command in this namespace."""
        pid = str(self.process.pid)
        done = subprocess.run(
            ["nsenter", "--net", "--target", pid, *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=START_S,
        )
        assert not done.returncode, f"{command}: {done.stderr}"

    def __enter__(self) -> Self:
        assert threading.current_thread() is threading.main_thread()
        self._home = os.open(OURS, os.O_RDONLY)
        there = os.open(self._path, os.O_RDONLY)
        _enter(there)
        os.close(there)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._home is not None
        _enter(self._home)
        os.close(self._home)
        self._home = None

    def close(self) -> None:
        self.process.kill()
        self.process.wait(START_S)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Cable:
    """Two sides and a cable between them: `near` is 10.77.0.1, `far` is 10.77.0.2."""

    NEAR = "10.77.0.1"

    def __init__(self, wait_for: Callable[..., None]) -> None:
        self.near = Side(wait_for)
        self.far = Side(wait_for)
        ends = ("near", "type", "veth", "peer", "name", "far", "netns", str(self.far.process.pid))
        self.near.run("ip", "link", "add", *ends)
        for side, name, address in ((self.near, "near", self.NEAR), (self.far, "far", "10.77.0.2")):
            side.run("ip", "address", "add", f"{address}/24", "dev", name)
            side.run("ip", "link", "set", name, "up")

    def pull(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        self.far.run("ip", "link", "set", "far", "down")

    def plug(self) -> None:
        self.far.run("ip", "link", "set", "far", "up")

    def close(self) -> None:
        self.near.close()
        self.far.close()
