"""The files for systemd, sysctl and containers: valid, tight, and not tighter than the server needs."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from chatcore import config
from chatcore.config.rows import ROWS
from tests.conftest import ROOT, clean_environment
from tests.packaging.tools import demand, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start

UNITS = ROOT / "packaging" / "systemd"
SERVICE = (UNITS / "chatcore.service").read_text()
SOCKET = (UNITS / "chatcore.socket").read_text()
DOCKERFILE = (ROOT / "packaging" / "Dockerfile").read_text()
EXPOSURE_MOST = 1.5
TIMEOUT_S = 60

AS_ROOT_ONLY = {"fchown"}
"""SQLite gives its files the owner of the database, if it is root; the unit's user is not."""
(PORT,) = [row.default for row in ROWS if row.key == "server.port"]


def settings_of(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, env=os.environ | environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder of their own, with a program that is there, and the man page that they name."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    service = folder / "chatcore.service"
    assert "\nExecStart=/usr/bin/chatcore serve\n" in SERVICE
    service.write_text(SERVICE.replace("/usr/bin/chatcore", sys.executable))
    return folder


def test_systemd_finds_nothing_wrong(units: Path, tmp_path: Path) -> None:
    tool("man")
    runpy.run_path(str(ROOT / "packaging" / "generate.py"))["generate"](tmp_path / "share")
    (tmp_path / "share" / "man").mkdir()
    (tmp_path / "share" / "man1").rename(tmp_path / "share" / "man" / "man1")
    done = run(
        tool("systemd-analyze"), "verify", units / "chatcore.service", units / "chatcore.socket",
        MANPATH=str(tmp_path / "share" / "man"),
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_exposure_is_low(units: Path) -> None:
    done = run(tool("systemd-analyze"), "security", "--offline=true", units / "chatcore.service")
    (level,) = re.findall(r"Overall exposure level for chatcore\.service: ([\d.]+)", done.stdout)
    print(f"exposure: {level}, at most {EXPOSURE_MOST}")
    assert float(level) <= EXPOSURE_MOST


def allowed(names: str) -> set[str]:
    """The system calls of a SystemCallFilter line, its groups resolved."""
    found: set[str] = set()
    for name in names.removeprefix("~").split():
        if not name.startswith("@"):
            found.add(name)
            continue
        listed = run(tool("systemd-analyze"), "syscall-filter", name).stdout
        for member in re.findall(r"^ {4}(@?\w[\w-]*)$", listed, re.MULTILINE):
            found |= allowed(member)
    return found


def test_the_server_needs_no_system_call_that_the_unit_forbids(
    start: Start, tmp_path: Path
) -> None:
    """A whole life under strace: a certificate, connections, a commit, a reload, a status, a stop."""
    strace = tool("strace")
    allow, forbid = settings_of(SERVICE)["SystemCallFilter"]
    permitted = allowed(allow) - allowed(forbid)
    assert len(permitted) > 200
    assert "ptrace" not in permitted
    trace, state = tmp_path / "trace", tmp_path / "state"
    state.mkdir(mode=0o700)
    environment = clean_environment() | {"STATE_DIRECTORY": str(state)}
    server = subprocess.Popen(
        [strace, "-f", "-qq", "-o", trace, sys.executable, "server_1.py", "--port", "0"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with server:
        try:
            assert server.stdout is not None
            found = re.search(r"listening on (\S+):(\d+)", server.stdout.readline())
            assert found
            pid = trace.read_text().split()[0]
            client = start.unkept((found[1], int(found[2])))
            with client:
                client.join("Alice")
                client.send("hello", "/history 5", "/search hello")
                client.read_until("^Alice: hello$")
                client.settle()
                run("kill", "-HUP", pid)
                client.settle()
                status = run(sys.executable, "-m", "chatcore", "status", "--data", state)
                assert status.returncode == 0, status.stderr
                client.send("/quit")
                client.read_to_end()
            run("kill", "-TERM", pid)
            assert server.wait(TIMEOUT_S) == 0
        finally:
            server.kill()
    calls = re.findall(r"^\d+ +(\w+)\((.*)$", trace.read_text(), re.MULTILINE)
    used = {name for name, _ in calls} - (AS_ROOT_ONLY if os.geteuid() == 0 else set())
    print(f"system calls: {len(used)} used, {len(used - permitted)} of them not permitted")
    assert used - permitted == set()
    both = [
        rest for name, rest in calls if name in {"mmap", "mprotect"} and "WRITE|PROT_EXEC" in rest
    ]
    assert both == [], "MemoryDenyWriteExecute forbids memory that is both"


def test_the_units_fit_each_other_and_the_server() -> None:
    service, sock = settings_of(SERVICE), settings_of(SOCKET)
    assert service["Type"] == ["notify"]
    assert service["Requires"] == ["chatcore.socket"]
    assert sock["ListenStream"] == [str(PORT)]
    assert sock["Accept"] == ["no"]
    no_restart = service["RestartPreventExitStatus"][0].split()
    assert no_restart == [str(config.EXIT_USAGE), str(config.EXIT_CONFIG)]


def test_the_port_is_kept_from_outgoing_connections() -> None:
    snippet = (ROOT / "packaging" / "sysctl.d" / "50-chatcore.conf").read_text()
    assert settings_of(snippet.replace("net.ipv4.", "").replace(" = ", "=")) == {
        "ip_local_reserved_ports": [str(PORT)]
    }


def test_the_container_runs_as_nobody_special_and_writes_only_its_volume() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim", stage) for stage in stages)
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 1\d{4}:1\d{4}$", last, re.MULTILINE)
    assert re.search(r'^VOLUME \["/var/lib/chatcore"\]$', last, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last, re.MULTILINE)
    assert re.search(rf"^EXPOSE {PORT}$", last, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .*CMD \["chatcore", "status"\]$', last, re.MULTILINE)
    known = {row.variable for row in ROWS}
    assert set(re.findall(r"\b(CHATCORE_\w+)=", last)) <= known
    for path in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE):
        for each in path.split():
            assert (ROOT / each).exists(), f"{each} is copied, and is not there"


def test_it_runs_with_a_read_only_root_and_no_capability(tmp_path: Path) -> None:
    """What the container promises, without one: in a mount namespace where only the volume can be written."""
    if os.geteuid() or run(tool("unshare"), "-m", "true").returncode:
        demand("no right to make a namespace")
    volume = tmp_path / "volume"
    volume.mkdir()
    script = f"""
        set -e
        mount --bind {volume} {volume}
        mount -o remount,ro,bind / && ! touch /nobody 2>/dev/null
        exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
    """
    environment = {
        "PATH": os.environ["PATH"], "CHATCORE_DATA": str(volume), "CHATCORE_PORT": "0", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c"]
    life = """if True:
        import subprocess, sys
        with subprocess.Popen([sys.executable, "-m", "chatcore", "serve"], stdout=subprocess.PIPE, text=True) as server:
            print(server.stdout.readline(), end="", flush=True)
            status = subprocess.run([sys.executable, "-m", "chatcore", "status"])
            server.terminate()
        sys.exit(status.returncode or server.returncode)
    """
    done = subprocess.run(
        [*command, life],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    assert ", ready\n" in done.stdout
    assert (volume / "chatcore.db").exists()
