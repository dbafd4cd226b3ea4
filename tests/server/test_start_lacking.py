"""A Python that was built without a part of its library: the server runs without it, or says what to do."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import DEADLINE_S, PATIENCE, ROOT, clean_environment
from tests.tls import hello_bytes, read_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chatcore.certificates import Pair
    from tests.conftest import Start

NO_ENCRYPTION = r"none: this Python has no module ssl \(No module named '_ssl'\)\. To encrypt, run "

SITE = """\
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Missing())
"""
"""Python loads it before anything else."""

WITHOUT = {"ssl": {"_ssl", "_hashlib"}, "sqlite3": {"_sqlite3"}}
"""What such a Python does not have: OpenSSL is two modules."""


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """For the servers that are started after it was called."""

    def forget(module: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(SITE.format(names=WITHOUT[module]))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return forget


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to leave by itself."""
    return subprocess.run(
        [sys.executable, "server_1.py", "--port", "0", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * PATIENCE,
    )


@pytest.mark.parametrize("found", [False, True], ids=["first start", "later start"])
def test_without_ssl_it_serves_and_says_how_to_get_encryption(
    start: Start, without: Callable[[str], None], tmp_path: Path, found: bool
) -> None:
    data = tmp_path / "data"
    if found:
        with_it = start.server(data=data)
        with_it.prints("SHA256:")
        with_it.stop()
    without("ssl")
    server = start.server(data=data)
    server.prints(rf"  tls:    {NO_ENCRYPTION}.*\n")
    alice, bob = start.native("Alice"), start.plain("Bob")
    bob.send("hi")
    alice.read_until(lambda message: message.get("text") == "hi")
    refused = start.plain()
    refused.send_bytes(hello_bytes())
    assert read_all(refused.sock) == b"\x15\x03\x03\x00\x02\x02\x28"
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "Warning" not in server.log


@pytest.mark.parametrize("wanted", ["--tls-cert", "--require-tls"])
def test_without_ssl_what_was_asked_for_ends_the_start(
    without: Callable[[str], None], pair: Pair, wanted: str
) -> None:
    without("ssl")
    certificate = (wanted, str(pair.cert), "--tls-key", str(pair.key))
    ended = run("--ephemeral", *(certificate if wanted == "--tls-cert" else (wanted,)))
    assert ended.returncode == 78
    assert re.search(NO_ENCRYPTION.removeprefix("none: "), ended.stderr)
    assert len(ended.stderr.splitlines()) == 1


def test_without_sqlite_the_history_cannot_be_kept(
    without: Callable[[str], None], tmp_path: Path
) -> None:
    without("sqlite3")
    ended = run("--data", str(tmp_path / "data"))
    assert ended.returncode == 78
    assert re.fullmatch(
        r"chatcore: this Python has no module sqlite3, .*\(No module named '_sqlite3'\)\. .*--ephemeral.*\n",
        ended.stderr,
    )
    assert not (tmp_path / "data").exists()


def test_without_sqlite_a_room_that_keeps_nothing_opens(
    start: Start, without: Callable[[str], None]
) -> None:
    without("sqlite3")
    server = start.server()
    alice, bob = start.plain("Alice"), start.plain("Bob")
    bob.send("hi")
    alice.read_until("^Bob: hi$")
    assert server.stop() == 0
    assert "Traceback" not in server.log
