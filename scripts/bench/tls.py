"""What TLS costs: W2 (100 clients, 10 senders, closed loop) in plain text and over TLS, side by side, and W6's memory.

    python -m scripts.bench.tls [--rounds 3] [--duration 3] [--idle 1000]

The load is this one program for both, so that their ratio is the servers'. It decrypts for the senders only, whose own
echo is the credit for their next line; the others' bytes are counted as they come, for a load that decrypts a hundred
streams would be measured instead of the server. The ratio that counts is that of deliveries for a second of the
server's processor time: a load that is slower over TLS does not change it.
"""

from __future__ import annotations

import argparse
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
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS, SENDERS, WINDOW = 100, 10, 8
LINE = "x" * 63 + "\n"
READ_BYTES = 256 * 1024
JOIN_S = 60.0
WANTED = 0.25
"""TLS may cost three quarters of the deliveries: a system call and a record for each member, and no shared bytes."""
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


def connect(port: int, context: ssl.SSLContext | None) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), JOIN_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock if context is None else context.wrap_socket(sock)


def joined(
    port: int, count: int, context: ssl.SSLContext | None, alias: str = "user"
) -> list[socket.socket]:
    """Clients that are in the room, and have read what tells them so."""
    clients = [connect(port, context) for _ in range(count)]
    for number, client in enumerate(clients):
        client.sendall(f"{alias}{number}\n".encode())
    for client in clients:
        seen = b""
        while b"Connected" not in seen:
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

    def __init__(self, clients: list[socket.socket]) -> None:
        step = CLIENTS // SENDERS
        self._senders = clients[::step]
        self._others = [
            client if type(client) is socket.socket else socket.socket(fileno=client.detach())
            for number, client in enumerate(clients)
            if number % step
        ]
        self._marks = {
            sender: f"user{n * step}: x".encode() for n, sender in enumerate(self._senders)
        }
        self._tails = dict.fromkeys(self._senders, b"")
        self._selector = selectors.DefaultSelector()
        for client in (*self._senders, *self._others):
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ)
        self.echoed = 0
        self.bytes_read = 0

    def run(self, duration_s: float) -> None:
        for sender in self._senders:
            sender.send((LINE * WINDOW).encode())
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
            sender.send((LINE * back).encode())

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


def measure(folder: Path, context: ssl.SSLContext | None, duration_s: float) -> Figures:
    with Server(folder) as server:
        load = Load(joined(server.port, CLIENTS, context))
        load.run(0.5)
        echoed, cpu_s, began = load.echoed, server.cpu_s, time.monotonic()
        load.run(duration_s)
        wall_s, cpu_s = time.monotonic() - began, server.cpu_s - cpu_s
        delivered = (load.echoed - echoed) * CLIENTS
        load.close()
    return Figures(delivered / wall_s, delivered / cpu_s)


def idle_kib(folder: Path, context: ssl.SSLContext | None, count: int) -> float:
    """Memory of a client that has joined and sits still."""
    with Server(folder) as server:
        first = joined(server.port, 1, context, "first")
        before = server.rss_kib
        clients = joined(server.port, count, context)
        grown = server.rss_kib - before
        for client in (*first, *clients):
            client.close()
    return grown / count


def main() -> int:
    parser = argparse.ArgumentParser(description="What TLS costs.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=3.0)
    parser.add_argument("--idle", type=int, default=1_000)
    options = parser.parse_args()
    ways: dict[str, ssl.SSLContext | None] = {"plain": None, "TLS": encrypting()}
    found: dict[str, list[Figures]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(prefix="chatcore-bench-") as name:
        folder = Path(name)
        for turn in range(options.rounds):
            for way in sorted(ways, reverse=bool(turn % 2)):
                found[way].append(measure(folder, ways[way], options.duration))
        idle = {way: idle_kib(folder, ways[way], options.idle) for way in ways}
    for way, figures in found.items():
        per_s = statistics.median(each.per_s for each in figures)
        per_cpu_s = statistics.median(each.per_cpu_s for each in figures)
        print(
            f"W2 {way:5} {per_s:10,.0f} deliveries/s {per_cpu_s:10,.0f} per CPU second   "
            f"W6 {idle[way]:5.1f} KiB each of {options.idle:,} idle clients"
        )
    ratios = sorted(
        tls.per_cpu_s / plain.per_cpu_s
        for plain, tls in zip(found["plain"], found["TLS"], strict=True)
    )
    ratio = statistics.median(ratios)
    print(
        f"TLS/plain by processor time: {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}; at least {WANTED})"
    )
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
