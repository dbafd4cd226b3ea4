"""The state: the lobby is always there, and names are found however they are spelt."""

from __future__ import annotations

from chatcore.hub.state import LOBBY, Room, State


def test_a_new_house_has_a_lobby_and_nobody_in_it() -> None:
    state = State()
    assert list(state.named) == [LOBBY]
    assert not state.named[LOBBY].members
    assert [state.sessions, state.aliases, state.tokens, state.lapsed] == [{}, {}, {}, {}]


def test_a_room_is_found_however_it_is_spelt_and_by_records_exactly() -> None:
    state = State()
    room = state.add_room(Room("#Straße"))
    assert state.room("#STRASSE") is room
    assert state.room("#straße") is room
    assert state.room("#other") is None
    assert list(state.named) == [LOBBY, "#Straße"]


def test_a_dropped_room_is_gone_under_both_names() -> None:
    state = State()
    state.drop_room(state.add_room(Room("#Dev")))
    assert state.room("#dev") is None
    assert list(state.named) == [LOBBY]


def test_nobody_holds_an_alias_that_nobody_took() -> None:
    assert State().holder("Ann") is None
