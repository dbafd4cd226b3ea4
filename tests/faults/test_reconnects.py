"""The bundled clients while their server is away: they come back, not all at once, not too often, and never to themselves."""

from __future__ import annotations

import selectors
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.conftest import ROOT, clean_environment
from tests.faults.namespaces import Side, demand_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Native, Start

GRACE = "[flood]\nenabled = false\n[presence]\ngrace_s = 60\n"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, on, 0 s: closing is a reset."""

READ_BYTES = 64 * 1024
POLL_S = 0.05
SLOT_S = 0.1
LEAST_WAIT_S = 0.9
"""Between two tries: the client's own second, less what a busy machine needs to give it the time."""

LONGER = 1.25
"""Than the longest wait before the try before: no delay of a busy machine is taken for it."""

BACK_S = 40.0
"""More than the longest wait that a client can have come to here."""


class Client:
    """A client script whose input is a pipe and whose output is a file."""

    def __init__(self, alias: str, address: tuple[str, int], folder: Path, *options: str) -> None:
        self.alias = alias
        self._shown = folder / f"{alias}.txt"
        host, port = address
        script = str(ROOT / "clients" / "client_1.py")
        command = [sys.executable, script, f"{host}:{port}", "--alias", alias, "--plain", *options]
        with self._shown.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=clean_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def shown(self) -> str:
        return self._shown.read_text()

    def types(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()


class Knock(NamedTuple):
    at: float
    alias: str


class ClosedDoor:
    """Stands on the server's port while it is away. Whoever connects says hello, is noted with the time, and reset."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.knocks: list[Knock] = []
        self._listener = socket.create_server(address, backlog=socket.SOMAXCONN)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._callers: dict[socket.socket, tuple[float, bytes]] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def by_alias(self) -> dict[str, list[float]]:
        """When each has knocked."""
        found: dict[str, list[float]] = {}
        for knock in list(self.knocks):
            found.setdefault(knock.alias, []).append(knock.at)
        return found

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(POLL_S):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._listener:
                    caller, _ = sock.accept()
                    self._callers[caller] = time.monotonic(), b""
                    self._selector.register(caller, selectors.EVENT_READ)
                else:
                    self._hear(sock)

    def _hear(self, sock: socket.socket) -> None:
        at, words = self._callers[sock]
        data = b""
        with suppress(OSError):
            data = sock.recv(READ_BYTES)
        words += data
        if data and b"\n" not in words:
            self._callers[sock] = at, words
            return
        if data:
            self.knocks.append(
                Knock(at, words.partition(b'"alias":"')[2].partition(b'"')[0].decode())
            )
        self._send_away(sock)

    def _send_away(self, sock: socket.socket) -> None:
        del self._callers[sock]
        self._selector.unregister(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        for sock in list(self._callers):
            self._send_away(sock)
        self._selector.close()
        self._listener.close()


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Callable[..., list[Client]]]:
    """`clients(count, address, *options)`: so many client scripts, each with an alias of its own."""
    started: list[Client] = []

    def new(count: int, address: tuple[str, int], *options: str) -> list[Client]:
        names = [f"user{number}" for number in range(count)]
        started.extend(Client(name, address, tmp_path, *options) for name in names)
        return started

    yield new
    for each in started:
        each.close()


def missing(watcher: Native, clients: list[Client]) -> list[Client]:
    """Those who are not in the room, at this moment connected."""
    people = watcher.ask("who", room="#lobby")["rooms"][0]["people"]
    here = {person["alias"] for person in people if person["state"] == "here"}
    return [client for client in clients if client.alias not in here]


def most_at_once(times: list[float]) -> int:
    """In any stretch of time as long as a slot."""
    return max(sum(begin <= at < begin + SLOT_S for at in times) for begin in times)


def waits(knocks: dict[str, list[float]], since: float) -> list[list[float]]:
    """How long each waited before each of its tries."""
    return [
        [after - before for before, after in zip([since, *times], times, strict=False)]
        for times in knocks.values()
    ]


# Of 12 that choose a moment of a second each, ten are in one slot in one run of a million; of 60, thirty never are.
@pytest.mark.parametrize(
    ("count", "tries", "most"),
    [
        pytest.param(12, 2, 9, id="few"),
        pytest.param(60, 3, 29, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_clients_come_back_one_by_one_and_do_not_hammer_a_server_that_is_away(
    start: Start,
    clients: Callable[..., list[Client]],
    wait_for: Callable[..., None],
    tmp_path: Path,
    count: int,
    tries: int,
    most: int,
) -> None:
    """C7. Every wait is a second at least, and the longest possible one doubles with each try."""
    server = start.server(config=GRACE, data=tmp_path / "data")
    watcher = start.native("Watcher")
    people = clients(count, server.address, "--listen")
    wait_for(lambda: not missing(watcher, people), "all are there", BACK_S)
    away_at = time.monotonic()
    server.kill()
    door = ClosedDoor(server.address)
    try:
        wait_for(
            lambda: sum(len(each) >= tries - 1 for each in door.by_alias().values()) == count,
            "everybody has tried",
            BACK_S,
        )
        wait_for(
            lambda: any(
                wait > LONGER * 2 ** (tries - 1)
                for each in waits(door.by_alias(), away_at)
                for wait in each[tries - 1 :]
            ),
            f"somebody waits longer before try {tries} than anybody can before the one before",
            BACK_S,
        )
    finally:
        door.close()
    knocks = door.by_alias()
    server = start.server("--port", str(server.address[1]), config=GRACE, data=tmp_path / "data")
    watcher = start.native("Late")
    wait_for(lambda: not missing(watcher, people), "all are back", BACK_S)
    back_s = time.monotonic() - away_at
    waited = [wait for each in waits(knocks, away_at) for wait in each]
    crowd = most_at_once([knock.at for knock in door.knocks])
    print(
        f"\n{count} clients tried {len(waited)} times while the server was away, each after {min(waited):.2f} to "
        f"{max(waited):.2f} s, at most {crowd} within {SLOT_S:g} s; all back {back_s:.1f} s after its end, "
        "failed 0"
    )
    assert min(waited) >= LEAST_WAIT_S
    assert crowd <= most
    watcher.say("1", "all are here")
    for client in people:
        wait_for(lambda client=client: "all are here" in client.shown, "each hears it")
        assert client.shown.count("all are here") == 1
        assert "has left" not in client.shown


FIRST_PORT = 59_000
PORTS = 32
"""From which the kernel gives source ports there, the server's own being the first: a client that leaves the choice to
it meets itself in one of 16 tries, where it is one of 14,000 on a usual machine."""


@pytest.fixture
def few_ports(wait_for: Callable[..., None]) -> Iterator[Side]:
    """A network of its own, with few source ports, and without memory of connections that have ended.

    That memory (TIME_WAIT) would keep the server's port from being given to anybody for a minute.
    """
    demand_namespaces()
    side = Side(wait_for)
    last = FIRST_PORT + PORTS - 1
    ports = f"{FIRST_PORT} {last}"
    side.run("sh", "-c", f"echo {ports} > /proc/sys/net/ipv4/ip_local_port_range")
    side.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/tcp_max_tw_buckets")
    yield side
    side.close()


def refused(side: Side) -> int:
    """How many connects of that network have failed."""
    rows = Path(f"/proc/{side.process.pid}/net/snmp").read_text().splitlines()
    names, values = (row.split() for row in rows if row.startswith("Tcp:"))
    return int(dict(zip(names, values, strict=True))["AttemptFails"])


def facing_themselves(side: Side) -> list[str]:
    """Sockets whose peer they are."""
    rows = Path(f"/proc/{side.process.pid}/net/tcp").read_text().splitlines()[1:]
    ends = [row.split()[1:3] for row in rows]
    return [local for local, remote in ends if local == remote]


@pytest.mark.parametrize(
    ("count", "restarts", "tries"),
    [
        pytest.param(6, 3, 60, id="few"),
        pytest.param(12, 100, 120, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_clients_never_connect_to_themselves_and_the_server_always_has_its_port(
    start: Start,
    few_ports: Side,
    clients: Callable[..., list[Client]],
    wait_for: Callable[..., None],
    count: int,
    restarts: int,
    tries: int,
) -> None:
    """C7, on the port that people use: it lies among those from which the kernel gives source ports."""
    met: list[str] = []
    with few_ports:
        people = clients(count, ("127.0.0.1", FIRST_PORT), "--timeout", "600")
        tried = 0
        for _ in range(restarts):
            before = refused(few_ports)
            while (now := refused(few_ports)) < before + tries:
                for client in people:
                    client.types("/reconnect")
                wait_for(lambda now=now: refused(few_ports) > now, "somebody is refused")
                met += facing_themselves(few_ports)
                assert not met, "a client has connected to itself"
            tried += now - before
            server = start.server("--port", str(FIRST_PORT))
            watcher = start.native("Watcher")
            come_back(people, watcher, wait_for)
            watcher.close()  # it has one of the few ports
            server.kill()
    print(
        f"\n{tried} refused tries from {PORTS} ports by {count} clients: met themselves {len(met)}; "
        f"{restarts} starts on port {FIRST_PORT}, failed 0"
    )


def come_back(people: list[Client], watcher: Native, wait_for: Callable[..., None]) -> None:
    def nobody_is_missing() -> bool:
        """Whoever asked during a try that was about to be refused has to ask again."""
        away = missing(watcher, people)
        for client in away:
            client.types("/reconnect")
        return not away

    wait_for(nobody_is_missing, "all are back", BACK_S)
