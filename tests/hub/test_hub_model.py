"""The hub against a tiny model of a chat room: two to five clients, any commands, no difference (RELIABILITY P11).

Compared is what a client can see: the answer to each command, who is where, what
rooms there are, and every line that a client in a room reads.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatcore.hub.command import (
    Ban,
    History,
    Invite,
    Join,
    Kick,
    Lock,
    Nick,
    Op,
    Part,
    Quit,
    Rooms,
    Say,
    Topic,
    Unban,
    Who,
)
from chatcore.hub.reply import Refused, Welcome
from chatcore.log.reader import Reader
from chatcore.log.record import Joined, Left, Said, texts_of
from tests.hub.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.hub.hub import Outcome
    from chatcore.log.record import Record
    from tests.hub.model import ModelRoom

CLIENTS = 5
STEPS_A_RUN = 50
CLIENT = st.integers(0, CLIENTS - 1)
ALIAS = st.sampled_from(["Ann", "ann", "Bob", "BOB", "Cy", "Dee", "Eve", "", "a b"])
ROOM = st.sampled_from(["#lobby", "#Lobby", "#den", "#DEN", "#hall", "hall", "#"])
WORDS = st.sampled_from(["", "tea", "tea at four"])
ACTS = ("kick", "ban", "unban", "op", "invite", "lock", "open")


class TextForm:
    """The texts that a client reads, one a line, each with its room."""

    @staticmethod
    def record(record: Record) -> bytes:
        if type(record) is not Said:
            return b""
        return "".join(f"{record.room} {text}\n" for text in texts_of(record)).encode()

    @staticmethod
    def gap(stream: str, missed: int, next_seq: int) -> bytes:
        raise AssertionError("nothing is missed in so short a time")


def code_of(outcome: Outcome) -> str | None:
    """The refusal's code, None when the command was carried out."""
    codes = (reply.refusal.code for reply in outcome.replies if type(reply) is Refused)
    return next(codes, None)


class Room(RuleBasedStateMachine):
    """Steps over both; `seen` counts them for the report of a run."""

    new_house: Any
    seen: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.house = self.new_house()
        self.model = Model()
        self.sessions: dict[int, Any] = {}
        self.readers: dict[int, Reader] = {}
        self.read: dict[int, list[str]] = {}
        self.expected: dict[int, list[str]] = {}
        self.lines = 0

    # Following, as the connections do it

    def follow(self, records: Iterable[Record]) -> None:
        log = self.house.world.log
        clients = {session.sid: client for client, session in self.sessions.items()}
        for record in records:
            if isinstance(record, Joined) and record.sid in clients:
                self.readers[clients[record.sid]].follow(log.stream(record.room), record.seq - 1)
            elif isinstance(record, Left):
                if record.sid in clients:
                    self.readers[clients[record.sid]].leave(log.stream(record.room), record.seq)
                if record.room not in self.house.state.named:
                    log.drop_stream(record.room)

    def do(self, client: int, command: Any) -> str | None:
        outcome = self.house.do(self.sessions[client], command)
        self.follow(outcome.records)
        code = code_of(outcome)
        self.seen[f"{type(command).__name__} {code or 'done'}"] += 1
        return code

    # Steps

    @rule(client=CLIENT, alias=ALIAS, rooms=st.lists(ROOM, max_size=2))
    def arrive(self, client: int, alias: str, rooms: list[str]) -> None:
        if client in self.sessions:
            return
        outcome = self.house.hello(alias, *rooms)
        fault = self.model.alias_fault(client, alias)
        for room in rooms:
            fault = fault or self.model.name_fault(room)
        for room in rooms:
            fault = fault or self.model.entry_fault(client, room, alias, None)
        assert code_of(outcome) == fault
        self.seen[f"Hello {fault or 'done'}"] += 1
        if fault:
            return
        welcome = outcome.replies[0]
        assert type(welcome) is Welcome
        self.model.alias[client] = alias
        entered = list(
            dict.fromkeys(self.model.enter(client, room) for room in rooms or ["#lobby"])
        )
        assert [view.room for view in welcome.rooms] == [room.name for room in entered]
        self.model.ids[client] = set()
        self.sessions[client] = self.house.state.sessions[welcome.sid]
        self.readers[client] = Reader(TextForm(), welcome.seq)
        self.read[client], self.expected[client] = [], []
        self.follow(outcome.records)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), room=ROOM, topic=st.none() | WORDS, move=st.booleans())
    def join(self, data: Any, room: str, topic: str | None, move: bool) -> None:
        self.goes(self.one(data), room, topic, move)

    @precondition(lambda self: len(self.sessions) > 1)
    @rule()
    def meet(self) -> None:
        """Left to chance, hardly any room has two people, and somebody must be there to be put out."""
        for client in self.sessions:
            self.goes(client, "#den", None, False)

    def goes(self, client: int, room: str, topic: str | None, move: bool) -> None:
        model = self.model
        fault = model.name_fault(room) or model.entry_fault(
            client, room, model.alias[client], topic
        )
        assert self.do(client, Join(room, topic, move)) == fault
        if fault or client in getattr(model.rooms.get(room.lower()), "members", ()):
            return
        is_new = room.lower() not in model.rooms
        if move:
            for each in model.rooms_of(client):
                model.leave(client, each.name)
        there = model.enter(client, room)
        if is_new and topic:
            there.topic = topic

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), room=ROOM)
    def part(self, data: Any, room: str) -> None:
        client = self.one(data)
        fault = self.model.member_fault(client, room)
        assert self.do(client, Part(room)) == fault
        if not fault:
            self.model.leave(client, room)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), alias=ALIAS)
    def nick(self, data: Any, alias: str) -> None:
        client = self.one(data)
        fault = self.model.alias_fault(client, alias)
        assert self.do(client, Nick(alias)) == fault
        if not fault:
            self.model.alias[client] = alias

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), room=ROOM, text=WORDS)
    def topic(self, data: Any, room: str, text: str) -> None:
        client = self.one(data)
        fault = self.model.member_fault(client, room)
        assert self.do(client, Topic(room, text)) == fault
        if not fault:
            self.model.rooms[room.lower()].topic = text

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), room=ROOM, ids=st.lists(st.sampled_from("abcdefgh"), max_size=3))
    def say(self, data: Any, room: str, ids: list[str]) -> None:
        client, model = self.one(data), self.model
        names = ids or [""]
        texts = [f"{client} {name} {self.lines + k}" for k, name in enumerate(names)]
        self.lines += len(texts)
        # Of what is stored, a retry is acknowledged, also from outside the room.
        is_new = not {*names} <= model.ids[client]
        fault = model.member_fault(client, room)
        found = self.do(client, Say(room, "\n".join(texts), len(texts), tuple(ids)))
        assert found == (fault if is_new else None)
        if fault:
            return
        there = model.rooms[room.lower()]
        for name, text in zip(names, texts, strict=True):
            if name not in model.ids[client]:
                there.said.append(text)
                for member in there.members:
                    self.expected[member].append(f"{there.name} {text}")
            model.ids[client] |= {name} - {""}

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), text=WORDS)
    def quit(self, data: Any, text: str) -> None:
        client = self.one(data)
        assert self.do(client, Quit(text)) is None
        for room in self.model.rooms_of(client):
            self.model.leave(client, room.name)
        self.model.forget(client)
        self.check_read(client)
        for known in (self.model.alias, self.sessions, self.readers, self.read, self.expected):
            del known[client]

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), room=ROOM, alias=ALIAS, what=st.sampled_from(ACTS))
    def moderate(self, data: Any, room: str, alias: str, what: str) -> None:
        client, model = self.one(data), self.model
        moderated = [(who, each) for each in model.rooms.values() for who in each.moderators]
        if moderated and data.draw(st.integers(0, 3)):
            client, there = data.draw(st.sampled_from(moderated))
            room = there.name
            alias = data.draw(st.sampled_from([alias, *map(model.alias.get, there.members)]))
        command = {
            "kick": Kick(alias, room),
            "ban": Ban(alias, room),
            "unban": Unban(alias, room),
            "op": Op(alias, room),
            "invite": Invite(alias, room),
            "lock": Lock("tea", room),
            "open": Lock(None, room),
        }[what]
        code = self.do(client, command)
        fault = model.moderation_fault(client, room)
        if fault or room.lower() == "#lobby":
            assert code == fault or code == "not_moderator"
            return
        there, to = model.rooms[room.lower()], model.holder(alias)
        assert code == model.act_fault(what, client, to, there, alias)
        if code is None:
            model.acted(what, to, there, alias)
            # A ban taken back is that of the session that had the alias then, whatever it is called now.
            there.banned_clients &= self.banned_from(there)

    def banned_from(self, room: ModelRoom) -> set[int]:
        sids = {ban.sid for ban in self.house.state.named[room.name].bans.entries.values()}
        return {client for client, session in self.sessions.items() if session.sid in sids}

    def one(self, data: Any) -> int:
        client = data.draw(st.sampled_from(sorted(self.sessions)))
        assert isinstance(client, int)
        return client

    # What must be equal

    @invariant()
    def the_same_people_are_in_the_same_rooms(self) -> None:
        model = self.model
        for client, session in self.sessions.items():
            (people,) = self.house.do(session, Who()).replies
            found = {
                view.room: (view.topic, {each.alias for each in view.people})
                for view in people.rooms
            }
            assert found == {
                room.name: (room.topic, {model.alias[each] for each in room.members})
                for room in model.rooms_of(client)
            }
            (rooms,) = self.house.do(session, Rooms()).replies
            assert sorted(rooms.rooms) == sorted(
                (room.name, "", 0, True)
                if room.key and client not in room.members
                else (room.name, room.topic, len(room.members), bool(room.key))
                for room in model.rooms.values()
            )

    @invariant()
    def everybody_has_read_what_was_said_where_it_was(self) -> None:
        for client in self.sessions:
            self.check_read(client)

    def check_read(self, client: int) -> None:
        head = self.house.world.log.head_seq
        while data := self.readers[client].pull(head):
            self.read[client] += data.decode().splitlines()
        assert self.read[client] == self.expected[client]

    @invariant()
    def history_is_what_was_said(self) -> None:
        for client, session in self.sessions.items():
            for room in self.model.rooms_of(client):
                (page,) = self.house.do(session, History(room.name, 500)).replies
                texts = [
                    text for each in page.records if type(each) is Said for text in texts_of(each)
                ]
                assert page.more or texts == room.said
                assert texts == room.said[len(room.said) - len(texts) :]


def play(new_house: Any, steps: int) -> Counter[str]:
    """So many steps, always the same ones."""
    seen: Counter[str] = Counter()
    machine = type("PlayedRoom", (Room,), {"new_house": new_house, "seen": seen})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=steps // STEPS_A_RUN,
            stateful_step_count=STEPS_A_RUN,
            derandomize=True,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return seen


def test_no_difference_to_the_model_in_three_thousand_steps(new_house: Any) -> None:
    seen = play(new_house, 3_000)
    for kind in ("Hello", "Join", "Part", "Nick", "Topic", "Say", "Quit"):
        assert seen[f"{kind} done"] > 5, f"{kind} was hardly tried: {seen}"
    acts = sum(seen[f"{kind} done"] for kind in ("Kick", "Ban", "Op", "Lock", "Invite"))
    assert acts > 10, f"moderation was hardly tried: {seen}"


@pytest.mark.slow
def test_no_difference_to_the_model_in_ten_thousand_steps(new_house: Any) -> None:
    seen = play(new_house, 10_000)
    print(dict(seen))
    assert seen.total() > 2_000
