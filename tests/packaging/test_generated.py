"""Man pages, completion of shells, and the wheel that holds them: every flag of every parser stands in them."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging.tools import demand, tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 110

_generator = runpy.run_path(str(ROOT / "packaging" / "generate.py"))
PARSERS: dict[str, argparse.ArgumentParser] = _generator["parsers"]()
GENERATE: Callable[[Path], dict[Path, str]] = _generator["generate"]


def flags(parser: argparse.ArgumentParser) -> set[str]:
    return {
        flag
        for action in parser._actions
        for flag in action.option_strings
        if flag.startswith("--") and flag != "--help"
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The text of each generated file, by its place."""
    folder = tmp_path_factory.mktemp("generated")
    return {place: path.read_text() for path, place in GENERATE(folder).items()}


def test_there_is_a_parser_for_each_subcommand_that_usage_names() -> None:
    from chatcore.__main__ import COMMANDS, SERVER, TOOLS, USAGE

    named = set(re.findall(r"^(?:usage:)? +chatcore ([a-z-]+)", USAGE, re.MULTILINE)) - {
        "--version"
    }
    assert named == {*COMMANDS, *SERVER, *TOOLS} == set(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
def test_each_subcommand_explains_itself(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatcore", name, "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: chatcore {name} ")
    listed = set(re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]*)", done.stdout, re.MULTILINE))
    assert flags(PARSERS[name]) == listed - {"--help"}, "what is described is what is there"


@pytest.mark.parametrize("name", PARSERS)
def test_its_man_page_has_every_flag(made: dict[str, str], name: str) -> None:
    page = made[f"share/man/man1/chatcore-{name}.1"].replace("\\-", "-")
    assert flags(PARSERS[name]) <= set(re.findall(r"--[a-z][a-z-]*", page))
    assert page.startswith(f'.TH CHATCORE-{name.upper()} "1"')


def test_the_overview_names_every_page(made: dict[str, str]) -> None:
    overview = made["share/man/man1/chatcore.1"].replace("\\-", "-")
    for name in PARSERS:
        assert f".BR chatcore-{name} (1)" in overview


def test_man_and_groff_take_no_offence(made: dict[str, str], tmp_path: Path) -> None:
    man = tool("man")
    tool("groff")
    pages = {place: text for place, text in made.items() if "/man1/" in place}
    for place, text in pages.items():
        path = tmp_path / Path(place).name
        path.write_text(text)
        done = subprocess.run(
            [man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(path)],
            env=os.environ | {"LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
        assert done.stderr == ""
        assert done.returncode == 0
    print(f"man pages: {len(pages)} read, 0 warnings")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_every_flag_of_every_subcommand(made: dict[str, str], shell: str) -> None:
    (text,) = [text for place, text in made.items() if f"/{shell}" in place]
    words = set(re.findall(r"[\w-]+", text))
    for name, parser in PARSERS.items():
        assert name in words
        # fish writes them without the dashes, after -l.
        assert {flag if shell != "fish" else flag[2:] for flag in flags(parser)} <= words
    subprocess.run([tool(shell), "-n"], input=text, text=True, check=True, timeout=TIMEOUT_S)


def test_bash_completes_commands_and_flags(made: dict[str, str], tmp_path: Path) -> None:
    """In a real bash, as a person who presses Tab."""
    script = tmp_path / "chatcore"
    script.write_text(made["share/bash-completion/completions/chatcore"])
    for typed, wanted in (("chatcore sta", "status"), ("chatcore status --js", "--json")):
        words = typed.split()
        lines = f"""
            source {script}
            COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}
            _shtab_chatcore chatcore {words[-1]} {words[-2]}
            echo "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            [tool("bash"), "--norc", "-c", lines], capture_output=True, text=True, timeout=TIMEOUT_S
        )
        assert done.stdout.split() == [wanted], done.stderr


def test_the_same_sources_give_the_same_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    one, two = (
        {place: path.read_text() for path, place in GENERATE(tmp_path / name).items()}
        for name in ("one", "two")
    )
    assert one == two
    assert "1970-01-02" in one["share/man/man1/chatcore.1"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip builds it, from a copy, with what the tests have installed."""
    if find_spec("hatchling") is None:
        demand("hatchling is not installed")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("chatcore", "packaging", "LICENSES"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", out],
        cwd=source, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_holds_them_and_the_units(wheel: Path, made: dict[str, str]) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = [name.partition(".data/data/")[2] for name in packed.namelist()]
        whole = packed.namelist()
    shared = {name for name in names if name}
    units = {
        "share/chatcore/systemd/chatcore.service",
        "share/chatcore/systemd/chatcore.socket",
        "share/chatcore/sysctl.d/50-chatcore.conf",
    }
    assert shared == made.keys() | units
    ours = [name for name in whole if ".data/" not in name and ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in ours} == {"chatcore"}


def test_installed_it_runs(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment without any other package: help, a server, and its status."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True, timeout=TIMEOUT_S)
    python, command = tmp_path / "v" / "bin" / "python", tmp_path / "v" / "bin" / "chatcore"
    install = [python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, timeout=TIMEOUT_S)
    assert (tmp_path / "v" / "share" / "man" / "man1" / "chatcore-serve.1").exists()
    environment = {"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip

    assert run("--help").stdout.startswith("usage: chatcore serve")
    serving = subprocess.Popen(
        [command, "serve", "--port", "0"],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with serving:
        try:
            assert serving.stdout is not None
            assert "listening on" in serving.stdout.readline()
            assert ", ready\n" in run("status").stdout
        finally:
            serving.terminate()
    assert serving.returncode == 0
