"""The four client scripts as a person has them: at a terminal, or in a pipe; a real `nc`; a network that breaks.

Every wait looks at what comes, until a deadline.
"""

from __future__ import annotations

import mmap
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pyte
import pytest

from tests.clients.netcat import Netcat, require_nc
from tests.clients.network import Network
from tests.clients.puppet import Puppet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start

ROOT = Path(__file__).parent.parent.parent
READ_BYTES = 64 * 1024
POLL_S = 0.05
PASTED_BYTES = 1024
"""At a time: a terminal that is not raw takes no more than 4 KiB of a line."""
PROMPT = re.compile(r"^(\(… .*\) )?#\S+( \((offline|plain)\))?>|^Choose an alias:")
"""What the line being typed begins with."""


def environment() -> dict[str, str]:
    """Ours, without what changes how a client looks, or what the server is told."""
    changing = {"NO_COLOR", "TMUX", "VTE_VERSION", "COLUMNS", "LINES", "PYTHONWARNINGS"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in changing and not name.startswith("CHATCORE_")
    }
    return kept | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def command(
    number: int, address: tuple[str, int], options: tuple[str, ...], script: Path | None = None
) -> list[str]:
    """`script`: another client than the one of that number."""
    host, port = address
    path = script or ROOT / "clients" / f"client_{number}.py"
    return [sys.executable, str(path), f"{host}:{port}", *options]


class Person:
    """A client script at a terminal of its own, and the screen that its person looks at."""

    def __init__(
        self,
        number: int,
        address: tuple[str, int],
        options: tuple[str, ...],
        size: tuple[int, int],
        deadline_s: float,
        script: Path | None = None,
        variables: dict[str, str] | None = None,
        ignored: tuple[signal.Signals, ...] = (),
    ) -> None:
        self._deadline_s = deadline_s
        columns, rows = size
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """Every byte that the terminal was sent."""
        modes = mmap.mmap(-1, mmap.PAGESIZE)  # shared: the child's first words

        def note_modes() -> None:
            modes.write(repr(termios.tcgetattr(0)).encode())
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        first, *arguments = command(number, address, options, script)
        self.child = pexpect.spawn(
            first,
            arguments,
            env=environment() | (variables or {}),
            dimensions=(rows, columns),
            preexec_fn=note_modes,
        )
        self.modes_before = modes[:].rstrip(b"\0").decode()
        modes.close()
        self.child.delaybeforesend = None

    @property
    def modes(self) -> str:
        """The modes of the terminal now."""
        return repr(termios.tcgetattr(self.child.child_fd))

    @property
    def unread(self) -> int:
        """Bytes that the terminal was sent and nobody has read."""
        return int.from_bytes(ioctl(self.child.child_fd, termios.FIONREAD, bytes(4)), sys.byteorder)

    def resize(self, columns: int, rows: int) -> None:
        """The window gets another size, which the client is told by SIGWINCH."""
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    @property
    def title(self) -> str:
        """What the window is called now."""
        return str(self._screen.title)

    @property
    def lines(self) -> list[str]:
        """What the screen shows, without blank ends."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n").split("\n")

    @property
    def said(self) -> list[str]:
        """What stands above the line being typed."""
        lines = self.lines
        prompts = [at for at, line in enumerate(lines) if PROMPT.search(line)]
        return lines[: prompts[-1]] if prompts else lines

    @property
    def typed(self) -> str:
        """The prompt and the line being typed, its rows put together."""
        return "".join(self.lines[len(self.said) :])

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Read what the terminal is sent until the condition holds."""
        end = time.monotonic() + self._deadline_s
        while not condition():
            left_s = end - time.monotonic()
            try:
                data = self.child.read_nonblocking(READ_BYTES, max(left_s, 0))
            except (pexpect.TIMEOUT, pexpect.EOF) as fault:
                shown = "\n".join(self.lines)
                pytest.fail(f"{type(fault).__name__} before {what}; the screen:\n{shown}")
            self._take(data)

    def until_quiet(self, condition: Callable[[], object], what: str) -> None:
        """The same for what the client does without writing anything."""
        end = time.monotonic() + self._deadline_s
        while not condition():
            assert time.monotonic() < end, f"not in time: {what}"
            select.select([], [], [], POLL_S)

    def sees(self, *patterns: str) -> None:
        """Wait until each regular expression is found in a line above the one being typed."""
        for pattern in patterns:
            self.until(
                lambda pattern=pattern: any(re.search(pattern, line) for line in self.said),
                f"a line with {pattern!r}",
            )

    def rings(self, times: int = 1) -> None:
        self.until(lambda: self.raw.count(b"\a") >= times, f"{times} bells")

    def count(self, pattern: str) -> int:
        """The lines in which it is found."""
        return sum(bool(re.search(pattern, line)) for line in self.said)

    def keys(self, text: str) -> None:
        """Type, without Enter."""
        self.child.send(text)

    def pastes(self, text: str) -> None:
        """As a terminal does it; what it is sent meanwhile is read, so that neither waits for the other."""
        data = memoryview(f"\x1b[200~{text}\x1b[201~".encode())
        end = time.monotonic() + self._deadline_s
        while data:
            assert time.monotonic() < end, "the paste is not taken"
            fd = self.child.child_fd
            readable, writable, _ = select.select([fd], [fd], [], POLL_S)
            if readable:
                self._take(os.read(fd, READ_BYTES))
            if writable:
                data = data[os.write(fd, data[:PASTED_BYTES]) :]

    def types(self, *lines: str) -> None:
        """Type lines, each with Enter."""
        for line in lines:
            self.child.send(f"{line}\r")

    def closes_the_window(self) -> None:
        """Nobody has the other side of the terminal any more."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self.child.child_fd)
        os.close(nothing)

    def joined(self) -> Person:
        self.sees("Connected to the server!", "has connected to the chat room")
        return self

    def settle(self) -> None:
        """All that is due has come: the answer to a question that was asked just now."""
        before = self.count("^-- pong")
        self.types("/ping")
        self.until(lambda: self.count("^-- pong") > before, "a pong")

    def ends(self) -> int:
        """Read to the end; the exit code, 128 + n for a signal."""
        end = time.monotonic() + self._deadline_s
        with suppress(pexpect.EOF):
            while True:
                self._take(self.child.read_nonblocking(READ_BYTES, max(end - time.monotonic(), 0)))
        self.child.wait()
        status, number = self.child.exitstatus, self.child.signalstatus
        return 128 + number if status is None else status

    def _take(self, data: bytes) -> None:
        self.raw += data
        self._stream.feed(data)


@dataclass(frozen=True)
class Result:
    """What became of a client in a pipe."""

    code: int
    out: str
    err: str


class Pipe:
    """A client script in a pipe: each line of its input is said, then it leaves."""

    def __init__(
        self, number: int, address: tuple[str, int], options: tuple[str, ...], deadline_s: float
    ) -> None:
        self._deadline_s = deadline_s
        self.process = subprocess.Popen(
            command(number, address, options),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def reads(self, text: str) -> list[str]:
        """The lines of its output up to one that holds the text."""
        assert self.process.stdout is not None
        fd, end, out = self.process.stdout.fileno(), time.monotonic() + self._deadline_s, b""
        while not re.search(rf"{re.escape(text)}.*\n".encode(), out):
            ready, _, _ = select.select([fd], [], [], max(end - time.monotonic(), 0))
            data = os.read(fd, READ_BYTES) if ready else b""
            assert data, f"it showed no {text!r}: {out.decode()}"
            out += data
        return out.decode().splitlines()

    def ends(self) -> Result:
        """End its input, and wait for its end."""
        out, err = self.process.communicate(timeout=self._deadline_s)
        return Result(self.process.returncode, out.decode(), err.decode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.process.wait(self._deadline_s)


class Chatters:
    """Starts the client scripts, `nc` and networks, for the last server; all of them are ended with the test."""

    def __init__(self, start: Start, deadline_s: float) -> None:
        self._start, self._deadline_s = start, deadline_s
        self._address: tuple[str, int] | None = None
        self._people: list[Person] = []
        self._others: list[Pipe | Netcat | Network] = []

    def server(self, *arguments: str, **options: Any) -> Any:
        server = self._start.server(*arguments, **options)
        self._address = server.address
        return server

    @property
    def address(self) -> tuple[str, int]:
        if self._address is None:
            self.server()
        assert self._address is not None
        return self._address

    def person(
        self,
        number: int,
        *options: str,
        size: tuple[int, int] = (80, 40),
        address: tuple[str, int] | None = None,
        script: Path | None = None,
        variables: dict[str, str] | None = None,
        ignored: tuple[signal.Signals, ...] = (),
    ) -> Person:
        """A client script at a terminal of so many columns and rows. `ignored`: as `nohup` ignores SIGHUP."""
        options = ("--time", "none", *options)
        address = address or self.address
        person = Person(
            number, address, options, size, self._deadline_s, script, variables, ignored
        )
        self._people.append(person)
        return person

    def pipe(self, number: int, *options: str, address: tuple[str, int] | None = None) -> Pipe:
        pipe = Pipe(number, address or self.address, options, self._deadline_s)
        self._others.append(pipe)
        return pipe

    def netcat(self, alias: str) -> Netcat:
        """Somebody with `nc`, joined."""
        require_nc()
        netcat = Netcat(self.address, self._deadline_s)
        self._others.append(netcat)
        netcat.send(alias)
        netcat.sees(f"^{re.escape(alias)} has connected to the chat room$")
        return netcat

    def netcat_once(self, text: str) -> Result:
        """`printf text | nc -N`: it ends its input at once, and reads to the end."""
        require_nc()
        host, port = self.address
        done = subprocess.run(
            ["nc", "-N", host, str(port)],
            input=text.encode(),
            capture_output=True,
            check=False,
            timeout=self._deadline_s,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def network(self) -> Network:
        network = Network(self.address)
        self._others.append(network)
        return network

    def close(self) -> None:
        for person in self._people:
            with suppress(OSError):
                person.child.close(force=True)
        for other in reversed(self._others):
            other.close()


@pytest.fixture
def chatters(start: Start, patience: float) -> Iterator[Chatters]:
    """People with clients, people with `nc`, and the server that they talk over."""
    chatters = Chatters(start, 20.0 * patience)
    yield chatters
    chatters.close()


@pytest.fixture
def puppets() -> Iterator[Callable[..., Puppet]]:
    """Starts servers that say what a test wants them to."""
    started: list[Puppet] = []

    def new(*answers: bytes, **welcome: object) -> Puppet:
        started.append(Puppet(*answers, **welcome))
        return started[-1]

    yield new
    for each in started:
        each.close()
