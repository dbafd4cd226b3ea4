"""What the person who starts the server reads: where it listens, how to join, or why it cannot."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatcore import banner as banner_module
from chatcore.banner import listening, port_owner, port_unavailable, python, ways_in


def banner(addresses: list[tuple[str, int]], data: str | None, **ways: Any) -> str:
    """All that is printed."""
    return listening(addresses, data) + ways_in(addresses[0], **ways)


def test_the_first_line_says_where_it_listens() -> None:
    text = banner([("127.0.0.1", 59_000), ("::1", 59_000)], data="/var/lib/chatcore")
    lines = text.split("\n")
    assert lines[0] == "chatcore is listening on 127.0.0.1:59000, [::1]:59000"
    assert "nc 127.0.0.1 59000" in text
    assert "--host 0.0.0.0" in text
    assert lines[1] == "  kept:   in /var/lib/chatcore"
    assert "memory" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_for_the_network_names_an_address_that_others_can_use(host: str) -> None:
    text = banner([(host, 7)], data=None)
    assert f"nc {socket.gethostname()} 7" in text
    assert "--host" not in text
    assert "--ephemeral" in text.split("\n")[1]
    assert "gone when the server stops" in text.split("\n")[1]


def test_a_folder_with_an_odd_name_does_not_reach_the_terminal_raw() -> None:
    assert "\x1b" not in banner([("127.0.0.1", 7)], data="/tmp/\x1b[2J")


def test_a_server_that_takes_no_plain_connections_names_none() -> None:
    text = banner([("0.0.0.0", 7)], data=None, tls="SHA256:x", only_tls=True)
    assert f"openssl s_client -quiet -connect {socket.gethostname()}:7\n" in text
    assert f"page:   https://{socket.gethostname()}:7/\n" in text
    # On this machine nobody has to be encrypted.
    text = banner([("127.0.0.1", 7)], data=None, tls="SHA256:x", only_tls=True)
    assert "page:   http://127.0.0.1:7/\n" in text


def test_the_client_is_named_by_where_the_package_stands(tmp_path: Path) -> None:
    """Installed, there is no folder `clients` beside it."""
    address = ("127.0.0.1", 7)
    assert f"  join:   {python()} clients/client_1.py 127.0.0.1:7\n" in ways_in(address)
    installed = tmp_path / "chatcore"
    installed.mkdir()
    for name in ("__init__.py", "banner.py"):
        shutil.copy(Path(banner_module.__file__).with_name(name), installed)
    code = f"from chatcore.banner import ways_in; print(ways_in({address}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "  join:   chatcore chat 127.0.0.1:7\n" in done.stdout


@pytest.mark.parametrize("name", ["python", "python3"])
def test_the_client_is_started_with_what_the_server_was(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no `python`, a line with one could not be copied."""
    (tmp_path / name).touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / name))
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}")
    assert f"  join:   {name} clients/client_1.py 127.0.0.1:7\n" in ways_in(("127.0.0.1", 7))
    monkeypatch.setenv("PATH", "/nowhere")
    assert f"  join:   {tmp_path / name} clients/client_1.py " in ways_in(("127.0.0.1", 7))


def test_one_address_is_shown_as_it_is() -> None:
    text = banner([("fe80::1%eth0", 7)], data="/var/lib/chatcore")
    assert "client_1.py [fe80::1%eth0]:7\n" in text
    assert "Only this machine" not in text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "Ports below 1024 need rights"),
        (errno.EADDRNOTAVAIL, "10.1.2.3 is no address of this machine"),
        (errno.EIO, "cannot listen on 10.1.2.3:7: Input/output error. Choose another --host"),
    ],
)
def test_why_a_port_cannot_be_had_is_said_with_the_way_out(code: int, words: str) -> None:
    text = port_unavailable("10.1.2.3", 7, OSError(code, os.strerror(code)))
    assert text.startswith("chatcore: ")
    assert words in text


def test_a_taken_port_names_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        assert f"(pid {os.getpid()})" in port_owner(port)
        text = port_unavailable("127.0.0.1", port, OSError(errno.EADDRINUSE, "in use"))
        assert f"(pid {os.getpid()})" in text
        assert f"--port {port + 1}" in text
        assert "sysctl" not in text, "it is known who has it"
    assert port_owner(port) == ""
    text = port_unavailable("127.0.0.1", port, OSError(errno.EADDRINUSE, "in use"))
    assert f"net.ipv4.ip_local_reserved_ports={port}\n" in text
