"""The clients at our own server: its password, its operators and moderators, and TLS, all of it for real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Chatters
    from tests.conftest import Server

SECRET, OPERATOR = "opensesame", "s3cret words"
DEADLINE_S = 30.0


@pytest.fixture(scope="session")
def operator_hash() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "chatcore", "passwd"],
        input=f"{OPERATOR}\n{OPERATOR}\n".encode(),
        capture_output=True,
        check=True,
        timeout=DEADLINE_S,
        cwd=ROOT,
        env=environment(),
    )
    found = re.search(r"\S*scrypt\S+", done.stdout.decode())
    assert found, done
    return found[0]


@pytest.fixture
def server(chatters: Chatters, operator_hash: str) -> Server:
    config = (
        f'[server]\npassword = "{SECRET}"\nmotd = "Be kind."\n'
        f'[[operators]]\nname = "root"\nhash = "{operator_hash}"\n'
    )
    return chatters.server(config=config)


def test_a_room_is_moderated_over_tls_behind_a_password(
    chatters: Chatters, server: Server, tmp_path: Path
) -> None:
    fingerprint = server.prints(r"SHA256:\S+")
    variables = {"CHATCORE_PASSWORD": SECRET, "XDG_CONFIG_HOME": os.fspath(tmp_path)}
    alice = chatters.person(1, "--tls", size=(160, 40), variables=variables)
    alice.sees(re.escape(fingerprint[0]), "^-- Be kind.$", "^Connected to the server!$")
    bob = chatters.person(2, "--tls", size=(160, 40))
    bob.until(lambda: "The server's password:" in bob.lines[-1], "the question")
    bob.types(SECRET)
    bob.sees("^Connected to the server!$")
    alice.sees("^Bob has connected")

    alice.types("/kick Bob")
    alice.sees("^-- ")
    alice.types("/oper root")
    alice.until(lambda: "The password of the operator root:" in alice.lines[-1], "the question")
    alice.types(OPERATOR)
    alice.sees("^-- You are the operator root now")
    alice.types("/announce tea at four")
    bob.sees("^-- Announcement from Alice: tea at four$")
    assert alice.count("tea at four") <= 1
    alice.types("/mute Bob 10m too loud")
    bob.sees(r"^-- Alice muted you for 10 minutes \(too loud\)$")
    bob.types("but why")
    bob.sees("^-- Not sent: “but why”")
    alice.types("/unmute Bob")
    bob.sees("^-- Alice lets you speak again$")
    alice.types("/lag", "/bans")
    alice.sees("behind|lines,", "Nobody is banned")
    alice.types("/modlog")
    alice.sees(r"Alice muted Bob for 10 minutes \(too loud\)", "Alice announced: tea at four")
    alice.types("/kick Bob enough")
    alice.sees(r"^Bob has left the chat room! \(kicked by Alice: enough\)$")
    assert bob.ends() == 77
    alice.types("/ban Bob 10m")
    alice.sees("^-- Bob is banned from the server for 10 minutes.$")
    alice.types("/quit")
    assert alice.ends() == 0
    everything = (alice.raw + bob.raw).decode()
    assert SECRET not in everything
    assert OPERATOR not in everything
    again = chatters.pipe(2, "--tls", "--password-file", os.fspath(password_file(tmp_path)))
    result = again.ends()
    assert result.code == 77
    assert "ban" in result.err


def password_file(folder: Path) -> Path:
    path = folder / "password"
    path.write_text(f"{SECRET}\n")
    return path


def test_a_locked_room_opens_with_its_key(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.person(2).joined()
    alice.types("/join #dev")
    alice.sees("^-- You are in #dev.")
    alice.types("/lock s3same")
    alice.sees("Alice locked the room")
    bob.types("/join #dev")
    bob.sees("^-- .*key")
    bob.types("/join #dev s3same")
    bob.sees("^-- You are in #dev.")
    alice.types("/op Bob")
    bob.sees("Alice made Bob a moderator$")
    bob.types("/lock")
    alice.sees("Bob opened the room again$")
