"""The real server as a process of its own, and two small blocking clients that read with a deadline.

Every deadline is multiplied by the environment variable CHATCORE_TEST_PATIENCE (1 by default), for slow machines.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import pytest

from chatcore.certificates import Pair, names_of
from chatcore.reactor.loop import Reactor
from chatcore.self_made import CERT_FILE, KEY_FILE
from chatcore.self_made import make as make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parent.parent
PATIENCE = float(os.environ.get("CHATCORE_TEST_PATIENCE", "1"))
DEADLINE_S = 20.0
"""For what takes milliseconds: only a broken server or a very busy machine gets there."""

POLL_S = 0.002
READ_BYTES = 64 * 1024
TAIL_LINES = 15

NO_FLOOD = "[flood]\nenabled = false\n"
"""The configuration of most tests: they say more at once than a person does."""

# What `nohup` and a shell's `&` ignore, all that is started here would ignore too, and the tests of it would wait.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

CONNECTED = " (has|have) connected to the chat room$"

Message: TypeAlias = dict[str, Any]


def end_of(deadline_s: float) -> float:
    """When a wait that begins now is over, on the monotonic clock."""
    return time.monotonic() + deadline_s * PATIENCE


def eventually(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Look until the condition holds; fail after the deadline."""
    end = end_of(deadline_s)
    idle = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        idle.wait(POLL_S)


class Server:
    """A running `server_1.py`. Ended by `close`, whatever happened."""

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        config: str,
        descriptors: int | None,
        data: Path | None,
        *,
        early: bool = False,
    ) -> None:
        self.config_path = folder / "chatcore.toml"
        self.config_path.write_text(config)
        self._log_path = folder / "stderr.log"
        command = [sys.executable, "server_1.py", "--port", "0"]
        command += ["--ephemeral"] if data is None else ["--data", str(data)]
        command += ["--config", str(self.config_path), *arguments]
        if descriptors is not None:
            command = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(descriptors), *command]
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=log
            )
        self.pid = self.process.pid
        self.banner = ""
        """What was read of what it printed; its ways in may come a moment after the first lines."""
        found = self.prints(r"listening on (\S+):(\d+).*\n")
        self.address = (found[1].strip("[]"), int(found[2]))
        if not early:
            # The last line that depends on the certificate: what it takes to have one is taken now.
            self.prints(r"  page: .*\n")

    def prints(self, pattern: str) -> re.Match[str]:
        """Read what it prints until this is there."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        end = end_of(DEADLINE_S)
        while not (found := re.search(pattern, self.banner)):
            ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
            data = os.read(fd, READ_BYTES) if ready else b""
            if not data:
                self.close()
                pytest.fail(f"it did not print {pattern!r}: {self.banner!r}\n{self.log}")
            self.banner += data.decode()
        return found

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return self._log_path.read_text(errors="replace")

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def kill(self) -> None:
        """Pull the plug on the process."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code."""
        return self.process.wait(deadline_s * PATIENCE)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def has_read(self, client: Wire) -> bool:
        """It has taken everything that the client sent from its socket."""
        ours, theirs = client.sock.getsockname()[1], self.address[1]
        for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = row.split()
            if int(local[-4:], 16) == theirs and int(remote[-4:], 16) == ours:
                return queues.endswith(":00000000")
        return False

    @property
    def rss_kib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    @property
    def cpu_s(self) -> float:
        """Processor time, its own and the kernel's for it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it for good, stopped or not."""
        if self.running:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


def clean_environment() -> dict[str, str]:
    """Ours, without settings of a server that somebody runs here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHATCORE_")}


class Wire:
    """A socket, and the lines that came over it. Every wait has a deadline."""

    def __init__(
        self, address: tuple[str, int], *, source: str = "", receive_buffer: int = 0
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(DEADLINE_S * PATIENCE)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines: list[str] = []
        """Every whole line that was taken so far."""
        self.bytes_read = 0
        self.ended = False
        self._partial = b""
        self._waiting: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def end_input(self) -> None:
        """Half-close, as `nc -N` does at the end of its input."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a reset, as a crashed machine does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def receive(self, end: float | None = None) -> bytes:
        """The bytes of one read; empty at the end."""
        left_s = (end_of(DEADLINE_S) if end is None else end) - time.monotonic()
        self.sock.settimeout(max(left_s, POLL_S))
        data = self.sock.recv(READ_BYTES)
        self.bytes_read += len(data)
        self.ended = not data
        return data

    def next_line(self, end: float) -> str | None:
        """The next whole line, taken; None when the peer has ended. `end` is of the monotonic clock."""
        while not self._waiting:
            if self.ended:
                return None
            try:
                data = self.receive(end)
            except TimeoutError:
                tail = "\n".join(self.lines[-TAIL_LINES:])
                pytest.fail(f"nothing came in time; the last lines before:\n{tail}")
            whole, newline, rest = (self._partial + data).rpartition(b"\n")
            self._partial = rest
            if newline:
                self._waiting = whole.decode().split("\n")[::-1]
        line = self._waiting.pop()
        self.lines.append(line)
        return line

    def read_to_end(self, deadline_s: float = DEADLINE_S) -> list[str]:
        """All lines up to the end of the stream. A reset is a failure."""
        end, taken = end_of(deadline_s), []
        while (line := self.next_line(end)) is not None:
            taken.append(line)
        assert not self._partial, f"the stream ended inside a line: {self._partial!r}"
        return taken

    def is_gone(self) -> bool:
        """The peer has ended or reset the connection, as far as one can tell now."""
        self.sock.settimeout(0)
        try:
            while data := self.sock.recv(READ_BYTES):
                self.bytes_read += len(data)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


class Plain(Wire):
    """A person with `nc`."""

    def send(self, *lines: str) -> None:
        self.send_bytes("".join(f"{line}\n" for line in lines).encode())

    def join(self, alias: str) -> list[str]:
        """Choose an alias; the lines up to the one that tells everyone, which is the first after the history."""
        self.send(alias)
        return self.read_until(CONNECTED)

    def read_until(self, pattern: str, deadline_s: float = DEADLINE_S) -> list[str]:
        """The lines up to the first in which the regular expression is found, that one included."""
        end, taken = end_of(deadline_s), []
        while True:
            line = self.next_line(end)
            if line is None:
                pytest.fail(f"the stream ended before {pattern!r}: {taken[-TAIL_LINES:]}")
            taken.append(line)
            if re.search(pattern, line):
                return taken

    def settle(self) -> list[str]:
        """All that is due before the answer to a ping: to show that something did not come."""
        self.send("/ping")
        return self.read_until("^-- pong$")[:-1]


class Native(Wire):
    """A program that speaks JSON lines."""

    def __init__(
        self, address: tuple[str, int], *, source: str = "", receive_buffer: int = 0
    ) -> None:
        super().__init__(address, source=source, receive_buffer=receive_buffer)
        self.messages: list[Message] = []
        """Every message that was taken so far."""
        self._asked = 0

    def send(self, t: str, **fields: object) -> None:
        self.send_bytes(json.dumps({"t": t, **fields}).encode() + b"\n")

    def hello(self, alias: str, **fields: object) -> Message:
        """Join; the welcome, or the refusal."""
        self.send("hello", v=1, alias=alias, **fields)
        return self.read_until(lambda message: message["t"] in {"welcome", "refused"})

    def back(self, welcome: Message, after: int, **fields: object) -> Message:
        """Return to the session of that welcome."""
        fields = {"token": welcome["token"], "log": welcome["log"], "after": after} | fields
        return self.hello(welcome["alias"], **fields)

    def ask(self, t: str, **fields: object) -> Message:
        """The answer to a message, by its tag."""
        self._asked += 1
        tag = self._asked
        self.send(t, re=tag, **fields)
        return self.read_until(lambda message: message.get("re") == tag)

    def say(self, line_id: str, text: str, room: str = "#lobby") -> Message:
        """Say a line; one's own record, the acknowledgement of a retry, or the refusal."""
        self.send("say", id=line_id, room=room, text=text)
        return self.read_until(
            lambda message: (
                message["t"] in {"say", "ack", "refused"} and message.get("id") == line_id
            )
        )

    def say_lines(self, count: int) -> None:
        """`line 0` and so on, to the lobby, all at once; until they are acknowledged."""
        for number in range(count):
            self.send("say", id=f"b{number}", room="#lobby", text=f"line {number}")
        self.read_until(lambda message: message.get("id") == f"b{count - 1}")

    def next_message(self, end: float) -> Message | None:
        while (line := self.next_line(end)) is not None:
            if not self.messages and not line.startswith("{"):
                continue
            message = json.loads(line)
            assert isinstance(message, dict)
            self.messages.append(message)
            return message
        return None

    def read_until(
        self, wanted: str | Callable[[Message], object], deadline_s: float = DEADLINE_S
    ) -> Message:
        """The next message of that kind, or for which the predicate holds; what precedes it is in `messages`."""
        end = end_of(deadline_s)
        while True:
            message = self.next_message(end)
            if message is None:
                pytest.fail(f"the stream ended; the last messages: {self.messages[-TAIL_LINES:]}")
            if message["t"] == wanted if isinstance(wanted, str) else wanted(message):
                return message

    def settle(self) -> list[Message]:
        """All that is due before the answer to a ping: to show that something did not come."""
        before = len(self.messages)
        self.ask("ping")
        return self.messages[before:-1]

    def read_messages_to_end(self, deadline_s: float = DEADLINE_S) -> list[Message]:
        end, before = end_of(deadline_s), len(self.messages)
        while self.next_message(end) is not None:
            pass
        return self.messages[before:]

    def texts(self) -> list[str]:
        """What was said, as far as it was taken."""
        return [message["text"] for message in self.messages if message["t"] in {"say", "me"}]


class Start:
    """Starts servers, and clients of the last one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[Server] = []
        self._wires: list[Wire] = []

    def server(
        self,
        *arguments: str,
        config: str = NO_FLOOD,
        descriptors: int | None = None,
        data: Path | None = None,
        early: bool = False,
    ) -> Server:
        """A server in memory, or with its history in the folder `data`. `early`: its certificate may still be made."""
        folder = self._folder / f"server-{len(self._servers)}"
        folder.mkdir()
        server = Server(folder, arguments, config, descriptors, data, early=early)
        self._servers.append(server)
        return server

    def plain(self, alias: str = "", **options: Any) -> Plain:
        """A plain client; joined if it is given an alias."""
        client = Plain(self._servers[-1].address, **options)
        self._wires.append(client)
        if alias:
            client.join(alias)
        return client

    def unkept(self, address: tuple[str, int] | None = None, **options: Any) -> Plain:
        """A client that the test itself closes: one of thousands, or of a server of its own."""
        return Plain(address or self._servers[-1].address, **options)

    def crowd(self, count: int, alias: str = "user") -> list[Plain]:
        """So many plain clients, joined at the same time; a big room tells of them together."""
        clients = [self.plain() for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(f"{alias}{number}")
        for client in clients:
            client.read_until(CONNECTED)
        return clients

    def native(self, alias: str = "", **options: Any) -> Native:
        """A native client; joined if it is given an alias."""
        client = Native(self._servers[-1].address, **options)
        self._wires.append(client)
        if alias:
            sid = client.hello(alias)["sid"]
            client.read_until(lambda message: message["t"] == "join" and message["sid"] == sid)
        return client

    def close(self) -> None:
        for wire in self._wires:
            with suppress(OSError):
                wire.close()
        for server in self._servers:
            server.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers and clients; all of them are ended with the test."""
    started = Start(tmp_path)
    yield started
    started.close()


@pytest.fixture
def server(start: Start) -> Server:
    """A server without flood control."""
    return start.server()


@pytest.fixture
def real_reactor() -> Iterator[Reactor]:
    """On the machine's own selector and clock. A run that does not end by itself is ended, and fails."""
    made = Reactor()
    yield made
    made.close()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """`wait_for(condition, what)`: look until it holds, or fail after a deadline."""
    return eventually


@pytest.fixture
def patience() -> float:
    """What every time in a test is multiplied by."""
    return PATIENCE


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate and its key, made as the server makes its own."""
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder, names_of([]))
    return Pair(folder / CERT_FILE, folder / KEY_FILE, "made for the tests")
