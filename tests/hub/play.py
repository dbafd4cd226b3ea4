"""A few people who do anything, as the connections let them: what the property tests of the hub are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from chatcore.hub.command import (
    Announce,
    Away,
    Ban,
    Bans,
    Dm,
    Invite,
    Join,
    Kick,
    Lock,
    Modlog,
    Mute,
    Nick,
    Op,
    Part,
    Ping,
    Quit,
    Rooms,
    Say,
    Topic,
    Unban,
    Unmute,
    Who,
)
from chatcore.hub.reply import Welcome

if TYPE_CHECKING:
    from chatcore.hub.hub import Outcome

PEOPLE = 5
WHO = st.integers(0, PEOPLE - 1)
ALIAS = st.sampled_from(
    ["Ann", "ANN", "Аnn", "Bob", "b0b", "Zoë", "ZOE\u0308", "Straße", "STRASSE", "a b"]
)
ROOM = st.sampled_from(["#lobby", "#LOBBY", "#a", "#A", "#b", "#Straße", "#strasse", "x"])
TEXT = st.sampled_from(["", "hi", "tea at four", "\u202e\x1b[31m"])
KEY = st.none() | st.sampled_from(["", "sesame"])
ADDRESS = st.sampled_from(["10.0.0.0", "10.0.0.1", "10.0.0.0/31", "::ffff:10.0.0.2", "10.0.0.0/8"])
SPAN = st.none() | st.integers(1, 4_000)
IDS = st.lists(st.sampled_from([f"i{k}" for k in range(6)]), max_size=4)

ACTS = st.one_of(
    st.builds(Kick, ALIAS, st.none() | ROOM, TEXT),
    st.builds(Ban, ALIAS | ADDRESS, st.none() | ROOM, SPAN, TEXT),
    st.builds(Unban, ALIAS | ADDRESS, st.none() | ROOM),
    st.builds(Mute, ALIAS, SPAN, TEXT),
    st.builds(Unmute, ALIAS),
    st.builds(Op, ALIAS, st.none() | ROOM, st.booleans()),
    st.builds(Lock, KEY, st.none() | ROOM),
    st.builds(Invite, ALIAS, st.none() | ROOM),
    st.sampled_from([Announce("fire drill"), Bans(), Modlog()]),
)

OPS = st.one_of(
    st.tuples(st.just("rise"), WHO),
    st.tuples(st.just("do"), WHO, ACTS),
    st.tuples(st.just("hello"), WHO, ALIAS, st.lists(ROOM, max_size=3), st.booleans()),
    st.tuples(st.just("return"), WHO, ALIAS, st.lists(ROOM, max_size=2)),
    st.tuples(st.just("lapse"), WHO),
    st.tuples(st.just("gather"), ROOM),
    st.tuples(st.just("later"), st.integers(-1_000, 5_000)),
    st.tuples(st.just("say"), WHO, ROOM, IDS, st.booleans()),
    st.tuples(st.just("do"), WHO, st.builds(Dm, ALIAS, TEXT, st.none() | st.sampled_from("xyz"))),
    st.tuples(st.just("do"), WHO, st.builds(Join, ROOM, st.none() | TEXT, st.booleans(), key=KEY)),
    st.tuples(st.just("do"), WHO, st.builds(Part, ROOM)),
    st.tuples(st.just("do"), WHO, st.builds(Nick, ALIAS)),
    st.tuples(st.just("do"), WHO, st.builds(Topic, st.none() | ROOM, st.none() | TEXT)),
    st.tuples(st.just("do"), WHO, st.builds(Quit, TEXT, st.sampled_from(["quit", "lost"]))),
    st.tuples(st.just("do"), WHO, st.sampled_from([Away("tea"), Away(), Who(), Rooms(), Ping(1)])),
)


class Play:
    """A few people who do anything, as the connections let them."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.there: dict[int, Any] = {}
        """Who has a session that is not lapsed."""
        self.tokens: dict[int, str] = {}

    def run(self, op: tuple[Any, ...]) -> Outcome | None:
        kind, *rest = op
        return getattr(self, f"op_{kind}")(*rest)

    def op_hello(self, who: int, alias: str, rooms: list[str], plain: bool) -> Outcome | None:
        if who in self.there:
            return None
        return self.came(who, self.house.hello(alias, *rooms, plain=plain, address=f"10.0.0.{who}"))

    def op_return(self, who: int, alias: str, rooms: list[str]) -> Outcome | None:
        if who in self.there or who not in self.tokens:
            return None
        hello = self.house.hello
        return self.came(
            who, hello(alias, *rooms, token=self.tokens[who], after=1, address=f"10.0.0.{who}")
        )

    def came(self, who: int, outcome: Outcome) -> Outcome:
        welcome = outcome.replies[0]
        if type(welcome) is Welcome:
            self.there[who] = self.house.state.sessions[welcome.sid]
            self.tokens.pop(who, None)
            if welcome.token is not None:
                self.tokens[who] = welcome.token
        return outcome

    def op_lapse(self, who: int) -> Outcome | None:
        if who not in self.there or who not in self.tokens:
            return None
        return self.house.lapse(self.there.pop(who))

    def op_gather(self, room: str) -> Outcome:
        return self.house.gather(room)

    def op_later(self, ms: int) -> None:
        self.house.world.now_ms += ms

    def op_say(self, who: int, room: str, ids: list[str], me: bool) -> Outcome | None:
        text = "\n".join(f"line {line_id}" for line_id in ids) or "hi"
        return self.op_do(who, Say(room, text, max(1, len(ids)), tuple(ids), me))

    def op_do(self, who: int, command: Any) -> Outcome | None:
        if who not in self.there:
            return None
        outcome: Outcome = self.house.do(self.there[who], command)
        sessions = self.house.state.sessions
        # Who quit is gone, and so is who was put out.
        self.there = {
            one: session for one, session in self.there.items() if session.sid in sessions
        }
        return outcome

    def op_rise(self, who: int) -> Outcome | None:
        """Somebody becomes an operator."""
        if who not in self.there:
            return None
        outcome: Outcome = self.house.rise(self.there[who], "root")
        return outcome
