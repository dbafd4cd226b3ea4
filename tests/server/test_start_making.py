"""The server listens while its certificate is being made: who comes in meanwhile, who waits, and what a stop leaves."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore.certificates import load
from tests.conftest import DEADLINE_S, PATIENCE
from tests.held_making import BROKEN, HeldMaking, children
from tests.tls import trusting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatcore.certificates import Pair
    from tests.conftest import Server, Start


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldMaking]:
    held = HeldMaking(tmp_path, monkeypatch)
    yield held
    held.close()


class Guest:
    """Opens by TLS and is not answered yet."""

    def __init__(self, server: Server) -> None:
        raw = socket.create_connection(server.address, DEADLINE_S * PATIENCE)
        self.sock = trusting().wrap_socket(
            raw, server_hostname="localhost", do_handshake_on_connect=False
        )

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def waits(self) -> None:
        """It has said its first message, and heard nothing."""
        self.sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            self.sock.do_handshake()

    def comes_in(self) -> str:
        """The fingerprint that it is shown."""
        self.sock.settimeout(DEADLINE_S * PATIENCE)
        self.sock.do_handshake()
        shown = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").digest()
        self.sock.sendall(b"Bob\n")
        assert self.sock.recv(64).startswith(b"Connected to the server!\n")
        return f"SHA256:{base64.b64encode(shown).decode().rstrip('=')}"


@pytest.mark.parametrize("kept", [False, True], ids=["in memory", "in a folder"])
def test_plain_people_come_in_meanwhile_and_an_opening_by_tls_waits_for_it(
    start: Start, making: HeldMaking, tmp_path: Path, kept: bool
) -> None:
    server = start.server(early=True, data=tmp_path / "data" if kept else None)
    making.begun()
    alice = start.plain("Alice")
    with Guest(server) as guest:
        for _ in range(5):
            guest.waits()
            alice.settle()
        assert "tls:" not in server.banner
        making.goes_on()
        shown = guest.comes_in()
    assert server.prints(r"  tls:    (\S+) \(made ")[1] == shown
    server.prints("Only this machine can join")
    assert server.banner.splitlines()[2].startswith("  tls:"), "it stands where it always does"
    assert children(server.pid) == []


def test_when_it_cannot_be_made_who_waits_is_refused_and_the_banner_says_why(
    start: Start, making: HeldMaking
) -> None:
    server = start.server(early=True)
    making.begun()
    alice = start.plain("Alice")
    with Guest(server) as guest:
        guest.waits()
        alice.settle()
        making.fails()
        server.prints(rf"  tls:    none: making a certificate failed \({BROKEN}\); pip install")
        guest.sock.settimeout(DEADLINE_S * PATIENCE)
        with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
            guest.sock.do_handshake()
    with Guest(server) as late, pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        late.sock.do_handshake()
    alice.settle()
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kept", [False, True], ids=["in memory", "in a folder"])
def test_a_stop_meanwhile_leaves_no_process_and_no_half_file(
    start: Start,
    making: HeldMaking,
    tmp_path: Path,
    signum: signal.Signals,
    kept: bool,
) -> None:
    data = tmp_path / "data" if kept else None
    server = start.server(early=True, data=data)
    making.begun()
    (child,) = children(server.pid)
    with Guest(server) as guest:
        guest.waits()
        start.plain("Alice").close()
        server.signal(signum)
        assert server.wait() == 0
    assert not Path(f"/proc/{child}").exists()
    assert "Traceback" not in server.log
    if data is not None:
        assert not list(data.glob("tls.*"))


@pytest.mark.parametrize("both", [False, True], ids=["it alone", "its child too"])
def test_after_a_kill_meanwhile_the_next_start_has_a_whole_one(
    start: Start, making: HeldMaking, tmp_path: Path, wait_for: Callable[..., None], both: bool
) -> None:
    data = tmp_path / "data"
    server = start.server(early=True, data=data)
    making.begun()
    (child,) = children(server.pid)
    server.kill()
    if both:
        os.kill(child, signal.SIGKILL)
    making.close()
    if not both:
        wait_for((data / "tls.crt").exists, "the child has finished it alone")
    again = start.server(early=True, data=data)
    if both:
        making.begun()
        making.goes_on()
    again.prints(r"  tls:    SHA256:")
    assert sorted(each.name for each in data.glob("tls.*")) == ["tls.crt", "tls.key"]


@pytest.mark.parametrize("well", [True, False], ids=["it ends well", "it fails"])
def test_a_reload_meanwhile_may_bring_another_certificate(
    start: Start, making: HeldMaking, pair: Pair, well: bool
) -> None:
    server = start.server(early=True)
    making.begun()
    with Guest(server) as guest:
        guest.waits()
        server.config_path.write_text(f'[tls]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n')
        server.signal(signal.SIGHUP)
        assert guest.comes_in() == load(pair)[1]
    if well:
        making.goes_on()
    else:
        making.fails()
    assert server.prints(r"  tls:    (\S+) \(from ")[1] == load(pair)[1]
