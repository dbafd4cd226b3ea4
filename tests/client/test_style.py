"""Lines as text: exactly the words of the protocol, and looks that never carry the meaning alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chatcore.client.lines import Kind, Line
from chatcore.client.style import HIGHLIGHT, PALETTE, Looks, Style, wants_color

TIME = "2026-11-20T14:02:11.000Z"
NOW = datetime(2026, 11, 20, 15, 0, 5, tzinfo=UTC)


def style(**looks):
    return Style(Looks(**looks), lambda: NOW, UTC)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Line(Kind.CONNECTED), "Connected to the server!"),
        (Line(Kind.SAID, "Hello, everyone!", "Bob"), "Bob: Hello, everyone!"),
        (Line(Kind.SAID, "hi", "Bob", room="#dev"), "#dev Bob: hi"),
        (Line(Kind.ACTION, "waves", "Alice"), "* Alice waves"),
        (Line(Kind.DIRECT, "text", "Alice", "Bob"), "[Alice -> Bob] text"),
        (Line(Kind.JOINED, name="Bob"), "Bob has connected to the chat room"),
        (Line(Kind.LEFT, name="Bob"), "Bob has left the chat room!"),
        (Line(Kind.LEFT, "so long", "Bob"), "Bob has left the chat room! (so long)"),
        (Line(Kind.RENAMED, name="Alice", other="Ally"), "Alice is now known as Ally"),
        (Line(Kind.TOPIC, "words", "Alice"), "Alice set the topic: words"),
        (Line(Kind.TOPIC, "", "Alice"), "Alice cleared the topic"),
        (Line(Kind.NOTICE, "words"), "-- words"),
        (Line(Kind.MISSED, count=1204), "— 1,204 lines missed —"),
        (Line(Kind.MISSED, count=1), "— 1 line missed —"),
        (Line(Kind.MISSED, count=0), "— what was said before this is no longer kept —"),
        (
            Line(Kind.CROWD_JOINED, parts=("Ann", "Bob"), count=62),
            "Ann, Bob and 62 others have connected to the chat room",
        ),
        (
            Line(Kind.CROWD_LEFT, parts=("Ann",), count=1),
            "Ann and 1 other have left the chat room!",
        ),
        (Line(Kind.CROWD_LEFT, parts=("Ann",)), "Ann has left the chat room!"),
        (
            Line(
                Kind.LOST,
                "server closed",
                "disconnected",
                own=True,
                parts=("retry in 4 s", "2 lines waiting"),
            ),
            "── disconnected 15:00:05 (server closed) · retry in 4 s · 2 lines waiting ──",
        ),
        (
            Line(Kind.BACK, parts=("back after 37 s", "14 missed lines below")),
            "── back after 37 s · 14 missed lines below ──",
        ),
    ],
)
def test_words_without_looks_are_those_of_the_protocol(line, text):
    assert style().render(replace(line, time=TIME)) == [text]


def test_words_instead_of_glyphs():
    line = Line(Kind.LOST, "server closed", "disconnected", own=True, parts=("retry in 4 s",))
    plain = style(words=True)
    assert plain.render(line) == ["-- Disconnected 15:00:05 (server closed). Retry in 4 s."]


def test_each_line_of_a_text_carries_its_name():
    assert style().render(Line(Kind.SAID, "one\ntwo", "Bob")) == ["Bob: one", "Bob: two"]


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_that_somebody_typed_reaches_the_terminal_as_a_control_character(kind, color):
    evil = "a\x1b[2J\x9b1m\x07\u202eb\x7f\r"
    line = Line(kind, evil, evil, evil, TIME, evil, parts=(evil, evil), count=2, mention=True)
    for mention in (True, False):
        for text in style(color=color, time="hm").render(replace(line, mention=mention)):
            without_ours = re.sub(r"\x1b\[(\d+;?)+m", "", text)
            assert without_ours.isprintable()


@pytest.mark.parametrize(
    ("time", "stamp"),
    [("hm", "[14:02] "), ("iso", "[2026-11-20T14:02:11+00:00] "), ("none", "")],
)
def test_times(time, stamp):
    assert style(time=time).render(Line(Kind.SAID, "hi", "Bob", time=TIME)) == [f"{stamp}Bob: hi"]


def test_times_are_local():
    east = Style(Looks(time="hm"), lambda: NOW, timezone(timedelta(hours=9)))
    assert east.render(Line(Kind.SAID, "hi", "Bob", time=TIME))[-1] == "[23:02] Bob: hi"


def test_history_always_has_its_time():
    line = Line(Kind.SAID, "hi", "Bob", time=TIME, past=True)
    assert style().render(line) == ["[14:02] Bob: hi"]
    assert style().render(replace(line, time="2026-11-19T14:02:11Z")) == [
        "[2026-11-19 14:02] Bob: hi"
    ]


def test_another_day_is_said_once():
    shown = style(time="hm")
    late = Line(Kind.SAID, "hi", "Bob", time="2026-11-19T23:59:00Z", past=True)
    assert shown.render(late) == ["── Thursday 2026-11-19 ──", "[23:59] Bob: hi"]
    assert shown.render(late) == ["[23:59] Bob: hi"]
    assert shown.render(replace(late, time=TIME))[0] == "── Friday 2026-11-20 ──"


@pytest.mark.parametrize(
    "time", ["", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_a_time_that_is_none_is_not_shown(time):
    assert style(time="hm").render(Line(Kind.SAID, "hi", "Bob", time=time)) == ["Bob: hi"]


def test_a_name_has_one_colour_whatever_its_case_and_ones_own_is_bold():
    colored = style(color=True)

    def prefix(name, own=False):
        return colored.render(Line(Kind.SAID, "hi", name, own=own))[0].partition(name)[0]

    assert prefix("Bob") == prefix("bob")
    assert prefix("Bob").startswith("\x1b[38;5;")
    assert prefix("Bob", own=True) == "\x1b[1m"
    assert len({prefix(f"name{number}") for number in range(200)}) == len(PALETTE)


def test_the_bundled_aliases_have_four_colours():
    colored = style(color=True)
    names = ("Alice", "Bob", "Carol", "Dave")
    colors = {colored.render(Line(Kind.SAID, "hi", name))[0].partition(name)[0] for name in names}
    assert len(colors) == 4


def test_a_mention_is_highlighted_as_a_whole():
    text = style(color=True).render(Line(Kind.SAID, "Alice!", "Bob", mention=True))[0]
    assert text == f"{HIGHLIGHT}Bob: Alice!\x1b[0m"
    assert style().render(Line(Kind.SAID, "Alice!", "Bob", mention=True)) == ["Bob: Alice!"]


def luminance(color):
    """WCAG 2, of one of the 6×6×6 colours of the 256."""
    steps = (0, 95, 135, 175, 215, 255)
    index = color - 16
    channels = (steps[index // 36], steps[index // 6 % 6], steps[index % 6])
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", PALETTE)
def test_every_colour_can_be_read_on_black_and_on_white(color):
    assert 1.05 / (luminance(color) + 0.05) >= 4
    assert (luminance(color) + 0.05) / 0.05 >= 4


@pytest.mark.parametrize(
    ("choice", "environ", "is_tty", "wanted"),
    [
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "xterm"}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ("always", {}, False, True),
        ("always", {"NO_COLOR": "1"}, True, False),
        ("never", {"TERM": "xterm"}, True, False),
    ],
)
def test_colour_switches(choice, environ, is_tty, wanted):
    assert wants_color(choice, environ, is_tty) is wanted
