"""The servers that are compared, and how each is started for a fair run.

Fair means: memory only, no flood control, no limit on clients of one address, no name look-ups, buffers
large enough that a closed loop never trips them. One of ours is not fair to itself: `disk` keeps every
line before it passes it on, to show what that costs. A server is used for one measurement and then ended.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .machine import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from .build import Programs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OURS, DISK, LIMIT = "ours", "disk", "limit"
OUR_SERVERS = (OURS, DISK)
SBIN = "/usr/sbin:/usr/local/sbin"  # where daemons lie, often not on a user's PATH
IN_HAND = 1_000  # connects at once; within the backlog of 4,096 that servers here ask for
NGIRCD_IN_HAND = 8  # it listens with a backlog of 10: more are refused and retried for seconds
REDIS_CLIENTS = 15_000  # above W6's 10,000

OUR_CONFIG = """\
[flood]
enabled = false
[limits]
connections_per_address = 0
"""

NGIRCD_CONFIG = """\
[Global]
Name = bench.local
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
ServerUID = irc
ServerGID = irc
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 600
PongTimeout = 60
[Options]
DNS = no
Ident = no
PAM = no
"""

INSPIRCD_CONFIG = """\
<server name="bench.local" description="bench" network="Bench">
<admin name="bench" nick="bench" email="bench@localhost">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="all" allow="*" timeout="120" pingfreq="600" fakelag="no" threshold="1000000"
    commandrate="1000000000" recvq="1048576" softsendq="1073741824" hardsendq="1073741824"
    localmax="100000" globalmax="100000" limit="100000" maxconnwarn="no" useident="no"
    resolvehostnames="no">
<performance quietbursts="yes" softlimit="100000" somaxconn="4096" netbuffersize="65534">
<log method="file" target="/dev/null" level="default" type="*">
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A started server: where it listens, how it is spoken to."""

    process: Process
    port: int
    proto: str


@dataclass(frozen=True, slots=True)
class Server:
    """`start` gets a folder of its own and the core to run on; `in_hand`: connects at once."""

    name: str
    title: str
    start: Callable[[pathlib.Path, int | None], Running]
    in_hand: int = IN_HAND


def all_servers(programs: Programs | None) -> tuple[list[Server], dict[str, str]]:
    """Those that can be started here, in the order of the tables; and why the others cannot."""
    found: list[Server] = []
    missing: dict[str, str] = {}
    script = ROOT / "server_1.py"
    for name, title in ((OURS, "chatcore, in memory"), (DISK, "chatcore, history on")):
        if script.exists():
            found.append(Server(name, title, _bound(_start_ours, name)))
        else:
            missing[name] = f"{script.name} is not there"
    if programs:
        limit = str(programs.limit)
        found.append(
            Server(LIMIT, "limit (C)", lambda folder, core: _announced([limit], folder, core))
        )
    else:
        missing[LIMIT] = "not compiled"
    threaded = [sys.executable, str(HERE / "threaded.py")]
    found.append(
        Server(
            "threads", "thread per client", lambda folder, core: _announced(threaded, folder, core)
        )
    )
    for name, title, start in (
        ("redis", "redis", _start_redis),
        ("inspircd", "InspIRCd", _start_inspircd),
        ("ngircd", "ngIRCd", _start_ngircd),
    ):
        if daemon := _which(DAEMONS[name]):
            in_hand = NGIRCD_IN_HAND if name == "ngircd" else IN_HAND
            found.append(Server(name, title, _bound(start, daemon), in_hand))
        else:
            missing[name] = "not installed"
    return found, missing


DAEMONS = {"redis": "redis-server", "inspircd": "inspircd", "ngircd": "ngircd"}
NAMES = (*OUR_SERVERS, LIMIT, "threads", *DAEMONS)


def our_command(name: str, folder: pathlib.Path) -> list[str]:
    """Both of ours differ in this only: `disk` keeps its history in `folder`, `ours` keeps none."""
    config = folder / "bench.toml"
    config.write_text(OUR_CONFIG)
    script = str(ROOT / "server_1.py")
    kept = ["--data", str(folder / "data")] if name == DISK else ["--ephemeral"]
    return [sys.executable, script, *kept, "--port", "0", "--config", str(config)]


def _which(daemon: str) -> str | None:
    return shutil.which(daemon, path=os.pathsep.join((os.environ.get("PATH", ""), SBIN)))


def _bound(
    start: Callable[[str, pathlib.Path, int | None], Running], what: str
) -> Callable[[pathlib.Path, int | None], Running]:
    return lambda folder, core: start(what, folder, core)


def _announced(argv: list[str], folder: pathlib.Path, core: int | None) -> Running:
    """A server that takes a free port and prints it."""
    process = Process(argv, core, folder / "server.log")
    try:
        return Running(process, process.listening_port(), "line")
    except BaseException:
        process.end()
        raise


def _on_port(
    argv: list[str], folder: pathlib.Path, core: int | None, port: int, proto: str
) -> Running:
    """A server that is told its port: ready when it accepts."""
    process = Process(argv, core, folder / "server.log", talks=False)
    try:
        process.wait_for_port(port)
    except BaseException:
        process.end()
        raise
    return Running(process, port, proto)


def _start_ours(name: str, folder: pathlib.Path, core: int | None) -> Running:
    return _announced(our_command(name, folder), folder, core)


def _start_ngircd(daemon: str, folder: pathlib.Path, core: int | None) -> Running:
    config, port = folder / "ngircd.conf", free_port()
    config.write_text(NGIRCD_CONFIG.format(port=port))
    return _on_port([daemon, "--nodaemon", "--config", str(config)], folder, core, port, "irc")


def _start_inspircd(daemon: str, folder: pathlib.Path, core: int | None) -> Running:
    config, port = folder / "inspircd.conf", free_port()
    config.write_text(INSPIRCD_CONFIG.format(port=port))
    argv = [daemon, "--config", str(config), "--nofork", "--nopid"]
    if os.geteuid() == 0:
        argv.append("--runasroot")  # it refuses root without
    return _on_port(argv, folder, core, port, "irc")


def _start_redis(daemon: str, folder: pathlib.Path, core: int | None) -> Running:
    port = free_port()
    argv = [daemon, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    argv += ["--save", "", "--appendonly", "no", "--maxclients", str(REDIS_CLIENTS)]
    argv += ["--client-output-buffer-limit", "pubsub 0 0 0", "--tcp-backlog", "4096"]
    return _on_port(argv, folder, core, port, "redis")
