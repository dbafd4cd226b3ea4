"""OPERATING.md and SECURITY.md as a test: their tables are the settings and limits of the code, and what they name exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore import (
    __main__,
    admin,
    config,
    diagnostics,
    passwords,
    self_made,
)
from chatcore.config import operators as config_operators
from chatcore.config import values as config_values
from chatcore.config.values import Several, Wrong
from chatcore.connection import answers, attendance, crowd, exchange, listener
from chatcore.diagnostics import sieve
from chatcore.dialects import native, sniff, wording
from chatcore.hub import bans, names, session
from chatcore.hub.verbs import past, rooms
from chatcore.log import dedup, log, shelf, stream
from chatcore.server import STOP_S
from chatcore.store import library

if TYPE_CHECKING:
    from chatcore.config.rows import Row

ROOT = Path(__file__).parent.parent
OPERATING = (ROOT / "docs" / "OPERATING.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
README = (ROOT / "README.md").read_text()
KIB, MIB = 1024, 1024 * 1024

FILES = {admin.SOCKET_FILE, self_made.CERT_FILE, self_made.KEY_FILE}

LIMITING = ("flood.", "limits.", "timeouts.", "presence.", "history.")


def takes(row: Row) -> str:
    """What the setting takes, in the words of its own refusal."""
    try:
        row.check(-1)
    except (Wrong, Several) as wrong:
        return str(wrong).removeprefix("a ").replace("1,000,000,000", "10⁹")
    pytest.fail(f"{row.key} takes -1")


def limits() -> str:
    return "".join(
        f"| `{row.key}` | `{json.dumps(row.default)}` | {takes(row)} | {row.help} |\n"
        for row in config.ROWS
        if row.key.startswith(LIMITING)
    )


def between(name: str) -> str:
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    assert (OPERATING.count(begin), OPERATING.count(end)) == (1, 1)
    table = OPERATING.partition(begin)[2].partition(end)[0]
    return "".join(table.splitlines(keepends=True)[2:])


def test_the_limits_are_listed_as_they_are() -> None:
    assert between("limits") == limits()


FIXED = [
    f"| a plain line, a text | {wording.LINE_BYTES:,} bytes",
    f"| a native line | {native.NATIVE_LINE_BYTES // KIB} KiB",
    f"| first line of a connection | {sniff.FIRST_LINE_BYTES // KIB} KiB",
    f"| lines of one text | {wording.TEXT_LINES}",
    f"| an alias, a room's name | {names.NAME_CHARACTERS} characters",
    f"| lines before one has joined | {wording.TRIES}",
    f"| own lines not yet acknowledged | {dedup.ID_WINDOW}",
    f"| rooms | {rooms.MOST_ROOMS:,} in all, {rooms.ROOMS_A_SESSION} a session",
    f"| coming back after a restart | {attendance.RESTART_GRACE_S:g} s",
    f"| bans | {bans.BANS_MOST:,} of the server, {bans.ROOM_BANS_MOST} a room",
    f"| sessions that may return | {session.SESSIONS_LAPSED:,}, for {session.TOKEN_DAYS} days",
    f"| a page of history, of a search | {past.HISTORY_MOST}, {past.SEARCH_MOST} lines",
    f"| history in memory | {stream.WINDOW_BYTES // MIB} MiB or {stream.WINDOW_RECORDS:,} records a room, "
    f"{log.TOTAL_WINDOW_BYTES // MIB} MiB in all",
    f"| pages of it for readers who are behind | {shelf.MOST_BYTES // MIB} MiB of what is in memory, "
    f"{library.SHELF_BYTES // MIB} MiB of what is on disk",
    f"| said, and not on disk yet | {exchange.UNSAVED_CHARS // MIB} Mi characters",
    f"| unread answers, the end | {answers.REPLIES_BYTES_MOST // MIB} MiB",
    f"| connections closed in a turn | {exchange.CLOSED_A_TURN}",
    f"| waiting to be accepted | {listener.BACKLOG:,}",
    f"| out of descriptors | {listener.PAUSE_FIRST_S:g} to {listener.PAUSE_LAST_S:g} s",
    f"| parts of an arrival | {crowd.PARTS_AN_ARRIVAL}",
    f"| one IPv6 address | a /{crowd.IPV6_SITE_BITS}",
    f"| operators | {config_operators.OPERATORS_MOST:,}",
    f"| a password | {passwords.PASSWORD_CHARACTERS} characters",
    f"| checking a password | {passwords.MEMORY_MOST // MIB} MiB",
    f"| `server.motd` | {config_values.MOTD_CHARACTERS:,} characters, {config_values.MOTD_LINES} lines",
    f"| log lines that wait | {diagnostics.QUEUED_LINES:,}",
    f"| log lines about one address | {sieve.LINES_A_MINUTE} a minute",
    f"| asking for metrics | {admin.CONNECTIONS_MOST} at once, {admin.DEADLINE_S:g} s, {admin.HEAD_BYTES // KIB} KiB",
    f"| stopping | {STOP_S:g} s",
]


@pytest.mark.parametrize("words", FIXED)
def test_what_is_fixed_is_listed_as_it_is(words: str) -> None:
    assert f"\n{words}" in "\n" + between("fixed")


def test_nothing_else_is_listed_as_fixed() -> None:
    assert len(between("fixed").splitlines()) == len(FIXED)


def test_what_waits_for_a_restart_is_named() -> None:
    (listed,) = re.findall(
        r"^Only a restart takes over (.*?)\.$", OPERATING, re.MULTILINE | re.DOTALL
    )
    assert re.findall(r"`([\w.]+)`", listed) == [row.key for row in config.ROWS if row.restart]


@pytest.mark.parametrize("name", ["docs/OPERATING.md", "SECURITY.md"])
def test_the_settings_commands_and_paths_that_are_named_exist(name: str) -> None:
    document = (ROOT / name).read_text()
    sections = {row.key.partition(".")[0] for row in config.ROWS}
    keys = set(re.findall(rf"`((?:{'|'.join(sections)})\.\w+)`", document)) - FILES
    assert keys - {row.key for row in config.ROWS} == set()
    commands = set(re.findall(r"`chatcore ([a-z-]+)", document))
    known = re.findall(r"^(?:usage:)? +chatcore ([a-z-]+)", __main__.USAGE, re.MULTILINE)
    assert commands - set(known) == set()
    links = set(re.findall(r"\]\(([\w/.]+)\)", document))
    assert {link for link in links if not ((ROOT / name).parent / link).exists()} == set()
    paths = set(re.findall(r"`((?:packaging|scripts|docs)/[\w./-]+)", document))
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_examples_of_operating_are_taken(tmp_path: Path) -> None:
    examples = re.findall(r"^```toml\n(.*?)^```$", OPERATING, re.MULTILINE | re.DOTALL)
    path = tmp_path / "chatcore.toml"
    taken = []
    for text in examples:
        path.write_text(text)
        taken.append(config.reread(["--config", str(path)], {"HOME": "/home/ann"}))
    assert [each.name for each in taken[0].operators] == ["Ann"]
    assert taken[0].tls_required
    assert any(each.web_names for each in taken)


def test_the_sizes_are_those_that_the_bench_measured() -> None:
    """What is said of memory and speed stands in README's tables, made by the command that is named there."""
    rows = re.findall(r"^\| .*? \| (W\d), “(.*?)” \| ([\d.,]+) ", OPERATING, re.MULTILINE)
    assert len(rows) >= 5
    for workload, server, figure in rows:
        table = README.partition(f"**{workload}: ")[2].partition("**W")[0]
        (measured,) = re.findall(rf"^\| {re.escape(server)} \|(.*)$", table, re.MULTILINE)
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d,]|\.\d)", measured), (
            workload,
            figure,
        )


@pytest.mark.parametrize(
    "words",
    [
        "end-to-end",
        "Report a vulnerability",
        "90 days",
        "known_hosts",
        "stored in clear",
        "**operators**",
    ],
)
def test_what_people_must_know_before_they_trust_it_is_said(words: str) -> None:
    assert words in SECURITY
