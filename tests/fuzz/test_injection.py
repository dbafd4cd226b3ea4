"""S4 and S5: whatever stands in whatever field, nobody's screen gets a line more, nor a control character.

Every field that a person can fill, in both dialects, with every character that ends a line somewhere or commands a
terminal somewhere; and whole terminal sequences. What the plain and the native members of the room and the sender
itself are sent is looked at byte by byte, and the server's log too.
"""

from __future__ import annotations

import json
import logging
from itertools import product
from typing import TYPE_CHECKING, Any

from tests.fuzz.layers import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from tests.connection.conftest import House, ScriptedSocket

BREAKERS = {
    "CR": "\r",
    "LF": "\n",
    "CRLF": "\r\n",
    "NUL": "\0",
    "ESC": "\x1b",
    "CSI": "\x9b",
    "OSC": "\x9d",
    "NEL": "\x85",
    "VT": "\x0b",
    "FF": "\x0c",
    "FS": "\x1c",
    "GS": "\x1d",
    "RS": "\x1e",
    "DEL": "\x7f",
    "BS": "\b",
    "BEL": "\a",
    "TAB": "\t",
    "LS": "\u2028",
    "PS": "\u2029",
    "RLO": "\u202e",
    "LRI": "\u2066",
    "PDI": "\u2069",
    "RLM": "\u200f",
    "BOM": "\ufeff",
    "tag": "\U000e0041",
    "surrogate": "\ud800",
    "noncharacter": "\uffff",
}

FORGED = "Mallory: forged"
NOTICE = "-- forged"
SHAPES = ["x{}" + FORGED, "{}" + NOTICE, "x{}"]

PLAIN_FIELDS = {
    "text": "{}",
    "literal": "//{}",
    "me": "/me {}",
    "topic": "/topic {}",
    "away": "/away {}",
    "nick": "/nick {}",
    "join": "/join #{}",
    "join with a topic": "/join #b {}",
    "msg": "/msg Watch {}",
    "msg to": "/msg {} hi",
    "search": "/search {}",
    "last": "/last {}",
    "history": "/history {}",
    "help": "/help {}",
    "command": "/{}",
    "kick": "/kick {} {}",
    "invite": "/invite {}",
    "lock": "/lock {}",
    "oper": "/oper {} {}",
    "away and who": "/away {}\n/who",
}

NATIVE_FIELDS: dict[str, dict[str, Any]] = {
    "say": {"t": "say", "id": "i", "room": "#lobby", "text": "{}"},
    "say id": {"t": "say", "id": "{}", "room": "#lobby", "text": "hi"},
    "say room": {"t": "say", "id": "i", "room": "#{}", "text": "hi"},
    "me": {"t": "me", "id": "i", "room": "#lobby", "text": "{}"},
    "dm": {"t": "dm", "id": "i", "to": "Watch", "text": "{}"},
    "dm to": {"t": "dm", "id": "i", "to": "{}", "text": "hi"},
    "topic": {"t": "topic", "room": "#lobby", "text": "{}"},
    "join": {"t": "join", "room": "#{}", "topic": "{}"},
    "join key": {"t": "join", "room": "#b", "key": "{}"},
    "part": {"t": "part", "room": "#{}"},
    "nick": {"t": "nick", "alias": "{}"},
    "away": {"t": "away", "text": "{}"},
    "who": {"t": "who", "room": "#{}"},
    "history": {"t": "history", "room": "#lobby", "since": "{}"},
    "search": {"t": "search", "text": "{}", "from": "{}"},
    "help": {"t": "help", "command": "{}"},
    "kind": {"t": "{}"},
    "re": {"t": "ping", "re": "{}"},
    "kick": {"t": "kick", "name": "Watch", "text": "{}"},
    "oper": {"t": "oper", "name": "{}", "password": "{}"},
    "unknown field": {"t": "ping", "{}": "{}"},
}

PLAIN_OPENINGS = {"alias": "{}", "alias and quit": "Quitter\n/quit {}"}
NATIVE_OPENINGS: dict[str, list[dict[str, Any]]] = {
    "alias": [{"t": "hello", "v": 1, "alias": "{}"}],
    "client": [
        {"t": "hello", "v": 1, "alias": "Quitter", "client": "{}"},
        {"t": "quit", "text": "{}"},
    ],
    "token": [
        {"t": "hello", "v": 1, "alias": "Quitter", "token": "{}", "log": "{}"},
        {"t": "quit"},
    ],
    "rooms": [{"t": "hello", "v": 1, "alias": "Quitter", "rooms": ["#{}"]}, {"t": "quit"}],
    "password": [{"t": "hello", "v": 1, "alias": "Quitter", "password": "{}"}, {"t": "quit"}],
}


def filled(template: Any, payload: str) -> Any:
    if isinstance(template, str):
        return template.replace("{}", payload)
    if isinstance(template, list):
        return [filled(each, payload) for each in template]
    if isinstance(template, dict):
        return {filled(key, payload): filled(value, payload) for key, value in template.items()}
    return template


class Watched:
    """A house with a plain and a native member in it, whose every byte is looked at."""

    def __init__(self, make_house: Callable[..., House]) -> None:
        self.make_house = make_house
        self.tried = 0
        self.failed: list[str] = []
        self.told = 0
        """Bytes that the watchers were sent: what reaches nobody proves nothing."""
        self.fresh()

    def fresh(self) -> None:
        self.house = self.make_house()
        self.house.native("Root")
        self.watchers = [self.house.plain("Watch"), self.house.native("Nan")]
        self.senders = {"plain": self.house.plain("Pete"), "native": self.house.native("Nell")}

    def case(self, name: str, sender: ScriptedSocket, send: Callable[[], None]) -> None:
        """Have something sent, and look at what everybody is sent for it."""
        everybody = [*self.watchers, sender]
        for sock in everybody:
            sock.sent.clear()
        send()
        self.house.settle()
        for sock, who in zip(everybody, ("plain", "native", "sender"), strict=True):
            self.tried += 1
            if wrong := wrong_with(bytes(sock.sent)):
                self.failed.append(f"{name} to {who}: {wrong}")
        for watcher in self.watchers:
            assert not watcher.ended
            self.told += len(watcher.sent)
        if sender.ended:
            self.fresh()

    def tell(self, what: str) -> None:
        print(
            f"{what}: {self.tried:,} tried, {len(self.failed)} failed; {self.told:,} bytes looked at"
        )
        assert self.told > 5 * self.tried
        assert self.failed == []


def wrong_with(sent: bytes) -> str:
    try:
        lines = sent.decode().split("\n")
    except UnicodeDecodeError as error:
        return f"no UTF-8: {error}"
    if found := RAW.search(sent):
        return f"raw {found[0]!r} in {sent!r}"
    if lines[-1]:
        return f"no line end: {lines[-1]!r}"
    for line in lines[:-1]:
        if line.startswith((FORGED, NOTICE)):
            return f"a forged line: {sent!r}"
        if line.startswith("{") and type(json.loads(line)) is not dict:
            return f"a forged message: {sent!r}"
    return ""


def plain_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass") + b"\n"


def cases(
    watched: Watched, payloads: dict[str, str]
) -> Iterator[tuple[str, ScriptedSocket, Callable[[], None]]]:
    """Every field of both dialects with every payload."""
    for (label, payload), (field, template) in product(payloads.items(), PLAIN_FIELDS.items()):
        sender = watched.senders["plain"]
        data = plain_bytes(filled(template, payload))
        yield f"plain {field} {label}", sender, lambda s=sender, d=data: s.incoming.append(d)  # type: ignore[misc]
        if "/join" in template:
            # Back to where the others are.
            watched.senders["plain"].say("/join #lobby")
            watched.house.settle()
    for (label, payload), (field, template) in product(payloads.items(), NATIVE_FIELDS.items()):
        sender = watched.senders["native"]
        message = filled(template, payload)
        yield f"native {field} {label}", sender, lambda s=sender, m=message: s.say(m)  # type: ignore[misc]
    for (label, payload), (field, template) in product(payloads.items(), PLAIN_OPENINGS.items()):
        sender, _ = watched.house.connect()
        data = plain_bytes(filled(template, payload)) + b"\n/quit\n"
        yield (
            f"plain opening {field} {label}",
            sender,
            lambda s=sender, d=data: s.incoming.append(d),
        )  # type: ignore[misc]
        sender.end()
        watched.house.settle()
    for (label, payload), (field, messages) in product(payloads.items(), NATIVE_OPENINGS.items()):
        sender, _ = watched.house.connect()
        wanted = filled(messages, payload)
        yield f"native opening {field} {label}", sender, lambda s=sender, m=wanted: s.say(*m)  # type: ignore[misc]
        sender.end()
        watched.house.settle()


def run(watched: Watched, payloads: dict[str, str]) -> None:
    for name, sender, send in cases(watched, payloads):
        if sender.ended:
            continue
        watched.case(name, sender, send)


def logged_raw(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [text for record in caplog.records if not (text := record.getMessage()).isprintable()]


def test_no_field_adds_a_line_or_a_control(
    make_house: Callable[..., House], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    watched = Watched(make_house)
    payloads = {
        f"{name} {number}": shape.format(character)
        for name, character in BREAKERS.items()
        for number, shape in enumerate(SHAPES)
    }
    run(watched, payloads)
    watched.tell("injection")
    assert watched.tried > 9_000
    assert logged_raw(caplog) == []


# Terminal sequences


def sequences() -> list[str]:
    """Three hundred and more: what sets titles, reads the clipboard, asks for answers, moves, draws, or never ends."""
    introducers = {
        "OSC": ("\x1b]", "\x9d"),
        "DCS": ("\x1bP", "\x90"),
        "APC": ("\x1b_", "\x9f"),
        "PM": ("\x1b^", "\x9e"),
        "SOS": ("\x1bX", "\x98"),
    }
    bodies = {
        "OSC": [
            "0;title",
            "1;icon",
            "2;title",
            "4;1;rgb:ff/00/00",
            "7;file:///etc",
            "8;;http://x",
            "9;note",
            "10;?",
            "11;?",
            "52;c;?",
            "52;c;aGk=",
            "133;A",
            "777;notify;a;b",
            "1337;File=:AA==",
            "3;prop=x",
            "5;0;?",
            "12;#fff",
            "50;font",
            "104",
        ],
        "DCS": ["$qm", "+q544e", "1000p", "tmux;\x1b\x1b]52;c;?\x07", "0;0;0q"],
        "APC": ["Gf=100;AA", "x"],
        "PM": ["x"],
        "SOS": ["x"],
    }
    found = [
        f"{begin}{body}{end}"
        for kind, begins in introducers.items()
        for begin, body, end in product(begins, bodies[kind], ("\x07", "\x1b\\", "\x9c", ""))
    ]
    controls = [
        "21t",
        "20t",
        "18t",
        "6n",
        "5n",
        "c",
        ">c",
        "=c",
        "0x",
        "2J",
        "3J",
        "H",
        "1;1H",
        "2K",
        "A",
        "10B",
        "?1049h",
        "?25l",
        "?1000h",
        "?2004h",
        "31;1m",
        "8m",
        "5i",
        "4i",
        "?69h",
        "1;5r",
        "20l",
        "4h",
        "10M",
        "10L",
        "100@",
        "0q",
        "!p",
        '62;1"p',
        "999999999999C",
    ]
    found += [f"{begin}{control}" for begin, control in product(("\x1b[", "\x9b"), controls)]
    found += [f"\x1b{final}" for final in "cDEHMNOZ78=>lmno|}~#8(0)B"]
    found += [
        "\x0e",
        "\x0f",
        "\x05",
        "\x84",
        "\x8d",
        "\x1b" * 40,
        "\x1b[" + "1;" * 200,
        "\x1b%G",
        "\x1b#8",
        "\x1b]",
        "\x9d",
    ]
    return found


def test_no_terminal_sequence_comes_through(
    make_house: Callable[..., House], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    watched = Watched(make_house)
    found = sequences()
    assert len(found) > 300
    run(watched, {f"#{number}": sequence for number, sequence in enumerate(found)})
    watched.tell(f"{len(found)} terminal sequences")
    assert logged_raw(caplog) == []


def test_eight_bit_controls_as_bytes_come_through_as_nothing(
    make_house: Callable[..., House],
) -> None:
    """Bytes that are no UTF-8: on a terminal of eight bits they would be C1."""
    watched = Watched(make_house)
    sender = watched.senders["plain"]
    for code in range(0x80, 0x100):
        for template in ("{}", "/me {}", "/topic {}", "/nick {}", "/msg Watch {}", "/{}"):
            before, _, after = template.partition("{}")
            data = before.encode() + bytes((code,)) + b"31mforged" + after.encode() + b"\n"
            watched.case(
                f"byte {code:#x} {template}", sender, lambda d=data: sender.incoming.append(d)
            )  # type: ignore[misc]
    watched.tell("eight-bit bytes")


def test_the_watch_sees_what_it_is_for() -> None:
    assert "raw" in wrong_with(b"Pete: \x1b[2J\n")
    assert "raw" in wrong_with("Pete: \x9b2J\n".encode())
    assert "raw" in wrong_with(b"Pete: a\rMallory: forged\n")
    assert "forged line" in wrong_with(b"Pete: a\nMallory: forged\n")
    assert "forged line" in wrong_with(b"-- forged\n")
    assert "UTF-8" in wrong_with(b"Pete: \x9b\n")
    assert "line end" in wrong_with(b"Pete: a")
    assert wrong_with(b"Pete: a\n-- Mallory: forged\n") == ""
