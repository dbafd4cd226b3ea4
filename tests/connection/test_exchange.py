"""The exchange: what connections send is decided in order, and what is due is sent before they are closed."""

from __future__ import annotations

from typing import Any


def test_two_people_talk(house: Any) -> None:
    ann = house.plain("Ann")
    bob = house.native("Bob")
    ann.say("hi")
    house.settle()
    assert ann.lines == ["Bob has connected to the chat room", "Ann: hi"]
    assert [each["text"] for each in bob.messages if each["t"] == "say"] == ["hi"]
