"""The documents as a test: what they say of commands, settings, messages and limits is what the code does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore import __version__, config
from chatcore.dialects import native_form
from chatcore.dialects.native import NATIVE_LINE_BYTES
from chatcore.dialects.wording import LINE_BYTES, TEXT_LINES
from chatcore.hub.names import NAME_CHARACTERS
from chatcore.hub.verbs import NATIVE, TABLE
from chatcore.log.dedup import ID_WINDOW
from chatcore.log.stream import WINDOW_BYTES, WINDOW_RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text()


def between(name: str) -> str:
    return README.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0]


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table's rows, without its head."""
    lines = [line for line in table.strip().splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_readme_lists_the_commands_as_the_table_has_them() -> None:
    assert rows(between("commands")) == [[v.usage, v.summary] for v in TABLE if v.plain]


def test_readme_lists_the_settings_as_they_are() -> None:
    wanted = [
        [row.key, row.flag or "", "" if row.default in (None, ()) else str(row.default), row.help]
        for row in config.ROWS
    ]
    assert rows(between("settings")) == wanted


def test_help_names_every_flag() -> None:
    text = config.parser().format_help()
    for row in config.ROWS:
        assert row.flag is None or row.flag in text


def test_protocol_names_every_native_command() -> None:
    for name in ("hello", *NATIVE):
        assert re.search(rf"`{name}[ `]", PROTOCOL), name


def refusal_codes() -> Iterator[str]:
    for path in (ROOT / "chatcore").rglob("*.py"):
        if "client" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    yield str(code.value)


def test_protocol_names_every_refusal() -> None:
    codes = set(refusal_codes())
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in PROTOCOL} == set()


def test_protocol_names_every_message_of_the_server() -> None:
    source = Path(native_form.__file__).read_text()
    kinds = set(re.findall(r'"t": "(\w+)"|_(?:head|in_room)\("(\w+)"', source))
    names = {a or b for a, b in kinds} | {"say", "me", "history"}
    assert len(names) > 10
    for name in names:
        assert f"`{name}" in PROTOCOL, name


def test_documented_limits_are_the_limits() -> None:
    assert f"{LINE_BYTES:,} bytes" in PROTOCOL
    assert f"{TEXT_LINES} lines" in PROTOCOL
    assert f"{NATIVE_LINE_BYTES // 1024} KiB" in PROTOCOL
    assert f"1–{NAME_CHARACTERS} characters" in PROTOCOL
    assert f"acknowledged | {ID_WINDOW} |" in PROTOCOL
    assert f"{WINDOW_BYTES // 1024 // 1024} MiB or {WINDOW_RECORDS:,} records" in README


def test_paths_that_readme_names_exist() -> None:
    named = set(re.findall(r"(?:tests|scripts|docs|clients)/[\w/.]+\w", README))
    inside = set(re.findall(r"`((?:log|hub|dialects|connection|reactor|client)/[\w/.]+)`", README))
    assert len(named) > 8
    assert len(inside) > 12
    for path in named:
        assert (ROOT / path).exists(), path
    for path in inside:
        assert (ROOT / "chatcore" / path).exists(), path


def test_changelog_has_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.timeout(60)
def test_the_example_program_of_readme_works(start: Any) -> None:
    server = start().server if hasattr(start(), "server") else start()
    code = between("example").strip().removeprefix("```python").removesuffix("```")
    code = code.replace("59000", str(server.port))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert '"text":"Beep."' in ran.stdout
