"""What a service manager is told and hands over, piece by piece; `tests/faults/test_service.py` has the real process."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import pytest

from chatcore.reactor.loop import Reactor
from chatcore.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Manager:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.setblocking(False)

    def told(self) -> list[list[str]]:
        """The datagrams that came since, as lines."""
        found = []
        while True:
            try:
                found.append(self.sock.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@chatcore-{os.getpid()}"
    made = Manager(name.replace("@", "\0", 1))
    yield made, name
    made.sock.close()


def test_each_moment_is_told_in_one_message(manager: tuple[Manager, str]) -> None:
    end, name = manager
    service = Service({"NOTIFY_SOCKET": name})
    service.ready("3 connections")
    service.reloading()
    service.stopping()
    ready, reloading, stopping = end.told()
    assert ready == ["READY=1", "STATUS=3 connections"]
    assert reloading[0] == "RELOADING=1"
    assert re.fullmatch(r"MONOTONIC_USEC=\d{7,}", reloading[1])
    assert stopping[0] == "STOPPING=1"
    service.close()


def test_the_variables_are_taken_out_of_the_environment(manager: tuple[Manager, str]) -> None:
    environment = {
        "NOTIFY_SOCKET": manager[1], "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x", "HOME": "/",
    }  # fmt: skip
    Service(environment).close()
    assert environment == {"HOME": "/"}


def test_without_a_manager_nothing_is_told() -> None:
    service = Service({})
    service.ready("x")
    assert service.sockets == []
    service.close()


def test_a_manager_that_is_gone_or_takes_nothing_does_no_harm(tmp_path: Path) -> None:
    service = Service({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    service.ready("x")
    service.close()
    end = Manager(str(tmp_path / "full"))
    service = Service({"NOTIFY_SOCKET": str(tmp_path / "full")})
    for _ in range(10_000):
        service.notify("WATCHDOG=1")
    service.close()
    end.sock.close()


@pytest.mark.parametrize("pid", ["", str(os.getpid())], ids=["any", "ours"])
def test_the_loop_gives_signs_of_life_twice_in_the_time(
    manager: tuple[Manager, str], pid: str
) -> None:
    end, name = manager
    clock = [0.0]
    reactor = Reactor(clock=lambda: clock[0])
    service = Service({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": pid})
    service.begin(reactor, lambda: "fine")
    assert end.told() == [["READY=1", "STATUS=fine"], ["WATCHDOG=1", "STATUS=fine"]]
    for _ in range(4):
        clock[0] += 1.49
        reactor.call_soon(lambda: None)
        reactor.turn()
        assert end.told() == [], "not before it is due"
        clock[0] += 0.02
        reactor.call_soon(lambda: None)
        reactor.turn()
        assert end.told() == [["WATCHDOG=1", "STATUS=fine"]]
    reactor.close()
    service.close()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"},
    ],
)
def test_where_nobody_waits_for_signs_of_life_there_are_none(
    manager: tuple[Manager, str], variables: dict[str, str]
) -> None:
    end, name = manager
    service = Service({"NOTIFY_SOCKET": name} | variables)
    reactor = Reactor(clock=lambda: 0.0)
    service.begin(reactor, lambda: "fine")
    assert end.told() == [["READY=1", "STATUS=fine"]]
    assert reactor._timers.next_at() is None
    reactor.close()
    service.close()


@pytest.mark.parametrize(
    "variables",
    [
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "-1", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_sockets_that_are_meant_for_another_process_are_left_alone(
    variables: dict[str, str],
) -> None:
    service = Service(dict(variables))
    assert service.sockets == []
