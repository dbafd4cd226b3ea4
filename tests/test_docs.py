"""The documents as a test: what they say of commands, settings, messages and limits is what the code does."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore import __version__, config
from chatcore.client.commands import COMMANDS
from chatcore.client.standing import PASSING_CODES
from chatcore.connection.limits import Limits
from chatcore.dialects import native, native_form, plain
from chatcore.dialects.wording import LINE_BYTES, TEXT_LINES
from chatcore.hub import reply
from chatcore.hub.decision import PEOPLE_ON_JOIN, PEOPLE_ON_WHO
from chatcore.hub.names import NAME_CHARACTERS
from chatcore.hub.session import SESSIONS_LAPSED, TOKEN_DAYS
from chatcore.hub.verbs import NATIVE, TABLE, people, rooms
from chatcore.hub.verbs.past import (
    HISTORY_DEFAULT,
    HISTORY_MOST,
    LAST_DEFAULT,
    SEARCH_DEFAULT,
    SEARCH_MOST,
)
from chatcore.hub.verbs.query import WORDS_MOST
from chatcore.log.dedup import ID_WINDOW
from chatcore.log.log import TOTAL_WINDOW_BYTES
from chatcore.log.stream import WINDOW_BYTES, WINDOW_RECORDS
from chatcore.server import STOP_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server, Start

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
MIB = 1024 * 1024
DEADLINE_S = 20.0


def between(name: str) -> str:
    """What stands in README between two marks."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    assert (README.count(begin), README.count(end)) == (1, 1)
    return README.partition(begin)[2].partition(end)[0]


def block(language: str) -> str:
    """The only code block of that language in README."""
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert isinstance(code, str)
    return code


def table(*rows: tuple[str, ...]) -> str:
    """As Markdown, without its head."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def body(text: str) -> str:
    """A table without its head."""
    return "".join(text.lstrip("\n").splitlines(keepends=True)[2:])


def section(document: str, title: str) -> str:
    return document.partition(f"\n{title}\n")[2].partition(f"\n{title.partition(' ')[0]} ")[0]


def messages(title: str) -> dict[str, str]:
    """The messages that the first column of a table of PROTOCOL.md names, and their fields."""
    cells = re.findall(r"^\| (`.*?) \| ", section(PROTOCOL, title), re.MULTILINE)
    return dict(re.findall(r"`(\w+)(?: {(.*?)})?`", ", ".join(cells)))


# README


def test_readme_lists_the_commands_as_the_table_has_them() -> None:
    wanted = table(*((f"`{verb.usage}`", verb.summary) for verb in TABLE if verb.plain))
    assert body(between("commands")) == wanted


def test_readme_names_the_commands_that_only_the_clients_have() -> None:
    more = set(
        re.findall(r"`/(\w+)", re.findall(r"know a few more: (.*)\.$", README, re.MULTILINE)[0])
    )
    assert more == set(COMMANDS) - {verb.name for verb in TABLE if verb.plain}


def shown(default: object) -> str:
    return "none" if default is None else f"`{json.dumps(default)}`"


def test_readme_lists_the_settings_as_they_are() -> None:
    wanted = table(
        *(
            (f"`{row.key}`", f"`{row.flag}`" if row.flag else "", shown(row.default), row.help)
            for row in config.ROWS
        )
    )
    assert body(between("settings")) == wanted


def test_help_names_every_flag() -> None:
    text = config.parser().format_help()
    for row in config.ROWS:
        assert row.flag is None or row.flag in text


def test_the_settings_file_of_readme_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chatcore.toml"
    path.write_text(block("toml"))
    settings = config.load_or_explain(["--config", str(path)], {})
    assert isinstance(settings, config.Settings), capsys.readouterr().err
    assert (settings.host, settings.flood_burst, settings.flood_per_second) == ("0.0.0.0", 40, 10)


def test_readme_names_every_exit_code() -> None:
    codes = {getattr(config, name) for name in dir(config) if name.startswith("EXIT_")}
    named = re.findall(r"^\| (\d+) \|", section(README, "## Settings"), re.MULTILINE)
    assert sorted(map(int, named)) == sorted({0, *codes})


def test_the_paths_that_readme_names_exist() -> None:
    named = set(re.findall(r"\b(?:chatcore|clients|docs|scripts|tests)/[\w/]+(?:\.\w+)?", README))
    assert len(named) > 40
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_readme_names_every_file_of_the_fault_rounds() -> None:
    files = {f"`tests/faults/{path.name}`" for path in (ROOT / "tests/faults").glob("test_*.py")}
    assert {name for name in files if name not in README} == set()


def test_the_program_of_readme_answers(start: Start, server: Server, tmp_path: Path) -> None:
    code = block("python")
    assert len(code.splitlines()) <= 10
    assert code.count("59000") == 1
    path = tmp_path / "bot.py"
    path.write_text(code.replace("59000", str(server.address[1])))
    alice = start.plain("Alice")
    with subprocess.Popen([sys.executable, path], stderr=subprocess.PIPE, text=True) as bot:
        try:
            alice.read_until("^Pingbot has connected")
            alice.send("hello", "!ping", "hello again", "!ping")
            alice.read_until("^Pingbot: pong$")
            alice.read_until("^Pingbot: pong$")
            server.stop()
            assert bot.wait(20) == 0
        finally:
            bot.kill()
        assert bot.stderr is not None
        assert bot.stderr.read() == ""


def test_everyone_sees_what_readme_shows(start: Start, server: Server) -> None:
    """Bob types what is marked; Alice, between his lines, what shows as hers."""
    steps = {
        "Bob: Hello, everyone!": ("Hi Bob!", "/me waves", "/msg Bob bring the cake", "/nick Ally"),
        "Alice is now known as Ally": ("/quit off to the shop",),
    }
    alice, bob = start.plain("Alice"), start.plain()
    alice.send("/topic tea at four")
    alice.read_until("set the topic")
    for line in block("text").splitlines():
        if line.startswith("> "):
            bob.send(line.removeprefix("> "))
        else:
            assert bob.next_line(time.monotonic() + DEADLINE_S) == line
            alice.send(*steps.get(line, ()))


# PROTOCOL.md


def test_protocol_names_every_native_command() -> None:
    assert set(messages("### Client to server")) == {"hello", *NATIVE}


def test_protocol_gives_each_command_its_fields() -> None:
    documented = messages("### Client to server")
    for verb in NATIVE.values():
        fields = {param.name if param.required else f"{param.name}?" for param in verb.params}
        assert set(re.findall(r"\w+\??", documented[verb.name])) == fields, verb.name


def refusal_codes() -> Iterator[str]:
    """Every code that the server refuses with. A computed one would be none that this can see."""
    for path in (ROOT / "chatcore").rglob("*.py"):
        if "client" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal":
                code = node.args[0]
                if isinstance(code, ast.Name):
                    yield getattr(reply, code.id)
                    continue
                assert isinstance(code, ast.Constant), f"{path}:{node.lineno}: a computed code"
                yield str(code.value)


def test_protocol_names_every_refusal() -> None:
    listed = PROTOCOL.partition("\nCodes: ")[2].partition(".\n")[0]
    used = set(refusal_codes())
    assert len(used) > 15
    assert set(re.findall(r"`(\w+)`", listed)) == used | PASSING_CODES


def test_protocol_names_every_message_of_the_server() -> None:
    source = Path(native_form.__file__).read_text()
    found = re.findall(r'"t": ?"(\w+)"|_(?:head|in_room|page)\("(\w+)"', source)
    # A page of three kinds is written in one place.
    kinds = {literal or called for literal, called in found} | {"history", "search", "modlog"}
    assert len(kinds) > 10
    assert set(messages("### Server to client")) == kinds | {"say", "me"}


@pytest.mark.parametrize(
    "words",
    [
        f"| a plain line | {LINE_BYTES:,} bytes",
        f"| a native line from a client | {native.NATIVE_LINE_BYTES // 1024} KiB |",
        f"| `text` | {LINE_BYTES:,} bytes of UTF-8, {TEXT_LINES} lines; of `away` {people.AWAY_CHARACTERS} characters |",
        f"| alias | 1–{NAME_CHARACTERS} characters |",
        f"| room | `#` and 1–{NAME_CHARACTERS} characters |",
        f"| lines of one's own not yet acknowledged | {ID_WINDOW} |",
        f"| from accept to joined | {Limits().join_s:.0f} s and {native.TRIES} tries |",
        f"| rooms | {rooms.MOST_ROOMS:,} in all; {rooms.ROOMS_A_SESSION} a session; {rooms.NEW_ROOMS_A_HELLO} new ones",
        f"| {WINDOW_BYTES // MIB} MiB or {WINDOW_RECORDS:,} records; {TOTAL_WINDOW_BYTES // MIB} MiB in all |",
        f"| sessions that may return | {SESSIONS_LAPSED:,}, for {TOKEN_DAYS} days |",
        f"| {PEOPLE_ON_JOIN} on joining, {PEOPLE_ON_WHO:,} in the answer to `who`",
        f"| answers that one does not read | {Limits().reply_bytes // 1024} KiB |",
        f"| {Limits().progress_s:.0f} s without taking any of it |",
        f"| rooms listed | {rooms.ROOMS_LISTED}, ",
        f"`limit` ≤ {HISTORY_MOST}, default {HISTORY_DEFAULT} |",
        f"`limit` ≤ {HISTORY_MOST}, default {LAST_DEFAULT} |",
        f"`limit` ≤ {SEARCH_MOST}, default {SEARCH_DEFAULT} |",
        f"| words of a search | {WORDS_MOST} |",
        f"go on for {TOKEN_DAYS} days",
    ],
)
def test_the_limits_of_protocol_are_those_of_the_code(words: str) -> None:
    assert words in PROTOCOL
    assert native.TRIES == plain.TRIES


DEFAULTS = {row.key: row.default for row in config.ROWS}


@pytest.mark.parametrize(
    "words",
    [
        f"{WINDOW_BYTES // MIB} MiB or {WINDOW_RECORDS:,} records a room, {TOTAL_WINDOW_BYTES // MIB} MiB in all",
        f"For {DEFAULTS['presence.grace_s']:.0f} s the alias is held",
        f"within {TOKEN_DAYS} days",
        f"{DEFAULTS['server.host']}:{DEFAULTS['server.port']}",
        f"within {STOP_S:.0f} s",
        f"the room's last {DEFAULTS['history.on_join']} lines",
    ],
)
def test_the_limits_of_readme_are_those_of_the_code(words: str) -> None:
    assert words in re.sub(r"\s+", " ", README)


# /help, CHANGELOG.md


def test_help_in_the_room_lists_what_readme_lists(start: Start, server: Server) -> None:
    alice = start.plain("Alice")
    alice.send("/help")
    listed = re.findall(r"^-- (/.*?) {2,}(.*)$", "\n".join(alice.settle()), re.MULTILINE)
    assert table(*((f"`{usage}`", words) for usage, words in listed)) == body(between("commands"))


def test_changelog_has_this_version_and_its_heads() -> None:
    (head,) = re.findall(rf"^## {re.escape(__version__)}.*$", CHANGELOG, re.MULTILINE)
    heads = re.findall(r"^### (.*)$", section(CHANGELOG, head), re.MULTILINE)
    assert heads == ["Compatibility", "Security", "Added", "Changed", "Fixed"]
