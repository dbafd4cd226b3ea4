"""RELIABILITY K3, without a socket: a link over a hundred cuts, refused tries and killed servers with the same log.

Time is simulated, so the waits between two tries are those that a person would have. The server of the model stores
a line before anybody hears of it, as ours does; when it is killed it keeps what was told, and of the rest, of which
nothing had left yet, any beginning.
"""

from __future__ import annotations

import random

import pytest

from chatcore.client import events, messages
from chatcore.client.link import Link, State
from chatcore.client.messages import Request
from chatcore.client.model import Model
from chatcore.client.pulse import BACKOFF_MAX_S, BACKOFF_MIN_S
from chatcore.client.reunion import MAX_GATHER_S

CUTS = 120
REFUSED_SHARE = 0.3
"""Tries to connect that find nobody."""
MOST_STEPS = 100_000


@pytest.fixture
def wire(new_wire, room_server):
    return new_wire(room_server).open().carry()


class Simulation:
    """One link, its connection, and the server, which may be killed at any point."""

    def __init__(self, server, seed):
        self.server, self.rng = server, random.Random(seed)
        self.link = Link("Alice", ["#lobby"], "abc", "test")
        self.now, self.end = 0.0, None
        self.up, self.down = bytearray(), bytearray()
        self.told_seq = 0  # everything up to here may have left the server
        self.typed = self.others = self.cuts = self.kills = 0
        self.told = []

    def dial(self):
        self.now = max(self.now, self.link.retry_at)
        if self.rng.random() < REFUSED_SHARE:
            self.link.lost("connection refused", self.now, self.rng.random())
        else:
            self.end = self.server.connect()
            self.link.connected(self.now)

    def move(self, most=None):
        """Some bytes in both directions; all that there are without `most`."""
        self.up += self.link.data_to_send()
        some = len(self.up) if most is None else self.rng.randint(0, most)
        self.end.received(bytes(self.up[:some]))
        del self.up[:some]
        if self.rng.random() < 0.5 and most is not None:
            return  # stored, and nobody has heard of it
        self.down += self.end.data_to_send()
        self.told_seq = self.server.head
        some = len(self.down) if most is None else self.rng.randint(0, most)
        self.link.received(bytes(self.down[:some]), self.now)
        del self.down[:some]

    def cut(self):
        self.end, self.cuts = None, self.cuts + 1
        self.up.clear()
        self.down.clear()
        self.link.lost("server closed", self.now, self.rng.random())

    def kill(self):
        unheard = [each for each in self.server.records if each["seq"] > self.told_seq]
        keep = self.rng.randint(0, len(unheard))
        del self.server.records[len(self.server.records) - len(unheard) + keep :]
        head = self.server.head
        for member in self.server.by_token.values():
            member.ids = {key: seq for key, seq in member.ids.items() if seq <= head}
        self.kills += 1
        self.cut()

    def step(self):
        self.now += self.rng.random()
        if self.end is None:
            self.dial()
            return
        self.link.tick(self.now)
        match self.rng.choice(["say", "other", "move", "move", "move", "move", "cut", "kill"]):
            case "say":  # 90 are more than may be on their way at once
                for _ in range(self.rng.choice((1, 4, 90))):
                    request = Request("say", room="#lobby", text=f"mine {self.typed}")
                    self.link.ask(request, self.now)
                    self.typed += 1
            case "other" if self.told_seq == self.server.head:
                self.others += 1
                self.told_seq = self.server.say("Bob", f"theirs {self.others}")
            case "cut":
                self.cut()
            case "kill":
                self.kill()
            case _:
                self.move(3000)

    def run(self):
        while self.cuts < CUTS:
            self.step()
            self.told += self.link.take_events()
        calm = 0
        for _ in range(MOST_STEPS):
            if self.end is None:
                self.dial()
            else:
                self.move()
                self.now += 1
                self.link.tick(self.now)
            self.told += self.link.take_events()
            at_rest = not self.link.outbox and self.link.position >= self.server.head
            calm = calm + 1 if at_rest else 0
            if calm > MAX_GATHER_S + 1:
                return
        pytest.fail("it never came to rest")

    def seen(self, kind):
        return [each for each in self.told if isinstance(each, kind)]


@pytest.mark.parametrize("seed", range(20))
def test_over_a_hundred_cuts_and_kills_nothing_is_lost_or_doubled(new_room_server, seed):
    simulation = Simulation(new_room_server(), seed)
    simulation.run()
    assert simulation.kills > 20
    assert simulation.typed > 100
    mine = [text for text in simulation.server.stored if text.startswith("mine")]
    assert mine == [f"mine {number}" for number in range(simulation.typed)], "stored, in order"
    joined_at = simulation.seen(events.Welcomed)[0].welcome.seq
    said = [
        (each["seq"], each["text"])
        for each in simulation.server.records
        if each["t"] == "say" and each["seq"] > joined_at
    ]
    assert [(each.seq, each.text) for each in simulation.seen(messages.Said)] == said, "shown"
    assert len(simulation.seen(events.Stored)) == simulation.typed
    assert simulation.seen(events.Refusal) == []
    assert all(not back.fresh for back in simulation.seen(events.Back)[1:])


@pytest.mark.parametrize("seed", range(5))
def test_waits_between_tries_are_spread_and_bounded(new_room_server, seed):
    simulation = Simulation(new_room_server(), seed)
    simulation.run()
    waits = [lost.retry_s for lost in simulation.seen(events.Lost)]
    assert len(waits) >= CUTS
    assert all(BACKOFF_MIN_S <= wait <= BACKOFF_MAX_S for wait in waits)
    assert len({round(wait, 6) for wait in waits}) > len(waits) / 2, "by chance"


def test_many_clients_of_a_restarted_server_do_not_come_back_together():
    """Each rolls for itself: after the third failure, a second sees at most half as many again as its share."""
    rng, moments = random.Random(1), []
    for _ in range(1000):
        link = Link("Alice", ["#lobby"], "abc", "test")
        for _ in range(3):
            link.lost("connection refused", 0.0, rng.random())
        moments.append(link.retry_at)
    fullest = max(sum(second <= each < second + 1 for each in moments) for second in range(1, 8))
    assert fullest < 1.5 * 1000 / 7


# One return, looked at closely


def test_after_a_restart_the_same_line_goes_out_with_the_same_id_and_is_shown_once(wire):
    wire.link.ask(Request("say", room="#lobby", text="hi"), 0.0)
    wire.end.received(wire.link.data_to_send())
    del wire.server.records[-1]  # it was not durable yet when the server was killed
    wire.server.by_token["t1"].ids.clear()
    first = wire.end.said[-1]
    wire.cut(after_s=37)
    assert len(wire.link.outbox) == 1
    wire.open().carry()
    assert [each for each in wire.end.said if each["t"] == "say"] == [first]
    assert (wire.server.stored, wire.texts, len(wire.link.outbox)) == (["hi"], ["hi"], 0)


def test_after_a_restart_the_hello_says_up_to_where_it_has_read(wire):
    wire.server.say("Bob", "one")
    wire.carry()
    seq = wire.server.say("Bob", "two")
    wire.carry().cut(after_s=5).open().carry()
    hello = wire.end.said[0]
    assert (hello["token"], hello["log"], hello["after"]) == ("t1", "log-1", seq)


def test_a_return_says_for_how_long_it_was_and_shows_what_was_missed_once(wire):
    wire.server.say("Bob", "before")
    wire.carry().cut(after_s=37)
    wire.server.repeats = 9  # a server that sends again what was read already
    wire.server.say("Bob", "missed")
    wire.open().carry()
    model = Model("Alice", "#lobby", "localhost", wire.link.is_own)
    (back,) = wire.seen(events.Back)
    (line,) = model.show(back)
    assert line.parts == ("back after 37 s", "1 missed line below")
    assert wire.texts == ["before", "missed"]
    assert wire.told.index(back) < next(
        number for number, each in enumerate(wire.told) if getattr(each, "text", "") == "missed"
    )


@pytest.mark.parametrize("what", ["another log", "an unknown token"])
def test_a_server_that_does_not_know_one_any_more_is_told_to_the_person(wire, what):
    wire.cut(after_s=3)
    if what == "another log":
        wire.server.log = "log-2"
    else:
        wire.server.forget_sessions()
    wire.open().carry()
    model = Model("Alice", "#lobby", "localhost", wire.link.is_own)
    (line,) = model.show(wire.seen(events.Back)[0])
    assert line.parts[0] == "back after 3 s"
    assert "forgotten" in line.parts[1]
    assert wire.link.state is State.JOINED


def test_a_server_that_lost_its_newest_lines_is_read_from_where_it_now_ends(wire):
    """`durability = "fast"` and a power cut: its numbers begin again below what was read."""
    wire.server.say("Bob", "kept")
    wire.carry()
    wire.server.say("Bob", "lost by the server")
    wire.carry().cut(after_s=3)
    del wire.server.records[-1]
    wire.link.connected(wire.now)
    welcome = {"t": "welcome", "log": "log-1", "sid": "s1", "token": "t1", "alias": "Alice"}
    head = wire.server.head
    wire.receive({**welcome, "resumed": True, "seq": head, "rooms": []})
    again = {"t": "say", "seq": head + 3, "time": "", "room": "#lobby", "from": "Bob", "sid": "b"}
    wire.receive({**again, "text": "new under an old number"})
    assert wire.texts[-1] == "new under an old number"
