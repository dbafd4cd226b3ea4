"""Acts as people read them, and programs: as they happen, in the moderation log; the hash of a key in neither."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.dialects.act_form import LISTED, LIVE, act_line, listed
from chatcore.dialects.native_form import NativeForm, native_reply
from chatcore.dialects.plain_form import PlainForm, plain_reply
from chatcore.hub.reply import BanList, BanRow, Bye, HistoryPage, Reply
from chatcore.log.record import ACTS, MODERATION, TOLD_PERSON, TOLD_ROOM, Act
from tests.dialects.test_plain_form import TEXT, assert_safe

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = 1_795_176_000_000
"""2026-11-20T12:00:00Z."""
TEN_MINUTES = 600_000


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def act(
    kind: str, *, room: str = "#dev", to: str = "Bob", text: str = "", until_ms: int = 0
) -> Act:
    return Act(5, NOON, room, "s1", "Ann", kind, to, "s2" if to else "", text, until_ms)


MUTE = act("mute", room="", text="loud\x1b", until_ms=NOON + TEN_MINUTES)
LOCK = act("lock", to="", text="salt:hash")
BAN = act("ban", room="", to="10.0.0.0/8", text="flood", until_ms=NOON + TEN_MINUTES)

CASES: list[tuple[Act, str, str]] = [
    (act("op"), "Ann made Bob a moderator", "Ann made Bob a moderator of #dev"),
    (act("deop"), "Ann took the moderation from Bob", "Ann took the moderation of #dev from Bob"),
    (LOCK, "Ann locked the room: it needs a key now", "Ann locked #dev"),
    (act("unlock", to=""), "Ann opened the room again", "Ann opened #dev again"),
    (
        MUTE,
        "-- Ann muted you for 10 minutes (loud␛)",
        "Ann muted Bob for 10 minutes (loud␛), until 2026-11-20 12:10",
    ),
    (act("mute", room=""), "-- Ann muted you", "Ann muted Bob"),
    (act("unmute", room=""), "-- Ann lets you speak again", "Ann lets Bob speak again"),
    (act("invite"), "-- Ann invites you to #dev: /join #dev", "Ann invited Bob to #dev"),
    (
        act("kick", text="{why}"),
        "-- Ann kicked you out of #dev ({why})",
        "Ann kicked Bob out of #dev ({why})",
    ),
    (
        act("ban", until_ms=NOON + 3_600_000),
        "-- Ann banned you from #dev for 1 hour",
        "Ann banned Bob from #dev for 1 hour, until 2026-11-20 13:00",
    ),
    (
        BAN,
        "",
        "Ann banned 10.0.0.0/8 from the server for 10 minutes (flood), until 2026-11-20 12:10",
    ),
    (
        act("kick", room="", text="loud"),
        "",
        "Ann kicked Bob out of the server (loud)",
    ),
    (act("mute", room="", to=""), "", "Ann muted "),
    (act("unban"), "", "Ann took back the ban of Bob from #dev"),
    (act("oper", room="", to="root"), "", "Ann became the operator root"),
    (
        act("announce", to="", text="fire\ndrill\x1b"),
        "-- Announcement from Ann: fire\n-- Announcement from Ann: drill␛",
        "Ann announced: fire␊drill␛",
    ),
]


@pytest.mark.parametrize(("record", "live", "kept"), CASES)
def test_an_act_reads_as_promised(record: Act, live: str, kept: str) -> None:
    assert act_line(record) == live
    assert PlainForm.record(record).decode() == (f"{live}\n" if live else "")
    assert listed(record) == f"[2026-11-20 12:00] {kept}"


def test_every_act_is_listed_and_what_somebody_reads_has_its_words() -> None:
    kinds = {record.act for record, _, _ in CASES}
    assert kinds == set(LISTED) == ACTS
    assert set(LIVE) == TOLD_ROOM | TOLD_PERSON


def test_programs_are_told_all_but_what_is_kept_of_a_key() -> None:
    (ban,) = map(json.loads, NativeForm.record(BAN).splitlines())
    assert ban == {
        "t": "act",
        "seq": 5,
        "time": "2026-11-20T12:00:00.000Z",
        "act": "ban",
        "from": "Ann",
        "sid": "s1",
        "to": "10.0.0.0/8",
        "text": "flood",
        "until": "2026-11-20T12:10:00.000Z",
    }
    (lock,) = map(json.loads, NativeForm.record(LOCK).splitlines())
    assert lock["room"] == "#dev"
    assert {"to", "text", "until"} & set(lock) == set()


PAGE = HistoryPage(MODERATION, (MUTE, LOCK), True, NOON, 7)
BANS = BanList("", (BanRow("Bob", "Ann", "loud\x1b", NOON), BanRow("10.0.0.0/8", "Ann", "", 0)), 8)

PLAIN: list[tuple[Reply, str]] = [
    (PAGE, f"{listed(MUTE)}\n{listed(LOCK)}\n"),
    (PAGE._replace(records=()), "-- The moderation log is empty.\n"),
    (
        BANS,
        "-- Banned from this server: 2.\n-- Bob until 2026-11-20 12:00, by Ann (loud␛)\n"
        "-- 10.0.0.0/8, by Ann\n",
    ),
    (BanList("#dev", ()), "-- Nobody is banned from #dev.\n"),
    (
        BanList("", (), None, (BanRow("Bob", "Ann", "loud\x1b", NOON),)),
        "-- Nobody is banned from this server.\n-- Muted: 1.\n"
        "-- Bob until 2026-11-20 12:00, by Ann (loud␛)\n",
    ),
    (Bye("kicked", None, "You were kicked by Ann: loud\x1b"), "-- You were kicked by Ann: loud␛\n"),
    (Bye("banned"), "-- You are banned.\n"),
]


@pytest.mark.parametrize(("reply", "expected"), PLAIN)
def test_an_answer_reads_as_promised(reply: Reply, expected: str) -> None:
    assert plain_reply(reply).decode() == expected


def test_an_answer_is_written_as_the_contract_says() -> None:
    page = json.loads(native_reply(PAGE))
    assert (page["t"], page["re"], page["more"], "room" in page) == ("modlog", 7, True, False)
    assert [each["act"] for each in page["records"]] == ["mute", "lock"]
    assert json.loads(native_reply(BANS)) == {
        "t": "ok",
        "bans": [
            {"name": "Bob", "by": "Ann", "until": "2026-11-20T12:00:00.000Z", "text": "loud\x1b"},
            {"name": "10.0.0.0/8", "by": "Ann"},
        ],
        "mutes": [],
        "re": 8,
    }
    muted = BanList("", (), None, (BanRow("Bob", "Ann", "", 0),))
    assert json.loads(native_reply(muted))["mutes"] == [{"name": "Bob", "by": "Ann"}]
    assert json.loads(native_reply(BanList("#dev", ()))) == {"t": "ok", "bans": [], "room": "#dev"}
    bye = Bye("kicked", None, "out")
    assert json.loads(native_reply(bye)) == {"t": "bye", "reason": "kicked", "words": "out"}


@settings(deadline=None)
@given(st.sampled_from(sorted(LISTED)), TEXT, TEXT)
def test_nothing_typed_reaches_a_terminal_raw(kind: str, text: str, to: str) -> None:
    record = act(kind, to=to, text=text, until_ms=NOON + 1)
    for data in (
        PlainForm.record(record),
        NativeForm.record(record),
        f"{listed(record)}\n".encode(),
        plain_reply(BanList("#dev", (BanRow(to, "Ann", text, 0),))),
        native_reply(BanList("#dev", (BanRow(to, "Ann", text, 0),))),
        plain_reply(Bye("kicked", None, text)) if text else b"",
    ):
        assert_safe(data)
    assert "\n" not in listed(record)
