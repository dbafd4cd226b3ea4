"""What serves browsers is loaded some time after the start: what becomes of its files later does not matter."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import websockets

from chatcore.page import PACKAGE_MAJOR
from tests.conftest import ROOT
from tests.tls import read_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Plain, Start

LOADED = """
import os
open(os.environ["TEST_LOADED"], "w").close()
"""
SOON = f"""
import sys
sys.path.append({str(ROOT)!r})
import chatcore.page
chatcore.page.LOAD_AFTER_S = 0.2
"""
"""Python loads it before anything else."""

BROKEN = "raise ImportError('half of another version')\n"

UPGRADE = """\
GET /ws HTTP/1.1\r
Host: localhost\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Version: 13\r
\r
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, which goes before the real one and tells in the file `loaded` that it is used."""
    copy = tmp_path / "site" / "websockets"
    shutil.copytree(Path(websockets.__file__).parent, copy)
    with (copy / "server.py").open("a") as file:
        file.write(LOADED)
    (copy.parent / "sitecustomize.py").write_text(SOON)
    monkeypatch.setenv("PYTHONPATH", str(copy.parent))
    monkeypatch.setenv("TEST_LOADED", str(tmp_path / "loaded"))
    return copy


def break_it(package: Path) -> None:
    shutil.rmtree(package)
    package.mkdir()
    (package / "__init__.py").write_text(BROKEN)


def answer(client: Plain, request: str) -> bytes:
    """Its first line."""
    client.send_bytes(request.encode())
    return read_all(client.sock).partition(b"\r\n")[0]


def test_a_package_that_is_replaced_later_does_not_matter(
    start: Start, package: Path, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    server = start.server()
    wait_for((tmp_path / "loaded").exists, "it is loaded")
    # The file tells that the loading is nearly over; the loop answers when it is.
    assert answer(start.plain(), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").endswith(b" 200 OK")
    break_it(package)
    browser = start.plain()
    browser.send_bytes(UPGRADE.encode())
    assert browser.sock.recv(64).startswith(b"HTTP/1.1 101 ")
    browser.close()
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_a_package_that_is_broken_is_told_and_the_room_goes_on(
    start: Start, package: Path, wait_for: Callable[..., None]
) -> None:
    break_it(package)
    server = start.server()
    said = "no page for browsers: ImportError: half of another version"
    wait_for(lambda: said in server.log, "it is told")
    assert answer(start.plain(), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").endswith(
        b" 501 Not Implemented"
    )
    start.plain("Alice").settle()
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("version", ["10.4", "15.0.1", "18.0"])
def test_another_version_of_the_package_is_told_at_the_start_and_to_browsers(
    start: Start, package: Path, version: str
) -> None:
    """What Debian's own package is, for one: each browser met an internal error, and the log a traceback."""
    break_it(package)
    (package / "version.py").write_text(f'tag = version = commit = "{version}"\n')
    server = start.server()
    told = f"needs version {PACKAGE_MAJOR} of the package websockets, and its Python has {version}: pip install "
    assert told in server.banner
    for request in ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", UPGRADE):
        browser = start.plain()
        browser.send_bytes(request.encode())
        head, _, body = read_all(browser.sock).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 501 ")
        assert told in body.decode()
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_the_version_is_the_one_that_is_installed_with_the_server() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = f"websockets>={PACKAGE_MAJOR},<{PACKAGE_MAJOR + 1}"
    assert wanted in project["dependencies"]
