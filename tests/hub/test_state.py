"""The state: the lobby is always there, and names are found however they are spelt."""

from __future__ import annotations

from chatcore.hub.session import Session
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


def test_a_change_of_a_piece_is_told_of_once_in_an_epoch() -> None:
    state, told = State(), []
    state.epoch, state.on_change = 1, told.append
    room = state.add_room(Room("#dev"))
    state.changing(room)
    assert told == [room]
    state.epoch = 2
    state.changing(room)
    state.drop_room(room)
    assert told == [room, room]


def test_who_is_forgotten_is_told_once() -> None:
    state = State()
    session = Session("s1", "Ann", "hash")
    state.add_session(session)
    assert state.tokens == {"hash": session}
    state.forget(session)
    assert (state.sessions, state.tokens) == ({}, {})
    assert state.take_forgotten() == ["s1"]
    assert state.take_forgotten() == []
