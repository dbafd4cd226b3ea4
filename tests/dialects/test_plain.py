"""The plain dialect, from the wire: any bytes give commands or a hang-up, and every split gives the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.dialects.dialect import Hangup
from chatcore.dialects.plain import TRIES, Plain, TelnetPlain
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
    Ping,
    Quit,
    Rooms,
    Say,
    Search,
    Topic,
    Who,
)
from chatcore.hub.moments import Ago
from chatcore.hub.reply import Pong, Refusal, Refused, Welcome
from chatcore.hub.text import UNSAFE
from tests.dialects.marks import unmarked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.dialects.dialect import Event

BLANKS = [*filter(str.isspace, map(chr, range(0x110000))), " \r", "\u3000 \u3000"]
BLANKS.remove("\n")
WELCOME = Welcome("log", "sid", None, "Ann", False, 1, 0.0, ())
ALL = 1_000_000


class Room:
    """What stands behind a dialect in these tests: it accepts every alias that is not empty, and answers nothing else."""

    def __init__(self, dialect: Plain) -> None:
        self.dialect = dialect
        self.events: list[Event] = []
        self.sent = b""

    def feed(self, data: bytes, most: int = ALL, *, shortly: bool = False) -> None:
        """Take what arrived; `shortly` by the short cut, where it is one."""
        if self.over:
            return
        if shortly and data and (run := self.dialect.run(data)) is not None:
            self.events.append(Say(*run))
            return
        self.dialect.feed(data)
        self.sent += self.dialect.answers()
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
            if type(event) is Say and not event.me:
                texts = event.text.split("\n")
                assert len(texts) == event.lines
                assert "" not in texts
                found += [Say(None, text) for text in texts]
            else:
                found.append(event)
        return found


def conversed(
    pieces: Iterable[bytes], *, telnet: bool = False, most: int = ALL, shortly: bool = False
) -> Room:
    room = Room(TelnetPlain() if telnet else Plain())
    for piece in pieces:
        room.feed(piece, most, shortly=shortly)
    return room


def joined(*pieces: bytes, most: int = ALL) -> list[Event]:
    """The events after the alias."""
    return unmarked(conversed([b"Ann\n", *pieces], most=most).events[1:])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"hello", Say(None, "hello")),
        (b"hello\r", Say(None, "hello")),
        (b"a\rb", Say(None, "a\rb")),
        (b"\tindented", Say(None, "\tindented")),
        (b" /nick", Say(None, " /nick")),
        (b"//etc/hosts", Say(None, "/etc/hosts")),
        (b"//", Say(None, "/")),
        (b"and/or", Say(None, "and/or")),
        (b"a\xff\xfeb", Say(None, "a\ufffd\ufffdb")),
        (b"overlong \xc0\xaf", Say(None, "overlong \ufffd\ufffd")),
        (b"surrogate \xed\xa0\x80", Say(None, "surrogate \ufffd\ufffd\ufffd")),
        (b"a\x00\x0b\x0c\x1c\x1d\x1e", Say(None, "a\x00\x0b\x0c\x1c\x1d\x1e")),
        ("x\x85\u2028\u2029y".encode(), Say(None, "x\x85\u2028\u2029y")),
        (b"/me waves", Say(None, "waves", me=True)),
        (b"/me   waves  at Bob ", Say(None, "waves  at Bob", me=True)),
        (b"/ME waves", Say(None, "waves", me=True)),
        (b"/nick Ally", Nick("Ally")),
        (b"/join #tea", Join("#tea", None, move=True)),
        (b"/join  #tea  at four", Join("#tea", "at four", move=True)),
        (b"/topic", Topic()),
        (b"/topic tea", Topic(None, "tea")),
        (b"/msg Bob hi there", Dm("Bob", "hi there")),
        (b"/away", Away()),
        (b"/away for tea", Away("for tea")),
        (b"/who", Who()),
        (b"/rooms", Rooms()),
        (b"/help", Help()),
        (b"/help nick", Help("nick")),
        (b"/history", History()),
        (b"/history 7", History(limit=7)),
        (b"/history before 9", History(before=9)),
        (b"/history 50  after 9 ", History(limit=50, after=9)),
        (b"/history since 2h", History(since=Ago(7_200_000))),
        (b"/history since 1970-01-01T00:00:01Z", History(since=1_000)),
        (b"/last Bob", Last("Bob")),
        (b"/last Bob 3", Last("Bob", 3)),
        (b"/search", Search()),
        (b'/search "a tea" from:bob', Search('"a tea" from:bob')),
        (b"/ping", Ping()),
        (b"/quit", Quit()),
        (b"/quit so long", Quit("so long")),
    ],
)
def test_a_line_means_its_command_at_every_split(line: bytes, expected: Event) -> None:
    data = line + b"\n"
    assert joined(data) == [expected]
    for at in range(len(data) + 1):
        assert joined(data[:at], data[at:]) == [expected]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (b"/", "unknown_command", "There is no command /. /help lists the commands."),
        (b"/nik Ally", "unknown_command", "There is no command /nik. Did you mean /nick?"),
        (b"/dm Bob hi", "unknown_command", "There is no command /dm. /help lists the commands."),
        (b"/msg Bob", "bad_field", "/msg needs a text. Usage: /msg NAME text"),
        (b"/nick", "bad_field", "/nick needs an alias. Usage: /nick NAME"),
        (b"/nick a b", "bad_field", "/nick takes no more than that. Usage: /nick NAME"),
        (b"/last", "bad_field", "/last needs the name of a person. Usage: /last NAME [n]"),
        (
            b"/history since yesterday",
            "bad_field",
            "since must be a time, as 2h, 3d, 2026-11-20 or 2026-11-20T14:02:11Z. "
            "Usage: /history [n] [since 2h]",
        ),
        (
            b"/history x",
            "bad_field",
            "limit must be a whole number. Usage: /history [n] [since 2h]",
        ),
        (
            "/history ٣".encode(),
            "bad_field",
            "limit must be a whole number. Usage: /history [n] [since 2h]",
        ),
        (
            b"/history " + b"9" * 4_000,
            "bad_field",
            "limit must be a whole number. Usage: /history [n] [since 2h]",
        ),
    ],
)
def test_a_misused_command_is_refused_with_the_way_out(line: bytes, code: str, words: str) -> None:
    (event,) = joined(line + b"\n")
    assert event == Mistake(Refusal(code, words))


def test_empty_lines_say_nothing() -> None:
    assert joined(b"\n\r\n\n") == []
    assert joined(b"\na\n\nb\n\n") == [Say(None, "a\nb", 2)]
    assert joined(b"a\n   \n b\n\t \nc \n") == [Say(None, "a\n b\nc ", 3)]
    assert joined("\u3000\u00a0\n".encode()) == []


@pytest.mark.parametrize("most", [1, 20, ALL])
@pytest.mark.parametrize(
    "blank",
    [b"\n", b"\r\n", b" \n", b" \t\r\n", b"\r\r\n", b"\x0b\n", b"\xc2\xa0\n", b"\xe3\x80\x80 \n"],
)
def test_any_number_of_empty_lines_is_passed_over(blank: bytes, most: int) -> None:
    data = b"a\n" + blank * 30_000 + b"b\n" + blank * 30_000
    assert joined(data, b"c\n", most=most) in (
        [Say(None, "a"), Say(None, "b"), Say(None, "c")],
        [Say(None, "a\nb", 2), Say(None, "c")],
    )


@pytest.mark.parametrize("blank", ["", *BLANKS])
def test_a_line_behind_blank_ones_keeps_its_indentation(blank: str) -> None:
    """Also when flood control takes one line at a time; with CPython before 3.11.5 it was lost (gh-106052)."""
    data = f"{blank}\n{blank}\n    if it rains:\n".encode()
    for most in (1, 100):
        assert joined(data, most=most) == [Say(None, "    if it rains:")]


@pytest.mark.parametrize("blank", ["", *BLANKS])
def test_a_read_of_blank_lines_is_passed_over_at_once(blank: str) -> None:
    """Or 64 KiB of them are some ten thousand turns of a loop that everybody waits for."""
    taken: list[int] = []

    class Counting(Plain):
        def take(self, most: int) -> Any:
            taken.append(most)
            return super().take(most)

    dialect = Counting()
    dialect.feed(b"Ann\n")
    assert dialect.next(1) == Hello("Ann")
    dialect.reply(WELCOME)
    dialect.feed(f"{blank}\n".encode() * 20_000)
    taken.clear()
    assert dialect.next(1) is None
    assert len(taken) <= 3


def test_a_read_of_lines_is_one_run_and_commands_part_it() -> None:
    assert joined(b"a\nb\r\nc\n") == [Say(None, "a\nb\nc", 3)]
    assert joined(b"a\nb\n/ping\n//c\nd\n") == [
        Say(None, "a\nb", 2),
        Ping(),
        Say(None, "/c\nd", 2),
    ]


def test_no_more_lines_are_decided_than_may_be() -> None:
    events = joined(b"a\nb\n/ping\nc\nd\ne\n", most=2)
    assert all(type(event) is not Say or event.lines <= 2 for event in events)
    assert len(events) == 4
    dialect = Plain()
    dialect.feed(b"Ann\na\nb\n")
    assert dialect.next(ALL) == Hello("Ann")
    dialect.reply(WELCOME)
    assert unmarked([dialect.next(1), dialect.next(1)]) == [Say(None, "a"), Say(None, "b")]
    assert dialect.next(1) is None


def test_the_first_line_is_the_alias_until_one_is_accepted() -> None:
    dialect = Plain()
    dialect.feed(b"Bob\r\nAnn\nhi\n")
    assert dialect.next(ALL) == Hello("Bob")
    refused = dialect.reply(Refused(Refusal("alias_taken", "Bob is taken. Choose an alias:")))
    assert refused == b"-- Bob is taken. Choose an alias:\n"
    assert dialect.next(ALL) == Hello("Ann")
    dialect.reply(WELCOME)
    assert unmarked([dialect.next(ALL)]) == [Say(None, "hi")]


def test_an_alias_that_is_not_utf8_is_refused() -> None:
    room = conversed([b"A\xff\nAnn\n"])
    assert room.events == [
        Mistake(
            Refusal("alias_not_allowed", "An alias must be valid UTF-8. Choose another alias.")
        ),
        Hello("Ann"),
    ]


def test_a_command_before_the_alias_is_an_alias() -> None:
    assert conversed([b"/quit\n"]).events == [Hello("/quit")]


def test_somebody_who_tries_too_many_aliases_is_left() -> None:
    dialect = Plain()
    dialect.feed(b"x\n" * (TRIES + 1))
    assert [dialect.next(ALL) for _ in range(TRIES)] == [Hello("x")] * TRIES
    event = dialect.next(ALL)
    assert event == Hangup("too many aliases tried", b"-- Too many tries. Connect again.\n")


def test_a_line_of_4096_bytes_passes_and_a_longer_one_is_refused_once() -> None:
    full = "é" * 2_048
    data = b"Ann\n" + full.encode() + b"\r\n" + b"y" * 4_097 + b"\nnext\n"
    for pieces in ([data], [data[k : k + 1] for k in range(len(data))]):
        room = conversed(pieces)
        assert [type(event) for event in room.single] == [Hello, Say, Mistake, Say]
        assert room.single[1] == Say(None, full)
        assert room.single[3] == Say(None, "next")
        assert room.sent.endswith(
            b"-- Your line is longer than 4,096 bytes; nothing of it was sent. Send it in parts.\n"
        )
        assert room.sent.count(b"4,096") == 1


def test_an_alias_that_is_too_long_for_a_line_is_refused_as_an_alias() -> None:
    room = conversed([b"x" * 5_000, b"\nAnn\n"])
    assert room.sent.startswith(b"-- An alias has at most 32 characters. Choose an alias:\n")
    assert room.events[-1] == Hello("Ann")


def test_an_unfinished_last_line_is_not_said_and_told() -> None:
    room = conversed([b"Ann\nhi\nrm -rf /tmp/x"])
    assert room.single[1:] == [Say(None, "hi")]
    assert room.dialect.rest() == (
        b"-- Your last line had no line end, so it was not sent: it may have been cut short.\n"
    )
    assert conversed([b"Ann\nhi\n"]).dialect.rest() == b""
    assert conversed([b"Ann"]).dialect.rest() == b""


@pytest.mark.parametrize(
    ("data", "is_run"),
    [
        (b"hi\n", True),
        (b"a\nb b\nc\n", True),
        (b"x" * 4_095 + b"\n", True),
        (b"x" * 4_096 + b"\n", False),
        (b"hi", False),
        (b"a\nb", False),
        (b"\n", False),
        (b"\na\n", False),
        (b"a\n\nb\n", False),
        (b"a\n\n", False),
        (b"/ping\n", False),
        (b"a/b\n", False),
        (b"hi\r\n", False),
        ("é\n".encode(), False),
        (b"\x1b\n", False),
        (b"\x7f\n", False),
    ],
)
def test_the_short_cut_gives_what_the_long_way_would(data: bytes, is_run: bool) -> None:
    long, short = conversed([b"Ann\n", data]), conversed([b"Ann\n"])
    run = short.dialect.run(data)
    assert (run is not None) is is_run
    if run is not None:
        said = Say(*run)
        assert unmarked([said]) == unmarked(long.events[1:])
        assert said.clean
        assert short.dialect.next(ALL) is None


def test_the_short_cut_waits_for_what_came_before() -> None:
    assert Plain().run(b"Ann\n") is None
    for before in (b"unfinished", b"a\nb\n/ping\nc\n", b"y" * 5_000):
        room = conversed([b"Ann\n"])
        room.dialect.feed(before)
        assert room.dialect.run(b"hi\n") is None
    # Parsed and not yet asked for.
    room = conversed([b"Ann\n"])
    room.dialect.feed(b"a\n/ping\n")
    assert room.dialect.next(ALL) == Say(None, "a")
    assert room.dialect.run(b"hi\n") is None
    assert conversed([b"Ann\n"], telnet=True).dialect.run(b"hi\n") is None


def test_telnet_negotiation_is_answered_and_taken_out() -> None:
    data = b"\xff\xfd\x03\xff\xfb\x1fAnn\r\nhi\xff\xff\r\0\xff\xfa\x1f\0P\0\x18\xff\xf0/ping\r\n"
    whole = conversed([data], telnet=True)
    assert whole.single == [Hello("Ann"), Say(None, "hi\ufffd"), Ping()]
    assert whole.sent.startswith(b"\xff\xfc\x03\xff\xfe\x1f")
    for at in range(len(data)):
        parted = conversed([data[:at], data[at:]], telnet=True)
        assert parted.single == whole.single


def test_every_reply_goes_through_the_plain_form() -> None:
    assert Plain().reply(Pong()) == b"-- pong\n"


TOKENS = st.sampled_from(
    [
        *(
            b"\n",
            b"\r\n",
            b"\r",
            b"/",
            b"//",
            b"/me x",
            b"/ping",
            b"/join #a ",
            b"/msg B ",
            b"/quit",
        ),
        *(b" ", b"hi", b"\xff", "é🙂".encode(), b"\x1b[2J", b"\x00", b"z" * 3_000),
    ]
)


def parted(data: bytes, rng: random.Random, most: int = 6) -> list[bytes]:
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(most)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@settings(deadline=None)
@given(
    st.lists(TOKENS, max_size=40),
    st.booleans(),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
def test_every_split_of_the_same_bytes_gives_the_same_commands_and_replies(
    tokens: list[bytes], telnet: bool, rng: random.Random, most: int
) -> None:
    data = b"Ann\n" + b"".join(tokens)
    whole = conversed([data], telnet=telnet)
    split = conversed(parted(data, rng), telnet=telnet, most=most, shortly=rng.random() < 0.5)
    step = 1 + len(data) // 4_000
    bytewise = conversed([data[k : k + step] for k in range(0, len(data), step)], telnet=telnet)
    assert split.single == whole.single == bytewise.single
    assert split.sent == whole.sent == bytewise.sent
    assert split.dialect.rest() == whole.dialect.rest() == bytewise.dialect.rest()


SESSIONS = [
    b"Alice\r\nHello, everyone!\r\n/me waves\r\n/msg Bob psst\r\n/quit bye\r\n",
    b"\xff\xfb\x1f\xff\xfd\x03Bob\r\0hi\r\0\xff\xfa\x18\0xterm\xff\xf0/who\r\0",
    "Zoë\n//slash\n\n/topic tée\n/join #søster tea at four\n🙂🙂\n/history 20\n".encode(),
    b"x\n" * 70 + b"/nick y\n/away\n/away out\n/rooms\n/help help\n/ping\n",
    b"Eve\n" + b"a" * 4_096 + b"\n" + b"b" * 4_097 + b"\n\x1b]0;owned\x07\n\xe2\x80\xae\n",
]
BITS = [
    b"\n",
    b"\r",
    b"\r\n",
    b"/",
    b"\xff",
    b"\xff\xff",
    b"\xff\xfa",
    b"\x00",
    b" ",
    b"\xed\xa0\x80",
]


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
    """Mutated sessions, half of them by telnet, in any split: nothing raises, and answers are safe to show.

    The bytes of a telnet negotiation are the client's business, and not looked at here.
    """
    rng = random.Random(seed)
    for number in range(tries):
        telnet = bool(number & 1)
        pieces = parted(mutated(rng.choice(SESSIONS), rng), rng, 4)
        try:
            most, shortly = rng.choice([1, 3, ALL]), rng.random() < 0.5
            room = conversed(pieces, telnet=telnet, most=most, shortly=shortly)
            assert len(room.single) >= len(room.events)
            if not telnet:
                words = (room.sent + room.dialect.rest()).decode().replace("\n", "")
                assert words.isprintable() or not UNSAFE.search(words)
        except Exception as error:
            error.add_note(f"seed {seed}, try {number}: {pieces!r}")
            raise


def test_no_bytes_in_any_split_raise() -> None:
    fuzz(50_000, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_no_bytes_in_any_split_raise_at_full_size() -> None:
    fuzz(1_000_000, seed=2)
