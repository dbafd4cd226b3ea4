"""The ways side by side: what this Python cannot speak is named and left out, never met in a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.ways import Tls, Way, WebSocket, is_spoken
from tests.conftest import clean_environment

ROOT = Path(__file__).parents[2]
BLOCKED = "import sys; sys.modules.update(dict.fromkeys({missing!r}))\n"
"""None in `sys.modules` is what makes an import fail as if nothing were there."""

WAYS = "import runpy; sys.argv = ['ways', *{arguments!r}]; runpy.run_module('scripts.bench.ways', run_name='__main__')"


def without(*missing: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run it with a Python that has none of these packages."""
    code = BLOCKED.format(missing=missing) + WAYS.format(arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean_environment(), capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("way", [Tls(), WebSocket()], ids=lambda way: way.name)
def test_a_way_with_its_package_is_measured(way: Way, capsys: pytest.CaptureFixture[str]) -> None:
    assert is_spoken(way)
    assert capsys.readouterr() == ("", "")


def test_with_no_package_at_all_it_says_so_and_measures_nothing() -> None:
    done = without("cryptography", "websockets")
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("TLS is left out: ")
    assert "pip install cryptography" in first
    assert second.startswith("WebSocket is left out: ")
    assert "pip install websockets" in second


def test_the_others_are_measured_without_one_of_them() -> None:
    few = ("--rounds", "1", "--duration", "0.2", "--idle", "2")
    done = without("websockets", arguments=few)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "TLS/plain by processor time" in done.stdout
    assert "WebSocket" not in done.stdout
    assert done.stderr.startswith("WebSocket is left out: ")
