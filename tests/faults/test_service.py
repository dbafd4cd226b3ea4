"""O8: the server under a service manager. Ready only when it listens, alive only while its loop turns, and a restart
through a socket that somebody else holds refuses nobody.

The manager is this test: it receives the datagrams, and hands over descriptors as systemd does.
"""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.conftest import clean_environment, end_of, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0
WATCHDOG_US = 200_000
SILENT_FOR_S = 1.0
"""Ten times the time between two signs of life."""

CLIENTS = 4
FIRST_FD = 3

# systemd sets LISTEN_PID after its fork; the shell knows its number, and exec keeps it.
HAND_OVER = 'export LISTEN_PID=$$; exec "$@"'


class Manager:
    """Starts servers, hands sockets over to them, and hears what they tell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "notify"
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(self._path))
        self.lines: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "stderr.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.heard.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)

    def start(self, *arguments: str, sockets: tuple[Any, ...] = (), names: str = "") -> None:
        environment = clean_environment() | {
            "NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(WATCHDOG_US),
        }  # fmt: skip
        if sockets:
            environment |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": names}
        moves = "".join(
            f"exec {FIRST_FD + index}<&{each.fileno()}; " for index, each in enumerate(sockets)
        )
        server = [sys.executable, "server_1.py", "--ephemeral", *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", moves + HAND_OVER, "bash", *server],
                cwd=ROOT, env=environment, stdout=log, stderr=log,
                pass_fds=[each.fileno() for each in sockets],
            )  # fmt: skip

    def hear(self, within_s: float) -> str:
        """The next datagram; empty if there is none in time."""
        ready, _, _ = select.select([self.heard], [], [], within_s)
        text = self.heard.recv(4096).decode() if ready else ""
        self.lines += text.split("\n")
        return text

    def hear_until(self, line: str) -> str:
        """The datagram with that line."""
        end = end_of(DEADLINE_S)
        while time.monotonic() < end:
            text = self.hear(0.2)
            if line in text.split("\n"):
                return text
            assert self.process is not None
            assert self.process.poll() is None or text, f"it ended:\n{self.log.read_text()}"
        raise AssertionError(f"never told: {line}; {self.lines[-5:]}\n{self.log.read_text()}")

    def signal(self, signum: int) -> None:
        assert self.process is not None
        self.process.send_signal(signum)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    @property
    def state(self) -> str:
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path) as made:
        yield made


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """A listening socket that outlives servers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as made:
        yield made


def join(address: tuple[str, int], alias: str) -> bytes:
    """The first words that whoever joins is told; empty when the server left before."""
    with socket.create_connection(address, DEADLINE_S) as sock:
        sock.settimeout(DEADLINE_S)
        sock.sendall(f"{alias}\n".encode())
        return sock.recv(64)


def test_ready_is_told_when_it_listens_and_not_before(manager: Manager) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    manager.start("--port", str(port))
    manager.hear_until("READY=1")
    assert join(("127.0.0.1", port), "Alice").startswith(b"Connected to the server!")
    manager.signal(signal.SIGHUP)
    reloading = manager.hear_until("RELOADING=1")
    assert "MONOTONIC_USEC=" in reloading
    manager.hear_until("READY=1")
    manager.signal(signal.SIGTERM)
    manager.hear_until("STOPPING=1")
    assert manager.wait() == 0


def test_one_that_cannot_listen_is_never_ready(manager: Manager, door: socket.socket) -> None:
    manager.start("--port", str(door.getsockname()[1]))
    assert manager.wait() == 69
    assert manager.hear(0) == ""


def test_signs_of_life_come_from_the_loop_and_stop_with_it(manager: Manager) -> None:
    manager.start("--port", "0")
    manager.hear_until("READY=1")
    for _ in range(5):
        manager.hear_until("WATCHDOG=1")
    manager.signal(signal.SIGSTOP)
    eventually(lambda: manager.state == "T", "it stands still")
    while manager.hear(0):
        pass
    silent = manager.hear(SILENT_FOR_S)
    manager.signal(signal.SIGCONT)
    assert silent == ""
    manager.hear_until("WATCHDOG=1")
    print(f"watchdog: 0 signs in {SILENT_FOR_S:g} s of standing still, where 10 were due")


def test_what_was_handed_over_is_listened_on_and_options_rest(
    manager: Manager, door: socket.socket
) -> None:
    manager.start("--port", "59123", sockets=(door,))
    manager.hear_until("READY=1")
    assert join(door.getsockname(), "Alice").startswith(b"Connected to the server!")
    log = manager.log.read_text()
    assert f"listening on 127.0.0.1:{door.getsockname()[1]}" in log
    assert "--port and --listen are not used" in log
    assert "59123" not in log


def test_a_socket_by_the_name_of_admin_is_the_admin_listeners(
    manager: Manager, door: socket.socket
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as admin:
        manager.start(sockets=(door, admin), names="chatcore.socket:admin")
        manager.hear_until("READY=1")
        with socket.create_connection(admin.getsockname(), DEADLINE_S) as sock:
            sock.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("kind", ["datagram", "unix", "connected", "deaf", "file"])
def test_what_cannot_be_listened_on_is_refused_with_a_reason(
    manager: Manager, tmp_path: Path, kind: str
) -> None:
    unix, other = socket.socketpair()
    with unix, other, socket.socket() as deaf, (tmp_path / "file").open("wb") as file:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
            socket.socket(socket.AF_UNIX) as path,
        ):
            path.bind(str(tmp_path / "x"))
            path.listen()
            kinds = {
                "datagram": datagram,
                "unix": path,
                "connected": unix,
                "deaf": deaf,
                "file": file,
            }
            manager.start(sockets=(kinds[kind],))
            assert manager.wait() == 78
    assert "socket activation: descriptor 3" in manager.log.read_text()
    assert manager.hear(0) == ""


class Comers:
    """Clients that connect without a pause, each in a thread of its own, and what became of it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._come, args=(number,)) for number in range(CLIENTS)
        ]
        self._tried, self._refused, self._served = [0] * CLIENTS, [0] * CLIENTS, [0] * CLIENTS
        self.worst_s = 0.0

    def _come(self, number: int) -> None:
        while not self._over.is_set():
            began_s = time.monotonic()
            self._tried[number] += 1
            try:
                if join(self._address, f"client{number}"):
                    self._served[number] += 1
            except ConnectionRefusedError:
                self._refused[number] += 1
            except OSError:
                # The server left while it was served: it is told, or its connection ends. It may come again.
                continue
            self.worst_s = max(self.worst_s, time.monotonic() - began_s)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(DEADLINE_S * 2)

    @property
    def tried(self) -> int:
        return sum(self._tried)

    @property
    def refused(self) -> int:
        return sum(self._refused)

    @property
    def served(self) -> int:
        return sum(self._served)


@pytest.mark.parametrize("rounds", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_a_restart_through_a_held_socket_refuses_nobody(
    manager: Manager, door: socket.socket, rounds: int
) -> None:
    """Clients connect without a pause while the server is stopped and started again."""
    manager.start(sockets=(door,))
    manager.hear_until("READY=1")
    with Comers(door.getsockname()) as comers:
        for _ in range(rounds):
            before = comers.served
            eventually(lambda before=before: comers.served > before + CLIENTS, "some are served")
            manager.signal(signal.SIGTERM)
            assert manager.wait() == 0
            while manager.hear(0):
                pass
            manager.start(sockets=(door,))
            manager.hear_until("READY=1")
    print(
        f"restarts: {rounds}; connects tried {comers.tried}, refused {comers.refused}, served {comers.served}, "
        f"the longest waited {comers.worst_s:.2f} s"
    )
    assert comers.refused == 0
