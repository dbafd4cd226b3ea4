"""Kicks, bans, mutes and announcements: who is out, who stays out, for how long, and what is told and kept of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chatcore.hub.bans import BANS_MOST, ROOM_BANS_MOST
from chatcore.hub.command import (
    Announce,
    Away,
    Ban,
    Bans,
    Dm,
    Join,
    Kick,
    Modlog,
    Mute,
    Nick,
    Quit,
    Say,
    Topic,
    Unban,
    Unmute,
)
from chatcore.hub.reply import BanList, BanRow, Done, HistoryPage, Refused, Welcome
from chatcore.hub.session import NO_END, TOKEN_DAYS, Session
from chatcore.hub.verbs.moderation import MODLOG_DEFAULT, REASON_CHARACTERS
from chatcore.hub.verbs.people import MS_A_DAY
from chatcore.log.record import MODERATION, Act, Closed, Joined, Left, streams_of

MINUTE_MS = 60_000


@pytest.fixture
def root(house: Any) -> Any:
    return house.enter("Root", address="198.51.100.1", rank="root")


@pytest.fixture
def mod(house: Any) -> Any:
    """Whoever made #dev."""
    return house.enter("Mod", "#dev")


def acts(outcome: Any) -> list[tuple[str, str, str]]:
    return [(each.act, each.room, each.to) for each in outcome.records if type(each) is Act]


def refusal(outcome: Any) -> Any:
    reply = outcome.replies[0]
    assert type(reply) is Refused, reply
    return reply.refusal


# Kicks


def test_an_operator_kicks_out_of_the_server_and_the_session_is_gone(house: Any, root: Any) -> None:
    bob = house.enter("Bob", "#lobby", "#a")
    outcome = house.do(root, Kick("bob", text="noise"))
    act, *rest, closed = outcome.records
    assert (act.act, act.room, act.alias, act.to, act.to_sid, act.text) == (
        *("kick", "", "Root", "Bob"),
        *(bob.sid, "noise"),
    )
    assert [(each.room, each.why, each.text) for each in rest] == [
        ("#lobby", "kicked", "kicked by Root: noise"),
        ("#a", "kicked", "kicked by Root: noise"),
    ]
    assert closed == Closed(closed.seq, 1_000, bob.sid, lapsed=False)
    assert bob.sid not in house.state.sessions
    again = house.hello("Bob", token="t2").replies[0]
    assert type(again) is Welcome, "a kick keeps nobody out"
    assert (again.resumed, again.sid == bob.sid) == (False, False), "but the session is over"


def test_one_who_has_lost_the_connection_can_be_kicked_too(house: Any, root: Any) -> None:
    bob = house.enter("Bob")
    house.world.presence.lost(bob.sid, 0.0)
    house.do(root, Kick("Bob"))
    assert house.state.holder("Bob") is None
    assert house.world.presence.grace_left_s(bob.sid, 0.0) is None


def test_a_moderator_kicks_out_of_the_room_only(house: Any, mod: Any) -> None:
    bob = house.enter("Bob", "#dev", "#lobby")
    outcome = house.do(mod, Kick("Bob", "#dev"))
    assert bob.rooms == ("#lobby",)
    assert acts(outcome) == [("kick", "#dev", "Bob")]
    assert outcome.records[1].text == "kicked by Mod"
    assert streams_of(outcome.records[0]) == (bob.sid, MODERATION), "they are told by whom"


def test_a_plain_client_that_is_kicked_out_of_its_room_is_in_the_lobby(
    house: Any, mod: Any
) -> None:
    bob = house.enter("Bob", "#dev", plain=True)
    outcome = house.do(mod, Kick("Bob"))
    _, left, joined = outcome.records
    assert (type(left), left.room, type(joined), joined.room) == (Left, "#dev", Joined, "#lobby")
    assert bob.rooms == ("#lobby",)


def test_an_operator_kicks_out_of_a_room_that_is_named(house: Any, root: Any, mod: Any) -> None:
    bob = house.enter("Bob", "#dev", "#lobby")
    house.do(root, Kick("Bob", "#DEV"))
    assert bob.rooms == ("#lobby",)
    assert house.refused(root, Kick("Bob", "#dev")).code == "no_such_person"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Kick("Nobody"), "no_such_person"),
        (Kick("Root"), "bad_field"),
        (Kick("Mod", "#nowhere"), "no_such_room"),
        (Kick("Mod", "#lobby"), "not_moderator"),
        (Kick("Mod", text="x" * (REASON_CHARACTERS + 1)), "too_long"),
        (Ban("Root"), "bad_field"),
        (Ban("Mod", text="x" * (REASON_CHARACTERS + 1)), "too_long"),
        (Ban("a b"), "alias_not_allowed"),
        (Ban("192.0.2.7", "#dev"), "bad_field"),
        (Ban("127.0.0.1"), "bad_field"),
        (Ban("::1"), "bad_field"),
        (Ban("::ffff:127.0.0.9"), "bad_field"),
        (Ban("10.0.0.0/7"), "bad_field"),
        (Ban("0.0.0.0/0"), "bad_field"),
        (Ban("::/0"), "bad_field"),
        (Ban("2001::/15"), "bad_field"),
        (Ban("198.51.100.0/24"), "bad_field"),
        (Unban("Bob"), "not_banned"),
        (Unban("192.0.2.7"), "not_banned"),
        (Mute("a b"), "alias_not_allowed"),
        (Mute("Root"), "bad_field"),
        (Mute("Mod", text="x" * (REASON_CHARACTERS + 1)), "too_long"),
        (Unmute("Mod"), "not_muted"),
        (Unmute("Nobody"), "not_muted"),
        (Modlog(0), "bad_field"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_what_would(
    house: Any, root: Any, mod: Any, command: Any, code: str
) -> None:
    found = house.refused(root, command)
    assert found.code == code
    assert len(found.words) > 10


def test_a_moderator_in_several_rooms_says_which(house: Any) -> None:
    ann = house.enter("Ann", "#a", "#b")
    house.enter("Bob", "#a")
    assert house.refused(ann, Kick("Bob")).code == "bad_field"
    assert house.do(ann, Kick("Bob", "#a")).records


# Bans


def test_a_banned_name_is_out_and_stays_out_whoever_asks_for_it(house: Any, root: Any) -> None:
    house.enter("Bob", "#lobby")
    outcome = house.do(root, Ban("BOB", None, 10 * MINUTE_MS, "noise"))
    assert [type(each) for each in outcome.records] == [Act, Left, Closed]
    assert outcome.records[1].text == "banned by Root: noise"
    for alias in ("Bob", "bob", "b0b", "Воb"):
        found = refusal(house.hello(alias))
        assert found.code == "banned"
        assert found.retry_s == 600.0
    assert "noise" in found.words
    assert "10 minutes" in found.words
    ann = house.enter("Ann")
    assert house.refused(ann, Nick("bob")).code == "banned"


@pytest.mark.parametrize("named", ["b0b", "Воb"])
def test_whoever_looks_like_the_banned_name_is_out_at_once(
    house: Any, root: Any, named: str
) -> None:
    """Or they would be in until they return, and then refused for a ban that nobody meant for them."""
    for act, gone in ((Mute(named), False), (Ban(named), True)):
        bob = house.state.holder("Bob") or house.enter("Bob")
        assert acts(house.do(root, act))[0][2] == "Bob"
        assert (house.state.holder("Bob") is None) == gone
    assert bob.sid not in house.state.sessions


def test_one_who_returns_is_not_refused_for_the_bans_of_others(house: Any, root: Any) -> None:
    bob = house.enter("Bob", address="192.0.2.7")
    house.do(root, Ban("Cy"))
    house.do(root, Ban("203.0.113.0/24"))
    house.world.presence.lost(bob.sid, 0.0)
    assert house.hello("Bob", token="t2", address="192.0.2.8").replies[0].resumed
    assert acts(house.do(root, Ban("192.0.2.7"))) == [("ban", "", "192.0.2.7")]
    assert acts(house.do(root, Ban("192.0.2.8")))[1:] == [("kick", "", "Bob")]


def test_a_ban_holds_for_the_session_and_its_token_under_any_alias(house: Any, root: Any) -> None:
    house.enter("Bob")
    house.do(root, Ban("Bob"))
    found = refusal(house.hello("Innocent", token="t2"))
    assert found.code == "banned"
    assert found.retry_s is None
    assert type(house.hello("Innocent").replies[0]) is Welcome, "nothing else of them is known"


def test_whoever_has_left_and_could_come_back_is_banned_by_the_alias_they_had(
    house: Any, root: Any
) -> None:
    bob = house.enter("Bob")
    house.lapse(bob)
    house.do(root, Ban("bob"))
    assert refusal(house.hello("Rob", token="t2")).code == "banned"
    house.do(root, Unban("Bob"))
    assert house.hello("Rob", token="t2").replies[0].resumed


def test_one_in_grace_is_refused_when_they_return(house: Any, root: Any) -> None:
    bob = house.enter("Bob", address="192.0.2.7")
    house.world.presence.lost(bob.sid, 0.0)
    house.do(root, Ban("192.0.2.0/24", text="noise"))
    assert bob.sid not in house.state.sessions, "whom the network holds is out as well"
    assert refusal(house.hello("Bob", token="t2", address="192.0.2.9")).code == "banned"
    assert type(house.hello("Bob", address="203.0.113.1").replies[0]) is Welcome


def test_a_network_puts_its_people_out_but_no_operator(house: Any, root: Any) -> None:
    inside = [house.enter(f"P{k}", address=f"192.0.2.{k}") for k in range(3)]
    house.enter("Boss", address="192.0.2.9", rank="boss")
    outside = house.enter("Out", address="203.0.113.1")
    unknown = house.enter("Dim")
    outcome = house.do(root, Ban("192.0.2.1/24", text="noise"))
    assert acts(outcome) == [
        ("ban", "", "192.0.2.0/24"),
        *(("kick", "", each.alias) for each in inside),
    ]
    assert [house.state.holder(each) is not None for each in ("P1", "Boss", "Out", "Dim")] == [
        *(False, True, True, True)
    ]
    assert {outside.sid, unknown.sid} <= set(house.state.sessions)


def test_who_comes_from_two_addresses_is_put_out_with_either(house: Any, root: Any) -> None:
    for nth, banned in enumerate(("192.0.2.7", "203.0.113.1"), 1):
        bob = house.enter("Bob", address="192.0.2.7")
        again = house.hello("Bob", token=f"t{bob.sid[1:]}", address="203.0.113.1").replies[0]
        assert again.resumed
        assert acts(house.do(root, Ban(banned)))[1:] == [("kick", "", "Bob")], nth
        house.do(root, Unban(banned))


def test_nobody_bans_an_address_that_they_come_from_themselves(house: Any, root: Any) -> None:
    house.hello("Root", token="t1", address="203.0.113.1")
    for own in ("198.51.100.0/24", "203.0.113.1"):
        assert house.refused(root, Ban(own)).code == "bad_field"


PEOPLE = 5_000
INSIDE = 50
"""Of those who are there: the others come from other networks."""


def test_a_ban_of_a_network_finds_its_people_among_thousands(house: Any, root: Any) -> None:
    house.state.sessions.update((sid, Session(sid, sid, sid)) for sid in map(str, range(PEOPLE)))
    for number, sid in enumerate(map(str, range(PEOPLE))):
        far = f"2001:db8::{number:x}" if number % 2 else f"10.9.{number // 250}.{number % 250}"
        house.world.presence.came(sid, f"192.0.2.{number}" if number < INSIDE else far)
    began = time.perf_counter()
    outcome = house.do(root, Ban("192.0.2.0/24"))
    took_ms = (time.perf_counter() - began) * 1000
    print(f"\n{PEOPLE} people, {INSIDE} of them in the network: banned in {took_ms:.1f} ms")
    assert acts(outcome)[1:] == [("kick", "", str(number)) for number in range(INSIDE)]
    assert len(house.state.sessions) == PEOPLE + 1 - INSIDE


def test_a_ban_ends_by_itself_and_is_taken_out_of_the_state_by_the_next(
    house: Any, root: Any
) -> None:
    house.do(root, Ban("Bob", None, 10 * MINUTE_MS))
    house.world.now_ms += 10 * MINUTE_MS - 1
    assert refusal(house.hello("Bob")).code == "banned"
    house.world.now_ms += 1
    assert type(house.hello("Bob").replies[0]) is Welcome
    assert house.do(root, Bans()).replies == (BanList("", ()),)
    assert len(house.state.house.bans) == 1
    house.do(root, Ban("Cy"))
    assert [*house.state.house.bans.entries] == ["cy"]


def test_bans_are_listed_with_who_why_and_until_when(house: Any, root: Any, mod: Any) -> None:
    house.do(root, Ban("Bob", None, MINUTE_MS, "noise"))
    house.do(root, Ban("192.0.2.7"))
    house.do(root, Mute("Dee", MINUTE_MS, "loud"))
    house.do(mod, Ban("Cy", "#dev"))
    (listed,) = house.do(root, Bans(re=3)).replies
    assert listed == BanList(
        "",
        (BanRow("Bob", "Root", "noise", 61_000), BanRow("192.0.2.7", "Root", "", 0)),
        3,
        (BanRow("Dee", "Root", "loud", 61_000),),
    )
    for who, room in ((mod, None), (mod, "#dev"), (root, "#dev")):
        (listed,) = house.do(who, Bans(room)).replies
        assert listed == BanList("#dev", (BanRow("Cy", "Mod", "", 0),))


def test_an_address_is_let_in_again(house: Any, root: Any) -> None:
    house.do(root, Ban("192.0.2.7"))
    assert refusal(house.hello("Bob", address="::ffff:192.0.2.7")).code == "banned"
    house.do(root, Unban("192.0.2.7/32"))
    assert type(house.hello("Bob", address="192.0.2.7").replies[0]) is Welcome


def test_a_room_is_closed_to_whom_it_has_banned_under_any_alias(house: Any, mod: Any) -> None:
    bob = house.enter("Bob", "#dev", "#lobby")
    house.do(mod, Ban("Bob", "#dev", None, "noise"))
    assert bob.rooms == ("#lobby",)
    house.do(bob, Nick("Rob"))
    assert house.refused(bob, Join("#dev")).code == "banned"
    assert "noise" in house.refused(bob, Join("#dev")).words
    assert refusal(house.hello("b0b", "#dev")).code == "banned"
    house.do(mod, Unban("bob"))
    assert house.do(bob, Join("#dev")).records


def test_whoever_comes_back_is_not_in_the_room_that_has_banned_them_since(
    house: Any, mod: Any
) -> None:
    bob = house.enter("Bob", "#dev", "#lobby")
    house.lapse(bob)
    house.do(mod, Ban("Bob", "#dev"))
    house.hello("Bob", token="t2")
    assert bob.rooms == ("#lobby",)
    house.lapse(bob)
    house.hello("Bob", "#dev", token="t2")
    assert bob.rooms == ("#lobby",), "and in the lobby, if there is no other"


def test_a_list_of_bans_has_an_end(house: Any, root: Any) -> None:
    for k in range(BANS_MOST):
        house.do(root, Ban(f"10.0.{k // 256}.{k % 256}"))
        house.do(root, Mute(f"P{k}"))
    assert house.refused(root, Ban("Bob")).code == "too_many_bans"
    assert house.refused(root, Mute("Bob")).code == "too_many_bans"
    house.do(root, Unban("10.0.0.0"))
    assert house.do(root, Ban("Bob")).records


def test_a_room_bans_fewer_because_anybody_can_make_rooms(house: Any, mod: Any) -> None:
    for k in range(ROOM_BANS_MOST):
        house.do(mod, Ban(f"P{k}"))
    found = house.refused(mod, Ban("Bob"))
    assert found.code == "too_many_bans"
    assert f"{ROOM_BANS_MOST:,} bans" in found.words


@pytest.mark.parametrize(
    "name",
    ["10.0.0.256", "10.0.0.0/33", "1.2.3.4.5", "2001:db8::/129", "2001:db8::g", "10.0.0.7:59000"],
)
def test_what_was_meant_for_an_address_is_no_ban_of_a_name(
    house: Any, root: Any, name: str
) -> None:
    found = house.refused(root, Ban(name))
    assert found.code == "bad_field"
    assert "10.0.0.0/8" in found.words


def test_who_bans_or_mutes_without_an_end_is_told_so(house: Any, root: Any) -> None:
    """`/ban Bob 10 minutes` names no time, but a reason."""
    said = [house.do(root, each("Bob", text="10 minutes")).then[0].words for each in (Ban, Mute)]
    assert said == [
        "Bob is banned from this server, until it is taken back.",
        "Bob is muted, until it is taken back.",
    ]


# Mutes


def test_the_muted_are_refused_what_they_say_but_not_what_they_ask(house: Any, root: Any) -> None:
    bob = house.enter("Bob")
    house.enter("Ann")
    outcome = house.do(root, Mute("bob", 10 * MINUTE_MS, "noise"))
    (act,) = outcome.records
    assert streams_of(act) == (bob.sid, MODERATION)
    assert bob.private, "so that those who come back follow it"
    for said in (
        Say("#lobby", "hi"),
        Say("#lobby", "hi", me=True),
        Dm("Ann", "hi", "i"),
        Topic("#lobby", "hi"),
        Nick("Rob"),
        Away("hi"),
        Join("#new", "hi"),
    ):
        found = house.refused(bob, said)
        assert (found.code, found.retry_s) == ("muted", 600.0), said
        assert "by Root (noise)" in found.words
        assert "10 minutes" in found.words
    assert house.do(bob, Dm("Root", "why?", "j")).records
    for asked in (Away(), Topic("#lobby"), Join("#a"), Bans()):
        house.do(bob, asked)
    left, _ = house.do(bob, Quit("last words")).records[-2:]
    assert left.text == ""


def test_a_mute_follows_the_session_and_whoever_comes_under_the_alias(
    house: Any, root: Any
) -> None:
    bob = house.enter("Bob")
    house.do(root, Mute("Bob"))
    house.lapse(bob)
    house.hello("Rob", token="t2")
    assert house.refused(bob, Say("#lobby", "hi")).code == "muted"
    other = house.enter("b0b")
    assert other.muted_ms == NO_END
    assert house.refused(other, Say("#lobby", "hi")).retry_s is None
    assert house.enter("Ann").muted_ms == 0
    house.do(root, Unmute("b0b"))
    for each in (bob, other):
        assert [said.text for said in house.say(each, "at last").records] == ["at last"]
        assert house.do(each, Topic("#lobby", "at last")).records
    assert house.refused(root, Unmute("Bob")).code == "not_muted"


def test_one_who_came_back_under_another_alias_is_let_speak_by_that(house: Any, root: Any) -> None:
    bob = house.enter("Bob")
    house.do(root, Mute("Bob"))
    house.lapse(bob)
    house.hello("Rob", token="t2")
    house.do(root, Unmute("Rob"))
    assert (bob.muted_ms, len(house.state.house.mutes)) == (0, 0)


def test_everybody_who_came_under_a_muted_alias_is_let_speak(house: Any, root: Any) -> None:
    house.do(root, Mute("Bob"))
    gone, here = house.enter("Bob"), house.enter("Ann")
    house.lapse(gone)
    alike = house.enter("b0b")
    assert (gone.muted_ms, alike.muted_ms, here.muted_ms) == (NO_END, NO_END, 0)
    house.do(root, Unmute("Bob"))
    assert (gone.muted_ms, alike.muted_ms) == (0, 0)


def test_who_comes_back_under_a_muted_alias_is_muted(house: Any, root: Any) -> None:
    ann = house.enter("Ann")
    house.lapse(ann)
    house.do(root, Mute("Bob", MINUTE_MS))
    house.hello("Bob", token="t2")
    assert ann.muted_ms == house.world.now_ms + MINUTE_MS
    house.do(root, Mute("Bob"))
    house.lapse(ann)
    house.do(root, Mute("Cy", MINUTE_MS))
    house.hello("Cy", token="t2")
    assert ann.muted_ms == NO_END, "the longer of the two holds"


def test_a_mute_ends_by_itself(house: Any, root: Any) -> None:
    bob = house.enter("Bob")
    house.do(root, Mute("Bob", MINUTE_MS))
    house.world.now_ms += MINUTE_MS
    assert house.do(bob, Topic("#lobby", "hi")).records
    assert house.refused(root, Unmute("Bob")).code == "not_muted"


def test_nobody_who_is_muted_moderates(house: Any, root: Any, mod: Any) -> None:
    house.enter("Bob", "#dev")
    house.do(root, Mute("Mod"))
    assert house.refused(mod, Kick("Bob", text="words")).code == "muted"


def test_a_mute_lasts_longer_than_the_session_can_be_returned_to(house: Any, root: Any) -> None:
    bob = house.enter("Bob")
    house.do(root, Mute("Bob"))
    house.lapse(bob)
    house.world.now_ms += (TOKEN_DAYS + 1) * MS_A_DAY
    assert not house.hello("Bob", token="t2").replies[0].resumed
    assert house.state.holder("Bob").muted_ms == NO_END


# Telling


def test_an_announcement_is_read_in_every_room_that_has_people_and_listed_once(
    house: Any, root: Any, mod: Any
) -> None:
    house.enter("Ann", "#a", "#b")
    outcome = house.do(root, Announce("fire drill"))
    assert [(each.room, *streams_of(each)) for each in outcome.records] == [
        ("", MODERATION),
        *((room, room) for room in ("#lobby", "#dev", "#a", "#b")),
    ]
    assert outcome.then == (Done("", {"rooms": 4}),)


def test_the_moderation_log_lists_the_last_acts_the_oldest_first(
    house: Any, root: Any, mod: Any
) -> None:
    house.enter("Bob")
    house.do(mod, Kick("Mod"))
    for k in range(MODLOG_DEFAULT):
        house.do(root, Ban(f"P{k}"))
    house.do(root, Kick("Bob"))
    house.do(root, Announce("fire drill"))
    (page,) = house.do(root, Modlog(re=4)).replies
    assert type(page) is HistoryPage
    assert (page.room, page.re, page.more, len(page.records)) == (MODERATION, 4, True, 20)
    assert [each.act for each in page.records] == ["ban"] * 18 + ["kick", "announce"]
    (page,) = house.do(root, Modlog(500)).replies
    assert page.records[0].act == "oper"
    assert not page.more
