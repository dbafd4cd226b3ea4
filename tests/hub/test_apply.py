"""`apply`: what each record does to the state."""

from __future__ import annotations

from typing import Any

import pytest

from chatcore.hub import session as sessions
from chatcore.hub.apply import apply
from chatcore.hub.state import LOBBY, State
from chatcore.log.record import (
    Closed,
    Crowd,
    Direct,
    Joined,
    Left,
    Opened,
    Record,
    Renamed,
    Said,
    TopicSet,
)


def opened(k: int, alias: str = "", token_hash: str | None = "x") -> Opened:
    return Opened(k, 1, f"s{k}", alias or f"P{k}", token_hash and f"{token_hash}{k}")


def joined(seq: int, room: str = "#a", sid: str = "s1", quiet: bool = False) -> Joined:
    return Joined(seq, 1, room, sid, sid.replace("s", "P"), quiet)


def left(
    seq: int, room: str = "#a", sid: str = "s1", why: str = "quit", quiet: bool = False
) -> Left:
    return Left(seq, 1, room, sid, sid.replace("s", "P"), why, "", quiet)


def said(seq: int, *ids: str, room: str = LOBBY) -> Said:
    return Said(seq, 1, room, "s1", "P1", "\n".join(ids) or "hi", max(1, len(ids)), ids, me=False)


def state_of(*records: Record) -> State:
    state = State()
    for record in records:
        apply(state, record)
    return state


def test_a_session_begins_with_its_alias_and_token() -> None:
    state = state_of(opened(1, "Ann"), opened(2, "Bob", None))
    ann, bob = state.sessions["s1"], state.sessions["s2"]
    assert state.aliases == {"ann": ann, "bob": bob}
    assert state.tokens == {"x1": ann}


def test_a_session_that_ends_is_forgotten_with_its_token() -> None:
    state = state_of(opened(1), Closed(2, 5, "s1", lapsed=False))
    assert (state.sessions, state.aliases, state.tokens, state.lapsed) == ({}, {}, {}, {})
    state = state_of(opened(1, token_hash=None), Closed(2, 5, "s1", lapsed=False))
    assert state.sessions == {}


def test_a_session_that_lapses_gives_its_alias_free_and_keeps_its_token() -> None:
    state = state_of(opened(1), said(2, "i"), Closed(3, 5, "s1", lapsed=True))
    session = state.sessions["s1"]
    assert state.aliases == {}
    assert state.tokens == {"x1": session}
    assert state.lapsed == {"s1": session}
    assert session.lapsed_ms == 5
    assert session.ids.seq_of("i") == 2


def test_a_session_that_returns_takes_its_alias_and_is_lapsed_no_more() -> None:
    state = state_of(
        opened(1),
        joined(2),
        left(3, why="lost"),
        Closed(4, 5, "s1", lapsed=True),
        Opened(5, 6, "s1", "Anna", "other"),
        joined(6),
    )
    session = state.sessions["s1"]
    assert (session.alias, session.lapsed_ms) == ("Anna", None)
    assert state.aliases == {"anna": session}
    assert state.tokens == {"x1": session}, "the token is the one it began with"
    assert state.lapsed == {}
    assert (session.rooms, session.joined) == (("#a",), (2,))


def test_the_longest_lapsed_sessions_are_forgotten_first() -> None:
    most = sessions.SESSIONS_LAPSED
    state = State()
    for k in range(1, most + 3):
        apply(state, opened(k))
    for k in range(most + 2, 0, -1):
        apply(state, Closed(k, k, f"s{k}", lapsed=True))
    assert len(state.lapsed) == len(state.sessions) == len(state.tokens) == most
    assert next(iter(state.lapsed)) == f"s{most}"


def test_ids_of_runs_and_of_direct_lines_are_remembered() -> None:
    state = state_of(
        opened(1),
        opened(2),
        said(3, "a", "b"),
        said(5),
        Direct(6, 1, "s1", "P1", "s2", "P2", "psst", "c"),
        Direct(7, 1, "s1", "P1", "s2", "P2", "psst", None),
    )
    ids = state.sessions["s1"].ids
    assert [ids.seq_of(each) for each in "abc"] == [3, 4, 6]
    assert state.sessions["s2"].ids.seq_of("c") is None


def test_a_room_is_made_by_the_first_who_joins_and_goes_with_the_last() -> None:
    state = state_of(opened(1), opened(2), joined(3), joined(4, sid="s2"))
    assert list(state.named["#a"].members) == ["s1", "s2"]
    apply(state, left(5))
    assert list(state.named["#a"].members) == ["s2"]
    apply(state, left(6, sid="s2"))
    assert list(state.named) == [LOBBY]
    assert list(state.rooms) == [LOBBY]


@pytest.mark.parametrize(
    "reason",
    [said(3, room="#a"), TopicSet(3, 1, "#a", "s1", "P1", "tea"), joined(3, sid="s2")],
    ids=["history", "topic", "somebody"],
)
def test_a_room_with_something_to_come_back_for_stays(reason: Any) -> None:
    state = state_of(opened(1), opened(2), joined(2), reason, left(4))
    assert "#a" in state.named


def test_a_room_whose_topic_was_cleared_has_nothing_to_come_back_for() -> None:
    topic = TopicSet(3, 1, "#a", "s1", "P1", "tea")
    state = state_of(opened(1), joined(2), topic, topic._replace(text=""), left(5))
    assert "#a" not in state.named


def test_the_empty_lobby_stays() -> None:
    state = state_of(opened(1), joined(2, LOBBY), left(3, LOBBY))
    assert list(state.named) == [LOBBY]


@pytest.mark.parametrize(
    ("why", "token", "rooms"),
    [("lost", "x", ("#a",)), ("quit", "x", ()), ("lost", None, ()), ("moved", None, ())],
)
def test_who_lost_the_connection_and_can_return_is_still_of_the_room(
    why: str, token: str | None, rooms: tuple[str, ...]
) -> None:
    state = state_of(opened(1, token_hash=token), joined(2), left(3, why=why))
    assert state.sessions["s1"].rooms == rooms


def test_quiet_comings_and_goings_are_remembered_until_they_are_told() -> None:
    state = state_of(*(opened(k) for k in range(1, 5)), joined(5), joined(6, sid="s2"))
    apply(state, joined(7, sid="s3", quiet=True))
    apply(state, left(8, quiet=True))
    room = state.named["#a"]
    assert (room.arrived, room.departed) == ({"s3": "P3"}, {"s1": "P1"})
    apply(state, left(9, sid="s3", quiet=True))
    apply(state, joined(10, quiet=True))
    assert (room.arrived, room.departed) == ({}, {})
    apply(state, joined(11, sid="s4", quiet=True))
    apply(state, left(12, sid="s2", quiet=True))
    apply(state, Crowd(13, 1, "#a", ("P4",), 1, ("P2",), 1))
    assert (room.arrived, room.departed) == ({}, {})


def test_a_new_alias_frees_the_old_one_and_applies_once_for_all_rooms() -> None:
    state = state_of(opened(1, "Ann"), Renamed(2, 1, "#a", "s1", "Ann", "Anna"))
    apply(state, opened(3, "Ann"))
    apply(state, Renamed(4, 1, "#b", "s1", "Ann", "Anna"))
    assert {alias: session.sid for alias, session in state.aliases.items()} == {
        "anna": "s1",
        "ann": "s3",
    }


def test_an_alias_in_other_letters_is_the_same_alias() -> None:
    state = state_of(opened(1, "Ann"), Renamed(2, 1, "", "s1", "Ann", "ANN"))
    assert list(state.aliases) == ["ann"]
    assert state.sessions["s1"].alias == "ANN"
