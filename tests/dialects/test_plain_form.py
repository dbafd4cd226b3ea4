"""The plain dialect, to the wire: what a person with a raw terminal reads, and that it is safe there."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.dialects.plain_form import NOT_YET, PlainForm, event_line, plain_reply
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
NOON = int(datetime(2026, 11, 20, 12, 0).astimezone().timestamp() * 1000)
DAY_MS = 86_400_000


def said(text: str, lines: int = 1, *, me: bool = False, time_ms: int = NOON) -> Said:
    return Said(5, time_ms, ROOM, "s", "Ann", text, lines, (), me)


RECORDS: list[tuple[Record, str]] = [
    (said("Hello, everyone!"), "Ann: Hello, everyone!\n"),
    (said("a\nb\nc", 3), "Ann: a\nAnn: b\nAnn: c\n"),
    (said("one text\nof two lines"), "Ann: one text\nAnn: of two lines\n"),
    (said(""), "Ann: \n"),
    (said("waves", me=True), "* Ann waves\n"),
    (said("waves\nleaves", 2, me=True), "* Ann waves\n* Ann leaves\n"),
    (said("\x1b[2J\x07\x7f\x9b\t\r."), "Ann: ␛[2J␇␡\ufffd ␍.\n"),
    (said("é\u202e\n\x85"), "Ann: é\ufffd\nAnn: \ufffd\n"),
    (Direct(5, 0, "s", "Ann", "t", "Bob", "hi", None), "[Ann -> Bob] hi\n"),
    (
        Direct(5, 0, "s", "Ann", "t", "Bob", "a\n\x1bb", None),
        "[Ann -> Bob] a\n[Ann -> Bob] ␛b\n",
    ),
    (Joined(5, 0, ROOM, "s", "Ann", False), "Ann has connected to the chat room\n"),
    (Joined(5, 0, ROOM, "s", "Ann", True), ""),
    (Left(5, 0, ROOM, "s", "Ann", "lost", "", False), "Ann has left the chat room!\n"),
    (
        Left(5, 0, ROOM, "s", "Ann", "quit", "bye\n\x1b", False),
        "Ann has left the chat room! (bye␊␛)\n",
    ),
    (Left(5, 0, ROOM, "s", "Ann", "quit", "bye", True), ""),
    (Renamed(5, 0, ROOM, "s", "Ann", "Ally"), "Ann is now known as Ally\n"),
    (TopicSet(5, 0, ROOM, "s", "Ann", "tea\n\x1b"), "Ann set the topic: tea␊␛\n"),
    (TopicSet(5, 0, ROOM, "s", "Ann", ""), "Ann cleared the topic\n"),
    (Crowd(5, 0, ROOM, ("Ann",), 1, (), 0), "Ann has connected to the chat room\n"),
    (Crowd(5, 0, ROOM, (), 0, ("Bob",), 1), "Bob has left the chat room!\n"),
    (
        Crowd(5, 0, ROOM, ("Ann", "Bob"), 64, ("Cy", "Di"), 2),
        "Ann, Bob and 62 others have connected to the chat room\nCy and Di have left the chat room!\n",
    ),
    (Crowd(5, 0, ROOM, (), 0, (), 0), ""),
    (Opened(5, 0, "s", "Ann", None), ""),
    (Closed(5, 0, "s", False), ""),
]


@pytest.mark.parametrize(("record", "expected"), RECORDS)
def test_a_record_reads_as_promised(record: Record, expected: str) -> None:
    assert PlainForm.record(record).decode() == expected


def test_a_run_is_no_event() -> None:
    assert event_line(said("hi")) == ""


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (0, "— what was said before this is no longer kept —\n"),
        (1, "— 1 line missed —\n"),
        (2, "— 2 lines missed —\n"),
        (1_204, "— 1,204 lines missed —\n"),
    ],
)
def test_a_gap_says_how_many_lines_were_missed(missed: int, expected: str) -> None:
    assert PlainForm.gap(ROOM, missed, 7).decode() == expected


def people(count: int) -> tuple[Person, ...]:
    return tuple(Person(f"P{k}", "here", "") for k in range(count))


ANN = Person("Ann", "here", "")
AWAY = Person("Bob", "away", "tea\x1b[2J")
LOST = Person("Cy", "grace", "")
VIEW = RoomView(ROOM, "", 1, (ANN,))
TWENTY = ", ".join(f"P{k}" for k in range(20))

REPLIES: list[tuple[Reply, str]] = [
    (Refused(Refusal("x", "No \x1b.")), "-- No ␛.\n"),
    (
        Welcome("l", "s", None, "Ann", False, 1, 0.0, (VIEW,)),
        "Connected to the server!\n-- You are in #lobby.\n-- Here: Ann (1). /help lists the commands.\n",
    ),
    (
        Entered(RoomView("#tea", "at\x1bfour", 2, (ANN, AWAY))),
        "-- You are in #tea. Topic: at␛four\n-- Here: Ann, Bob (2).\n",
    ),
    (
        Entered(RoomView("#tea", "", 21, people(21))),
        f"-- You are in #tea.\n-- Here: {TWENTY} and 1 other (21).\n",
    ),
    (
        Entered(RoomView("#tea", "", 1_234, people(100))),
        f"-- You are in #tea.\n-- Here: {TWENTY} and 1,214 others (1,234).\n",
    ),
    (
        Entered(RoomView("#tea", "", 20, people(20))),
        f"-- You are in #tea.\n-- Here: {TWENTY} (20).\n",
    ),
    (HistoryPage(ROOM, (), False, NOON), "-- Nothing was found in #lobby.\n"),
    (HistoryPage(ROOM, (), False, NOON, by="Bob"), "-- Nothing by Bob was found in #lobby.\n"),
    (HistoryPage(ROOM, (), False, NOON, None, False), ""),
    (
        HistoryPage(ROOM, (said("a\nb", 2), RECORDS[11][0]), False, NOON + 60_000),
        "[12:00] Ann: a\n[12:00] Ann: b\n",
    ),
    (
        HistoryPage(ROOM, (said("a"),), True, NOON + DAY_MS, None, False),
        "[2026-11-20 12:00] Ann: a\n",
    ),
    (Done("You are away: \x1b.", {}), "-- You are away: ␛.\n"),
    (Done("", {}), ""),
    (
        People((RoomView(ROOM, "", 3, (ANN, AWAY, LOST)),)),
        "-- In #lobby (3): Ann, Bob (away: tea␛[2J), Cy (connection lost)\n",
    ),
    (
        People((RoomView(ROOM, "", 5_001, (ANN,)),)),
        "-- In #lobby (5,001): Ann and 5,000 others\n",
    ),
    (People(()), ""),
    (
        RoomList(
            ((ROOM, "", 1_000, False), ("#tea", "\x1b", 1, True), ("#den", "", 0, True)), 2_000
        ),
        "-- #lobby (1,000)\n-- #tea (1) ␛\n-- #den (locked)\n-- and 2,000 more\n",
    ),
    (RoomList((), 0), ""),
    (
        HelpPage((HelpRow("a", "/a", "one"), HelpRow("b", "", "no"), HelpRow("c", "/c x", "two"))),
        "-- /a    one\n-- /c x  two\n",
    ),
    (Pong(), "-- pong\n"),
    (Bye("quit"), "-- Goodbye.\n"),
    (Bye("stopping"), "-- The server is stopping.\n"),
    (
        Bye("storage"),
        "-- The server could not write to its disk and is stopping: nothing after this was stored.\n",
    ),
    (
        Welcome(
            "l", "s", None, "Ann", False, 1, 0.0, (VIEW,), None, "History is kept for 30 days."
        ),
        "Connected to the server!\n-- You are in #lobby.\n-- Here: Ann (1). /help lists the commands.\n"
        "-- History is kept for 30 days.\n",
    ),
    (
        SearchPage(
            (
                said("a\x1b"),
                said("waves", me=True),
                Direct(5, NOON, "s", "Ann", "t", "Bob", "b\nc", None),
            ),
            False,
        ),
        "[2026-11-20 12:00] #lobby Ann: a␛\n"
        "[2026-11-20 12:00] #lobby * Ann waves\n"
        "[2026-11-20 12:00] [Ann -> Bob] b\n"
        "[2026-11-20 12:00] [Ann -> Bob] c\n"
        "-- 3 lines found.\n",
    ),
    (
        SearchPage((said("a"),), True),
        "[2026-11-20 12:00] #lobby Ann: a\n"
        "-- 1 line found; there may be older ones: add before: and a day, or more words.\n",
    ),
    (SearchPage((), False), "-- Nothing found.\n"),
    (SearchPage((), True), f"-- {NOT_YET}\n"),
    (Wanted(Past(ROOM, 1, 9), HistoryPage(ROOM, (), False, NOON), 1, 8), ""),
    (Presence(AWAY), ""),
    (Ack("id", 5), ""),
]


@pytest.mark.parametrize(("reply", "expected"), REPLIES)
def test_a_reply_reads_as_promised(reply: Reply, expected: str) -> None:
    assert plain_reply(reply).decode() == expected


# Written out once more, from the standards and not from the module.
UNSAFE_CODES = frozenset(
    [
        *(*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)),
        *(0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)),
    ]
)


def assert_safe(data: bytes) -> None:
    """Whole lines of valid UTF-8, with no control character but the line end and no bidi control."""
    text = data.decode()
    assert not UNSAFE_CODES & set(map(ord, text)), ascii(text)
    assert not text or text.endswith("\n")


# What a text may hold: everything but surrogates, which no dialect lets in; and more of what is dangerous.
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs",)),
        st.sampled_from("\x1b\x9b\x07\r\n\t\x00\x7f\x85\u202e\u2066\u2069\u200f\u061c\u2028"),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_nothing_typed_reaches_a_terminal_as_a_control_character(text: str, other: str) -> None:
    lines = text.count("\n") + 1
    records: list[Record] = [
        said(text),
        said(text, lines),
        said(text, lines, me=True),
        Direct(5, 0, "s", "Ann", "t", "Bob", text, None),
        Left(5, 0, ROOM, "s", "Ann", "quit", text, False),
        TopicSet(5, 0, ROOM, "s", "Ann", text),
    ]
    view = RoomView(ROOM, text, 2, (Person("Ann", "away", other), Person("Bob", "here", "")))
    replies: list[Reply] = [
        Refused(Refusal("x", text)),
        Welcome("l", "s", None, "Ann", False, 1, 0.0, (view,)),
        Entered(view),
        HistoryPage(ROOM, tuple(records), False, NOON),
        SearchPage(tuple(records), False),
        Done(text, {}),
        People((view,)),
        RoomList(((ROOM, text, 2, False),), 0),
    ]
    for record in records:
        assert_safe(PlainForm.record(record))
    for reply in replies:
        assert_safe(plain_reply(reply))


@settings(deadline=None)
@given(TEXT, st.booleans())
def test_every_line_of_a_text_has_the_name_before_it(text: str, me: bool) -> None:
    name = "* Ann " if me else "Ann: "
    shown = PlainForm.record(said(text, me=me)).decode().split("\n")
    assert shown.pop() == ""
    assert len(shown) == text.count("\n") + 1
    assert all(line.startswith(name) for line in shown)
