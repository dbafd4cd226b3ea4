"""The promise of the link, as properties: any cuts, any bytes."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.client import events, messages
from chatcore.client.link import Link
from chatcore.client.messages import Request


def new_link():
    return Link("Alice", ["#lobby"], "abc", "test")


def say(text):
    return Request("say", room="#lobby", text=text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "welcome",
        "say",
        "me",
        "dm",
        "join",
        "leave",
        "nick",
        "topic",
        "crowd",
        "ack",
        "ok",
        "history",
        "presence",
        "gap",
        "refused",
        "pong",
        "bye",
    ]
)
NAMES = st.sampled_from(
    [
        "v",
        "log",
        "sid",
        "token",
        "alias",
        "resumed",
        "seq",
        "rooms",
        "room",
        "topic",
        "people",
        "from",
        "to",
        "id",
        "text",
        "time",
        "why",
        "joined",
        "left",
        "aliases",
        "more",
        "records",
        "missed",
        "next",
        "re",
        "code",
        "words",
        "retry_s",
        "reason",
        "state",
        "size",
        "count",
    ]
)
MESSAGES = st.builds(
    lambda kind, fields: json.dumps({**fields, "t": kind}).encode() + b"\n",
    KINDS | JSON,
    st.dictionaries(NAMES, JSON | st.text(max_size=5) | st.integers(0, 99), max_size=9),
)
WELCOME = (
    b'{"t":"welcome","v":1,"log":"l","sid":"s","token":"t","alias":"A","resumed":false,"seq":1,'
    b'"rooms":[{"room":"#lobby","people":[]}]}\n'
)


@settings(max_examples=300, deadline=None)
@given(
    joined=st.booleans(),
    chunks=st.lists(
        st.binary(max_size=40)
        | MESSAGES
        | JSON.map(lambda value: json.dumps(value).encode() + b"\n"),
        max_size=12,
    ),
)
def test_any_bytes_give_events_and_never_an_exception(joined, chunks):
    link = new_link()
    link.connected(0.0)
    if joined:
        link.received(WELCOME, 0.0)
        link.ask(say("hi"), 0.0)
    for chunk in chunks:
        link.received(chunk, 0.0)
        link.tick(0.0)
    link.lost("server closed", 1.0, 0.5)
    assert all(isinstance(each, tuple) for each in link.take_events())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(1, 90)),
        st.tuples(st.just("other"), st.integers(1, 3)),
        st.tuples(st.just("up"), st.integers(1, 4000)),
        st.tuples(st.just("down"), st.integers(1, 4000)),
        st.tuples(st.just("cut"), st.just(0)),
        st.tuples(st.just("stale"), st.integers(0, 4000)),
    ),
    max_size=60,
)


class Pipes:
    """Bytes under way in both directions, delivered in any pieces, or lost with the connection."""

    def __init__(self, server, link):
        self.server, self.link = server, link
        self.stale = []  # connections that the client has left, with bytes that the server has still to read
        self.connect()

    def connect(self):
        self.end, self.up, self.down = self.server.connect(), bytearray(), bytearray()
        self.link.connected(0.0)

    def cut(self):
        self.up += self.link.data_to_send()
        self.stale.append((self.end, self.up))
        self.link.lost("server closed", 0.0, 0.0)
        self.connect()

    def move(self, step, count):
        self.up += self.link.data_to_send()
        self.down += self.end.data_to_send()
        if step == "up":
            self.end.received(bytes(self.up[:count]))
            del self.up[:count]
        elif step == "down":
            self.link.received(bytes(self.down[:count]), 0.0)
            del self.down[:count]
        elif step == "stale" and self.stale:
            end, rest = self.stale[-1]
            end.received(bytes(rest[:count]))
            del rest[:count]

    @property
    def quiet(self):
        return not (self.up or self.down)


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, repeats=st.sampled_from([0, 0, 9]))
def test_whatever_is_cut_each_line_is_stored_and_shown_exactly_once_and_in_order(
    new_room_server, steps, repeats
):
    server, link = new_room_server(), new_link()
    server.repeats = repeats
    pipes = Pipes(server, link)
    typed = 0
    for step, count in steps:
        if step == "say":
            for _ in range(count):
                link.ask(say(f"mine {typed}"), 0.0)
                typed += 1
        elif step == "other":
            server.say("Bob", f"theirs {len(server.records)}")
        elif step == "cut":
            pipes.cut()
        else:
            pipes.move(step, count)
    while True:
        pipes.move("up", 10**9)
        pipes.move("down", 10**9)
        if pipes.quiet and not link.outbox:
            pipes.move("down", 0)
            if pipes.quiet:
                break
    mine = [text for text in server.stored if text.startswith("mine")]
    assert mine == [f"mine {number}" for number in range(typed)]
    told = link.take_events()
    joined_at = next(each.welcome.seq for each in told if isinstance(each, events.Welcomed))
    expected = [
        each["text"] for each in server.records if each["t"] == "say" and each["seq"] > joined_at
    ]
    assert [each.text for each in told if isinstance(each, messages.Said)] == expected
    assert len([each for each in told if isinstance(each, events.Stored)]) == typed
