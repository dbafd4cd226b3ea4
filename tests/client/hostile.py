"""What a hostile server says: every kind of message with every kind of wrong field, escapes in all of them, and noise."""

from __future__ import annotations

import json
import random
from typing import Any

ESCAPES = [
    "\x1b]0;owned\x07",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1bP$q\x1b\\",
    "\x1b[48;5;201mpink",
    "\x1b[2J\x1b[H",
    "\x1b[?1049h",
    "\x1b[?1003h",
    "\x1b[6n\x1b[c",
    "\x1b[?25l",
    "\x1bc",
    "\x1b(0",
    "\x9b31m",
    "\x90q\x9c",
    "\x07\x08\x08",
    "\r\x1b[K#lobby> ",
    "\u202e\u2066\u200f",
    "\ud800",
    "\x00\x01\x7f\x85",
    "e" + "\u0301" * 40,
    "\U000e0041\U000e007f",
]
"""Titles, clipboards, questions that the terminal answers, other screens, mouse, hidden cursors, C1, bidi, half pairs."""
FIELDS = [
    "seq",
    "time",
    "room",
    "from",
    "to",
    "sid",
    "id",
    "text",
    "alias",
    "why",
    "act",
    "until",
    "reason",
    "words",
    "code",
    "re",
    "retry_s",
    "missed",
    "next",
    "log",
    "token",
    "motd",
    "kept",
    "resumed",
    "rooms",
    "people",
    "count",
    "records",
    "more",
    "joined",
    "left",
    "aliases",
    "state",
    "topic",
    "bans",
    "readers",
    "lines",
    "seconds",
    "name",
    "by",
]
KEY = "THE-KEY"
"""Stands for that of a request which waits for an answer."""
KINDS = [
    "say",
    "me",
    "dm",
    "join",
    "leave",
    "nick",
    "topic",
    "crowd",
    "act",
    "welcome",
    "ack",
    "ok",
    "history",
    "search",
    "modlog",
    "lag",
    "presence",
    "gap",
    "refused",
    "pong",
    "bye",
    "hello",
    "unknown",
]
ACTS = [
    "kick",
    "ban",
    "unban",
    "mute",
    "unmute",
    "op",
    "deop",
    "lock",
    "unlock",
    "invite",
    "announce",
    "oper",
    "dance",
    "{who}",
]
TIMES = [
    "2026-11-20T14:02:11.000Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-11-20",
    "yesterday",
    "",
]


class Hostility:
    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._seq = 0

    def line(self) -> bytes:
        """Any line, most of them JSON objects."""
        roll = self._dice.random()
        if roll < 0.9:
            return self.message()
        if roll < 0.95:
            whole = self.message()
            at = self._dice.randrange(len(whole))
            return whole[:at].replace(b"\n", b"") + self._dice.randbytes(3) + whole[at:]
        noise = self._dice.randbytes(self._dice.randrange(200)) if roll < 0.99 else b"[" * 20_000
        return noise.replace(b"\n", b"") + b"\n"

    def message(self, *, but: frozenset[str] | set[str] = frozenset()) -> bytes:
        """A JSON object on a line: of a known kind, with right, wrong and missing fields. Not of the kinds in `but`."""
        kind = self._dice.choice([each for each in KINDS if each not in but])
        records = [
            {"t": self._dice.choice(KINDS), **self._right()} for _ in range(self._dice.randrange(3))
        ]
        fields = {"t": kind, **self._right(records)}
        for name in self._dice.sample(FIELDS, self._dice.randrange(4)):
            fields[name] = self._anything()
        if self._dice.random() < 0.1:
            fields.pop(self._dice.choice([*fields]))
        return (
            json.dumps(fields, ensure_ascii=self._dice.random() < 0.7).encode("utf-8", "replace")
            + b"\n"
        )

    def _right(self, records: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Fields of the right types, with texts that are not."""
        words = self._words
        person = {"alias": words(), "state": self._dice.choice(["here", "away", "grace", words()])}
        room = {"room": self._room(), "topic": words(), "people": [person], "count": self._number()}
        return {
            "seq": self.next_seq(),
            "time": self._dice.choice(TIMES),
            "room": self._room(),
            "from": words(),
            "to": words(),
            "sid": self._dice.choice(["s1", "s2", words()]),
            "id": words(),
            "text": words(),
            "alias": words(),
            "why": words(),
            "act": self._dice.choice(ACTS),
            "until": self._dice.choice(TIMES),
            "reason": words(),
            "words": words(),
            "code": words(),
            "missed": self._number(),
            "next": 1,
            "rooms": [room],
            "people": [person],
            "records": records or [],
            "bans": [{"name": words(), "by": words(), "until": self._dice.choice(TIMES)}],
            "readers": [{"alias": words(), "lines": self._number(), "seconds": 0.5}],
            "re": KEY,
            "joined": {"aliases": [words(), words()], "more": self._number()},
            "left": {"aliases": [words()], "more": self._number()},
        }

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _room(self) -> str:
        return self._dice.choice(["#lobby", "#lobby", self._words()])

    def _words(self) -> str:
        parts = self._dice.choices([*ESCAPES, "tea", " ", "\n", "漢字", "👨‍👩‍👧", "{}", "%s"], k=3)
        return "".join(parts)

    def _number(self) -> int:
        return self._dice.choice([0, 1, 3, 10**6, 2**62])

    def _anything(self) -> Any:
        return self._dice.choice(
            [
                None,
                True,
                -1,
                2**63,
                10**30,
                1e308,
                0.5,
                "",
                self._words() * 50,
                [],
                [None, [], {}],
                {},
                {"room": 3},
                [{"alias": 1}, {"room": [], "people": {}}],
                [self._words()],
            ]
        )
