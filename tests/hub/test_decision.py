"""A room as its people see it."""

from __future__ import annotations

from typing import Any

from chatcore.hub.decision import view_of
from chatcore.hub.reply import Person, RoomView


def test_a_room_is_seen_with_its_people_and_who_is_about_to_join(house: Any) -> None:
    ann, bob = house.enter("Ann"), house.enter("Bob")
    zed = house.enter("Zed", "#other")
    house.world.presence.set_away(ann.sid, "tea")
    room = house.state.named["#lobby"]
    here = (Person("Ann", "away", "tea"), Person("Bob", "here", ""))
    assert view_of(house.world, room, 100) == RoomView("#lobby", "", 2, here)
    assert view_of(house.world, room, 100, bob) == RoomView("#lobby", "", 2, here)
    with_zed = (*here, Person("Zed", "here", ""))
    assert view_of(house.world, room, 100, zed) == RoomView("#lobby", "", 3, with_zed)
    assert view_of(house.world, room, 1) == RoomView("#lobby", "", 2, here[:1])
    assert view_of(house.world, room, 1, zed).people == (here[0], with_zed[2])
