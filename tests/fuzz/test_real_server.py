"""P1 at the socket: recorded sessions, changed, sent to a real server, which goes on serving somebody else meanwhile."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.inputs import CORPUS, TOKENS, mutated

if TYPE_CHECKING:
    from tests.conftest import Start

SEED = 3
ASKED_EVERY = 50
"""Sessions after which the witness asks for a sign of life."""

GROWTH_KIB = 24 * 1024
"""The window of the log fills up with what they say; a leak of a connection's buffers would be ten times that."""

WARM = 0.3

SESSIONS: list[bytes] = [
    *CORPUS,
    *(b"Ann%d\n" % number + data + b"/quit\n" for number, data in enumerate(CORPUS)),
    *(
        b'{"t":"hello","v":1,"alias":"Nell%d"}\n' % number + data
        for number, data in enumerate(CORPUS)
    ),
    *(b"\xff\xfb\x18Tel%d\r\n" % number + data for number, data in enumerate(CORPUS)),
    *(b"Ann\n" + token * 50 + b"\n" for token in TOKENS),
]


@pytest.mark.parametrize(
    "sessions",
    [
        pytest.param(4_000, id="4k"),
        pytest.param(30_000, id="30k", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_no_session_disturbs_a_real_server(start: Start, sessions: int) -> None:
    server = start.server()
    witness = start.native("Witness")
    random = Random(SEED)
    unanswered, settled = 0, 0
    for number in range(sessions):
        if number == int(sessions * WARM):
            settled = server.rss_kib
        client = start.unkept()
        try:
            data = mutated(random, SESSIONS)
            cut = random.randint(0, len(data))
            client.send_bytes(data[:cut])
            client.send_bytes(data[cut:])
            if random.randrange(2):
                client.end_input()
        except OSError:
            # It has been left already, which is an answer.
            pass
        finally:
            client.reset() if random.randrange(3) == 0 else client.close()
        if number % ASKED_EVERY == 0:
            unanswered += witness.ask("ping")["t"] != "pong"
            witness.settle()
    assert witness.ask("ping")["t"] == "pong"
    grown = server.rss_kib - settled
    print(f"sessions: {sessions:,} tried, {unanswered} pings unanswered, grown {grown} KiB")
    log = server.log
    assert server.running
    assert unanswered == 0
    assert "Traceback" not in log
    assert "\x1b" not in log
    assert grown < GROWTH_KIB
