"""Tab: who spoke last comes first, never oneself, whatever the case and the accents."""

from __future__ import annotations

import pytest

from chatcore.client import messages
from chatcore.client.commands import COMMANDS
from chatcore.client.completion import Completer
from chatcore.client.events import Welcomed
from chatcore.client.model import Model

TIME = "2026-11-20T14:02:11.000Z"


def room(name, *aliases):
    people = tuple(messages.Person(alias, "here", "") for alias in aliases)
    return messages.Room(name, "", people, len(people))


@pytest.fixture
def model():
    model = Model("Alice", "#lobby", "server", lambda sid: sid == "s1")
    rooms = (room("#lobby", "Alice", "Anton", "Anna", "Ángel", "Bob"), room("#Dev", "Alice", "Dan"))
    model.show(Welcomed(messages.Welcome("l", "s1", "t", "Alice", False, 0, rooms), False))
    return model


def says(model, alias, seq=1):
    model.show(messages.Said(seq, TIME, "#lobby", alias, f"of-{alias}", "", "hi", False))


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("an", ["Anna: ", "Anton: ", "Ángel: "]),
        ("hi AN", ["Anna ", "Anton ", "Ángel "]),
        ("áng", ["Ángel: "]),
        ("/msg bo", ["Bob "]),
        ("", ["Anna: ", "Anton: ", "Bob: ", "Ángel: "]),
        ("hi ", ["Anna ", "Anton ", "Bob ", "Ángel "]),
        ("al", []),
        ("/jo", ["/join "]),
        ("/un", ["/unban ", "/unmute "]),
        ("/join #d", ["#Dev "]),
        ("see #", ["#lobby ", "#Dev "]),
        ("not /jo", []),
    ],
)
def test_what_is_offered(model, text, offered):
    assert Completer(model)(text, len(text)) == offered


def test_every_command_is_offered(model):
    assert Completer(model)("/", 1) == [f"/{name} " for name in COMMANDS]


def test_only_what_stands_before_the_cursor_counts(model):
    assert Completer(model)("bo and more", 2) == ["Bob: "]


def test_who_spoke_last_is_first(model):
    for seq, alias in enumerate(("Anton", "Ángel", "Anton"), 1):
        says(model, alias, seq)
    assert Completer(model)("an", 2) == ["Anton: ", "Ángel: ", "Anna: "]
    model.show(messages.Renamed(9, TIME, "#lobby", "Anton", "Andy", "x"))
    model.show(messages.Left(10, TIME, "#lobby", "Anna", "y", "quit", ""))
    assert Completer(model)("an", 2) == ["Andy: ", "Ángel: "]


def test_a_name_that_could_not_be_typed_is_not_offered(model):
    for seq, alias in enumerate(("Ann\nx", "An\x1b[2J", "An dy", "An\u202ee"), 1):
        says(model, alias, seq)
    assert Completer(model)("an", 2) == ["Anna: ", "Anton: ", "Ángel: "]


def test_in_no_room_nobody_is_offered(model):
    model.current = ""
    assert Completer(model)("an", 2) == []
