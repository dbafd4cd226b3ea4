"""Who is wrong here: old versions, garbage, floods of what TLS itself allows, and a line that was cut short."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from shutil import which
from typing import TYPE_CHECKING

import pytest

from tests.conftest import PATIENCE
from tests.tls import KeyFlood, Pinger, hello_bytes, read_all, trusting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from tests.conftest import Server, Start

    WaitFor: TypeAlias = Callable[[Callable[[], object], str], None]

OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]


def without(server: Server, first: bytes) -> bytes:
    with socket.create_connection(server.address, timeout=20) as sock:
        sock.sendall(first)
        return read_all(sock)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", OLD, ids=lambda version: version.name)
def test_an_old_version_is_refused(server: Server, version: ssl.TLSVersion) -> None:
    context = trusting(version=version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = version
    sock = socket.create_connection(server.address, timeout=20)
    with sock, pytest.raises(ssl.SSLError, match=r"(?i)protocol.version|unsupported"):
        context.wrap_socket(sock, server_hostname="localhost")


def test_sslv2_and_records_of_garbage_are_clean_refusals(start: Start, server: Server) -> None:
    inside = start.native("Ann")
    tried = 0
    # RFC 6101 E.2: a message of SSL 2.0 has no record head; it looks like a line of text that never ends.
    sslv2 = b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(37) + b"\n"
    for first in (
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\x02\x00" + b"\x01\x00\x01\xfc" + b"\xff" * 508,
        b"\x16\x03\xff\x00\x04\x01\x00\x00\x00",
        hello_bytes(trusting(("smtp",))),
        hello_bytes() + b"\x17\x03\x03\x00\x05hello",
    ):
        assert b"alias" not in without(server, first)
        tried += 1
    with socket.create_connection(server.address, timeout=20) as sock:
        sock.sendall(sslv2)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).startswith(b"-- ")
    assert inside.ask("ping")["t"] == "pong"
    print(f"\nT5: {tried + 1} openings refused, failed: 0")


def test_garbage_after_the_handshake_ends_that_one_only(start: Start, server: Server) -> None:
    inside = start.native("Ann")
    raw = socket.create_connection(server.address, timeout=20)
    tls = trusting().wrap_socket(raw)
    with socket.socket(fileno=tls.detach()) as under:
        under.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))
        assert read_all(under)
    assert inside.ask("ping")["t"] == "pong"


def test_a_few_new_keys_are_taken(start: Start, server: Server, tmp_path: Path) -> None:
    inside = start.native("Ann")
    with KeyFlood(server.address, tmp_path / "keys") as peer:
        assert peer.run(5) == 5
        # What follows is sealed with the last.
        peer.say(b"Careful\n")
        inside.read_until(lambda message: message.get("alias") == "Careful")


@pytest.mark.parametrize("count", [20_000])
def test_a_flood_of_new_keys_costs_its_own_connection(
    start: Start, server: Server, tmp_path: Path, wait_for: WaitFor, count: int
) -> None:
    """T5: each asks for a new key of ours too."""
    inside = start.native("Ann")
    before_kib = server.rss_kib
    asking = start.native("Bob")
    with KeyFlood(server.address, tmp_path / "keys") as flood, Pinger(asking) as pinger:
        sent = flood.run(count)
        wait_for(lambda: "asks for one new key after the other" in server.log, "its end")
    print(f"\nT5: {sent} new keys sent, RSS +{server.rss_kib - before_kib} KiB; {pinger.figures}")
    assert not pinger.failed
    assert inside.ask("ping")["t"] == "pong"


def test_a_renegotiation_is_refused(start: Start, server: Server) -> None:
    """T5, by `openssl s_client`, which asks for one when it reads an `R`."""
    inside = start.native("Ann")
    host, port = server.address
    done = subprocess.run(
        [needs_openssl(), "s_client", "-tls1_2", "-connect", f"{host}:{port}"],
        input=b"R\n",
        capture_output=True,
        timeout=30 * PATIENCE,
        check=False,
    )
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"no renegotiation" in done.stdout + done.stderr
    assert inside.ask("ping")["t"] == "pong"


def needs_openssl() -> str:
    found = which("openssl")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("openssl is missing: .ci/run installs it")
        pytest.skip("openssl is not installed")
    return found


def test_a_person_with_openssl_is_greeted_joins_and_talks(start: Start, server: Server) -> None:
    openssl = needs_openssl()
    bob = start.plain("Bob")
    host, port = server.address
    command = [openssl, "s_client", "-quiet", "-connect", f"{host}:{port}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"Choose an alias:\n"
        process.stdin.write(b"Ann\nhello\n/quit\n")
        process.stdin.flush()
        said = process.stdout.read().decode()
        process.stdin.close()
    assert "Connected to the server!" in said
    assert "Ann: hello" in said
    bob.read_until("^Ann: hello$")
    bob.read_until("^Ann has left the chat room!")
