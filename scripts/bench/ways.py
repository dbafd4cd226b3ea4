"""What TLS and WebSocket cost: W2 (100 clients, 10 senders, closed loop) over each way in, side by side, and W6's memory.

    python -m scripts.bench.ways [--rounds 3] [--duration 3] [--idle 1000]

The ratio that counts is that of deliveries for a second of the server's processor time, and each way has a plain run
beside it under the same load. WebSocket is loaded by loadgen.c, because a load that is slow to answer makes small
turns, and what a turn costs would then be measured: it was 0.43 with the load below. That one, in Python, is for TLS,
which loadgen.c does not speak, and where there is no C compiler. It decrypts for the senders only, whose own echo is the
credit for their next line, and unmasks and parses nothing; the others' bytes are counted as they come.

A way for which this Python has no package is named and left out, and the exit code is then 1: it was not shown to be
quick enough.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import selectors
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .build import Programs, compile_c_parts
from .machine import Cores

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS, SENDERS, WINDOW = 100, 10, 8
LINE = "x" * 63 + "\n"
READ_BYTES = 256 * 1024
JOIN_S = 60.0
WARM_UP_S = 0.5
CONFIG = "[flood]\nenabled = false\n"


class Server:
    """Ours, in memory, without flood control."""

    def __init__(self, folder: Path) -> None:
        config = folder / "bench.toml"
        config.write_text(CONFIG)
        command = [sys.executable, str(ROOT / "server_1.py"), "--ephemeral", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        while "page:" not in (self.process.stdout.readline() or "page:"):
            pass  # the lines that wait for its certificate: from here on it has all it needs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(JOIN_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


def encrypting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Way:
    """A way in: how one joins, says a line, and knows one's own lines again."""

    name = "plain"
    wanted = 1.0
    proto = "line"
    """What loadgen.c calls it; empty: it does not speak it."""
    package = ""
    """Without it the server does not speak it."""

    def connect(self, port: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port), JOIN_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def hello(self, alias: str) -> bytes:
        return f"{alias}\n".encode()

    def lines(self, count: int) -> bytes:
        return LINE.encode() * count

    def mark(self, alias: str) -> bytes:
        """Stands once in each of its lines."""
        return f"{alias}: x".encode()


class Tls(Way):
    name = "TLS"
    proto = ""
    package = "cryptography"
    wanted = 0.25
    """It may cost three quarters: a record encrypted for each member, and no shared bytes."""

    def __init__(self) -> None:
        self._context = encrypting()

    def connect(self, port: int) -> socket.socket:
        return self._context.wrap_socket(super().connect(port))


class WebSocket(Way):
    name = "WebSocket"
    proto = "web"
    package = "websockets"
    wanted = 0.6
    """Three times the bytes of a plain line, and JSON in each message that comes in; the frames out are shared."""

    def connect(self, port: int) -> socket.socket:
        sock = super().connect(port)
        sock.sendall(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(READ_BYTES)
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"no WebSocket: {head!r}")
        return sock

    def hello(self, alias: str) -> bytes:
        return _frame({"t": "hello", "v": 1, "alias": alias})

    def lines(self, count: int) -> bytes:
        ids = (next(_IDS) for _ in range(count))
        return b"".join(
            _frame({"t": "say", "id": f"l{number}", "room": "#lobby", "text": LINE[:-1]})
            for number in ids
        )

    def mark(self, alias: str) -> bytes:
        return f'"from":"{alias}"'.encode()


_IDS = itertools.count()


def _frame(message: dict[str, object]) -> bytes:
    """Masked with zeros, which RFC 6455 allows and costs the load nothing."""
    data = json.dumps(message).encode()
    size = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


def joined(way: Way, port: int, count: int, alias: str = "user") -> list[socket.socket]:
    """Clients that are in the room, and have read what tells them so."""
    clients = [way.connect(port) for _ in range(count)]
    for number, client in enumerate(clients):
        client.sendall(way.hello(f"{alias}{number}"))
    for client in clients:
        seen = b""
        while b"Connected" not in seen and b'"welcome"' not in seen:
            data = client.recv(READ_BYTES)
            if not data:
                raise SystemExit("the server ended a client")
            seen += data
    return clients


@dataclass(frozen=True, slots=True)
class Figures:
    per_s: float
    per_cpu_s: float


class Load:
    """The closed loop."""

    def __init__(self, way: Way, clients: list[socket.socket]) -> None:
        self._way = way
        step = CLIENTS // SENDERS
        self._senders = clients[::step]
        self._others = [
            client if type(client) is socket.socket else socket.socket(fileno=client.detach())
            for number, client in enumerate(clients)
            if number % step
        ]
        self._marks = {
            sender: way.mark(f"user{n * step}") for n, sender in enumerate(self._senders)
        }
        self._tails = dict.fromkeys(self._senders, b"")
        self._selector = selectors.DefaultSelector()
        for client in (*self._senders, *self._others):
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ)
        self.echoed = 0
        self.bytes_read = 0

    def begin(self) -> None:
        for sender in self._senders:
            sender.send(self._way.lines(WINDOW))

    def run(self, duration_s: float) -> None:
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            for key, _ in self._selector.select(0.1):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                if client in self._marks:
                    self._credit(client)
                else:
                    self.bytes_read += len(client.recv(READ_BYTES))

    def _credit(self, sender: socket.socket) -> None:
        """A line of its own for each that came back."""
        mark = self._marks[sender]
        data = self._tails[sender] + b"".join(_all_of(sender))
        back = data.count(mark)
        self.echoed += back
        self._tails[sender] = data[-(len(mark) - 1) :]
        if back:
            sender.send(self._way.lines(back))

    def close(self) -> None:
        self._selector.close()
        for client in (*self._senders, *self._others):
            client.close()


def _all_of(sender: socket.socket) -> Iterator[bytes]:
    """A record at a time: what stays inside, the selector does not tell of."""
    try:
        while data := sender.recv(READ_BYTES):
            yield data
            if type(sender) is socket.socket:
                return
    except (BlockingIOError, ssl.SSLWantReadError):
        return


def measure(folder: Path, way: Way, duration_s: float) -> Figures:
    with Server(folder) as server:
        load = Load(way, joined(way, server.port, CLIENTS))
        load.begin()
        load.run(WARM_UP_S)
        echoed, cpu_s, began = load.echoed, server.cpu_s, time.monotonic()
        load.run(duration_s)
        wall_s, cpu_s = time.monotonic() - began, server.cpu_s - cpu_s
        delivered = (load.echoed - echoed) * CLIENTS
        load.close()
    return Figures(delivered / wall_s, delivered / cpu_s)


def measure_in_c(folder: Path, programs: Programs, way: Way, duration_s: float) -> Figures:
    """The same under the load that is never the slower one, each on a core of its own."""
    cores = Cores.of_this_machine()
    with Server(folder) as server:
        if cores.server is not None:
            os.sched_setaffinity(server.process.pid, {cores.server})
        command = [str(programs.loadgen), "--proto", way.proto, "--port", str(server.port)]
        command += ["--pid", str(server.process.pid), "--duration", str(duration_s)]
        command += ["--clients", str(CLIENTS), "--senders", str(SENDERS), "--window", str(WINDOW)]
        if cores.load is not None:
            command = ["taskset", "-c", str(cores.load), *command]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return Figures(found["delivered"] / found["wall_s"], found["deliveries_per_cpu_s"])


def idle_kib(folder: Path, way: Way, count: int) -> float:
    """Memory of a client that has joined and sits still."""
    with Server(folder) as server:
        first = joined(way, server.port, 1, "first")
        before = server.rss_kib
        clients = joined(way, server.port, count)
        grown = server.rss_kib - before
        for client in (*first, *clients):
            client.close()
    return grown / count


def main() -> int:
    parser = argparse.ArgumentParser(description="What TLS and WebSocket cost.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=3.0)
    parser.add_argument("--idle", type=int, default=1_000)
    options = parser.parse_args()
    wanted = (Tls(), WebSocket())
    others = tuple(way for way in wanted if is_spoken(way))
    if not others:
        return 1
    programs = compile_c_parts(print, keep_old=True)
    plain = Way()
    found: dict[str, list[tuple[Figures, Figures]]] = {way.name: [] for way in others}
    with tempfile.TemporaryDirectory(prefix="chatcore-bench-") as name:
        folder = Path(name)

        def measured(way: Way, *, in_c: bool) -> Figures:
            if in_c and programs is not None:
                return measure_in_c(folder, programs, way, options.duration)
            return measure(folder, way, options.duration)

        for turn in range(options.rounds):
            for other in others[:: -1 if turn % 2 else 1]:
                pair = [measured(way, in_c=bool(other.proto)) for way in (plain, other)]
                found[other.name].append((pair[0], pair[1]))
        idle = {way.name: idle_kib(folder, way, options.idle) for way in (plain, *others)}
    print(f"W6 {', '.join(f'{name} {kib:.1f}' for name, kib in idle.items())} KiB an idle client")
    met = [_is_met(way, found[way.name]) for way in others]
    return 0 if all(met) and others == wanted else 1


def is_spoken(way: Way) -> bool:
    """By the servers started here, which run with the same Python; says what is missing, and how to get it."""
    if find_spec(way.package):
        return True
    print(
        f"{way.name} is left out: {sys.executable} has no package {way.package}. To measure it: "
        f"{sys.executable} -m pip install {way.package}, or scripts/test.sh once and then "
        ".venv/bin/python -m scripts.bench.ways",
        file=sys.stderr,
    )
    return False


def _is_met(way: Way, pairs: list[tuple[Figures, Figures]]) -> bool:
    for name, figures in zip(("plain", way.name), zip(*pairs, strict=True), strict=True):
        per_s = statistics.median(each.per_s for each in figures)
        per_cpu_s = statistics.median(each.per_cpu_s for each in figures)
        print(f"W2 {name:9} {per_s:10,.0f} deliveries/s {per_cpu_s:10,.0f} per CPU second")
    ratios = sorted(there.per_cpu_s / here.per_cpu_s for here, there in pairs)
    ratio = statistics.median(ratios)
    print(
        f"{way.name}/plain by processor time: {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"at least {way.wanted})"
    )
    return ratio >= way.wanted


if __name__ == "__main__":
    sys.exit(main())
