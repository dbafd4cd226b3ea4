"""P10: no one command costs more than 5 ms of processor time, at the limits of what there can be.

Each prints its cost against that. What is asserted is `SPARE` times as much: a machine that does other things besides
is no fault of ours, and what grows with the square of its input goes far beyond.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.dialects.telnet import TelnetFilter
from chatcore.hub.bans import BANS_MOST, Ban
from chatcore.hub.session import Session
from chatcore.hub.state import Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.connection.conftest import House, ScriptedSocket

COMMAND_MS = 5.0
READ_MS = 50.0
"""A read is 64 KiB, which may be thousands of commands where no flood control holds them back."""

SPARE = 3
"""Of the limits above, what is asserted."""

READ_BYTES = 64 * 1024
PEOPLE = 10_000
ROOMS = 10_000
TRIES = 5
"""The least of so many counts: what the machine does besides is not ours."""


REFERENCE_MS = 6.0
"""What `slowness` measures takes so long on the machine that the limits were set on."""


def slowness() -> float:
    """How much slower this machine is, now; at least 1."""

    def work() -> None:
        table: dict[int, str] = {}
        for number in range(50_000):
            table[number & 1023] = str(number)

    return max(1.0, least_ms(work) / REFERENCE_MS)


def least_ms(act: Callable[[], object]) -> float:
    costs = []
    for _ in range(TRIES):
        before = time.process_time()
        act()
        costs.append((time.process_time() - before) * 1e3)
    return min(costs)


@pytest.fixture
def full(make_house: Callable[..., House]) -> House:
    """A house with ten thousand people in one room, as many rooms with topics, and all the bans there may be."""
    house = make_house()
    state = house.world.state
    lobby = state.named["#lobby"]
    for number in range(PEOPLE):
        session = Session(f"s{number}", f"{'same-prefix-of-a-long-name-':.26}{number}", None)
        state.add_session(session)
        state.hold(session)
        session.enter("#lobby", number + 1)
        lobby.members[session.sid] = session
        house.world.presence.set_away(session.sid, "x" * 200)
    for number in range(ROOMS):
        room = Room(f"#{'room-with-a-long-name-':.22}{number}")
        room.topic = "x" * 200
        state.add_room(room)
    for number in range(BANS_MOST):
        state.house.bans.put(
            Ban(f"{'banned-for-ever-':.26}{number}", "", None, "Root", "x" * 200, 0)
        )
    return house


COMMANDS: dict[str, list[str | dict[str, Any]]] = {
    "who": ["/who", {"t": "who", "room": "#lobby"}],
    "rooms": ["/rooms", {"t": "rooms"}],
    "join": ["/join #lobby", {"t": "join", "room": "#lobby"}],
    "msg to nobody": [
        "/msg " + "x" * 4_000 + " hi",
        {"t": "dm", "id": "i", "to": "x" * 4_000, "text": "hi"},
    ],
    "nick": ["/nick " + "a\u0301\u0323" * 600, {"t": "nick", "alias": "a\u0301\u0323" * 600}],
    "nick that shrinks": [
        "/nick " + "\u03b1\u0313\u0300\u0345" * 32,
        {"t": "nick", "alias": "\u03b1\u0313\u0300\u0345" * 32},
    ],
    "nick of doubles": ["/nick " + "\u0430" * 32, {"t": "nick", "alias": "\ufdfa" * 32}],
    "unknown command": ["/" + "x" * 4_000, {"t": "x" * 30_000}],
    "nearly a command": ["/hsitory", {"t": "hsitory"}],
    "search": ["/search " + "from: " * 600, {"t": "search", "text": '"' * 4_000}],
    "search words": ["/search " + "x:y " * 900, {"t": "search", "text": "a:b " * 1_000}],
    "history since": [
        "/history 5 since " + "9" * 3_000 + "w",
        {"t": "history", "room": "#lobby", "since": "9" * 500 + "w"},
    ],
    "topic": ["/topic " + "\x1b" * 4_000, {"t": "topic", "room": "#lobby", "text": "\x1b" * 4_000}],
    "numbers": ["/history " + "9" * 4_000, {"t": "history", "room": "#lobby", "before": 10**300}],
    "masks": ["/ban " + "*a" * 2_000 + "*b", {"t": "ban", "name": "*a" * 250 + "*b"}],
    "masks that fit": ["/ban " + "*a" * 15 + "*b", {"t": "ban", "name": "*a" * 15 + "*b"}],
    "bans": ["/bans", {"t": "bans"}],
    "kick": ["/kick " + "x" * 4_000, {"t": "kick", "name": "x" * 500, "text": "y" * 4_000}],
    "deep JSON": ["[" * 4_000, {"t": "say", "text": [[[[[[[[]]]]]]]]}],
    "help": ["/help", {"t": "help"}],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_costs_more_than_five_milliseconds(full: House, command: str) -> None:
    """The two are operators: whoever may do nothing is refused before anything is looked up."""
    plain, native = full.plain("Pete"), full.native("Nell")
    for sock in (plain, native):
        session = full.connection_of(sock).session
        assert session is not None
        full.world.presence.make_operator(session.sid, "Root")
    for name, sock, line in zip(
        ("plain", "native"), (plain, native), COMMANDS[command], strict=True
    ):

        def ask(sock: ScriptedSocket = sock, line: str | dict[str, Any] = line) -> None:
            sock.sent.clear()
            sock.say(line)
            full.settle()

        ask()
        cost = least_ms(ask)
        print(f"/{command} ({name}): {cost:.2f} ms, of {COMMAND_MS:g}")
        assert sock.sent
        assert cost < SPARE * COMMAND_MS * slowness()


@pytest.mark.parametrize(
    "line",
    [
        b"/x\n",
        b"/hsitory\n",
        b"{\n",
        b"/who\n",
        b"\n",
        b"\r\n",
        b"x\n",
        b"/nick a\n",
        b"/msg nobody x\n",
        b"\x01\n",
        b"//\n",
        b'{"t":1}\n',
        b'{"t":"ping"}\n',
        b'{"t":"x"}\n',
    ],
)
@pytest.mark.parametrize("dialect", ["plain", "native"])
def test_no_read_holds_the_others_up(
    make_house: Callable[..., House], dialect: str, line: bytes
) -> None:
    """Without flood control: then nothing but unread replies ends it."""
    least = 1e9
    for _ in range(TRIES):
        house = make_house()
        sock = house.plain("Pete") if dialect == "plain" else house.native("Nell")
        sock.blocked = True
        sock.incoming.append(line * (READ_BYTES // len(line)))
        before = time.process_time()
        house.turn()
        least = min(least, (time.process_time() - before) * 1e3)
    print(f"64 KiB of {line!r} ({dialect}): {least:.1f} ms, of {READ_MS:g}")
    assert least < SPARE * READ_MS * slowness()


NEGOTIATION: dict[str, bytes] = {
    "no operation": b"\xff\xf1",
    "text and no operation": b"a\xff\xf1",
    "the same request": b"\xff\xfd\x01",
    "every request": b"".join(
        bytes((255, verb, option)) for verb in (251, 253) for option in range(256)
    ),
    "escapes": b"\xff\xff",
    "empty subnegotiations": b"\xff\xfa\xff\xf0",
    "subnegotiations in each other": b"\xff\xfa",
    "escapes in a subnegotiation": b"\xff\xfa\xff\xff\xf1",
    "returns": b"\r",
    "returns and NULs": b"\r\0\xff\xf1",
    "all of it": b"a\xff\xfd\x01\xff\xff\r\0",
}


@pytest.mark.parametrize("dense", NEGOTIATION)
def test_dense_negotiation_costs_what_text_costs(dense: str) -> None:
    data = (NEGOTIATION[dense] * READ_BYTES)[:READ_BYTES]
    cost = least_ms(lambda: TelnetFilter().feed(data))
    twice = least_ms(lambda: TelnetFilter().feed(data * 2))
    _, answers = TelnetFilter().feed(data)
    print(
        f"telnet, {dense}: {cost:.2f} ms a read, {twice:.2f} ms for two, {len(answers)} bytes of answers"
    )
    assert cost < SPARE * COMMAND_MS * slowness()
    assert twice < 4 * max(cost, 0.2)
    assert len(answers) <= 2 * 256 * 3
