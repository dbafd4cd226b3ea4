"""The native dialect, from the wire: every field is checked, nothing raises, and every split gives the same."""

from __future__ import annotations

import json
import random
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatcore.dialects import native
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.native import NATIVE_LINE_BYTES, TRIES, Native
from chatcore.dialects.wording import LINE_BYTES
from chatcore.hub.command import (
    Away,
    Dm,
    Hello,
    Help,
    History,
    Join,
    Last,
    Mistake,
    Nick,
    Part,
    Ping,
    Quit,
    Rooms,
    Say,
    Search,
    Topic,
    Who,
)
from chatcore.hub.moments import Ago
from chatcore.hub.reply import Refusal, Refused, Welcome
from chatcore.hub.text import UNSAFE
from chatcore.hub.verbs import NATIVE
from chatcore.hub.verbs.table import Kind
from tests.dialects.marks import unmarked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.dialects.dialect import Event

WELCOME = Welcome("log", "sid", "token", "Ann", False, 1, 30.0, ())
HELLO = b'{"t":"hello","v":1,"alias":"Ann"}\n'
ALL = 1_000_000


class House:
    """What stands behind a dialect in these tests: it accepts every hello with an alias, and answers mistakes."""

    def __init__(self) -> None:
        self.dialect = Native()
        self.events: list[Event] = []
        self.sent = b""

    def feed(self, data: bytes, most: int = ALL) -> None:
        self.dialect.feed(data)
        while not self.over and (event := self.dialect.next(most)) is not None:
            self.events.append(event)
            if type(event) is Hello and event.alias:
                self.sent += self.dialect.reply(WELCOME)
            elif type(event) is Mistake:
                self.sent += self.dialect.reply(Refused(event.refusal, event.id, event.re))

    @property
    def over(self) -> bool:
        return bool(self.events) and type(self.events[-1]) is Hangup

    @property
    def single(self) -> list[Event]:
        """The events with every run taken apart: how a run was cut must not matter."""
        found: list[Event] = []
        for event in unmarked(self.events):
            if type(event) is Say and event.lines > 1:
                texts = event.text.split("\n")
                assert len(texts) == len(event.ids) == event.lines
                found += [
                    event._replace(text=text, lines=1, ids=(line_id,))
                    for text, line_id in zip(texts, event.ids, strict=True)
                ]
            else:
                found.append(event)
        return found


def conversed(pieces: Iterable[bytes], most: int = ALL) -> House:
    house = House()
    for piece in pieces:
        house.feed(piece, most)
    return house


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def joined(*pieces: bytes, most: int = ALL) -> list[Event]:
    """The events after the hello."""
    return conversed([HELLO, *pieces], most).events[1:]


def mistake(data: bytes) -> Mistake:
    """The one mistake that a line after the hello is."""
    (event,) = joined(data)
    assert type(event) is Mistake
    return event


COMMANDS: list[tuple[dict[str, Any], Event]] = [
    ({"t": "say", "id": "x", "room": "#a", "text": "hi"}, Say("#a", "hi", 1, ("x",))),
    ({"t": "say", "id": "x", "room": "#a", "text": "a\nb"}, Say("#a", "a\nb", 1, ("x",))),
    (
        {"t": "say", "id": "x", "room": "#a", "text": "hi", "re": 0},
        Say("#a", "hi", 1, ("x",), re=0),
    ),
    ({"t": "me", "id": "x", "room": "#a", "text": "waves"}, Say("#a", "waves", 1, ("x",), True)),
    ({"t": "dm", "id": "x", "to": "Bob", "text": "hi"}, Dm("Bob", "hi", "x")),
    ({"t": "join", "room": "#a"}, Join("#a")),
    ({"t": "join", "room": "#a", "topic": "tea"}, Join("#a", "tea")),
    ({"t": "part", "room": "#a"}, Part("#a")),
    ({"t": "nick", "alias": "Ally", "re": "r"}, Nick("Ally", "r")),
    ({"t": "topic", "room": "#a", "text": ""}, Topic("#a", "")),
    ({"t": "topic", "room": "#a"}, Topic("#a")),
    ({"t": "away"}, Away()),
    ({"t": "away", "text": "tea"}, Away("tea")),
    ({"t": "away", "text": None}, Away()),
    ({"t": "who"}, Who()),
    ({"t": "who", "room": "#a"}, Who("#a")),
    ({"t": "rooms"}, Rooms()),
    ({"t": "help"}, Help()),
    ({"t": "help", "command": "say"}, Help("say")),
    ({"t": "history", "room": "#a"}, History("#a")),
    ({"t": "history", "room": "#a", "before": 9, "limit": 0}, History("#a", 0, 9)),
    ({"t": "history", "room": "#a", "after": 2**53 - 1}, History("#a", after=2**53 - 1)),
    (
        {"t": "history", "room": "#a", "since": "1970-01-01T00:00:01.5Z"},
        History("#a", since=1_500),
    ),
    (
        {"t": "history", "room": "#a", "since": "0001-01-01T00:00:00+23:59"},
        History("#a", since=0),
    ),
    (
        {"t": "history", "room": "#a", "since": "9999-12-31T23:59:59-23:59"},
        History("#a", since=253_402_387_139_000),
    ),
    (
        {"t": "history", "room": "#a", "since": "1970-01-01T02:00:00+01:00"},
        History("#a", since=3_600_000),
    ),
    ({"t": "history", "room": "#a", "since": "1900-01-01T00:00:00Z"}, History("#a", since=0)),
    ({"t": "history", "room": "#a", "since": "2h"}, History("#a", since=Ago(7_200_000))),
    ({"t": "last", "room": "#a", "from": "Bob"}, Last("Bob", None, "#a")),
    ({"t": "last", "room": "#a", "from": "Bob", "limit": 3, "re": 1}, Last("Bob", 3, "#a", 1)),
    ({"t": "search", "text": "tea from:bob"}, Search("tea from:bob")),
    (
        {"t": "search", "text": "tea", "room": "#a", "from": "Bob", "since": "1s", "limit": 3},
        Search("tea", "#a", "Bob", Ago(1_000), None, 3),
    ),
    ({"t": "search", "before": "1970-01-01T00:00:01Z"}, Search(before=1_000)),
    ({"t": "ping", "re": "r"}, Ping("r")),
    ({"t": "ping", "re": 2**53 - 1}, Ping(2**53 - 1)),
    ({"t": "ping", "unknown": [1, {"a": None}]}, Ping()),
    ({"t": "quit"}, Quit()),
    ({"t": "quit", "text": "bye"}, Quit("bye")),
]


@pytest.mark.parametrize(("message", "expected"), COMMANDS)
def test_a_message_means_its_command_at_every_split(
    message: dict[str, Any], expected: Event
) -> None:
    data = line(**message)
    assert unmarked(joined(data)) == [expected]
    for at in range(len(data) + 1):
        assert unmarked(joined(data[:at], data[at:])) == [expected]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, Hello("")),
        ({"alias": "Ann"}, Hello("Ann")),
        (
            {"alias": "Ann", "rooms": ["#a", "#b"], "token": "t", "log": "l", "after": 7, "re": 1},
            Hello("Ann", ("#a", "#b"), "t", "l", 7, 1),
        ),
        ({"alias": "Ann", "rooms": None, "token": None, "client": {"x": 1}}, Hello("Ann")),
        ({"alias": "A" * 9_000, "rooms": ["#" * 9_000]}, Hello("A" * 512, ("#" * 512,))),
        ({"alias": "a\ud800b", "rooms": ["#\udfff"]}, Hello("a\ufffdb", ("#\ufffd",))),
        ({"v": 1.0, "alias": "Ann"}, Hello("Ann")),
    ],
)
def test_a_hello_is_read_and_bounded(message: dict[str, Any], expected: Event) -> None:
    assert conversed([line(**({"t": "hello", "v": 1} | message))]).events == [expected]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"v": 2}, "bad_version"),
        ({"v": True}, "bad_version"),
        ({"v": "1"}, "bad_version"),
        ({"v": None}, "bad_version"),
        ({"v": [1]}, "bad_version"),
        ({"rooms": "#a"}, "bad_field"),
        ({"rooms": [1]}, "bad_field"),
        ({"rooms": {}}, "bad_field"),
        ({"alias": 1}, "bad_field"),
        ({"alias": ["Ann"]}, "bad_field"),
        ({"token": True}, "bad_field"),
        ({"log": {}}, "bad_field"),
        ({"after": -1}, "bad_field"),
        ({"after": 1.5}, "bad_field"),
        ({"after": True}, "bad_field"),
        ({"after": 2**53}, "bad_field"),
    ],
)
def test_a_wrong_field_in_a_hello_is_refused_and_another_may_follow(
    message: dict[str, Any], code: str
) -> None:
    wrong = {"t": "hello", "v": 1, "alias": "Ann", "re": "r"} | message
    house = conversed([line(**wrong), HELLO])
    first, second = house.events
    assert type(first) is Mistake
    assert (first.refusal.code, first.re) == (code, "r")
    assert second == Hello("Ann")


def test_a_message_before_the_hello_is_refused() -> None:
    house = conversed([line(t="say", id="x", room="#a", text="hi"), HELLO])
    assert house.events[0] == Mistake(
        Refusal("hello_first", 'Say hello first: {"t":"hello","v":1,"alias":…}.'), "x"
    )
    assert house.events[1] == Hello("Ann")


def test_a_second_hello_is_refused() -> None:
    assert mistake(HELLO).refusal.code == "already_joined"


def test_somebody_who_never_says_hello_is_left() -> None:
    house = conversed([b"{}\n" * (TRIES + 5)])
    assert [type(event) for event in house.events] == [Mistake] * TRIES + [Hangup]
    (farewell,) = [event.farewell for event in house.events if type(event) is Hangup]
    assert json.loads(farewell)["code"] == "hello_first"


DEEP = 100_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{\n", "bad_json"),
        (b"hello\n", "bad_json"),
        (b"[]\n", "bad_json"),
        (b"null\n", "bad_json"),
        (b'"t"\n', "bad_json"),
        (b"1\n", "bad_json"),
        (b"NaN\n", "bad_json"),
        (b"\xff\xfe{\n", "bad_json"),
        (b"\xef\xbb\xbf{}\n", "bad_json"),
        (b'{"t":"ping"}{"t":"ping"}\n', "bad_json"),
        (b'{"t":"say\x01"}\n', "bad_json"),
        (b"[" * 30_000 + b"\n", "bad_json"),
        (b'{"t":' * 6_000 + b"\n", "bad_json"),
        (b'{"t":"ping","n":' + b"9" * 5_000 + b"}\n", "bad_json"),
        (b"[" * DEEP + b"\n", "too_long"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"\n", "too_long"),
        (b'{"t":"say","id":"x","room":"#a","text":"' + b"y" * 1_000_000 + b'"}\n', "too_long"),
        (b"{}\n", "bad_field"),
        (b'{"t":1}\n', "bad_field"),
        (b'{"t":null}\n', "bad_field"),
        (b'{"t":["say"]}\n', "bad_field"),
        (b'{"t":"msg"}\n', "unknown_command"),
        (b'{"t":"\\ud800"}\n', "unknown_command"),
        (b'{"t":"' + b"z" * 9_000 + b'"}\n', "unknown_command"),
        (b'{"t":"history","room":"#a","limit":NaN}\n', "bad_field"),
        (b'{"t":"history","room":"#a","limit":Infinity}\n', "bad_field"),
        (b'{"t":"history","room":"#a","limit":1e400}\n', "bad_field"),
        (b'{"t":"history","room":"#a","limit":1.0}\n', "bad_field"),
        (b'{"t":"history","room":"#a","limit":-1}\n', "bad_field"),
        (b'{"t":"history","room":"#a","since":"yesterday"}\n', "bad_field"),
        (b'{"t":"history","room":"#a","since":"2026-11-20T14:02:11"}\n', "bad_field"),
        (b'{"t":"history","room":"#a","since":"12026-11-20T14:02:11Z"}\n', "bad_field"),
        (b'{"t":"history","room":"#a","since":"\\ud800"}\n', "bad_field"),
        (b'{"t":"say","id":"x","room":"#a","text":""}\n', "bad_field"),
        (b'{"t":"say","id":"x","room":"#a"}\n', "bad_field"),
        (b'{"t":"say","id":"","room":"#a","text":"hi"}\n', "bad_field"),
        (b'{"t":"say","id":"a b","room":"#a","text":"hi"}\n', "bad_field"),
        (b'{"t":"say","id":"a\\n","room":"#a","text":"hi"}\n', "bad_field"),
        (b'{"t":"say","id":"' + b"i" * 65 + b'","room":"#a","text":"hi"}\n', "bad_field"),
        ('{"t":"say","id":"é","room":"#a","text":"hi"}\n'.encode(), "bad_field"),
        (line(t="say", id="x", room="#a", text="é" * 2_049), "too_long"),
        (line(t="say", id="x", room="#a", text="\n" * 256), "too_long"),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value,
)
def test_malformed_json_is_refused_once_and_the_next_line_works(data: bytes, code: str) -> None:
    for pieces in ([data], [data[k : k + 1_000] for k in range(0, len(data), 1_000)]):
        house = conversed([HELLO, *pieces, line(t="ping")])
        *wrong, last = house.events[1:]
        assert last == Ping()
        assert len(wrong) == 1
        assert type(wrong[0]) is Mistake
        assert wrong[0].refusal.code == code
        assert not UNSAFE.search(house.sent.decode().replace("\n", ""))
        assert all(isinstance(json.loads(each), dict) for each in house.sent.splitlines())


def test_of_duplicate_keys_the_last_one_counts() -> None:
    assert joined(b'{"t":"nick","alias":"A","alias":"B","t":"ping"}\n') == [Ping()]


@pytest.mark.parametrize(
    "text", ["é" * 2_048, "x" * 4_096, "\n" * 254 + "x\n", "🙂" * 1_024, "\x1b" * 4_096]
)
def test_a_text_of_exactly_the_limit_passes_however_it_is_escaped(text: str) -> None:
    data = line(t="say", id="x", room="#a", text=text)
    assert len(data) <= NATIVE_LINE_BYTES
    assert unmarked(joined(data)) == [Say("#a", text, 1, ("x",))]


def test_a_line_of_32_kib_passes_and_a_longer_one_is_refused_once() -> None:
    body = b'{"t":"ping"}'
    full = body + b" " * (NATIVE_LINE_BYTES - len(body))
    house = conversed([HELLO, full + b"\r\n", full + b" \n", line(t="ping")])
    assert [type(event) for event in house.events[1:]] == [Ping, Mistake, Ping]
    assert house.sent.count(b'"too_long"') == 1


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**70,
    "",
    "x",
    "\ud800",
    [],
    ["x"],
    {},
    {"a": 1},
]
VALUES += ["y" * 5_000, "\u202e\x1b", "\n" * 300, float("nan"), float("inf")]


@pytest.mark.parametrize("text", ["", " ", "   ", "\n", "\t\n \u00a0\u3000", "\u2028"], ids=ascii)
def test_what_says_nothing_is_refused_with_its_id(text: str) -> None:
    """Alone or among others, by the short cut or the long way."""
    others = [line(t="say", id=name, room="#a", text="hi") for name in "ab"]
    for fields in ({"t": "say", "room": "#a"}, {"t": "me", "room": "#a"}, {"t": "dm", "to": "Bob"}):
        first, wrong, last = joined(others[0], line(**fields, id="x", text=text), others[1])
        assert type(first) is type(last) is Say
        words = "text is nothing but white space." if text else "text is empty."
        assert wrong == Mistake(Refusal("bad_field", words), "x")


def test_white_space_around_what_is_said_stays() -> None:
    text = "  a\n\n\t "
    assert joined(line(t="say", id="x", room="#a", text=text)) == [Say("#a", text, 1, ("x",))]


@pytest.mark.parametrize("verb", NATIVE.values(), ids=lambda verb: verb.name)
def test_wrong_types_in_every_field_are_refused_and_never_raised(verb: Any) -> None:
    good = {
        Kind.NAME: "#a",
        Kind.WORDS: "hi",
        Kind.ID: "x",
        Kind.NUMBER: 1,
        Kind.TIME: "2026-11-20T14:02:11Z",
        Kind.ROOM: "#a",
        Kind.SPAN: "10m",
    }
    base = {"t": verb.name, "id": "x"} | {each.name: good[each.kind] for each in verb.params}
    assert type(joined(line(**base))[0]) is not Mistake
    for param in verb.params:
        for value in VALUES:
            house = conversed([HELLO, line(**(base | {param.name: value, "re": "r"}))])
            event = house.events[1]
            house.sent.decode()
            if type(event) is Mistake:
                assert event.re == "r"
                assert event.refusal.code in {"bad_field", "too_long"}
            else:
                got = getattr(event, param.argument if param.kind is not Kind.ID else "re")
                if isinstance(got, str):
                    got.encode()
            wrong_type = isinstance(value, bool | float | list | dict)
            assert type(event) is Mistake or not wrong_type, (param.name, value)
        without = {name: value for name, value in base.items() if name != param.name}
        assert (type(joined(line(**without))[0]) is Mistake) == param.required


@pytest.mark.parametrize("tag", [None, True, 1.5, [], {}, 2**53, -(2**53), "x" * 65])
def test_a_tag_that_cannot_be_repeated_is_ignored(tag: Any) -> None:
    assert joined(line(t="ping", re=tag)) == [Ping()]


def test_a_lone_surrogate_never_reaches_an_encode() -> None:
    data = (
        b'{"t":"say","id":"x","room":"\\udc00","text":"a\\ud800b","re":"\\udfff"}\n'
        b'{"t":"dm","id":"y","to":"\\ud83d\\ude42","text":"\\ud83d\\ude42\\ude42"}\n'
    )
    assert joined(data) == [
        Say("\ufffd", "a\ufffdb", 1, ("x",), re="\ufffd"),
        Dm("🙂", "🙂\ufffd", "y"),
    ]


def test_lines_to_one_room_are_one_run() -> None:
    def say(line_id: str, text: str, **more: Any) -> bytes:
        return line(**({"t": "say", "id": line_id, "room": "#a", "text": text} | more))

    assert joined(say("1", "a") + b"\r\n \t\n" + say("2", "b") + say("3", "c")) == [
        Say("#a", "a\nb\nc", 3, ("1", "2", "3"))
    ]
    assert joined(say("1", "a") + say("2", "b", room="#b") + say("3", "c", t="me")) == [
        Say("#a", "a", 1, ("1",)),
        Say("#b", "b", 1, ("2",)),
        Say("#a", "c", 1, ("3",), True),
    ]
    assert joined(say("1", "a", re=1) + say("2", "b") + say("3", "c", re=3)) == [
        Say("#a", "a", 1, ("1",), re=1),
        Say("#a", "b", 1, ("2",)),
        Say("#a", "c", 1, ("3",), re=3),
    ]
    assert joined(say("1", "a\nb") + say("2", "c") + say("3", "d\ne")) == [
        Say("#a", "a\nb", 1, ("1",)),
        Say("#a", "c", 1, ("2",)),
        Say("#a", "d\ne", 1, ("3",)),
    ]


def test_no_more_lines_are_decided_than_may_be() -> None:
    data = b"".join(line(t="say", id=str(k), room="#a", text="x") for k in range(5))
    assert [event.lines for event in joined(data, most=2) if type(event) is Say] == [2, 2, 1]


@pytest.mark.parametrize("most", [1, 20, ALL])
def test_any_number_of_empty_lines_is_passed_over(most: int) -> None:
    data = line(t="ping", re=1) + b"\n" * 60_000 + line(t="ping", re=2) + b"\r\n" * 30_000
    assert joined(data, line(t="ping", re=3), most=most) == [Ping(1), Ping(2), Ping(3)]


def test_json_has_no_short_cut_and_no_answers_of_its_framing() -> None:
    house = conversed([HELLO])
    assert house.dialect.run(line(t="ping")) is None
    assert house.dialect.answers() == b""


def test_an_unfinished_last_line_is_dropped_in_silence() -> None:
    house = conversed([HELLO, b'{"t":"ping"}'])
    assert house.events[1:] == []
    assert house.dialect.rest() == b""


TOKENS = st.sampled_from(
    [json.dumps(message).encode() + b"\n" for message, _ in COMMANDS]
    + [
        HELLO,
        b"\n",
        b"\r\n",
        b"{}\n",
        b"{",
        b"}",
        b'"',
        b"\xff",
        b"\\ud800",
        b"x" * 20_000,
        b"[" * 99,
    ]
    + [f'{{"t":"say","id":"{k}","room":"#a","text":"é{k}"}}\n'.encode() for k in range(9)]
)


def parted(data: bytes, rng: random.Random, most: int = 6) -> list[bytes]:
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(most)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@settings(deadline=None)
@given(
    st.booleans(),
    st.lists(TOKENS, max_size=30),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
def test_every_split_of_the_same_bytes_gives_the_same_commands_and_replies(
    hello: bool, tokens: list[bytes], rng: random.Random, most: int
) -> None:
    data = (HELLO if hello else b"{") + b"".join(tokens)
    whole = conversed([data])
    split = conversed(parted(data, rng), most)
    small = conversed([data[k : k + 7] for k in range(0, len(data), 7)])
    assert split.single == whole.single == small.single
    assert split.sent == whole.sent == small.sent


SESSIONS = [
    *(
        HELLO + b"".join(line(**message) for message, _ in COMMANDS[k : k + 4])
        for k in range(0, len(COMMANDS), 4)
    ),
    line(t="hello", v=1, alias="Zoë", rooms=["#a"], token="t", log="l", after=3, re="h")
    + b"".join(line(t="say", id=f"i{k}", room="#a", text=f"{k} 🙂 \x1b") for k in range(3)),
    line(t="hello", v=1, alias="") + HELLO + b'{"t":"say","id":"x","room":"#a","text":"\\ud800"}\n',
]
BITS = [
    b"\n",
    b"{",
    b"}",
    b"[" * 50,
    b'"',
    b"\\",
    b"\\ud800",
    b"\xff",
    b"1e999",
    b"NaN",
    b"9" * 5_000,
]
BITS += [b"null", b"true", b"-1", b'"re":', b",", b":", b"\xed\xa0\x80", b"\x00"]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The session with a few bytes changed, added, dropped, doubled or exchanged."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0:
                out[at : at + 1] = bytes((rng.randrange(256),))
            case 1:
                out[at:at] = rng.choice(BITS)
            case 2:
                del out[at : at + rng.randrange(1, 20)]
            case 3:
                out[at:at] = out[at : at + rng.randrange(1, 200)]
            case _:
                out = out[at:] + out[:at]
    return bytes(out)


def fuzz(tries: int, seed: int) -> None:
    """Mutated sessions in any split: nothing raises, what is answered is JSON, and no text holds a lone surrogate."""
    rng = random.Random(seed)
    for number in range(tries):
        pieces = parted(mutated(rng.choice(SESSIONS), rng), rng, 4)
        try:
            house = conversed(pieces, rng.choice([1, 3, ALL]))
            words = house.sent.decode().replace("\n", "")
            assert words.isprintable() or not UNSAFE.search(words)
            for event in house.events:
                if type(event) is Say:
                    event.text.encode()
        except Exception as error:
            error.add_note(f"seed {seed}, try {number}: {pieces!r}")
            raise


def test_no_bytes_in_any_split_raise() -> None:
    fuzz(50_000, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_no_bytes_in_any_split_raise_at_full_size() -> None:
    fuzz(1_000_000, seed=2)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "t": st.sampled_from(["say", "me", "ping", "dm"]),
        "id": st.sampled_from(["1", "2", "3", "a-b_c", "", "ü", "x" * 65, 7]),
        "room": st.sampled_from(["#lobby", "#ü", "", None, 3, "#" + "x" * 600]),
        "text": st.one_of(
            st.sampled_from(["", "x", "a\nb", "\n" * 300, "y" * 4_096, "y" * 4_097, "\x1b"]),
            st.text(max_size=8),
        ),
        "re": st.sampled_from(["tag", 1, None]),
        "more": st.booleans(),
    },
)


SAY_A = '{"t":"say","id":"a","room":"#x","text":"y"}'
SAY_B = '{"t": "say", "id": "b", "room": "#x", "text": " z "}'
SAY_C = '{"room":"#x" , "t":"say","text":" z ","id":"b"}'
PIECES = [
    *(SAY_A, SAY_B, SAY_C, SAY_A.replace("#x", "#y"), SAY_A.replace('"a"', '"c"'), f" {SAY_B}\r"),
    *(f"{SAY_A},0,{SAY_B}", f"{SAY_A},{SAY_B}", f"{SAY_A},0", f"[{SAY_A}", f"{SAY_B}]", "[1", "2]"),
    *('{"t":"say","id":"a","room":"#x"', '"text":"y"}', '{"t":"say","id":"a","room":"#x","text":"'),
    *('{"t":[1', '2],"t":"say","id":"c","room":"#x","text":"C"}'),
    *('y"}', "0", ",0,", "", " ", "{}", "[]", "null", '""', "false", SAY_A.replace("y", " ")),
]
"""Lines that are messages, and lines that would be some only together with their neighbours."""


def without_short_cut(data: bytes, most: int) -> tuple[list[Event], list[Event]]:
    """What it gives with the short cut, and what without."""

    def events() -> list[Event]:
        dialect = Native()
        dialect.reply(WELCOME)
        dialect.feed(data)
        return unmarked(iter(lambda: dialect.next(most), None))

    short = events()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "simple_run", lambda block: None)
        return short, events()


@settings(deadline=None)
@given(st.lists(FIELDS, max_size=12), st.integers(1, 20))
def test_the_short_cut_gives_what_the_long_way_gives(
    messages: list[dict[str, object]], most: int
) -> None:
    short, long = without_short_cut(
        b"".join(json.dumps(each).encode() + b"\n" for each in messages), most
    )
    assert short == long


SAYS = st.tuples(
    st.permutations(["id", "room", "text"]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]),
    st.fixed_dictionaries(
        {
            "id": st.one_of(
                st.sampled_from(["1", "1", "x" * 64, "x" * 65, "a b"]),
                st.integers(10, 9_999).map(str),
            ),
            "room": st.sampled_from(["#x", "#x", "#x", "x", "#" + "x" * 600]),
            "text": st.sampled_from(["y", " ", "[", "{}", ",0,", "a: b", "\x7f", "\\", '"', "ü"]),
        }
    ),
)


@given(st.lists(SAYS, min_size=1, max_size=4), st.integers(1, 8))
def test_the_short_cut_reads_says_in_any_order_as_the_long_way_does(
    says: list[tuple[list[str], tuple[str, str], dict[str, str]]], most: int
) -> None:
    lines = [
        json.dumps({"t": "say"} | {name: said[name] for name in order}, separators=separators)
        for order, separators, said in says
    ]
    short, long = without_short_cut("".join(f"{line}\n" for line in lines).encode(), most)
    assert short == long


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6), st.integers(1, 8))
@example([f"{SAY_A},0,{SAY_B}", '{"t":[1', '2],"t":"say","id":"c","room":"#x","text":"C"}'], 8)
def test_the_short_cut_is_not_fooled_by_lines_that_belong_together(
    lines: list[str], most: int
) -> None:
    short, long = without_short_cut("".join(f"{line}\n" for line in lines).encode(), most)
    assert short == long


def test_the_short_cut_is_taken() -> None:
    """Or the tests above would compare the long way with itself."""
    for order in permutations(("id", "room", "text")):
        for separators in ((",", ":"), (", ", ": ")):
            lines = [
                json.dumps(
                    {"t": "say"} | {name: values[name] for name in order}, separators=separators
                )
                for values in (
                    {"id": "a", "room": "#x", "text": "y"},
                    {"id": "b", "room": "#x", "text": " [z], "},
                )
            ]
            assert native.simple_run("\n".join(lines).encode()) == Say(
                "#x", "y\n [z], ", 2, ("a", "b"), clean=True
            )


def say_lines(count: int, text: str) -> list[str]:
    return [
        json.dumps({"t": "say", "room": "#x", "text": text, "id": f"a{number}"})
        for number in range(count)
    ]


def test_the_short_cut_is_taken_for_a_read_full_of_lines() -> None:
    run = native.simple_run("\n".join(say_lines(500, "y" * 60)).encode())
    assert run is not None
    assert run[2] == 500


@pytest.mark.parametrize("size", [LINE_BYTES, LINE_BYTES + 1])
def test_the_short_cut_knows_the_longest_text_among_others(size: int) -> None:
    lines = [*say_lines(3, "y"), *say_lines(4, "y" * size)[3:]]
    short, long = without_short_cut("".join(f"{line}\n" for line in lines).encode(), 8)
    assert short == long
    assert any(isinstance(event, Mistake) for event in short) == (size > LINE_BYTES)


def test_a_read_beyond_the_longest_message_is_decided_in_parts() -> None:
    dialect = Native()
    dialect.reply(WELCOME)
    data = "".join(f"{line}\n" for line in say_lines(700, "y")).encode()
    assert dialect.next(1_000) is None  # all is taken: the short cut may be
    assert dialect.run(data) is None
    dialect.feed(data)
    assert [
        event.lines for event in iter(lambda: dialect.next(1_000), None) if isinstance(event, Say)
    ] == [
        native.LINES_AT_ONCE,
        700 - native.LINES_AT_ONCE,
    ]
