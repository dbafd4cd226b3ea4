"""P2: bytes mean the same however they arrive: whole, byte by byte, or cut anywhere."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain, TelnetPlain
from chatcore.hub.command import Hello, Mistake, Say
from chatcore.hub.reply import Refused
from tests.fuzz.inputs import CORPUS, mutated
from tests.fuzz.layers import WELCOME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatcore.dialects.dialect import Dialect
    from tests.connection.conftest import House

SEED = 2
SPLITS = 100
MUTANTS = 60
"""Of the corpus, beside the corpus itself."""

INPUTS = [*CORPUS, *(mutated(random)[:600] for random in (Random(SEED),) for _ in range(MUTANTS))]

DIALECTS: dict[str, Callable[[], Dialect]] = {
    "plain": Plain,
    "telnet": TelnetPlain,
    "native": Native,
}


def splits(data: bytes, random: Random) -> Iterator[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]
    for _ in range(SPLITS):
        cuts = sorted(random.choices(range(len(data) + 1), k=random.randint(1, 6)))
        yield [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]


# The dialects


def heard(
    make: Callable[[], Dialect], pieces: list[bytes], *, joined: bool
) -> tuple[list[object], bytes]:
    """What was asked, told in lines: how many of them make a run depends on the reads, and nothing else may."""
    dialect, events, answers = make(), list[object](), b""
    if joined:
        dialect.reply(WELCOME)
    for piece in pieces:
        dialect.feed(piece)
        answers += dialect.answers()
        while (event := dialect.next(1_000)) is not None:
            if type(event) is Say and not event.me:
                ids = event.ids or (None,) * event.lines
                lines = event.text.split("\n") if event.lines > 1 else [event.text]
                events += [
                    ("say", event.room, *line, event.re) for line in zip(lines, ids, strict=True)
                ]
            else:
                events.append(event)
            if type(event) is Mistake:
                answers += dialect.reply(Refused(event.refusal, event.id, event.re))
            if type(event) is Hello:
                dialect.reply(WELCOME)
    return events, answers + dialect.rest()


@pytest.mark.parametrize("joined", [True, False], ids=["joined", "new"])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_hears_the_same_in_every_split(name: str, joined: bool) -> None:
    random = Random(SEED)
    tried, different = 0, []
    for data in INPUTS:
        whole = heard(DIALECTS[name], [data], joined=joined)
        for pieces in splits(data, random):
            tried += 1
            if heard(DIALECTS[name], pieces, joined=joined) != whole:
                different.append((data, pieces))
    print(f"splits of {name}: {tried} tried, {len(different)} different")
    assert different == []


# The whole way, to everybody's screen


OPENINGS = {
    "plain": b"Alice\n",
    "native": b'{"t":"hello","v":1,"alias":"Alice"}\n',
    "telnet": b"\xff\xfd\x01Alice\r\n",
}

LEAVES = re.compile(rb'/quit|"quit"')
"""A pong may overtake, and who has quit may have been told less of what came after."""

CHANGING = re.compile(rb'"(?:token|sid|seq|log|time|lag)":(?:"[^"]*"|[0-9]+),?|\[[0-9: -]+\]')
"""What is new every time."""

REFUSALS = re.compile(rb"\xff[\xfc\xfe].")
"""Telnet's answers go between the lines, at once."""


def seen(house: House, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """What the sender reads, what a witness reads, and whether the sender was left."""
    witness = house.plain("Witness")
    sock, _ = house.connect()
    for piece in pieces:
        sock.incoming.append(piece)
        house.settle()
    house.settle()
    refusals, sent = REFUSALS.findall(sock.sent), REFUSALS.sub(b"", bytes(sock.sent))
    told = [CHANGING.sub(b"", each) for each in (sent, bytes(witness.sent), *refusals)]
    return told, sock.ended


@pytest.mark.parametrize("name", OPENINGS)
def test_everybody_sees_the_same_in_every_split(
    make_house: Callable[..., House], name: str
) -> None:
    """Of each input: the byte-by-byte one, and a few cuts; every one in a house of its own."""
    random = Random(SEED)
    tried, different = 0, []
    chosen = [data for data in CORPUS if not LEAVES.search(data)]
    for data in chosen:
        script = OPENINGS[name] + data[:300] + b"\n"
        whole = seen(make_house(), [script])
        for number, pieces in enumerate(splits(script, random)):
            if number > 3:
                break
            tried += 1
            if (other := seen(make_house(), [piece for piece in pieces if piece])) != whole:
                different.append((script, pieces, whole, other))
    print(f"splits through the server, {name}: {tried} tried, {len(different)} different")
    assert different == []
