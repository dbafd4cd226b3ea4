"""The machine: cores, descriptors, processes that become ready and are always ended.

Every process started here is ended by its own id (and its descendants by theirs), whatever happens.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

READY_S = 20  # a server that is not listening by then has failed
STOP_S = 6  # ours may take 5 s to leave; a second more before it is killed
POLL_S = 0.02
LISTENING = re.compile(rb"listening on \S*:(\d+)")
# The last line that waits for our server's certificate, which a child makes while the server listens already.
ALL_SAID = re.compile(rb"  page: .*\n")
PROC = pathlib.Path("/proc")


class Failed(Exception):
    """A measurement that could not be made, and why."""


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for the server, one for the load; None where they cannot be told apart."""

    server: int | None
    load: int | None

    @classmethod
    def of_this_machine(cls) -> Self:
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1]) if len(cores) > 1 else cls(None, None)


def raise_descriptor_limit() -> int:
    """To the hard limit, for this process and so for its children: W6 has 10,000 connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """Children, their children and so on: a server may do its work in a process that it forked."""
    found: list[int] = []
    for listing in PROC.glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):  # ended in between
            for child in map(int, listing.read_text().split()):
                found += [child, *descendants(child)]
    return found


def _settle(core: int | None, mask: set[signal.Signals | int]) -> None:
    """In the child, before it becomes the program: on its core, and open to signals."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Process:
    """A child on one core. Leave the `with` block, in whatever way, and it is gone."""

    def __init__(
        self, argv: Sequence[str], core: int | None, log: pathlib.Path, *, talks: bool = True
    ) -> None:
        """`talks`: its stdout is for us to read; otherwise that goes to the log, so no pipe fills."""
        self.started = time.monotonic()
        self._said = b""
        self._log = log
        # A Ctrl-C between the child's start and our knowing its number would leave it behind.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                cwd=log.parent,
                start_new_session=True,  # Ctrl-C reaches the bench only, which then ends its children
                preexec_fn=lambda: _settle(core, mask),
            )
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        except KeyboardInterrupt:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pids(self) -> list[int]:
        return [self._popen.pid, *descendants(self._popen.pid)]

    def alive(self) -> bool:
        return self._popen.poll() is None

    def listening_port(self) -> int:
        """Waits for the line `listening on HOST:PORT` on stdout."""
        return int(self.until_said(LISTENING)[1])

    def until_said(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Reads stdout until this stands in what it has said since the start."""
        assert self._popen.stdout is not None
        fd = self._popen.stdout.fileno()
        while not (found := pattern.search(self._said)):
            left = self.started + READY_S - time.monotonic()
            chunk = os.read(fd, 4096) if left > 0 and select.select([fd], [], [], left)[0] else b""
            if not chunk:
                raise Failed(f"did not start: {self.last_words()}")
            self._said += chunk
        return found

    def wait_for_port(self, port: int) -> None:
        """Waits until something accepts on a port chosen beforehand."""
        while time.monotonic() < self.started + READY_S and self.alive():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(POLL_S)
        raise Failed(f"did not start: {self.last_words()}")

    def output(self, timeout_s: float) -> tuple[int, bytes]:
        """Waits for the end; its exit code and all of its stdout."""
        try:
            out, _ = self._popen.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"no result within {timeout_s:.0f} s") from None
        return self._popen.returncode, out

    def last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no output"

    def end(self) -> None:
        family = self.pids
        if self.alive():
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(STOP_S)
        if self.alive():
            self._popen.kill()
            self._popen.wait()
        for pid in family[1:]:
            if (PROC / str(pid)).exists():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._popen.stdout is not None:
            self._popen.stdout.close()
