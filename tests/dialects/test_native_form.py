"""The native dialect, to the wire: one JSON object a line that decodes to what was typed, in bytes safe on a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.dialects.native_form import NativeForm, native_reply, quoted, rfc3339
from chatcore.hub.reply import (
    Ack,
    Bye,
    Done,
    Entered,
    HelpPage,
    HelpRow,
    HistoryPage,
    People,
    Person,
    Pong,
    Presence,
    Refusal,
    Refused,
    Reply,
    RoomList,
    RoomView,
    SearchPage,
    Wanted,
    Welcome,
)
from chatcore.log.archive import Past
from chatcore.log.record import (
    Closed,
    Crowd,
    Direct,
    Joined,
    Left,
    Opened,
    Record,
    Renamed,
    Said,
    TopicSet,
)

ROOM = "#lobby"
TIME_MS = 1_763_647_331_004
TIME = "2025-11-20T14:02:11.004Z"
HEAD: dict[str, Any] = {"seq": 5, "time": TIME}
IN_ROOM: dict[str, Any] = HEAD | {"room": ROOM}


def said(text: str, lines: int = 1, ids: tuple[str, ...] = (), *, me: bool = False) -> Said:
    return Said(5, TIME_MS, ROOM, "s1", "Ann", text, lines, ids, me)


def decoded(data: bytes) -> list[Any]:
    """The objects of whole lines."""
    assert not data or data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


RECORDS: list[tuple[Record, list[dict[str, Any]]]] = [
    (said("hi"), [IN_ROOM | {"t": "say", "from": "Ann", "sid": "s1", "text": "hi"}]),
    (
        said("a\nb", 1, ("x",)),
        [IN_ROOM | {"t": "say", "from": "Ann", "sid": "s1", "id": "x", "text": "a\nb"}],
    ),
    (
        said("a\nb", 2, ("x", "y"), me=True),
        [
            IN_ROOM | {"t": "me", "from": "Ann", "sid": "s1", "id": "x", "text": "a"},
            IN_ROOM | {"t": "me", "seq": 6, "from": "Ann", "sid": "s1", "id": "y", "text": "b"},
        ],
    ),
    (
        said("a\nb", 2),
        [
            IN_ROOM | {"t": "say", "from": "Ann", "sid": "s1", "text": "a"},
            IN_ROOM | {"t": "say", "seq": 6, "from": "Ann", "sid": "s1", "text": "b"},
        ],
    ),
    (
        Direct(5, TIME_MS, "s1", "Ann", "s2", "Bob", "psst", "x"),
        [HEAD | {"t": "dm", "from": "Ann", "to": "Bob", "sid": "s1", "id": "x", "text": "psst"}],
    ),
    (
        Direct(5, TIME_MS, "s1", "Ann", "s2", "Bob", "psst", None),
        [HEAD | {"t": "dm", "from": "Ann", "to": "Bob", "sid": "s1", "text": "psst"}],
    ),
    (
        Joined(5, TIME_MS, ROOM, "s1", "Ann", False),
        [IN_ROOM | {"t": "join", "alias": "Ann", "sid": "s1"}],
    ),
    (Joined(5, TIME_MS, ROOM, "s1", "Ann", True), []),
    (
        Left(5, TIME_MS, ROOM, "s1", "Ann", "lost", "", False),
        [IN_ROOM | {"t": "leave", "alias": "Ann", "sid": "s1", "why": "lost"}],
    ),
    (
        Left(5, TIME_MS, ROOM, "s1", "Ann", "quit", "bye", False),
        [IN_ROOM | {"t": "leave", "alias": "Ann", "sid": "s1", "why": "quit", "text": "bye"}],
    ),
    (Left(5, TIME_MS, ROOM, "s1", "Ann", "quit", "bye", True), []),
    (
        Renamed(5, TIME_MS, ROOM, "s1", "Ann", "Ally"),
        [IN_ROOM | {"t": "nick", "from": "Ann", "to": "Ally", "sid": "s1"}],
    ),
    (
        TopicSet(5, TIME_MS, ROOM, "s1", "Ann", ""),
        [IN_ROOM | {"t": "topic", "from": "Ann", "sid": "s1", "text": ""}],
    ),
    (
        Crowd(5, TIME_MS, ROOM, ("Ann", "Bob"), 64, ("Cy",), 1),
        [
            IN_ROOM
            | {
                "t": "crowd",
                "joined": {"aliases": ["Ann", "Bob"], "more": 62},
                "left": {"aliases": ["Cy"], "more": 0},
            }
        ],
    ),
    (
        Crowd(5, TIME_MS, ROOM, ("Ann",), 1, (), 0, 120),
        [
            IN_ROOM
            | {
                "t": "crowd",
                "joined": {"aliases": ["Ann"], "more": 0},
                "left": {"aliases": [], "more": 0},
                "count": 120,
            }
        ],
    ),
    (Opened(5, TIME_MS, "s1", "Ann", None), []),
    (Closed(5, TIME_MS, "s1", False), []),
]


@pytest.mark.parametrize(("record", "expected"), RECORDS)
def test_a_record_is_written_as_the_contract_says(
    record: Record, expected: list[dict[str, Any]]
) -> None:
    assert decoded(NativeForm.record(record)) == expected


def test_a_gap_names_the_room_but_no_private_stream() -> None:
    assert decoded(NativeForm.gap(ROOM, 3, 9)) == [
        {"t": "gap", "room": ROOM, "missed": 3, "next": 9}
    ]
    assert decoded(NativeForm.gap("s1", 3, 9)) == [{"t": "gap", "room": "", "missed": 3, "next": 9}]


ANN = Person("Ann", "here", "")
BOB = Person("Bob", "away", "tea")
VIEW = RoomView(ROOM, "tea", 2, (ANN, BOB))
SHOWN: dict[str, Any] = {
    "room": ROOM,
    "topic": "tea",
    "count": 2,
    "people": [{"alias": "Ann", "state": "here"}, {"alias": "Bob", "state": "away", "text": "tea"}],
}

REPLIES: list[tuple[Reply, dict[str, Any]]] = [
    (
        Welcome("l", "s1", "tok", "Ann", True, 7, 30.0, (VIEW,), "h"),
        {
            "t": "welcome",
            "v": 1,
            "log": "l",
            "sid": "s1",
            "token": "tok",
            "alias": "Ann",
            "resumed": True,
            "seq": 7,
            "grace_s": 30.0,
            "rooms": [SHOWN],
            "re": "h",
        },
    ),
    (Entered(VIEW, 0), {"t": "ok", **SHOWN, "re": 0}),
    (Done("words", {"alias": "Ally"}, "n"), {"t": "ok", "alias": "Ally", "re": "n"}),
    (People((VIEW,), None), {"t": "ok", "rooms": [SHOWN]}),
    (
        RoomList(((ROOM, "tea", 2, False), ("#den", "", 0, True)), 3, "r"),
        {
            "t": "ok",
            "rooms": [
                {"room": ROOM, "topic": "tea", "people": 2},
                {"room": "#den", "topic": "", "people": 0, "locked": True},
            ],
            "more": 3,
            "re": "r",
        },
    ),
    (
        HelpPage((HelpRow("say", "", "says"),), "h"),
        {"t": "ok", "commands": [{"name": "say", "usage": "", "summary": "says"}], "re": "h"},
    ),
    (
        Refused(Refusal("flood", "Too fast.", 1.5), "x", "r"),
        {
            "t": "refused",
            "id": "x",
            "code": "flood",
            "words": "Too fast.",
            "retry_s": 1.5,
            "re": "r",
        },
    ),
    (Refused(Refusal("a", "b")), {"t": "refused", "code": "a", "words": "b"}),
    (Ack("x", 9), {"t": "ack", "id": "x", "seq": 9}),
    (Presence(BOB), {"t": "presence", "alias": "Bob", "state": "away", "text": "tea"}),
    (Pong(), {"t": "pong"}),
    (Pong("\x1b"), {"t": "pong", "re": "\x1b"}),
    (Bye("quit", 2), {"t": "bye", "reason": "quit", "re": 2}),
    (Bye("storage"), {"t": "bye", "reason": "storage"}),
    (
        SearchPage((RECORDS[0][0],), True, 4),
        {"t": "search", "re": 4, "records": RECORDS[0][1], "more": True},
    ),
    (SearchPage((), False), {"t": "search", "records": [], "more": False}),
    (
        HistoryPage(ROOM, (said("a\nb", 2), RECORDS[7][0]), True, 0, "r"),
        {"t": "history", "re": "r", "room": ROOM, "records": RECORDS[3][1], "more": True},
    ),
    (
        HistoryPage(ROOM, (), False, 0),
        {"t": "history", "room": ROOM, "records": [], "more": False},
    ),
]


@pytest.mark.parametrize(("reply", "expected"), REPLIES)
def test_a_reply_is_written_as_the_contract_says(reply: Reply, expected: dict[str, Any]) -> None:
    assert decoded(native_reply(reply)) == [expected]


def test_a_welcome_tells_how_long_history_is_kept_if_not_for_ever() -> None:
    welcome = Welcome("l", "s1", "tok", "Ann", True, 7, 30.0, (VIEW,), "h", "For 30 days.")
    (told,) = decoded(native_reply(welcome))
    assert told["kept"] == "For 30 days."
    (told,) = decoded(native_reply(welcome._replace(kept="")))
    assert "kept" not in told


def test_what_is_still_to_be_read_is_not_written() -> None:
    page = HistoryPage(ROOM, (), False, 0)
    assert native_reply(Wanted(Past(ROOM, 1, 9), page, 1, 8)) == b""


@pytest.mark.parametrize(
    ("time_ms", "expected"),
    [(0, "1970-01-01T00:00:00.000Z"), (999, "1970-01-01T00:00:00.999Z"), (TIME_MS, TIME)],
)
def test_times_are_rfc3339_in_utc_with_milliseconds(time_ms: int, expected: str) -> None:
    assert rfc3339(time_ms) == expected


# Written out once more, from the standards and not from the module.
UNSAFE_CODES = frozenset(
    [
        *(*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)),
        *(0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)),
    ]
)


def assert_safe(data: bytes) -> None:
    assert not UNSAFE_CODES & set(map(ord, data.decode())), data


# What a text may hold: everything but surrogates, which no dialect lets in; and more of what is dangerous.
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",)),
        st.sampled_from(
            '\x1b\x9b\x07\r\n\t\x00\x7f\x85\u202e\u2066\u2069\u200f\u2028"\\\U000e0041'
        ),
    ),
    max_size=40,
)


def test_a_character_beyond_the_basic_plane_is_escaped_as_its_pair() -> None:
    assert quoted("a\U000e0041") == '"a\\udb40\\udc41"'
    assert quoted("🙂") == '"🙂"'


@settings(deadline=None)
@given(TEXT)
def test_a_quoted_string_decodes_to_what_was_typed(text: str) -> None:
    assert json.loads(quoted(text)) == text
    assert "\n" not in quoted(text)
    assert_safe(quoted(text).encode())


@settings(deadline=None)
@given(TEXT.filter(bool))
def test_a_record_decodes_to_the_text_that_was_typed(text: str) -> None:
    lines = text.split("\n")
    records: list[tuple[Record, list[str]]] = [
        (said(text), [text]),
        (said(text, len(lines)), lines),
        (Direct(5, 0, "s", "Ann", "t", "Bob", text, None), [text]),
        (Left(5, 0, ROOM, "s", "Ann", "quit", text, False), [text]),
        (TopicSet(5, 0, ROOM, "s", "Ann", text), [text]),
    ]
    for record, texts in records:
        data = NativeForm.record(record)
        assert_safe(data)
        assert [each["text"] for each in decoded(data)] == texts


@settings(deadline=None)
@given(TEXT.filter(bool), TEXT)
def test_a_reply_decodes_to_the_texts_that_were_typed(text: str, other: str) -> None:
    view = RoomView(ROOM, text, 1, (Person("Ann", "away", other),))
    replies: list[Reply] = [
        Welcome("l", "s", "t", "Ann", False, 1, 0.0, (view,), other),
        Entered(view, other),
        HistoryPage(ROOM, (said(text), TopicSet(6, 0, ROOM, "s", "Ann", other)), False, 0, other),
        SearchPage((said(text),), False, other),
        Refused(Refusal("x", text), None, other),
        Done("", {"room": text}, other),
        People((view,), other),
        RoomList(((ROOM, text, 1, False),), 0, other),
        Presence(Person("Ann", "away", text)),
        Pong(text),
    ]
    for reply in replies:
        data = native_reply(reply)
        assert_safe(data)
        (message,) = decoded(data)
        assert text in strings_in(message)


def strings_in(value: Any) -> list[str]:
    """Every string in a message."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings_in(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings_in(each)]
    return [value] if isinstance(value, str) else []
