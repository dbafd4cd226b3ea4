"""The native dialect over WebSocket, against the other side of the `websockets` package."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from chatcore.dialects import websocket
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.http import Site
from chatcore.dialects.native import NATIVE_LINE_BYTES
from chatcore.dialects.native_form import NativeForm, native_reply
from chatcore.dialects.websocket import Web, WebForm, framed
from chatcore.hub.command import Hello, Mistake, Say
from chatcore.hub.reply import Bye, Pong, Refusal, Refused, Welcome
from chatcore.log.record import Said

SITE = Site({}, frozenset({"localhost"}))
WELCOME = Welcome("log", "sid", "token", "Alice", False, 0, 15.0, ())
SAID = Said(7, 0, "#lobby", "ab", "Alice", "one\ntwo", 2, ("a", "b"), False)


class Browser:
    """The other side; what it reads is judged by somebody else's parser."""

    def __init__(self) -> None:
        self.web = Web(SITE, encrypted=False)
        self.protocol = ClientProtocol(parse_uri("ws://localhost/ws"), max_size=None)
        self.protocol.send_request(self.protocol.connect())
        self.exchange()
        (response,) = self.read(self.web.answers())
        assert isinstance(response, Response)
        assert response.status_code == 101

    def exchange(self, split: int = 1 << 20) -> None:
        data = b"".join(self.protocol.data_to_send())
        for at in range(0, len(data), split):
            self.web.feed(data[at : at + split])

    def say(self, message: dict[str, Any], split: int = 1 << 20) -> None:
        self.protocol.send_text(json.dumps(message).encode())
        self.exchange(split)

    def read(self, data: bytes) -> list[Any]:
        if data:
            self.protocol.receive_data(data)
        return self.protocol.events_received()

    def join(self) -> None:
        self.say({"t": "hello", "v": 1, "alias": "Alice"})
        assert self.web.next(1) == Hello("Alice")
        self.read(self.web.reply(WELCOME))

    def raw(self, *frames: bytes) -> None:
        self.web.feed(b"".join(frames))


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin).serialize(mask=True)


@pytest.fixture
def browser() -> Browser:
    made = Browser()
    made.join()
    return made


@pytest.mark.parametrize("split", [1, 3, 1 << 20])
def test_messages_are_commands(browser: Browser, split: int) -> None:
    browser.say({"t": "say", "room": "#lobby", "id": "1", "text": "hi\nthere"}, split)
    assert browser.web.next(9) == Say("#lobby", "hi\nthere", 1, ("1",))
    assert browser.web.next(9) is None


def test_a_message_may_hold_line_ends_between_its_tokens(browser: Browser) -> None:
    browser.raw(masked(1, b'{"t":\n"ping",\r\n"re":1}\n'))
    event = browser.web.next(9)
    assert type(event).__name__ == "Ping"
    assert browser.web.next(9) is None, "one message is one command"


def test_a_message_may_hold_none_within_a_string(browser: Browser) -> None:
    browser.raw(masked(1, b'{"t":"say","room":"#lobby","id":"1","text":"one\ntwo"}'))
    event = browser.web.next(9)
    assert type(event) is Mistake
    assert event.refusal.code == "bad_json", "no text is taken that is not the one that was sent"


def test_a_message_in_fragments_with_a_ping_between(browser: Browser) -> None:
    browser.raw(masked(1, b'{"t":"pi', fin=False), masked(9, b"?"), masked(0, b'ng"}'))
    assert type(browser.web.next(9)).__name__ == "Ping"
    (pong,) = browser.read(browser.web.answers())
    assert (pong.opcode, pong.data) == (Opcode.PONG, b"?")


def test_empty_fragments_cost_nothing(browser: Browser) -> None:
    browser.raw(masked(1, b"", fin=False))
    for _ in range(10_000):
        browser.raw(masked(0, b"", fin=False))
    assert browser.web._messages._parts == []
    browser.raw(masked(0, b'{"t":"ping"}'))
    assert type(browser.web.next(9)).__name__ == "Ping"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (masked(2, b"x"), 1003),
        (masked(1, b"\xff"), 1007),
        (masked(1, b"\xed\xa0\x80"), 1007),
        (masked(1, b"x" * (NATIVE_LINE_BYTES + 1)), 1009),
        (masked(1, b"x" * 20_000, fin=False) + masked(0, b"x" * 20_000), 1009),
        (b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"mask", 1009),
        (b"\x81\x02hi", 1002),
        (b"\x83\x80mask", 1002),
        (b"\xc1\x80mask", 1002),
        (masked(0, b"x"), 1002),
        (b"\x89\xfe\x00\x7emask" + b"x" * 126, 1002),
        (b"\x09\x80mask", 1002),
    ],
    ids=range(12),
)
def test_what_breaks_the_protocol_ends_the_connection(
    browser: Browser, frames: bytes, code: int
) -> None:
    browser.raw(frames)
    end = browser.web.next(9)
    assert type(end) is Hangup
    (close,) = browser.read(end.farewell)
    assert close.opcode is Opcode.CLOSE
    assert int.from_bytes(close.data[:2], "big") == code
    browser.raw(masked(1, b'{"t":"ping"}'))
    assert type(browser.web.next(9)) is Hangup, "nothing after it is looked at"


def test_what_was_said_before_the_page_was_closed_is_said(browser: Browser) -> None:
    browser.protocol.send_text(b'{"t":"say","room":"#lobby","id":"1","text":"bye"}')
    browser.protocol.send_close(1000, "")
    browser.exchange()
    assert type(browser.web.next(9)) is Say
    end = browser.web.next(9)
    assert type(end) is Hangup
    (close,) = browser.read(end.farewell)
    assert close.data[:2] == b"\x03\xe8", "its close is echoed"


def test_a_close_in_the_middle_of_a_message_is_a_close(browser: Browser) -> None:
    browser.raw(masked(1, b'{"t":"pi', fin=False), masked(8, b"\x03\xe8"))
    end = browser.web.next(9)
    assert type(end) is Hangup
    (close,) = browser.read(end.farewell)
    assert close.data == b"\x03\xe8"


def test_replies_and_records_are_text_messages(browser: Browser) -> None:
    def read(data: bytes) -> list[Any]:
        return [json.loads(frame.data) for frame in browser.read(data)]

    assert [each["text"] for each in read(WebForm.record(SAID))] == ["one", "two"]
    assert read(browser.web.reply(Pong(3))) == [{"t": "pong", "re": 3}]
    assert read(WebForm.gap("#lobby", 3, 9))[0]["missed"] == 3


def test_it_reads_what_any_native_client_reads() -> None:
    """Random sizes around the places where the length of a length changes."""
    rng = random.Random(7)
    sizes = (1, 60, 125, 126, 127, 4_000, 65_535, 65_536, 70_000)
    for size, letters in itertools.product(sizes, ("abc", "aé", "b🙂")):
        lines = [f'"{"".join(rng.choices(letters, k=size))}"'.encode() for _ in range(3)]
        browser = Browser()
        frames = browser.read(framed([line.decode() for line in lines]))
        assert [bytes(frame.data) for frame in frames] == lines
    assert NativeForm.record(SAID).count(b"\n") == 2


def test_the_last_word_is_a_close(browser: Browser) -> None:
    bye, close = browser.read(browser.web.reply(Bye("stopping")))
    assert json.loads(bye.data)["reason"] == "stopping"
    assert close.opcode is Opcode.CLOSE


def test_before_the_hello_there_are_refusals_as_in_the_native_dialect() -> None:
    browser = Browser()
    browser.say({"t": "say", "text": "x"})
    event = browser.web.next(1)
    assert type(event) is Mistake
    refused = Refused(Refusal("hello_first", "x"))
    assert browser.read(browser.web.reply(refused))[0].data == native_reply(refused).rstrip(b"\n")


def raw_frame(opcode: int, payload: bytes, *, fin: bool) -> bytes:
    """Also one that no client may send."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((opcode | (0x80 if fin else 0),)) + length + bytes(4) + payload


FRAMES = st.lists(
    st.one_of(
        st.builds(
            raw_frame,
            st.sampled_from([1, 1, 1, 0, 2, 8, 9, 10, 3]),
            st.one_of(
                st.binary(max_size=8),
                st.just(b'{"t":"ping"}'),
                st.just(b'{"t":"say","id":"1","room":"#lobby","text":"' + b"x" * 200 + b'"}'),
                st.just(b'{"t":"say","id":"2","room":"#lobby",\n"text":"x"}'),
                st.just(
                    b'{"t":"say","id":"3","room":"#lobby","text":"x"}\n'
                    b'{"t":"say","id":"4","room":"#lobby","text":"y"}'
                ),
                st.just(b"y" * 200),
            ),
            fin=st.booleans(),
        ),
        st.binary(min_size=1, max_size=6),
    ),
    max_size=6,
)


def heard(frames: list[bytes], split: int, *, short: bool, run: bool) -> tuple[list[object], bytes]:
    """What a dialect makes of it: with the protocol alone or the short cut, and taking whole reads as runs or not."""
    browser = Browser()
    browser.join()
    data = b"".join(frames)
    events: list[object] = []
    owed = b""
    with pytest.MonkeyPatch.context() as patch:
        if not short:
            patch.setattr(websocket, "whole_texts", lambda data, at: ([], at))
        for at in range(0, len(data), split):
            piece = data[at : at + split]
            said = browser.web.run(piece) if run else None
            if said is not None:
                events += lines_of(Say(*said))
                continue
            browser.web.feed(piece)
            while (event := browser.web.next(1)) is not None:
                events += lines_of(event) if type(event) is Say else [event]
                if type(event) is Hangup:
                    return events, owed
            owed += browser.web.answers()
    return events, owed


def lines_of(said: Say) -> list[object]:
    texts = [said.text] if said.lines == 1 else said.text.split("\n")
    ids = said.ids or (None,) * said.lines
    return [(said.room, text, line_id, said.re) for text, line_id in zip(texts, ids, strict=True)]


@given(FRAMES, st.integers(1, 400), st.booleans(), st.booleans())
def test_any_split_and_the_long_way_give_the_same(
    frames: list[bytes], split: int, short: bool, run: bool
) -> None:
    events, owed = heard(frames, 1 << 20, short=True, run=False)
    again, owed_again = heard(frames, split, short=short, run=run)
    # Where the end comes with them, the answers are in its last words.
    assert _without_end(again) == _without_end(events)
    if not any(type(event) is Hangup for event in events):
        assert owed_again == owed


def test_a_read_of_whole_messages_is_a_run(browser: Browser) -> None:
    """Or the test above would compare the long way with itself."""
    says = [
        {"t": "say", "id": str(number), "room": "#lobby", "text": "x" * (30 + 100 * number)}
        for number in range(2)
    ]
    assert browser.web.next(1) is None
    frames = b"".join(raw_frame(1, json.dumps(say).encode(), fin=True) for say in says)
    run = browser.web.run(frames)
    assert run is not None
    said = Say(*run)
    assert (said.lines, said.ids) == (2, ("0", "1"))
    assert browser.web.run(frames[:-1]) is None
    many = b"".join(
        raw_frame(1, json.dumps(says[0] | {"id": str(number)}).encode(), fin=True)
        for number in range(NATIVE_LINE_BYTES // len(frames) * 4)
    )
    assert len(many) > NATIVE_LINE_BYTES
    assert browser.web.run(many) is None, "more is decided in parts"
    browser.web.feed(frames[:-1])
    assert browser.web.run(frames) is None, "the rest of a frame is missing"


def _without_end(events: list[object]) -> list[object]:
    return [type(event) if type(event) is Hangup else event for event in events]


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, len(HANDSHAKE) - 1, len(HANDSHAKE)])
def test_a_handshake_in_any_pieces_opens_a_websocket(size: int) -> None:
    web = Web(Site(hosts=frozenset({"localhost"})), encrypted=False)
    for at in range(0, len(HANDSHAKE), size):
        web.feed(HANDSHAKE[at : at + size])
    assert web.next(1) is None
    assert web.answers().startswith(b"HTTP/1.1 101 ")
    web.feed(masked(1, b'{"t":"ping"}'))
    assert type(web.next(1)) is Mistake, "it was read: nobody has said hello yet"


@pytest.mark.parametrize(
    "behind",
    [
        masked(1, b'{"t":"ping"}'),
        b"\r\n",
        b"\x89\x84\0\0\0\0\r\n\r\n",
        b"\x88\x86\0\0\0\0\x03\xe8\r\n\r\n",
    ],
    ids=["a message", "a line end", "a ping like a head's end", "a close like one"],
)
@pytest.mark.parametrize("size", [0, 100, len(HANDSHAKE) - 1])
def test_what_comes_right_behind_a_handshake_opens_none(behind: bytes, size: int) -> None:
    web = Web(Site(hosts=frozenset({"localhost"})), encrypted=False)
    web.feed(HANDSHAKE[:size])
    web.feed(HANDSHAKE[size:] + behind)
    end = web.next(1)
    assert type(end) is Hangup
    assert end.farewell.startswith(b"HTTP/1.1 400 ")
