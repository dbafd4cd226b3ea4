"""Delivery: everybody gets each record exactly once, in order, in whole lines, whatever the sockets do.

`Reader.pull` defines what a reader gets. `push` is its short cut; the property test here holds them equal, and both
to an account that is kept of the records themselves.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.log.reader import Reader
from chatcore.log.record import Direct, Joined, Left, Record, streams_of
from chatcore.log.stream import PAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.log.reader import Form
    from chatcore.log.stream import Stream


class Shadowed(Reader):
    """A reader with two twins that are told the same and only ever pulled: one every tick, one at the very end."""

    __slots__ = ("begun", "eager", "got", "lazy", "urgent")

    def __init__(self, form: Form, position: int) -> None:
        super().__init__(form, position)
        self.eager = Reader(form, position)
        self.lazy = Reader(form, position)
        self.begun = False
        self.got = b""
        self.urgent: list[bytes] = []

    def begin(self) -> None:
        """The position it enters at is set before it follows anything; later ones are delivery's own business."""
        if not self.begun:
            self.begun = True
            self.eager.position = self.lazy.position = self.position

    def follow(self, stream: Stream, after: int) -> None:
        self.begin()
        for each in (self.eager, self.lazy):
            each.follow(stream, after)
        super().follow(stream, after)

    def leave(self, stream: Stream, until: int) -> None:
        for each in (self.eager, self.lazy):
            each.leave(stream, until)
        super().leave(stream, until)

    def reply(self, data: bytes, position: int, needs: int) -> None:
        for each in (self.eager, self.lazy):
            each.reply(data, position, needs)
        super().reply(data, position, needs)

    def reply_now(self, data: bytes) -> None:
        self.urgent.append(data)
        super().reply_now(data)

    def look(self, durable_seq: int) -> None:
        """What the eager twin gets now."""
        while data := self.eager.pull(durable_seq):
            assert data.endswith(b"\n")
            self.got += data

    def all_at_once(self, durable_seq: int) -> bytes:
        """What the lazy twin gets."""
        parts: list[bytes] = []
        while data := self.lazy.pull(durable_seq):
            parts.append(data)
        return b"".join(parts)


class Peer:
    """Somebody whose socket and mood are random."""

    def __init__(self, house: Any, rng: random.Random, number: int, native: bool) -> None:
        self.house, self.rng, self.native = house, rng, native
        self.alias = f"P{number}"
        self.renames = 0
        self.lines = 0
        self.pings = 0
        self.gone = False
        self.broken = False
        self.sock, self.connection = house.connect()
        rooms = ["#lobby", *rng.sample(["#a", "#b"], rng.randrange(3))]
        hello = {"t": "hello", "v": 1, "alias": self.alias, "rooms": rooms}
        self.sock.say(hello if native else self.alias)

    @property
    def reader(self) -> Shadowed:
        reader = self.connection.reader
        assert type(reader) is Shadowed
        return reader

    def look(self) -> None:
        """Let its twins read, if it has any."""
        if self.connection.dialect is not None and type(self.connection.reader) is Shadowed:
            self.reader.look(self.house.world.log.durable_seq)

    def text(self) -> str:
        return self.rng.choice(["hi", "é🙂", "a/b", "x" * 4_000, "\x1b[2J", "hm " * 99])

    def act(self) -> None:
        if not self.gone:
            (self._act_natively if self.native else self._act_plainly)()
        if self.rng.random() < 0.3:
            self.sock.takes.extend(self.rng.choice([0, 1, 7, 900, 70_000]) for _ in range(3))
        if self.rng.random() < 0.2:
            self.sock.blocked = not self.sock.blocked

    def _act_plainly(self) -> None:
        rng, say = self.rng, self.sock.say
        match rng.randrange(24):
            case 0:
                say(f"/join {rng.choice(['#lobby', '#a', '#b'])}")
            case 1:
                self.renames += 1
                say(f"/nick {self.alias}x{self.renames % 3}")
            case 2:
                say(f"/msg P{rng.randrange(6)} {self.text()}")
            case 3:
                self.pings += 1
                say("/ping")
            case 4:
                say("/topic " + rng.choice(["tea", "", "\x1b"]))
            case 5:
                say(rng.choice(["/who", "/rooms", "/history 3", "/away", "/away tea", "/nonsense"]))
            case 6:
                self._leave(lambda: say("/quit bye"))
            case _:
                say(*(self.text() for _ in range(rng.randrange(1, 4))))

    def _act_natively(self) -> None:
        rng, say = self.rng, self.sock.say
        room = rng.choice(["#lobby", "#lobby", "#a", "#b"])
        self.lines += 1
        line = {
            "t": "say",
            "id": f"i{self.lines}",
            "room": room,
            "text": self.text(),
            "re": self.lines,
        }
        match rng.randrange(24):
            case 0 | 1:
                say({"t": "join", "room": room, "re": self.lines})
            case 2:
                say({"t": "part", "room": room, "re": self.lines})
            case 3:
                self.renames += 1
                say({"t": "nick", "alias": f"{self.alias}x{self.renames % 3}"})
            case 4:
                say(
                    {
                        "t": "dm",
                        "id": f"i{self.lines}",
                        "to": f"P{rng.randrange(6)}",
                        "text": "psst",
                    }
                )
            case 5:
                self.pings += 1
                say({"t": "ping", "re": self.lines})
            case 6:
                say({"t": "topic", "room": room, "text": "tea"}, {"t": "who"}, {"t": "away"})
            case 7:
                say({"t": "history", "room": room, "limit": 3})
            case 8:
                self._leave(lambda: say({"t": "quit", "text": "bye"}))
            case 9:
                say(line, line)
            case _:
                say(line)

    def _leave(self, how: Callable[[], None]) -> None:
        if self.rng.random() < 0.3:
            self.gone = True
            if (kind := self.rng.randrange(4)) == 0:
                self.broken = True
                self.sock.reset()
            elif kind == 1:
                # A native session goes on without its connection, and so do its twins.
                self.broken = self.native
                self.sock.end()
            else:
                how()


URGENT_NATIVE = re.compile(rb'\{"t":"(?:pong|presence)"|.*"code":"unknown_command"')
URGENT_PLAIN = re.compile(rb"-- (?:pong|There is no command )")


def without_urgent(data: bytes, native: bool) -> bytes:
    """The stream without what may overtake; those are whole lines too."""
    urgent = URGENT_NATIVE if native else URGENT_PLAIN
    return b"".join(
        line for line in re.findall(rb"[^\n]*\n?", data) if line and not urgent.match(line)
    )


def expected_records(records: list[Record], sid: str, form: Form, returns: bool) -> bytes:
    """What one session is to read, from the records alone."""
    rooms: set[str] = set()
    parts: list[bytes] = []
    for record in records:
        if type(record) is Joined and record.sid == sid:
            rooms.add(record.room)
        is_own_leave = type(record) is Left and record.sid == sid
        private = type(record) is Direct and sid in (record.sid, record.to_sid)
        if private or (rooms.intersection(streams_of(record)) and (returns or not is_own_leave)):
            parts.append(form.record(record))
        if is_own_leave:
            rooms.discard(record.room)
    return b"".join(parts)


RECORD_NATIVE = re.compile(rb'\{"t":"(?:say|me|dm|join|leave|nick|topic)","seq":')
NO_RECORD_PLAIN = re.compile(rb"-- |Connected to the server!|\[\d\d:\d\d\] ")


def only_records(data: bytes, native: bool) -> bytes:
    return b"".join(
        line
        for line in re.findall(rb"[^\n]*\n", data)
        if (RECORD_NATIVE.match(line) if native else not NO_RECORD_PLAIN.match(line))
    )


def run_randomly(make_house: Any, seed: int, rounds: int, *, archived: bool = False) -> list[Peer]:
    rng = random.Random(seed)
    house = make_house(archived=archived)
    house.lag(lambda waiting: rng.randrange(waiting + 1))
    house.selector.order = rng.shuffle
    peers: list[Peer] = []
    for number in range(rounds):
        if len(peers) < 6 and (number < 4 or rng.random() < 0.1):
            peers.append(Peer(house, rng, len(peers), native=bool(rng.randrange(2))))
        for peer in rng.sample(peers, rng.randrange(1, len(peers) + 1)):
            peer.act()
        for _ in range(rng.randrange(1, 4)):
            house.turn()
            for peer in peers:
                peer.look()
            shake(house.archive, rng)
    for peer in peers:
        peer.sock.blocked = False
        peer.sock.takes.clear()
    if archived:
        house.archive.answer_all()
    house.settle()
    durable = house.world.log.durable_seq
    assert durable == house.world.log.head_seq
    for peer in peers:
        peer.look()
        (check_records if archived else check)(house, peer)
    return peers


def shake(archive: Any, rng: random.Random) -> None:
    """The archive, if there is one, answers when it likes."""
    if archive is not None:
        archive.holds = rng.random() < 0.5
        if archive.asked and rng.random() < 0.5:
            archive.answer()


def check(house: Any, peer: Peer) -> None:
    check_records(house, peer)
    sent, native = bytes(peer.sock.sent), peer.native
    if peer.broken:
        # Its last line may be cut, and then shows no longer what it was.
        sent = sent[: sent.rfind(b"\n") + 1]
    got = without_urgent(sent, native)
    wanted = without_urgent(peer.reader.got, native)
    lazy = without_urgent(peer.reader.all_at_once(house.world.log.durable_seq), native)
    assert wanted == lazy, peer.alias
    assert wanted.startswith(got) if peer.broken else got == wanted, peer.alias


def check_records(house: Any, peer: Peer) -> None:
    """Against the account that is kept of the records themselves."""
    sent, native = bytes(peer.sock.sent), peer.native
    joined = [each for each in house.records if type(each) is Joined]
    (sid,) = {each.sid for each in joined if each.alias == peer.alias}
    records = expected_records(house.records, sid, peer.connection.reader.form, returns=native)
    if peer.broken:
        whole = sent[: sent.rfind(b"\n") + 1]
        assert records.startswith(only_records(whole, native)), peer.alias
        return
    assert only_records(sent, native) == records, peer.alias
    pong = b'{"t":"pong"' if native else b"-- pong\n"
    assert sum(line.startswith(pong) for line in re.findall(rb"[^\n]*\n", sent)) == peer.pings


@pytest.mark.parametrize("seed", range(40))
def test_push_gives_every_reader_what_pull_defines(
    make_house: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("chatcore.connection.exchange.Reader", Shadowed)
    run_randomly(make_house, seed, rounds=60)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_sent_out_of_the_shared_file_is_the_same(
    make_house: Any, monkeypatch: pytest.MonkeyPatch, all_share: None, seed: int
) -> None:
    monkeypatch.setattr("chatcore.connection.exchange.Reader", Shadowed)
    peers = run_randomly(make_house, seed, rounds=60)
    assert sum(peer.sock.shared for peer in peers) > 0


@pytest.mark.parametrize("seed", range(40))
def test_who_falls_behind_memory_reads_on_from_the_archive_and_misses_nothing(
    make_house: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("chatcore.log.stream.WINDOW_RECORDS", 4)
    run_randomly(make_house, seed, rounds=60, archived=True)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_push_gives_every_reader_what_pull_defines_at_full_size(
    make_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatcore.connection.exchange.Reader", Shadowed)
    for seed in range(1_000, 3_000):
        run_randomly(make_house, seed, rounds=60)


# What single readers see


def test_a_broken_peer_in_a_fan_out_costs_nobody_else_a_line(house: Any) -> None:
    people = [house.plain(f"P{k}") for k in range(5)]
    natives = [house.native(f"N{k}") for k in range(3)]
    for sock in (*people, *natives):
        sock.sent.clear()
    people[2].takes.append(BrokenPipeError(32, "Broken pipe"))
    natives[1].takes.append(ConnectionResetError())
    people[0].say("hi")
    house.settle()
    for sock in (*people[:2], *people[3:]):
        assert sock.lines[0] == "P0: hi"
        assert "P2 has left the chat room!" in sock.lines
        assert sock.lines.count("P0: hi") == 1
    for sock in (natives[0], natives[2]):
        assert [each["text"] for each in sock.messages if each["t"] == "say"] == ["hi"]
        assert {"t": "presence", "alias": "N1", "state": "grace"} in sock.messages
    assert people[2].closes == natives[1].closes == 1
    assert not people[2].sent


def test_a_peer_that_breaks_while_it_catches_up_is_closed_alone(house: Any) -> None:
    ann, bob = house.plain("Ann"), house.plain("Bob")
    ann.sent.clear()
    bob.blocked = True
    ann.say("one")
    house.settle()
    bob.takes.append(ConnectionResetError(104, "Connection reset by peer"))
    bob.blocked = False
    house.settle()
    assert bob.closes == 1
    assert ann.lines == ["Ann: one", "Bob has left the chat room!"]


def test_news_of_a_tick_are_one_send_to_a_reader(house: Any) -> None:
    people = [house.plain(f"P{k}") for k in range(4)]
    for sock in people:
        sock.sends = 0
        sock.sent.clear()
    people[0].say("a", "b")
    people[1].say("c")
    house.settle()
    assert [sock.sends for sock in people] == [1, 1, 1, 1]
    assert {tuple(sock.lines) for sock in people} == {("P0: a", "P0: b", "P1: c")}


def test_a_slow_reader_holds_at_most_one_page_and_gets_every_line_once(house: Any) -> None:
    ann, slow = house.plain("Ann"), house.plain("Slow")
    connection = house.connection_of(slow)
    slow.blocked = True
    ann.sent.clear()
    lines = [f"{k} " + "x" * 3_000 for k in range(500)]
    for k in range(0, len(lines), 10):
        ann.say(*lines[k : k + 10])
        house.settle()
        assert len(connection.pending) <= PAGE_BYTES
        assert connection.reader.queued_bytes == 0
    assert ann.lines == [f"Ann: {line}" for line in lines]
    slow.takes.extend([1, 70_000, 0, 3, 65_536, 0] * 5)
    slow.blocked = False
    house.settle()
    assert slow.lines == ann.lines
    assert connection.live_in is not None
    assert connection.pending == b""


def test_a_reader_that_fell_too_far_behind_is_told_how_many_lines_it_missed(house: Any) -> None:
    ann, slow, other = house.plain("Ann"), house.plain("Slow"), house.native("Other")
    slow.sent.clear()
    slow.blocked = other.blocked = True
    count = 4_000
    for k in range(0, count, 100):
        ann.say(*(f"{n} " + "x" * 4_000 for n in range(k, k + 100)))
        house.settle()
    slow.blocked = other.blocked = False
    house.settle()
    numbers = [int(line.split()[1]) for line in slow.lines if line.startswith("Ann: ")]
    missed = [line for line in slow.lines if not line.startswith(("Ann: ", "Other "))]
    assert len(missed) == 1
    (lost,) = re.fullmatch(r"— ([\d,]+) lines missed —", missed[0]).groups()  # type: ignore[union-attr]
    assert int(lost.replace(",", "")) + len(numbers) == count
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == count - 1
    (gap,) = [each for each in other.messages if each["t"] == "gap"]
    says = [each for each in other.messages if each["t"] == "say"]
    assert gap["room"] == "#lobby"
    assert gap["missed"] + len(says) == count
    assert gap["next"] in [each["seq"] for each in says]
    # Both are live again.
    ann.say("on")
    house.settle()
    assert slow.lines[-1] == "Ann: on"


def test_a_reply_stands_after_the_records_it_follows(house: Any) -> None:
    ann = house.plain("Ann")
    ann.say("one", "/who", "two", "/topic tea", "/topic", "three")
    house.settle()
    assert ann.lines == [
        "Ann: one",
        "-- In #lobby (1): Ann",
        "Ann: two",
        "Ann set the topic: tea",
        "-- Topic of #lobby: tea",
        "Ann: three",
    ]


def test_a_reply_waits_until_what_it_tells_of_is_durable(house: Any) -> None:
    ready = [1]
    house.lag(lambda waiting: waiting if ready[0] else 0)
    sock = house.plain("Ann")
    ready[0] = 0
    sock.say("one", "/who", "/ping")
    for _ in range(5):
        house.turn()
    # Only the answer that tells nothing of the log may come before.
    assert sock.lines == ["-- pong"]
    ready[0] = 1
    house.settle()
    assert sock.lines == ["-- pong", "Ann: one", "-- In #lobby (1): Ann"]


def test_whoever_ends_its_input_gets_what_was_not_durable_yet(house: Any) -> None:
    ready = [1]
    house.lag(lambda waiting: waiting if ready[0] else 0)
    plain, native = house.plain("Ann"), house.native("Bob")
    plain.sent.clear()
    ready[0] = 0
    plain.say("last words")
    native.say({"t": "say", "id": "x", "room": "#lobby", "text": "mine"})
    for sock in (plain, native):
        sock.end()
    for _ in range(5):
        house.turn()
    assert not plain.closes
    assert not native.closes
    ready[0] = 1
    house.settle()
    assert "Ann: last words" in plain.lines
    assert [each["text"] for each in native.messages if each["t"] == "say"] == [
        "last words",
        "mine",
    ]
    assert plain.closes == native.closes == 1


def test_a_slow_finishing_reader_gets_everything_due_and_is_then_closed(house: Any) -> None:
    ann, slow = house.plain("Ann"), house.plain("Slow")
    slow.blocked = True
    lines = [f"{k} " + "x" * 2_000 for k in range(100)]
    ann.say(*lines)
    house.settle()
    slow.say("mine", "/who")
    slow.end()
    house.settle()
    assert not slow.closes
    slow.takes.extend([10, 0] * 20)
    slow.blocked = False
    house.settle()
    assert slow.closes == 1
    assert slow.lines == [
        *(f"Ann: {line}" for line in lines),
        "Slow: mine",
        "-- In #lobby (2): Ann, Slow",
    ]


def test_private_lines_reach_the_two_and_nobody_else(house: Any) -> None:
    ann, bob, eve = house.plain("Ann"), house.native("Bob"), house.plain("Eve")
    for sock in (ann, bob, eve):
        sock.sent.clear()
    ann.say("public", "/msg Bob psst", "more")
    ann.say("/msg Ann to me")
    house.settle()
    assert ann.lines == ["Ann: public", "[Ann -> Bob] psst", "Ann: more", "[Ann -> Ann] to me"]
    assert [each["text"] for each in bob.messages] == ["public", "psst", "more"]
    assert eve.lines == ["Ann: public", "Ann: more"]


def test_a_connection_that_is_gone_is_in_no_table(house: Any) -> None:
    people = [house.plain("A"), house.native("B", rooms=["#a", "#b"]), house.native("C")]
    people[0].say("/msg C hi")
    house.settle()
    for sock in people:
        sock.reset()
    house.settle()
    delivery = house.delivery
    for table in (delivery._single, delivery._several, delivery._due, delivery._waiting):
        assert not table
    assert not house.exchange.connections
