"""A session: its rooms with the place from which on it reads them, and the ids it used."""

from __future__ import annotations

import hashlib

import pytest

from chatcore.hub.session import Session, hash_of


@pytest.fixture
def session() -> Session:
    return Session("s1", "Ann", None)


def test_a_new_session_is_in_no_room_and_knows_no_id(session: Session) -> None:
    assert (session.rooms, session.joined, session.lapsed_ms) == ((), (), None)
    assert session.ids.seq_of("a") is None


def test_ids_are_kept_once_made(session: Session) -> None:
    session.ids.add(("a",), 7)
    assert session.ids.seq_of("a") == 7


def test_a_room_is_entered_once_and_read_from_there(session: Session) -> None:
    session.enter("#a", 3)
    session.enter("#b", 5)
    session.enter("#a", 9)
    assert (session.rooms, session.joined) == (("#a", "#b"), (3, 5))


def test_who_leaves_a_room_and_comes_back_reads_it_from_the_return(session: Session) -> None:
    session.enter("#a", 3)
    session.enter("#b", 5)
    session.leave("#a")
    session.leave("#never")
    assert (session.rooms, session.joined) == (("#b",), (5,))
    session.enter("#a", 9)
    assert (session.rooms, session.joined) == (("#b", "#a"), (5, 9))


def test_who_lapsed_and_returns_reads_its_rooms_from_where_it_once_joined(session: Session) -> None:
    session.enter("#a", 3)
    session.come_back(8)
    assert (session.rooms, session.joined) == ((), ())
    session.enter("#a", 9)
    session.enter("#new", 10)
    assert (session.rooms, session.joined) == (("#a", "#new"), (3, 10))
    session.leave("#a")
    session.enter("#a", 12)
    assert session.joined == (10, 12), "the old place is used once"


def test_a_token_is_kept_as_its_hash() -> None:
    assert hash_of("t1") == hashlib.sha256(b"t1").hexdigest()
