"""The layering as a test: a wrong import or an overgrown file fails here and names the rule it breaks."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent / "chatcore"

MAY: dict[str, set[str]] = {
    "log": set(),
    "hub": {"log"},
    "dialects": {"log", "hub"},
    "reactor": set(),
    "connection": {"log", "hub", "dialects", "reactor"},
    "client": {"log", "dialects", "reactor"},
}
"""Layer → the other layers it may import. What is not named here (server, config, …) may import anything."""

PURE = {"log", "hub", "dialects"}
"""I/O, clock and randomness reach these as arguments only."""

IMPURE = {
    "asyncio",
    "os",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "threading",
    "time",
}

FILE_LINES = 400
FUNCTION_LINES = 60
SERVER_LINES = 120
"""`server.py` is the map; a map fits on a page."""

FILES = sorted(ROOT.rglob("*.py"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            yield ("chatcore." if node.level else "") + (node.module or "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_keeps_the_rules(path: Path) -> None:
    text, layer = path.read_text(), path.relative_to(ROOT).parts[0]
    tree = ast.parse(text)
    assert text.count("\n") <= FILE_LINES, f"no file over {FILE_LINES} lines"
    assert ast.get_docstring(tree), "every file opens with why it exists"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno
            assert lines < FUNCTION_LINES, f"{node.name}: no function over {FUNCTION_LINES} lines"
    for name in imported(tree):
        top, _, rest = name.partition(".")
        assert layer not in PURE or top not in IMPURE, f"{layer} is pure: it may not import {name}"
        assert top != "asyncio", "the loop is ours"
        if top == "chatcore" and layer in MAY and (other := rest.split(".")[0]) not in (layer, ""):
            assert other in MAY[layer], f"{layer} may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_group_is_repeated_possessively(path: Path) -> None:
    """CPython before 3.11.5, such as Debian 12's, then goes on from where the last try ended (gh-106052)."""
    strings = [
        node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    ]
    assert [
        each for each in strings if re.search(r"\)[*+?]\+", re.sub(r"\[[^]]*]", "", each))
    ] == []


def test_the_map_fits_on_a_page() -> None:
    assert (ROOT / "server.py").read_text().count("\n") <= SERVER_LINES


def test_broad_excepts_that_end_a_fault_stand_in_one_place() -> None:
    """Others may only clean up, and raise it again."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    ]
    assert [each.partition(":")[0] for each in found] == ["reactor/loop.py"]
