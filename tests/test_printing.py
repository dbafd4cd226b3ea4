"""What a command prints, where nothing takes it: one line that says so, or none where the reader chose to leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import clean_environment

ROOT = Path(__file__).parent.parent
CHATCORE = ("-m", "chatcore")

COMMANDS = [
    ("server_1.py", "--help"),
    ("server_1.py", "--version"),
    ("server_1.py", "--check-config"),
    ("clients/client_1.py", "--help"),
    ("clients/client_1.py", "--version"),
    (*CHATCORE, "--help"),
    (*CHATCORE, "--version"),
    (*CHATCORE, "serve", "--help"),
    (*CHATCORE, "chat", "--help"),
    (*CHATCORE, "status", "--help"),
    (*CHATCORE, "check-config"),
    (*CHATCORE, "export", "--help"),
    (*CHATCORE, "passwd", "--help"),
    (*CHATCORE, "passwd"),
]


def run(command: tuple[str, ...], stdout: int) -> subprocess.CompletedProcess[str]:
    # What a person has: output to a file or a pipe waits in a buffer until the end.
    environment = clean_environment() | {"PYTHONUNBUFFERED": ""}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, input="a password\n", stdout=stdout,
        stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_said_in_one_line(command: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run(command, full)
    finally:
        os.close(full)
    assert done.stderr.casefold().count("cannot write the output: no space left on device") == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.returncode == 74


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_who_left_is_told_nothing(command: tuple[str, ...]) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = run(command, writes)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (141, "")
