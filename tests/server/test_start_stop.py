"""How the server is started, configured, told something and stopped: words, exit codes, files."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server, Start

ROOT = Path(__file__).parents[2]
STOP_S = 5.0
PROMPT = "^Choose an alias:$"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the server where it is expected to leave by itself."""
    return subprocess.run(
        [sys.executable, "server_1.py", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_banner_says_where_it_listens_and_how_to_join(start: Start) -> None:
    server = start.server()
    host, port = server.address
    assert host == "127.0.0.1"
    assert f"listening on {host}:{port}\n" in server.banner
    server.prints(r"Only this machine can join.*\n")
    assert f"nc {host} {port}" in server.banner
    assert f"client_1.py {host}:{port}" in server.banner
    assert "--host 0.0.0.0" in server.banner


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", "> >(true)", "> /dev/full"])
def test_it_serves_whoever_reads_what_it_prints(
    tmp_path: Path, wait_for: Callable[..., None], streams: str
) -> None:
    """Closed streams, or a banner that nobody takes: no descriptor of theirs becomes one of the history's."""
    data = ("--data", str(tmp_path / "data"))
    server = subprocess.Popen(
        ["bash", "-c", f"exec {streams}; exec '{sys.executable}' server_1.py --port 0 {' '.join(data)}"],
        cwd=ROOT, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def is_well() -> bool:
        asked = [sys.executable, "-m", "chatcore", "status", *data]
        assert server.poll() is None, "it ended"
        return subprocess.run(asked, cwd=ROOT, capture_output=True, timeout=60).returncode == 0

    try:
        wait_for(is_well, "a status")
        opened = [Path(f"/proc/{server.pid}/fd/{number}").resolve() for number in range(3)]
        assert not any(each.is_relative_to(tmp_path) for each in opened)
        assert not any("socket" in each.name for each in opened)
        server.terminate()
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()


def test_a_banner_for_which_there_is_no_room_is_told_in_the_log(tmp_path: Path) -> None:
    """It goes on, as where nobody reads the banner; where it listens is known all the same."""
    with Path("/dev/full").open("w") as full:
        server = subprocess.Popen(
            [sys.executable, "server_1.py", "--port", "0", "--ephemeral", "--log-format", "human"],
            cwd=ROOT, env=clean_environment(), stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        assert server.stderr is not None
        told = server.stderr.readline()
        words = "standard output takes nothing: No space left on device. chatcore is listening on "
        assert words in told, told + server.stderr.read()
        host, _, port = told.split()[-1].rpartition(":")
        socket.create_connection((host, int(port)), 60).close()
        server.terminate()
        _, rest = server.communicate(timeout=60)
        assert server.returncode == 0
        assert "Traceback" not in rest
        assert "standard output" not in rest, "once is enough"
    finally:
        server.kill()
        server.communicate()


def test_one_more_address_to_listen_on(start: Start) -> None:
    server = start.server("--listen", "127.0.0.2:0")
    found = re.search(r"127\.0\.0\.2:(\d+)", server.banner)
    assert found
    with socket.create_connection(("127.0.0.2", int(found[1])), 60) as sock:
        sock.sendall(b"Alice\n")
        assert sock.recv(64).startswith(b"Connected to the server!\n")


def test_the_module_serves_as_well(start: Start) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatcore", "serve", "--version"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout[:9]) == (0, "chatcore ")


def test_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"chatcore \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--port"], ["extra"], ["--por", "1"]])
def test_a_usage_error_is_64_and_is_named(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 64
    assert arguments[0] in done.stderr
    assert "--help" in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_taken_is_69_and_says_by_whom_and_what_to_do(start: Start) -> None:
    server = start.server()
    _, port = server.address
    done = run("--port", str(port), "--ephemeral")
    assert done.returncode == 69
    assert f"127.0.0.1:{port} is taken" in done.stderr
    assert f"pid {server.pid}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_of_another_machine_is_69() -> None:
    done = run("--host", "192.0.2.1", "--ephemeral")
    assert done.returncode == 69
    assert "192.0.2.1" in done.stderr


def test_every_mistake_of_a_configuration_is_named_at_once_and_is_78(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[flood]\nburts = 3\nper_second = "x"\n[nonsense]\na = 1\n')
    done = run("--config", str(path), "--port", "70000", CHATCORE_LOG_LEVEL="loud")
    assert done.returncode == 78
    mistakes = ("flood.burts", "flood.per_second", "nonsense.a", "server.port", "server.log_level")
    for mistake in mistakes:
        assert mistake in done.stderr
    assert len(done.stderr.splitlines()) == len(mistakes)
    assert "did you mean flood.burst" in done.stderr


@pytest.mark.parametrize("content", [None, "not toml =", "port = \udcff"])
def test_a_file_that_cannot_be_read_is_78(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_text(content, errors="surrogateescape")
    done = run("--config", str(path))
    assert done.returncode == 78
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


def test_check_config_tells_every_setting_and_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text('[server]\nport = 1\nhost = "127.0.0.9"\nlog_level = "error"\n')
    done = run(
        "--config", str(path), "--port", "3", "--check-config",
        CHATCORE_PORT="2", CHATCORE_LOG_LEVEL="debug",
    )  # fmt: skip
    assert done.returncode == 0
    settings = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
    assert settings["server.port"] == "3  (--port)"
    assert settings["server.log_level"] == '"debug"  (CHATCORE_LOG_LEVEL)'
    assert settings["server.host"] == f'"127.0.0.9"  ({path})'
    assert settings["presence.grace_s"] == "15.0  (default)"


def test_the_environment_is_taken(tmp_path: Path) -> None:
    done = run("--check-config", CHATCORE_EPHEMERAL="1", CHATCORE_LISTEN="127.0.0.1:1,[::1]:2")
    assert "server.ephemeral = true" in done.stdout
    assert 'server.listen = ["127.0.0.1:1", "[::1]:2"]  (CHATCORE_LISTEN)\n' in done.stdout


def test_the_log_says_who_came_and_went_and_never_what_was_said(start: Start) -> None:
    server = start.server()
    bob = start.plain("Bob")
    bob.send("a secret", "/msg Bob a secret", "/topic a secret", "/quit a secret")
    bob.read_to_end()
    assert server.stop() == 0
    assert re.search(r"Bob connected from 127\.0\.0\.1:\d+", server.log)
    assert "Bob left" in server.log
    assert "secret" not in server.log


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_tells_everyone_and_leaves_within_five_seconds(start: Start, signum: int) -> None:
    server = start.server()
    plain, native, silent = start.plain("Bob"), start.native("Alice"), start.plain()
    half_a_name = start.plain()
    half_a_name.send_bytes(b"Car")
    silent.read_until(PROMPT)
    server.signal(signum)
    assert plain.read_to_end()[-1] == "-- The server is stopping."
    assert native.read_messages_to_end()[-1] == {"t": "bye", "reason": "stopping"}
    for client in (plain, native, silent, half_a_name):
        client.close()
    assert server.wait(STOP_S) == 0
    with pytest.raises(ConnectionRefusedError):
        start.plain()


def test_a_stop_does_not_wait_for_those_who_never_end(start: Start) -> None:
    server = start.server()
    clients = [start.plain(f"user{number}") for number in range(5)]
    server.signal(signal.SIGTERM)
    assert server.wait(STOP_S + 2) == 0
    for client in clients:
        assert client.read_to_end()[-1] == "-- The server is stopping."


def test_nobody_is_accepted_once_it_stops(start: Start) -> None:
    server = start.server()
    alice = start.plain("Alice")
    server.signal(signal.SIGTERM)
    alice.read_until("stopping")
    with pytest.raises(ConnectionRefusedError):
        start.plain()
    alice.close()
    assert server.wait() == 0


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    server = start.server()
    stubborn = start.plain("Alice")
    server.signal(signal.SIGTERM)
    stubborn.read_until("stopping")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_lines_before_the_stop_reach_everyone(start: Start) -> None:
    server = start.server()
    alice, bob = start.native("Alice"), start.plain("Bob")
    for number in range(100):
        alice.send("say", id=str(number), room="#lobby", text=f"line {number}")
    alice.read_until(lambda message: message.get("text") == "line 99")
    server.signal(signal.SIGTERM)
    said = [line for line in bob.read_to_end() if line.startswith("Alice: ")]
    assert said == [f"Alice: line {number}" for number in range(100)]


def reload(server: Server, wait_for: Callable[..., None], said: str) -> None:
    before = server.log.count(said)
    server.signal(signal.SIGHUP)
    wait_for(lambda: server.log.count(said) > before, "it reloads")


def test_a_hangup_signal_takes_over_the_new_configuration(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server()
    alice = start.plain("Alice")
    alice.send("one", "two")
    alice.read_until("two")
    assert start.native().hello("Bob")["grace_s"] == 15
    server.config_path.write_text("[presence]\ngrace_s = 3\n[history]\non_join = 1\n")
    reload(server, wait_for, "configuration reloaded")
    carol = start.native()
    assert carol.hello("Carol")["grace_s"] == 3
    assert [record["text"] for record in carol.read_until("history")["records"]] == ["two"]
    alice.send("still here")
    alice.read_until("still here")


def test_flood_control_holds_back_and_loses_nothing(start: Start) -> None:
    start.server(config="[flood]\nburst = 5\nper_second = 20\n")
    bob, alice = start.plain("Bob"), start.plain("Alice")
    alice.send(*(f"line {number}" for number in range(25)))
    said = bob.read_until("line 24")
    assert said[-25:] == [f"Alice: line {number}" for number in range(25)]


@pytest.mark.parametrize("typed", ["{}\n", "{}\r\n"])
def test_no_more_than_a_burst_is_said_at_once(start: Start, typed: str) -> None:
    start.server(config="[flood]\nburst = 5\nper_second = 0.001\n")
    bob, alice = start.plain("Bob"), start.plain("Alice")
    alice.send_bytes("".join(map(typed.format, range(10))).encode())
    bob.read_until("^Alice: 4$")
    assert bob.settle() == []


def test_a_reload_of_the_flood_limits_takes_effect_at_once(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server(config="[flood]\nburst = 1\nper_second = 0.001\n")
    alice, bob = start.plain("Alice"), start.plain("Bob")
    alice.send("first")
    alice.read_until("first")
    server.config_path.write_text("[flood]\nenabled = false\n")
    reload(server, wait_for, "configuration reloaded")
    bob.send(*(f"line {number}" for number in range(100)))
    alice.read_until("line 99")


def test_a_broken_configuration_changes_nothing(
    start: Start, wait_for: Callable[..., None]
) -> None:
    server = start.server()
    server.config_path.write_text("[presence]\ngrace_s = 'long'\n")
    reload(server, wait_for, "the old one stays")
    assert start.native().hello("Alice")["grace_s"] == 15
    server.config_path.write_text("what is this")
    reload(server, wait_for, "the old one stays")
    server.config_path.unlink()
    reload(server, wait_for, "the old one stays")
    assert server.running


def test_a_closed_stdout_and_stderr_do_not_end_it(start: Start) -> None:
    server = start.server()
    assert server.process.stdout is not None
    server.process.stdout.close()
    alice = start.plain("Alice")
    alice.send("hi")
    alice.read_until("hi")
    alice.close()
    assert server.stop() == 0
