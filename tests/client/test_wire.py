"""The native dialect at the client: any split gives the same, and nothing hostile gets through as something else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.client import messages, wire
from chatcore.client.messages import Names, Person, Request, Room
from chatcore.client.wire import Inbox, encode_request, parse

HEAD = {"seq": 7, "time": "2026-11-20T14:02:11.000Z"}
STAMP = (7, "2026-11-20T14:02:11.000Z")

ROWS = [
    (
        {"t": "say", **HEAD, "room": "#a", "from": "Bob", "sid": "s", "id": "i", "text": "hi"},
        messages.Said(*STAMP, "#a", "Bob", "s", "i", "hi", False),
    ),
    (
        {"t": "me", **HEAD, "room": "#a", "from": "Bob", "sid": "s", "text": "waves"},
        messages.Said(*STAMP, "#a", "Bob", "s", "", "waves", True),
    ),
    (
        {"t": "dm", **HEAD, "from": "Bob", "to": "Ann", "sid": "s", "text": "psst"},
        messages.Direct(*STAMP, "Bob", "Ann", "s", "", "psst"),
    ),
    (
        {"t": "join", **HEAD, "room": "#a", "alias": "Bob", "sid": "s"},
        messages.Joined(*STAMP, "#a", "Bob", "s"),
    ),
    (
        {
            "t": "leave",
            **HEAD,
            "room": "#a",
            "alias": "Bob",
            "sid": "s",
            "why": "quit",
            "text": "x",
        },
        messages.Left(*STAMP, "#a", "Bob", "s", "quit", "x"),
    ),
    (
        {"t": "nick", **HEAD, "room": "#a", "from": "Bob", "to": "Rob", "sid": "s"},
        messages.Renamed(*STAMP, "#a", "Bob", "Rob", "s"),
    ),
    (
        {"t": "topic", **HEAD, "room": "#a", "from": "Bob", "sid": "s", "text": ""},
        messages.TopicSet(*STAMP, "#a", "Bob", "s", ""),
    ),
    (
        {"t": "crowd", **HEAD, "room": "#a", "joined": {"aliases": ["A", "B"], "more": 62}},
        messages.Crowd(*STAMP, "#a", Names(("A", "B"), 62), Names((), 0)),
    ),
    ({"t": "ack", "id": "i", "seq": 7}, messages.Ack("i", 7)),
    ({"t": "gap", "room": "#a", "missed": 3, "next": 9}, messages.Gap("#a", 3, 9)),
    ({"t": "pong", "re": "x"}, messages.Pong("x")),
    ({"t": "pong"}, messages.Pong("")),
    ({"t": "bye", "reason": "quit"}, messages.Bye("quit")),
    (
        {"t": "refused", "id": "i", "code": "flood", "words": "Slow.", "retry_s": 2},
        messages.Refused("i", "flood", "Slow.", 2.0),
    ),
    (
        {"t": "presence", "alias": "Bob", "state": "away", "text": "tea"},
        messages.Presence(Person("Bob", "away", "tea")),
    ),
    (
        {"t": "ok", "re": "x", "room": "#a", "people": [{"alias": "Bob"}], "count": 400},
        messages.Ok("x", "#a", "", "", "", (Person("Bob", "here", ""),), 400, (), 0),
    ),
    (
        {"t": "ok", "re": "x", "rooms": [{"room": "#a", "topic": "t", "people": 12}], "more": 3},
        messages.Ok("x", "", "", "", "", (), 0, (Room("#a", "t", (), 12),), 3),
    ),
    (
        {"t": "history", "room": "#a", "more": True, "records": [{"t": "pong"}, 3]},
        messages.History("", "#a", (), True),
    ),
    (
        {"t": "search", "re": "x", "more": True, "records": [{"t": "pong"}, 3]},
        messages.History("x", "", (), True),
    ),
    (
        {"t": "welcome", "log": "l", "sid": "s", "token": None, "alias": "A", "seq": 0},
        messages.Welcome("l", "s", "", "A", False, 0, ()),
    ),
]


@pytest.mark.parametrize(("fields", "message"), ROWS, ids=lambda row: str(row)[:40])
def test_each_message_of_the_protocol_is_read(fields, message):
    assert parse(fields) == message
    assert type(parse(fields)) is type(message)
    assert parse({**fields, "something": "new"}) == message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"t": 3},
        {"t": ["say"]},
        {"t": "something new"},
        {"t": "ack", "id": "i", "seq": True},
        {"t": "ack", "id": "i", "seq": -1},
        {"t": "ack", "id": "i", "seq": 2**63},
        {"t": "ack", "id": 3, "seq": 1},
        {"t": "gap", "room": "#a", "missed": "3", "next": 9},
        {"t": "welcome", "log": "l", "sid": "s", "alias": "A", "seq": 1, "rooms": {"room": "#a"}},
        {"t": "say", **HEAD, "room": "#a", "from": None, "sid": "s", "text": "hi"},
        {"t": "crowd", **HEAD, "room": "#a", "joined": [1]},
    ],
)
def test_a_field_of_the_wrong_type_is_no_message(fields):
    assert parse(fields) is None


@pytest.mark.parametrize("retry_s", ["1", None, float("nan"), float("inf"), -1, 10**400])
def test_a_senseless_time_to_wait_is_none(retry_s):
    assert parse({"t": "refused", "code": "x", "words": "y", "retry_s": retry_s}).retry_s == 0.0


def test_pages_within_pages_are_not_followed():
    page = {"t": "history", "room": "#a", "records": []}
    for _ in range(100):
        page = {"t": "history", "room": "#a", "records": [page]}
    assert parse(page) == messages.History("", "#a", (), False)


STREAM = (
    b"Choose an alias:\r\n-- hello\n"
    + json.dumps({"t": "pong", "re": "é"}, ensure_ascii=False).encode()
    + b"\n\n"
    + b'{"t":"bye","reason":"quit"}\r\n'
)


@given(cuts=st.lists(st.integers(0, len(STREAM))))
def test_any_split_gives_the_same(cuts):
    inbox, found = Inbox(), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(STREAM)], strict=True):
        found += inbox.feed(STREAM[begin:end])
    assert found == [{"t": "pong", "re": "é"}, {"t": "bye", "reason": "quit"}]
    assert inbox.broken is None
    assert not inbox.foreign


@pytest.mark.parametrize(
    "line", [b"{not json}", b'{"a":"\xff"}', b"{}\x00", b'{"a":' + b"[" * 9000, b"-- not any more"]
)
def test_what_is_not_json_breaks_the_stream_once_it_has_begun(line):
    inbox = Inbox()
    assert inbox.feed(b"{}\n" + line + b"\n") == [{}]
    assert inbox.broken == "a message that is not JSON"
    assert inbox.feed(b"{}\n") == []


@pytest.mark.parametrize("line", [b"[1]", b"3", b"null", b'"{"'])
def test_json_that_is_no_object_is_ignored(line):
    inbox = Inbox()
    assert inbox.feed(b"{}\n" + line + b'\n{"a":1}\n') == [{}, {"a": 1}]
    assert inbox.broken is None


def test_another_kind_of_server_is_noticed():
    inbox = Inbox()
    inbox.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert inbox.foreign


@pytest.mark.parametrize("chunk", [b"x" * 1000, b"x" * 999 + b"\n"])
def test_what_precedes_the_first_message_is_bounded(chunk):
    inbox = Inbox()
    for _ in range(wire.MAX_SKIPPED_BYTES // 1000 + 1):
        inbox.feed(chunk)
    assert inbox.broken == "this is no chat server of ours"


def test_a_message_without_end_is_bounded():
    inbox = Inbox()
    chunk = b"{" + b"x" * (1024 * 1024)
    for _ in range(wire.MAX_SERVER_LINE_BYTES // len(chunk) + 2):
        inbox.feed(chunk)
    assert inbox.broken == "a message without end"


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (Request("say", room="#a", text="hi"), {"t": "say", "id": "k", "room": "#a", "text": "hi"}),
        (Request("dm", to="Bob", text=""), {"t": "dm", "id": "k", "to": "Bob", "text": ""}),
        (
            Request("join", room="#a", text="x"),
            {"t": "join", "re": "k", "room": "#a", "topic": "x"},
        ),
        (Request("nick", alias="B"), {"t": "nick", "re": "k", "alias": "B"}),
        (Request("away"), {"t": "away", "re": "k"}),
        (
            Request("history", room="#a", limit=5),
            {"t": "history", "re": "k", "room": "#a", "limit": 5},
        ),
        (
            Request("history", room="#a", limit=5, after=0),
            {"t": "history", "re": "k", "room": "#a", "limit": 5, "after": 0},
        ),
        (
            Request("history", room="#a", before=9, since="2h"),
            {"t": "history", "re": "k", "room": "#a", "before": 9, "since": "2h"},
        ),
        (
            Request("last", room="#a", alias="Bob", limit=3),
            {"t": "last", "re": "k", "room": "#a", "from": "Bob", "limit": 3},
        ),
        (Request("search", text="tea"), {"t": "search", "re": "k", "text": "tea"}),
        (
            Request("ban", name="Bob", period="10m", room="#a", text="spam"),
            {"t": "ban", "re": "k", "name": "Bob", "for": "10m", "room": "#a", "text": "spam"},
        ),
        (
            Request("oper", name="root", password="x"),
            {"t": "oper", "re": "k", "name": "root", "password": "x"},
        ),
        (Request("lock", room="#a", key="x"), {"t": "lock", "re": "k", "room": "#a", "key": "x"}),
    ],
)
def test_requests_are_written_as_the_protocol_says(request_, fields):
    line = encode_request(request_, "k")
    assert line.endswith(b"\n")
    assert json.loads(line) == fields
