"""The forms of a log line: one event is one line, and valid, whatever peers call themselves."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.diagnostics.forms import MESSAGE_CHARS, ForJournal, OneLine, OneObject, event, form

EVIL = [
    "a\nb",
    "\r\n14:02:11 Mallory is admin",
    "\x1b[2J\x1b]0;x\x07",
    "%s%d%n%(peer)s",
    "{}{0}{peer!r}",
    "\x9b31m\x7f\x00",
    "\u202e\u2028\u2029\u2066",
    "\udc80\ud800",
    b"\xff\xfe\x80".decode("utf-8", "surrogateescape"),
    "é" * 10_240,
    '"}\n{"level": "critical"',
    "\\",
    "\U0001f600",
]


def record(
    text: str, *args: object, level: int = logging.INFO, fault: bool = False
) -> logging.LogRecord:
    info = None
    if fault:
        try:
            raise ValueError("\n".join(EVIL))
        except ValueError as error:
            info = (ValueError, error, error.__traceback__)
    return logging.LogRecord("chatcore.room", level, "", 0, text, args, info)


def test_an_event_is_an_object_with_named_fields():
    made = record("%(alias)s connected from %(peer)s", {"alias": "Ann", "peer": "192.0.2.1:5"})
    made.created = 1_800_000_000.1239
    assert json.loads(OneObject().format(made)) == {
        "time": "2027-01-15T08:00:00.123Z",
        "level": "info",
        "event": "connected_from",
        "alias": "Ann",
        "peer": "192.0.2.1:5",
        "message": "Ann connected from 192.0.2.1:5",
    }


def test_a_fault_is_one_object_too():
    line = OneObject().format(record("internal error in %s", "X", level=logging.ERROR, fault=True))
    assert "\n" not in line
    found = json.loads(line)
    assert found["level"] == "error"
    assert found["event"] == "internal_error_in"
    assert found["error"].startswith("ValueError: a\\nb")
    assert "Traceback" in found["trace"]
    assert not set(found["trace"]) & set("\x1b\x07\r\x9b\x7f\u202e\u2028\x00")


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("kind", [OneLine, OneObject, ForJournal])
def test_what_peers_sent_is_one_line_that_any_reader_takes(kind, evil):
    for made in (
        record("%s joined", evil),
        record("%(alias)s joined", {"alias": evil, "reason": evil}),
    ):
        line = kind().format(made)
        assert "joined" in line
        assert "\n" not in line
        assert not set(line) & set("\x1b\x07\r\x9b\x7f\u202e\u2028\x00\u2066")
        line.encode()
        assert len(line) < 20 * MESSAGE_CHARS
        if kind is OneObject:
            assert line.isascii()
            assert json.loads(line)["level"] == "info"


@given(
    st.text(),
    st.dictionaries(st.text(min_size=1), st.text() | st.floats() | st.none() | st.integers()),
)
def test_every_template_and_every_field_give_valid_json(template, fields):
    made = logging.LogRecord("x", logging.INFO, "", 0, template, (fields,), None)
    line = OneObject().format(made)
    assert line.isascii()

    def no_constant(name: str) -> None:
        pytest.fail(f"{name} is not JSON")

    found = json.loads(line, parse_constant=no_constant)
    assert found["event"]
    assert "\n" not in line


def test_a_field_cannot_take_the_place_of_another():
    found = json.loads(OneObject().format(record("%(level)s", {"level": "critical", "time": 1})))
    assert (found["level"], found["level_"], found["time_"]) == ("info", "critical", 1)


def test_a_wrong_call_is_no_reason_to_fall():
    for args in (("x",), (1, 2, 3), ({"b": 1},)):
        assert "%(a)d" in OneLine().format(record("%(a)d", *args))


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("%(alias)s connected from %(peer)s", "connected_from"),
        ("%s was turned away: %s", "was_turned_away"),
        (
            "stopping: telling %d; the longest turn took %.0f ms",
            "stopping_telling_the_longest_turn_took",
        ),
        ("cannot start a thread: %s", "cannot_start_a_thread"),
        ("%s", "message"),
    ],
)
def test_an_event_has_the_same_name_whoever_it_is_about(template, name):
    assert event(template) == name


def test_the_journal_gets_its_priority_on_every_line_and_no_time():
    assert ForJournal().format(record("hello")) == "<6>hello"
    assert ForJournal().format(record("disk", level=logging.CRITICAL)) == "<2>disk"
    lines = ForJournal().format(record("oh", level=logging.ERROR, fault=True)).split("\n")
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)


# Which form


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_people_at_a_terminal_get_lines_and_everything_else_objects():
    assert type(form("auto", Terminal(), {})) is OneLine
    assert type(form("auto", io.StringIO(), {})) is OneObject
    assert type(form("human", io.StringIO(), {})) is OneLine
    assert type(form("json", Terminal(), {})) is OneObject


def test_the_journal_is_known_by_its_socket(tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("w") as stream, (tmp_path / "log").open("w") as file:
        found = os.fstat(ours.fileno())
        names = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert type(form("auto", stream, names)) is ForJournal
        assert type(form("auto", file, names)) is OneObject  # a child that writes elsewhere
        assert type(form("auto", io.StringIO(), names)) is OneObject
        assert type(form("json", stream, names)) is OneObject


def test_every_event_of_the_server_has_a_name_of_its_own():
    """Two kinds of events that are called the same cannot be told apart by whoever filters."""
    call = re.compile(
        r'\blog(?:ger)?\.(?:debug|info|warning|error|critical|exception)\(\s*"([^"]+)"'
    )
    root = Path(__file__).parents[2] / "chatcore"
    templates = {
        template
        for path in root.rglob("*.py")
        if "client" not in path.parts
        for template in call.findall(path.read_text())
    }
    assert len(templates) > 15
    names = sorted(map(event, templates - {"%s"}))
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
