"""A house to try things in: a hub with a state, a log, and a clock that stands where a test puts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatcore.hub.apply import apply
from chatcore.hub.command import Arrival, Gather, Hello, Quit, Say
from chatcore.hub.decision import World
from chatcore.hub.hub import Hub, Outcome
from chatcore.hub.presence import Presence
from chatcore.hub.reply import Refused, Welcome
from chatcore.hub.state import LOBBY, State
from chatcore.log.log import Log
from chatcore.log.order import LocalOrderer

if TYPE_CHECKING:
    from chatcore.hub.command import Command
    from chatcore.hub.reply import Refusal
    from chatcore.hub.session import Session
    from chatcore.log.record import Record


class House:
    """A hub, and every record that it ever made."""

    def __init__(self, history_on_join: int = 20) -> None:
        self.world = World(State(), Log("log-1"), Presence(120.0), history_on_join, now_ms=1_000)
        self.hub = Hub(self.world, LocalOrderer())
        self.records: list[Record] = []
        self._sids = 0

    @property
    def state(self) -> State:
        return self.world.state

    def collect(self) -> list[Record]:
        """The records since the last call, taken as the journal takes them."""
        batch = self.world.log.take_batch()
        self.records += batch
        return batch

    def hello(
        self,
        alias: str,
        *rooms: str,
        plain: bool = False,
        token: str | None = None,
        after: int | None = None,
        log: str = "log-1",
        address: str = "",
    ) -> Outcome:
        """What comes of a hello. The token of the session `s1` is `t1`, and so on; a plain client has none."""
        self._sids += 1
        hello = Hello(alias, rooms, token, log, after, re="h")
        outcome = self.hub.arrive(
            Arrival(hello, f"s{self._sids}", None if plain else f"t{self._sids}", address)
        )
        self.collect()
        return outcome

    def enter(
        self, alias: str, *rooms: str, plain: bool = False, address: str = "", rank: str = ""
    ) -> Session:
        """Somebody arrives, and is let in; with a `rank`, as the operator of that name."""
        welcome = self.hello(alias, *rooms, plain=plain, address=address).replies[0]
        assert type(welcome) is Welcome, welcome
        if rank:
            self.rise(self.state.sessions[welcome.sid], rank)
        return self.state.sessions[welcome.sid]

    def rise(self, session: Session, name: str) -> Outcome:
        """Somebody has said an operator's password."""
        outcome = self.hub.rise(session, name, None)
        self.collect()
        return outcome

    def do(self, session: Session, command: Command) -> Outcome:
        outcome = self.hub.execute(session, command)
        self.collect()
        return outcome

    def say(self, session: Session, text: str, *ids: str, room: str = LOBBY) -> Outcome:
        """A run of as many lines as there are ids, or of one."""
        return self.do(session, Say(room, text, max(1, len(ids)), ids))

    def refused(self, session: Session, command: Command) -> Refusal:
        """The refusal of a command, which changed nothing."""
        outcome = self.do(session, command)
        assert not outcome.records
        assert not outcome.then
        (reply,) = outcome.replies
        assert type(reply) is Refused
        return reply.refusal

    def lapse(self, session: Session) -> Outcome:
        outcome = self.hub.lapse(session)
        self.collect()
        return outcome

    def gather(self, room: str) -> Outcome:
        outcome = self.hub.gather(Gather(room))
        self.collect()
        return outcome

    def leave(self, session: Session, why: str = "quit") -> Outcome:
        return self.do(session, Quit("", why))

    def replayed(self) -> State:
        """A fresh state, made of nothing but the records."""
        self.collect()
        state = State()
        for record in self.records:
            apply(state, record)
        return state


def plain_view(state: State, *, ordered: bool = True) -> dict[str, object]:
    """All that can be seen of a state, as values that compare; `ordered`: with the order of people in a room."""
    return {
        "sessions": {
            sid: (
                session.alias,
                session.token_hash,
                session.rooms,
                session.joined,
                session.lapsed_ms,
                session.lapsed_seq,
                session.private,
                session.muted_ms,
                list(session.ids.seqs().items()),
                session._left or None,
                session._back_seq if session._left else 0,
            )
            for sid, session in state.sessions.items()
        },
        "aliases": {alias: session.sid for alias, session in state.aliases.items()},
        "looks": {key: {each.sid for each in alike} for key, alike in state.looks.items()},
        "tokens": {token: session.sid for token, session in state.tokens.items()},
        "lapsed": list(state.lapsed),
        "rooms": {
            folded: (
                room.name,
                room.since,
                room.topic,
                room.history,
                list(room.members) if ordered else set(room.members),
                list(room.arrived.items()),
                list(room.departed.items()),
                list(room.moderators),
                list(room.invited),
                room.key,
                room.bans.saved(),
                room.idle_seq,
            )
            for folded, room in state.rooms.items()
        },
        "idle": list(state.idle),
        "named": {name: room.name for name, room in state.named.items()},
        "named in": {sid: sorted(rooms) for sid, rooms in state._named_in.items()},
        "bans": state.house.bans.saved(),
        "mutes": state.house.mutes.saved(),
    }


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture(scope="session")
def new_house() -> type[House]:
    return House


@pytest.fixture(scope="session")
def view() -> object:
    return plain_view
