"""The file of fingerprints: lines are found and added, and nothing of it is ever lost."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from chatcore.client.known_hosts import KnownHosts, Pin, default_path, fingerprint_of

ONE, TWO = fingerprint_of(b"one"), fingerprint_of(b"two")


@pytest.fixture
def hosts(tmp_path):
    return KnownHosts(tmp_path / "new" / "known_hosts")


def test_a_fingerprint_is_written_as_ssh_writes_it():
    # printf one | openssl dgst -sha256 -binary | base64
    assert ONE == "SHA256:dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0"


def test_what_was_added_is_found_whatever_the_case(hosts):
    hosts.add("chat.example.org:59000", ONE)
    hosts.add("[::1]:7", TWO)
    assert hosts.find("Chat.example.org:59000") == ([Pin(ONE, 1)], [])
    assert hosts.find("[::1]:7") == ([Pin(TWO, 2)], [])
    assert hosts.find("chat.example.org:7") == ([], [])


def test_only_its_owner_may_read_it(hosts):
    hosts.add("a:1", ONE)
    assert stat.S_IMODE(hosts.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(hosts.path.parent.stat().st_mode) == 0o700


def test_lines_that_are_not_understood_are_kept_and_told(hosts):
    hosts.path.parent.mkdir()
    text = b"# mine\n\na:1 SHA256:short\nb:1 ssh-rsa AAAA\n\xff\xfe\na:1 " + ONE.encode()
    hosts.path.write_bytes(text)
    assert hosts.find("a:1") == ([Pin(ONE, 6)], [3, 4, 5])
    hosts.add("c:1", TWO)
    assert hosts.path.read_bytes() == text + b"\nc:1 " + TWO.encode() + b"\n"


def test_a_file_that_cannot_be_read_is_no_empty_one(hosts):
    hosts.path.mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        hosts.find("a:1")


def test_many_at_once_lose_no_line(hosts):
    everybody = [
        threading.Thread(target=hosts.add, args=(f"host{number}:1", ONE)) for number in range(32)
    ]
    for each in everybody:
        each.start()
    for each in everybody:
        each.join()
    lines = hosts.path.read_text().splitlines()
    assert sorted(lines) == sorted(f"host{number}:1 {ONE}" for number in range(32))


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/home/a"}, "/home/a/.config/chatcore/known_hosts"),
        ({"HOME": "/home/a", "XDG_CONFIG_HOME": "/x"}, "/x/chatcore/known_hosts"),
        ({"HOME": "/home/a", "XDG_CONFIG_HOME": "x"}, "/home/a/.config/chatcore/known_hosts"),
    ],
)
def test_where_it_is(environ, path):
    assert os.fspath(default_path(environ)) == path
