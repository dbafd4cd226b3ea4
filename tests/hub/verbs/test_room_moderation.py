"""Moderating a room: who does, who else, the lock and its key, invitations; and that none of it outlives the room."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub import keys
from chatcore.hub.acts import INVITED_MOST
from chatcore.hub.command import Ban, Invite, Join, Kick, Lock, Op, Part, Rooms, Topic
from chatcore.hub.reply import Refused
from chatcore.hub.verbs.room_moderation import MODERATORS_MOST


@pytest.fixture
def mod(house: Any) -> Any:
    """Whoever made #dev."""
    return house.enter("Mod", "#dev")


def moderators(house: Any) -> list[str]:
    sessions = house.state.sessions
    return [sessions[sid].alias for sid in house.state.named["#dev"].moderators]


def test_whoever_makes_a_room_moderates_it_and_nobody_the_lobby(house: Any, mod: Any) -> None:
    house.enter("Bob", "#dev")
    assert moderators(house) == ["Mod"]
    assert not house.state.named["#lobby"].moderators
    for command in (Op("Bob", "#lobby"), Lock("key", "#lobby"), Ban("Bob", "#lobby")):
        assert house.refused(mod, command).code == "not_moderator"


def test_moderation_is_given_and_taken(house: Any, mod: Any) -> None:
    bob = house.enter("Bob", "#dev")
    assert house.refused(bob, Op("Bob")).code == "not_moderator"
    (act,) = house.do(mod, Op("bob")).records
    assert (act.act, act.room, act.to, act.to_sid) == ("op", "#dev", "Bob", bob.sid)
    assert not house.do(mod, Op("Bob")).records, "already"
    assert moderators(house) == ["Mod", "Bob"]
    house.do(bob, Op("MOD", take=True))
    assert moderators(house) == ["Bob"]
    assert house.refused(mod, Op("Mod")).code == "not_moderator"
    assert house.refused(bob, Op("Mod", take=True)).code == "not_moderator"
    assert house.refused(bob, Op("Nobody")).code == "no_such_person"


def test_only_from_inside_the_room_and_only_for_those_inside(house: Any, mod: Any) -> None:
    house.enter("Out")
    assert house.refused(mod, Op("Out")).code == "no_such_person"
    house.enter("Bob", "#dev")
    house.do(mod, Part("#dev"))
    assert house.refused(mod, Op("Bob", "#dev")).code == "not_moderator"
    house.do(mod, Join("#dev"))
    assert house.do(mod, Op("Bob", "#dev")).records, "whoever comes back still moderates"


def test_moderation_outlives_the_connection_but_not_the_session(house: Any, mod: Any) -> None:
    bob = house.enter("Bob", "#dev")
    house.do(bob, Topic("#dev", "tea"))
    house.lapse(mod)
    assert moderators(house) == ["Mod"]
    boss = house.enter("Boss", rank="root")
    house.do(boss, Op("Bob", "#dev"))
    house.do(bob, Op("mod", "#dev", take=True))
    assert moderators(house) == ["Bob"], "also of somebody who is not there"
    house.leave(bob)
    assert moderators(house) == []


def test_a_moderator_takes_it_from_themselves_but_not_from_an_operator(
    house: Any, mod: Any
) -> None:
    root = house.enter("Root", "#dev", rank="root")
    house.do(mod, Op("Root"))
    assert house.refused(mod, Op("Root", take=True)).code == "not_operator"
    assert house.do(mod, Op("Mod", take=True)).records
    assert house.do(root, Op("Root", "#dev", take=True)).records
    assert moderators(house) == []


def test_who_acts_on_a_room_from_elsewhere_is_told_that_it_is_done(house: Any, mod: Any) -> None:
    """Whoever is there reads it with everybody else."""
    root = house.enter("Root", rank="root")
    house.enter("Bob", "#dev")
    done = [
        house.do(root, command).then[0].words
        for command in (Op("Bob", "#dev"), Op("Bob", "#dev", take=True), Kick("Bob", "#dev"))
    ]
    assert done == [
        "Bob moderates #dev now.",
        "Bob does not moderate #dev any more.",
        "Bob is out of #dev.",
    ]
    house.enter("Cy", "#dev")
    assert [house.do(mod, each).then[0].words for each in (Op("Cy"), Kick("Cy"))] == ["", ""]


def test_a_ban_from_the_room_takes_the_moderation(house: Any, mod: Any) -> None:
    house.enter("Bob", "#dev")
    house.do(mod, Op("Bob"))
    house.do(mod, Ban("Bob"))
    assert moderators(house) == ["Mod"]


def test_a_room_that_is_gone_is_made_again_without_its_past(house: Any, mod: Any) -> None:
    house.do(mod, Lock("sesame"))
    house.do(mod, Ban("Bob"))
    bob = house.enter("Bob")
    house.do(mod, Invite("Bob"))
    house.do(mod, Part("#dev"))
    assert house.do(bob, Join("#dev")).records
    assert moderators(house) == ["Bob"]
    assert house.state._named_in == {bob.sid: {"#dev": None}}


def test_a_room_has_only_so_many_moderators_and_invitations(house: Any, mod: Any) -> None:
    for k in range(MODERATORS_MOST):
        house.enter(f"P{k}", "#dev")
    codes = []
    for k in range(MODERATORS_MOST):
        reply = (house.do(mod, Op(f"P{k}")).replies or (None,))[0]
        codes.append(reply.refusal.code if type(reply) is Refused else "")
    assert codes == [""] * (MODERATORS_MOST - 1) + ["too_many_moderators"]
    guests = [house.enter(f"G{k}") for k in range(INVITED_MOST + 1)]
    for guest in guests:
        house.do(mod, Invite(guest.alias))
    assert [*house.state.named["#dev"].invited] == [each.sid for each in guests[1:]]


# The lock


def test_a_locked_room_is_entered_with_its_key_only(house: Any, mod: Any) -> None:
    bob = house.enter("Bob")
    (act,) = house.do(mod, Lock("sésame")).records
    assert (act.act, act.room, act.to, act.to_sid) == ("lock", "#dev", "", "")
    for wrong in (Join("#dev"), Join("#dev", "sesame"), Join("#dev", key=""), Join("#dev", "")):
        assert house.refused(bob, wrong).code == "room_locked"
    assert house.refused(bob, Join("#dev", "sésame", key="other")).code == "room_locked"
    for right in (Join("#dev", "se\u0301same"), Join("#dev", key="sésame")):
        assert house.do(bob, right).records
        house.do(bob, Part("#dev"))
    assert house.state.named["#dev"].topic == "", "the key is no topic"


def test_the_key_stands_nowhere(house: Any, mod: Any) -> None:
    (first,) = house.do(mod, Lock("sesame")).records
    (second,) = house.do(mod, Lock("sesame")).records
    assert "sesame" not in repr(house.records)
    assert first.text != second.text, "the same key twice cannot be seen"
    assert house.state.named["#dev"].key == second.text


def test_a_room_is_opened_again(house: Any, mod: Any) -> None:
    assert not house.do(mod, Lock()).records, "it is open"
    house.do(mod, Lock("sesame"))
    (act,) = house.do(mod, Lock()).records
    assert act.act == "unlock"
    house.enter("Bob", "#dev")
    assert house.refused(mod, Lock("x" * (keys.KEY_CHARACTERS + 1))).code == "too_long"


def test_those_who_were_in_come_back_without_the_key_and_newcomers_do_not(
    house: Any, mod: Any
) -> None:
    bob = house.enter("Bob", "#dev", "#lobby")
    house.do(mod, Lock("sesame"))
    house.lapse(bob)
    house.hello("Bob", token="t2")
    assert bob.rooms == ("#dev", "#lobby")
    (reply,) = house.hello("Eve", "#dev").replies
    assert reply.refusal.code == "room_locked"
    house.do(bob, Part("#dev"))
    house.lapse(bob)
    house.hello("Bob", "#dev", "#lobby", token="t2")
    assert bob.rooms == ("#lobby",), "whoever had left is a newcomer"


def test_who_was_in_a_room_that_is_gone_needs_the_key_of_the_next_one_of_that_name(
    house: Any, mod: Any
) -> None:
    house.lapse(mod)
    assert "#dev" not in house.state.named, "nothing was said there"
    bob = house.enter("Bob", "#dev")
    house.do(bob, Lock("sesame"))
    house.say(bob, "between us", room="#dev")
    house.hello("Mod", token="t1", after=1)
    assert mod.rooms == ("#lobby",)
    house.lapse(bob)
    house.hello("Bob", token="t2")
    assert bob.rooms == ("#dev",), "this one's own people come back"


def test_operators_and_moderators_need_no_key(house: Any, mod: Any) -> None:
    house.enter("Bob", "#dev")
    house.do(mod, Lock("sesame"))
    house.do(mod, Part("#dev"))
    assert house.do(mod, Join("#dev")).records
    root = house.enter("Root", rank="root")
    assert house.do(root, Join("#dev")).records


def test_outsiders_are_told_of_a_locked_room_only_that_it_is_there(house: Any, mod: Any) -> None:
    house.do(mod, Topic("#dev", "tea"))
    house.do(mod, Lock("sesame"))
    bob, root = house.enter("Bob"), house.enter("Root", rank="root")
    for who, row in (
        (bob, ("#dev", "", 0, True)),
        (root, ("#dev", "tea", 1, True)),
        (mod, ("#dev", "tea", 1, True)),
    ):
        (reply,) = house.do(who, Rooms()).replies
        assert reply.rooms == (("#lobby", "", 2, False), row)


# Invitations


def test_an_invitation_opens_the_door_once(house: Any, mod: Any) -> None:
    house.do(mod, Lock("sesame"))
    bob = house.enter("Bob")
    (act,) = house.do(mod, Invite("bob")).records
    assert (act.act, act.room, act.to_sid) == ("invite", "#dev", bob.sid)
    assert house.do(bob, Join("#dev")).records
    assert not house.do(mod, Invite("Bob")).records, "there already"
    house.do(bob, Part("#dev"))
    assert house.refused(bob, Join("#dev")).code == "room_locked"
    assert house.refused(mod, Invite("Nobody")).code == "no_such_person"


def test_an_invitation_takes_no_ban_back(house: Any, mod: Any) -> None:
    bob = house.enter("Bob")
    house.do(mod, Invite("Bob"))
    house.do(mod, Ban("bob"))
    assert house.refused(bob, Join("#dev")).code == "banned"
    found = house.refused(mod, Invite("Bob"))
    assert found.code == "banned"
    assert "/unban Bob" in found.words, "nobody is invited to a closed door"
