"""A sign of life, and what to do about a command that does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub.command import Mistake, Ping
from chatcore.hub.hub import Outcome
from chatcore.hub.reply import Pong, Refusal, Refused
from chatcore.hub.verbs.info import unknown_command

SLIPS = ["jion", "jon", "joinn", "joun", "oin", "joi", "ojin"]
NO_SLIPS = ["", "x", "jn", "joinery", "noij", "xoix", "join me", "j" * 4_000]


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


@pytest.mark.parametrize("typed", SLIPS)
def test_one_slip_is_understood(typed: str) -> None:
    assert unknown_command(typed, ["join"], "/").words.endswith("Did you mean /join?")


@pytest.mark.parametrize("typed", NO_SLIPS)
def test_what_is_no_slip_is_not_guessed_at(typed: str) -> None:
    assert unknown_command(typed, ["join"], "/").words.endswith("/help lists the commands.")
