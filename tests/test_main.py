"""`chatcore` and a word that it does not know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chatcore.__main__ import USAGE, main

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("prove", "There is no command prove."),
        ("--verbose", "There is no option --verbose."),
        ("\x1b[2J", "There is no command ␛[2J."),
    ],
    ids=["command", "option", "hostile"],
)
def test_what_it_does_not_know_is_named(
    argument: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument, "more"]) == 64
    assert capsys.readouterr() == ("", f"chatcore: {words}\n{USAGE}")


def test_without_a_word_the_usage_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 64
    assert capsys.readouterr() == ("", USAGE)


@pytest.mark.parametrize("option", ["-I", "-P"])
def test_the_server_s_script_finds_the_package_by_itself(option: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, option, ROOT / "server_1.py", "--version"],
        cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("chatcore ")
