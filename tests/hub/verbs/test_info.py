"""A sign of life, and what to do about a command that does not exist."""

from __future__ import annotations

from typing import Any

from chatcore.hub.command import Mistake, Ping
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import Pong, Refusal, Refused
from chatcore.hub.verbs.info import unknown_command


def test_a_ping_is_answered(house: Any) -> None:
    ann = house.enter("Ann")
    assert house.do(ann, Ping(3)) == Outcome((Pong(3),), (), ())


def test_a_mistake_is_answered_with_what_was_wrong(house: Any) -> None:
    ann = house.enter("Ann")
    refusal = Refusal("bad_field", "No.")
    assert house.do(ann, Mistake(refusal, "i", 4)).replies == (Refused(refusal, "i", 4),)


def test_a_command_that_does_not_exist_is_answered_with_the_one_that_was_meant() -> None:
    assert unknown_command("jion", ["join", "quit"], "/") == Refusal(
        "unknown_command", "There is no command /jion. Did you mean /join?"
    )
    assert unknown_command("xyz", ["join"], "").words == (
        "There is no command xyz. help lists the commands."
    )
