"""What moderators did: in words, in the moderation log, and for programs."""

from __future__ import annotations

import json
import time

import pytest

from chatcore.client.acts import act_words, listed_words
from chatcore.client.answers import answer_words, lag_words
from chatcore.client.events import Answer
from chatcore.client.json_lines import json_line
from chatcore.client.messages import Act, Ban, Behind, Lag, Ok, Request
from chatcore.client.wire import parse

TIME, LATER = "2026-11-20T14:02:11.000Z", "2026-11-20T14:12:11.000Z"
FIELDS = {
    "t": "act",
    "seq": 7,
    "time": TIME,
    "room": "#dev",
    "act": "ban",
    "from": "Bob",
    "sid": "s9",
    "to": "Carol",
    "text": "spam",
    "until": LATER,
}
ACT = Act(7, TIME, "#dev", "ban", "Bob", "s9", "Carol", "spam", LATER)


def test_an_act_is_read_and_passed_on_as_it_came():
    assert parse(FIELDS) == ACT
    assert json.loads(json_line(ACT)) == FIELDS
    announced = {"t": "act", "seq": 8, "time": TIME, "act": "announce", "from": "Bob", "sid": "s9"}
    assert json.loads(json_line(parse(announced))) == announced


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "-- Bob banned you from #dev for 10 minutes (spam)"),
        ({"until": ""}, "-- Bob banned you from #dev (spam)"),
        ({"until": TIME, "text": ""}, "-- Bob banned you from #dev"),
        ({"until": "yesterday"}, "-- Bob banned you from #dev (spam)"),
        ({"time": "0001-01-01T00:00:00+23:00"}, "-- Bob banned you from #dev"),
        ({"act": "announce", "text": "one\ntwo"}, "-- Announcement from Bob: one\n"),
        ({"act": "dance"}, ""),
        ({"act": "{who}"}, ""),
        ({"act": "unban"}, ""),
    ],
)
def test_in_words(changes, words):
    shown = act_words(ACT._replace(**changes))
    assert shown.startswith(words)
    assert bool(shown) is bool(words)


@pytest.mark.parametrize("at", [TIME, "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59Z", "x"])
def test_the_moderation_log_lists_it_whatever_its_time(at):
    act = ACT._replace(time=at, until="9999-12-31T23:59:59Z")
    assert "Bob banned Carol from #dev" in listed_words(act)
    assert listed_words(act._replace(act="dance")) == ""


@pytest.mark.parametrize(
    ("request_", "ok", "words"),
    [
        (Request("oper", name="root"), {}, "You are the operator root now, until you leave."),
        (Request("kick", name="bob"), {"alias": "Bob"}, "Bob is out of the server."),
        (Request("kick", name="Bob", room="#a"), {"room": "#a"}, ""),
        (Request("ban", name="Bob"), {}, "Bob is banned from the server, until it is taken back."),
        (
            Request("ban", name="Bob", room="#a", period="1h"),
            {"room": "#a"},
            "Bob is banned from #a for 1 hour.",
        ),
        (Request("mute", name="Bob", period="010m"), {}, "Bob is muted for 10 minutes."),
        (Request("unmute", name="Bob"), {}, "Bob may speak again."),
        (Request("announce", text="tea"), {"rooms": 3}, ""),
        (Request("bans"), {"bans": []}, "Nobody is banned."),
    ],
)
def test_an_answer_says_what_nothing_else_does(request_, ok, words):
    parsed = parse({"t": "ok", "re": "k", **ok})
    assert isinstance(parsed, Ok)
    assert answer_words(Answer(request_, parsed, 0.0)) == ([words] if words else [])


@pytest.fixture
def in_tokyo(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize(
    ("until", "words"),
    [
        (TIME, "Bob, by Al, until 2026-11-20 23:02"),
        ("", "Bob, by Al"),
        ("no time", "Bob, by Al, until no time"),
    ],
    ids=["a moment", "for good", "no time"],
)
def test_the_end_of_a_ban_is_a_local_time(until, words):
    ok = parse({"t": "ok", "re": "k", "bans": [{"name": "Bob", "by": "Al", "until": until}]})
    assert answer_words(Answer(Request("bans"), ok, 0.0)) == [words]


def test_bans_and_lag_are_listed():
    bans = [{"name": "Bob", "by": "Al", "until": TIME, "text": "spam"}, {"name": "10.0.0.0/8"}]
    ok = parse({"t": "ok", "re": "k", "bans": bans})
    assert ok.bans == (Ban("Bob", "Al", TIME, "spam"), Ban("10.0.0.0/8", "", "", ""))
    assert "Bob, by Al" in answer_words(Answer(Request("bans"), ok, 0.0))[0]
    lag = parse({"t": "lag", "readers": [{"alias": "Bob", "lines": 1204, "seconds": 3.25}]})
    assert lag == Lag("", (Behind("Bob", "", 1204, 3.25),))
    assert "1,204 lines" in lag_words(lag)[0]
    assert lag_words(Lag("", ())) == ["Nobody is behind."]
