"""Where the admin listener answers: a file that only the owner can open, or a port of loopback; and what is refused."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore.admin import PATH_BYTES, Admin, address_of, open_place
from chatcore.reactor.loop import Reactor
from chatcore.service import Taken, Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

ROOT = Path(__file__).parent.parent


def made(path: Path, reactor: Reactor) -> Admin:
    return open_place(str(path), reactor, lambda path, private: None)


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    it = Reactor()
    yield it
    it.close()


def test_only_the_owner_can_open_it_and_it_goes_with_the_server(
    tmp_path: Path, reactor: Reactor
) -> None:
    path = tmp_path / "admin.sock"
    admin = made(path, reactor)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    admin.close()
    assert not path.exists()


def test_one_that_a_killed_server_left_is_replaced(tmp_path: Path, reactor: Reactor) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
    made(path, reactor).close()


def test_one_that_answers_is_not_replaced(tmp_path: Path, reactor: Reactor) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(Unusable, match="another server answers"):
            made(path, reactor)
        assert path.exists()


def test_what_is_no_socket_is_not_replaced(tmp_path: Path, reactor: Reactor) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("mine")
    with pytest.raises(Unusable, match="is no socket"):
        made(path, reactor)
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, reactor: Reactor) -> None:
    with pytest.raises(Unusable, match=r"nowhere/admin\.sock: No such file"):
        made(tmp_path / "nowhere" / "admin.sock", reactor)


def test_another_ones_file_in_its_place_stays(tmp_path: Path, reactor: Reactor) -> None:
    path = tmp_path / "admin.sock"
    admin = made(path, reactor)
    path.rename(tmp_path / "moved")
    path.write_text("mine")
    admin.close()
    assert path.read_text() == "mine"


def test_a_path_longer_than_addresses_are(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    path = folder / "admin.sock"
    assert len(os.fsencode(path)) > PATH_BYTES
    reactor = Reactor()
    admin = made(path, reactor)
    with address_of(path) as address, socket.socket(socket.AF_UNIX) as sock:
        assert len(address) < PATH_BYTES
        sock.connect(address)
        sock.send(b"GET /nothing HTTP/1.0\r\n\r\n")
        reactor.turn()
        reactor.turn()
        assert sock.recv(4096).startswith(b"HTTP/1.1 404 ")
    admin.close()
    reactor.close()
    assert not path.exists()


def test_tcp_is_for_loopback_only(reactor: Reactor) -> None:
    with pytest.raises(Unusable, match="no loopback address"):
        open_place("0.0.0.0:0", reactor, lambda path, private: None)


def test_a_port_that_is_taken_is_named(reactor: Reactor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(Taken, match=rf"cannot listen on {place}: Address already in use"):
            open_place(place, reactor, lambda path, private: None)


# The server


def served(tmp_path: Path, place: str) -> subprocess.CompletedProcess[str]:
    """A server that is asked to answer there, and cannot."""
    path = tmp_path / "chatcore.toml"
    path.write_text(f'[admin]\nlisten = "{place}"\n')
    return subprocess.run(
        [sys.executable, "server_1.py", "--port", "0", "--data", tmp_path / "data", "--config", path],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_place_that_somebody_asked_for_must_be_had(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = served(tmp_path, f"127.0.0.1:{other.getsockname()[1]}")
    assert taken.returncode == 69
    (tmp_path / "file").write_text("mine")
    done = served(tmp_path, str(tmp_path / "file"))
    assert done.returncode == 78
    assert "is no socket. Choose another path." in done.stderr
    assert done.stdout == "", "it was never ready"
    elsewhere = served(tmp_path, "192.0.2.1:9590")
    assert elsewhere.returncode == 78
    assert "loopback" in elsewhere.stderr


def test_the_place_that_nobody_asked_for_is_no_reason_to_end(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "admin.sock").mkdir(parents=True)
    server = start.server(data=data)
    start.plain("Alice")
    assert "no status can be asked for" in server.log
    assert server.stop() == 0
    assert (data / "admin.sock").is_dir()
