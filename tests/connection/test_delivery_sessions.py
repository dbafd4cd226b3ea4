"""Delivery to all connections of a session: each reads what is the session's from its own welcome on, and no more.

The connections after the first say nothing, so that no answer of their own marks for them where a room begins or ends.
People are kicked, too, and some rounds take every room for a big one, where nobody is told of a leave.
"""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.connection.attendance import GATHER_S
from chatcore.dialects.native_form import NativeForm
from chatcore.log.record import Act, Direct, Joined, Left, streams_of
from tests.connection.test_delivery import Peer, shake

if TYPE_CHECKING:
    from chatcore.log.record import Record

RECORD = re.compile(rb'\{"t":"(?:say|me|dm|join|leave|nick|topic|act|crowd)","seq":')
ROUNDS = 60
LISTENERS = 6


class Listener:
    """Another connection of a peer's session."""

    def __init__(self, house: Any, rng: random.Random, alias: str, welcome: dict[str, Any]) -> None:
        self.rng = rng
        self.sock, _ = house.connect()
        self.sid: str = welcome["sid"]
        back = {"token": welcome["token"], "log": welcome["log"]}
        self.sock.say({"t": "hello", "v": 1, "alias": alias} | back)

    def act(self) -> None:
        if self.rng.random() < 0.3:
            self.sock.takes.extend(self.rng.choice([0, 1, 7, 900, 70_000]) for _ in range(3))
        if self.rng.random() < 0.2:
            self.sock.blocked = not self.sock.blocked

    def check(self, records: list[Record]) -> None:
        (welcome,) = welcomes_in(self.sock.sent)
        if not welcome["resumed"]:
            return  # that session had been kicked out of the server, or had quit
        lines = re.findall(rb"[^\n]*\n", bytes(self.sock.sent))
        got = [line for line in lines if RECORD.match(line)]
        assert b"".join(got) == expected(records, self.sid, welcome["seq"])


def expected(records: list[Record], sid: str, after: int) -> bytes:
    """What a connection of the session is to read, from the records alone."""
    rooms: set[str] = set()
    parts: list[bytes] = []
    for record in records:
        if type(record) is Joined and record.sid == sid:
            rooms.add(record.room)
        private = isinstance(record, Direct | Act) and sid in streams_of(record)
        if record.seq > after and (private or rooms.intersection(streams_of(record))):
            parts.append(NativeForm.record(record))
        if type(record) is Left and record.sid == sid:
            rooms.discard(record.room)
    return b"".join(parts)


def welcomes_in(sent: bytearray) -> list[dict[str, Any]]:
    lines = re.findall(rb"[^\n]*\n", bytes(sent))
    return [json.loads(line) for line in lines if line.startswith(b'{"t":"welcome"')]


def play(house: Any, rng: random.Random) -> list[Listener]:
    """Rounds of anything that people do, and who listened."""
    peers = [Peer(house, rng, number, native=number > 0) for number in range(5)]
    listeners: list[Listener] = []
    for _ in range(ROUNDS):
        peer = rng.choice(peers)
        if peer.native and not peer.gone:
            name = f"P{rng.randrange(len(peers))}"
            peer.sock.say({"t": "kick", "room": rng.choice(["#a", "#b"]), "name": name})
            if len(listeners) < LISTENERS and (welcomes := welcomes_in(peer.sock.sent)):
                listeners.append(Listener(house, rng, peer.alias, welcomes[0]))
        for each in (*rng.sample(peers, rng.randrange(1, len(peers) + 1)), *listeners):
            each.act()
        for _ in range(rng.randrange(1, 4)):
            house.turn()
            shake(house.archive, rng)
    for each in (*peers, *listeners):
        each.sock.blocked = False
        each.sock.takes.clear()
    return listeners


@pytest.mark.parametrize("archived", [False, True], ids=["in memory", "archived"])
@pytest.mark.parametrize("seed", range(30))
def test_every_connection_of_a_session_reads_what_is_the_sessions_and_no_more(
    make_house: Any, monkeypatch: pytest.MonkeyPatch, seed: int, archived: bool
) -> None:
    rng = random.Random(seed)
    if archived:
        monkeypatch.setattr("chatcore.log.stream.WINDOW_RECORDS", 4)
    if seed % 2:
        monkeypatch.setattr("chatcore.hub.verbs.rooms.BIG_ROOM", 2)
    house = make_house(archived=archived)
    house.lag(lambda waiting: rng.randrange(waiting + 1))
    house.selector.order = rng.shuffle
    listeners = play(house, rng)
    if archived:
        house.archive.answer_all()
    house.settle()
    house.pass_time(GATHER_S)
    assert listeners
    for listener in listeners:
        listener.check(house.records)
