"""Row K1: whatever a server says, the client goes on, and nothing that the terminal would obey gets through."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from chatcore.client.json_lines import json_line, records_of
from chatcore.client.link import Link
from chatcore.client.messages import Request
from chatcore.client.model import Model
from chatcore.client.questions import prompt_words
from chatcore.client.standing import State
from chatcore.client.style import Looks, Style
from tests.client.hostile import KEY, Hostility

OURS = re.compile(r"\x1b\[(?:0|1|2|1;7|38;5;\d+)m")
"""The colours that `style` writes."""
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal would obey, and what turns a text around or cannot be written."""
WELCOME = {
    "t": "welcome",
    "v": 1,
    "log": "l",
    "sid": "s1",
    "alias": "Alice",
    "seq": 0,
    "rooms": [{"room": "#lobby", "topic": "", "people": []}],
}
ASKED = ["modlog", "bans", "lag", "who", "rooms", "history", "search", "kick", "ban", "say", "dm"]
ASKED += ["oper", "nick", "away", "topic", "part", "join"]
LOOKS = [Looks(color=True, time="hm"), Looks(time="iso", words=True), Looks()]


class Client:
    """All of the client but the socket and the terminal."""

    def __init__(self, looks: Looks) -> None:
        self.link = Link("Alice", ["#lobby"], "abc", "test")
        self.model = Model("Alice", "#lobby", "server", self.link.is_own)
        self.style = Style(looks, lambda: datetime(2026, 11, 20, tzinfo=UTC), UTC)
        self._asked, self._key = 0, ""
        self.link.connected(0.0)
        self.link.received(json.dumps(WELCOME).encode() + b"\n", 0.0)
        self.link.data_to_send()

    def hears(self, data: bytes) -> list[str]:
        """Everything that would be written. One request always waits for an answer."""
        if not self.link.outbox and not self.is_over:
            self._asked += 1
            kind = ASKED[self._asked % len(ASKED)]
            self.link.ask(Request(kind, room="#lobby", name="Bob", text="hi", to="Bob"), 1.0)
            sent = json.loads(self.link.data_to_send())
            self._key = sent.get("re") or sent["id"]
        self.link.received(data.replace(KEY.encode(), self._key.encode()), 1.0)
        written = []
        for event in self.link.take_events():
            for line in self.model.show(event):
                written += self.style.render(line)
            written += map(json_line, records_of(event))
        self.link.data_to_send()
        written.append(prompt_words(self.model.current, self.link, pending=True, plain=False))
        return written

    @property
    def is_over(self) -> bool:
        return self.link.state is not State.JOINED or self.link.hangup is not None


@pytest.mark.parametrize(
    "lines", [15_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_whatever_it_says_nothing_gets_through(
    lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hostility = Hostility(1)
    crashes: list[str] = []
    obeyed: list[str] = []
    written = clients = 0
    client = Client(LOOKS[0])
    for number in range(lines):
        if client.is_over:
            clients += 1
            client = Client(LOOKS[clients % len(LOOKS)])
        data = hostility.line()
        try:
            texts = client.hears(data)
        except Exception as fault:  # noqa: BLE001 - what it raises is the figure
            crashes.append(f"line {number}, {data[:200]!r}: {fault!r}")
            client = Client(LOOKS[0])
            continue
        written += len(texts)
        obeyed += [text for text in texts if OBEYED.search(OURS.sub("", text))]
    with capsys.disabled():
        print(
            f"\nK1: {lines:,} hostile lines to {clients:,} clients, {written:,} lines written,"
            f" {len(crashes)} crashes, {len(obeyed)} with something to obey"
        )
    assert crashes == []
    assert obeyed == []


def test_a_line_without_end_takes_no_more_than_its_bound() -> None:
    client = Client(LOOKS[0])
    piece = b'{"t":"say","text":"' + b"x" * 1_000_000
    heard = 0
    while not client.is_over:
        client.hears(piece)
        heard += len(piece)
        assert heard < 32 * 1024 * 1024
    assert client.link.state is State.ENDED
