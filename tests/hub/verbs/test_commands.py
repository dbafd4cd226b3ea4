"""The table of commands holds all that a person can ask, and each row is whole."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from chatcore.hub import command
from chatcore.hub.command import Help, Say
from chatcore.hub.reply import HelpPage, HelpRow
from chatcore.hub.verbs import BY_NAME, DECIDE, NATIVE, PLAIN, TABLE, TELLS_NOTHING
from chatcore.hub.verbs.table import Kind, Verb

PLAIN_WORDS = {
    Kind.NAME: "word",
    Kind.WORDS: "some words",
    Kind.NUMBER: 3,
    Kind.TIME: 5_000,
    Kind.ID: "i1",
    Kind.ROOM: "#a",
    Kind.SPAN: 60_000,
}


def test_each_name_stands_once_and_somebody_can_use_it() -> None:
    assert len(BY_NAME) == len(TABLE)
    assert all(verb.plain or verb.native for verb in TABLE)
    assert {verb.name: verb for verb in TABLE} == {**PLAIN, **NATIVE}
    assert "part" not in PLAIN
    assert "msg" not in NATIVE


@pytest.mark.parametrize("verb", TABLE, ids=lambda verb: verb.name)
def test_each_row_says_how_it_is_used_and_builds_a_command_that_is_decided(verb: Verb) -> None:
    assert verb.summary
    assert not verb.usage or verb.usage.startswith(f"/{verb.name}")
    if verb.native:
        given = {param.argument: PLAIN_WORDS[param.kind] for param in verb.params if param.required}
        built = verb.build(**given)
        assert type(built) is Say or DECIDE[type(built)] is verb.decide
    if verb.plain:
        for needed in (True, False):
            given = {
                param.argument: PLAIN_WORDS[param.kind]
                for param in verb.params
                if param.plain and (param.required or not needed)
            }
            built = verb.build(**given)
            assert isinstance(built, get_args(command.Command))
            assert verb.tells_state == (type(built) not in TELLS_NOTHING)


def test_every_command_is_decided() -> None:
    assert {*DECIDE, Say} == set(get_args(command.Command))


def test_said_lines_take_their_id_along() -> None:
    assert BY_NAME["say"].build(text="hi", room="#a", id="i") == Say("#a", "hi", 1, ("i",))
    assert BY_NAME["say"].build(text="hi") == Say(None, "hi")
    assert BY_NAME["me"].build(text="hi", id="i") == Say(None, "hi", 1, ("i",), me=True)
    assert BY_NAME["me"].build(text="hi", room="#a") == Say("#a", "hi", me=True)


def test_help_lists_all_commands_and_explains_one(house: Any) -> None:
    ann = house.enter("Ann")
    (reply,) = house.do(ann, Help(re=1)).replies
    assert reply == HelpPage(
        tuple(HelpRow(verb.name, verb.usage, verb.summary) for verb in TABLE), 1
    )
    for asked in ("join", "/join"):
        (reply,) = house.do(ann, Help(asked, 2)).replies
        assert reply == HelpPage(
            (HelpRow("join", "/join #room [topic]", reply.rows[0].summary),), 2
        )


def test_help_on_what_does_not_exist_tells_what_was_meant(house: Any) -> None:
    ann = house.enter("Ann")
    refusal = house.refused(ann, Help("/jion"))
    assert refusal.code == "unknown_command"
    assert "Did you mean /join?" in refusal.words
