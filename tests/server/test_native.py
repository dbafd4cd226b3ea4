"""The native dialect as a program meets it, on a real socket."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Message, Start

pytestmark = pytest.mark.usefixtures("server")

DEEP = 100_000


def is_record(message: Message) -> bool:
    return "seq" in message and message["t"] not in {"welcome", "ack", "history"}


def test_hello_is_welcomed_with_every_field(start: Start) -> None:
    bob = start.plain("Bob")
    bob.send("/topic tea at four")
    bob.settle()
    welcome = start.native().hello("Alice", client="a test")
    assert welcome.keys() >= {"v", "log", "sid", "token", "alias", "resumed", "seq", "grace_s"}
    assert (welcome["v"], welcome["alias"], welcome["resumed"]) == (1, "Alice", False)
    assert welcome["seq"] >= 1
    assert welcome["grace_s"] == 15
    assert welcome["rooms"] == [
        {
            "room": "#lobby",
            "topic": "tea at four",
            "count": 2,
            "people": [
                {"alias": "Bob", "state": "here"},
                {"alias": "Alice", "state": "here"},
            ],
        }
    ]


def test_a_greeted_client_may_still_turn_out_native(start: Start) -> None:
    alice = start.native()
    greeting = alice.receive()
    assert greeting == b"Choose an alias:\n"
    assert alice.hello("Alice")["t"] == "welcome"


def test_a_refused_hello_names_its_code_and_another_may_follow(start: Start) -> None:
    start.plain("Bob")
    alice = start.native()
    refusals = {
        "alias_taken": {"alias": "Bob"},
        "alias_empty": {"alias": ""},
        "alias_too_long": {"alias": "x" * 33},
        "alias_not_allowed": {"alias": "a b"},
        "room_not_allowed": {"alias": "Alice", "rooms": ["no sign"]},
        "bad_version": {"alias": "Alice", "v": 2},
        "bad_field": {"alias": 7},
    }
    for code, fields in refusals.items():
        alice.send("hello", **({"v": 1, "re": code} | fields))
        refused = alice.read_until("refused")
        assert (refused["code"], refused["re"]) == (code, code)
        assert refused["words"]
    assert alice.hello("Alice")["t"] == "welcome"
    assert alice.ask("hello", v=1, alias="Again")["code"] == "already_joined"


def test_nothing_but_hello_comes_first(start: Start) -> None:
    alice = start.native()
    assert alice.say("1", "early")["code"] == "hello_first"
    assert alice.hello("Alice")["t"] == "welcome"


def test_ones_own_record_is_the_acknowledgement(start: Start) -> None:
    alice = start.native()
    welcome = alice.hello("Alice")
    record = alice.say("id-1_A", "hi")
    assert record.items() >= {
        "t": "say", "room": "#lobby", "from": "Alice", "sid": welcome["sid"], "id": "id-1_A",
        "text": "hi",
    }.items()  # fmt: skip
    assert record["seq"] > welcome["seq"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    age = datetime.now(UTC) - datetime.fromisoformat(record["time"])
    assert abs(age.total_seconds()) < 60


def test_a_retried_id_is_acknowledged_and_stored_once(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    first = alice.say("a", "once")
    alice.send("me", id="a", room="#lobby", text="once")
    ack = alice.read_until("ack")
    assert (ack["id"], ack["seq"]) == ("a", first["seq"])
    alice.say("b", "end")
    bob.read_until(lambda message: message.get("text") == "end")
    assert bob.texts() == ["once", "end"]


def test_the_same_id_twice_in_one_write_is_stored_once(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    line = json.dumps({"t": "say", "id": "a", "room": "#lobby", "text": "once"}).encode() + b"\n"
    alice.send_bytes(line * 3)
    alice.say("b", "end")
    bob.read_until(lambda message: message.get("text") == "end")
    assert bob.texts() == ["once", "end"]


def test_the_same_id_of_another_session_is_another_line(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    alice.say("a", "mine")
    assert bob.say("a", "yours")["t"] == "say"


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{]",
        b"[1]",
        b"7",
        b'{"t":"say"',
        b"[" * DEEP,
        b'{"a":' * 5_000,
        b'{"t":"ping","n":' + b"9" * 5_000 + b"}",
        b"\xff\xfe",
    ],
    ids=["open", "wrong", "list", "number", "cut", "deep list", "deep", "long number", "not UTF-8"],
)
def test_what_is_no_json_object_is_refused_and_the_connection_lives_on(
    start: Start, line: bytes
) -> None:
    alice = start.native("Alice")
    alice.send_bytes(line + b"\n")
    assert alice.read_until("refused")["code"] in {"bad_json", "too_long"}
    assert alice.say("1", "still here")["t"] == "say"


@pytest.mark.parametrize("value", [None, True, 7, -1, 1.5, [], {}, "", "x y", "\ud800", "9" * 600])
def test_a_field_of_another_type_is_refused_in_words(start: Start, value: object) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    fields = {"id": "i", "room": "#lobby", "text": "t", "to": "Bob", "alias": "A", "limit": 3}
    fields |= {"before": 9, "after": 9, "since": "2026-11-20T14:02:11Z", "command": "help"}
    for kind in ("say", "me", "dm", "join", "part", "topic", "away", "who", "history", "help"):
        for name in fields:
            answers = {"room": "#lobby", name: value}
            alice.send(kind, re=f"{kind} {name}", **answers)
    alice.send("join", re="end", room="#lobby")
    alice.read_until(lambda message: message.get("re") == "end")
    assert bob.ask("ping")["t"] == "pong"


@pytest.mark.parametrize("kind", [None, True, 7, [], {}, "nonsense", "", "\ud800", "msg"])
def test_an_unknown_kind_is_refused_and_never_said(start: Start, kind: object) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    alice.send_bytes(json.dumps({"t": kind, "text": "x", "re": "r"}).encode() + b"\n")
    refused = alice.read_until("refused")
    assert refused["code"] in {"unknown_command", "bad_field"}
    assert refused["re"] == "r"
    assert not [message for message in bob.settle() if is_record(message)]


@pytest.mark.parametrize("tag", ["", "x" * 64, 0, -1, 2**53 - 1])
def test_an_answer_repeats_its_tag(start: Start, tag: object) -> None:
    alice = start.native("Alice")
    alice.send("ping", re=tag)
    assert alice.read_until("pong")["re"] == tag


@pytest.mark.parametrize("tag", ["x" * 65, True, 1.5, [], {}, 2**80])
def test_a_tag_that_is_none_is_left_out(start: Start, tag: object) -> None:
    alice = start.native("Alice")
    alice.send("ping", re=tag)
    assert "re" not in alice.read_until("pong")


def test_unknown_fields_are_ignored(start: Start) -> None:
    assert start.native("Alice").ask("ping", colour="blue", deep={"a": [1]})["t"] == "pong"


def test_of_a_doubled_key_something_valid_is_taken(start: Start) -> None:
    alice = start.native("Alice")
    alice.send_bytes(b'{"t":"ping","t":"ping","re":1,"re":2}\n')
    assert alice.read_until("pong")["re"] == 2


def test_a_text_of_4096_bytes_stays_whole_and_a_longer_one_is_refused(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    text = "\x1b" * 4096
    assert alice.say("a", text)["text"] == text
    assert bob.read_until("say")["text"] == text
    refused = alice.say("b", "y" * 4097)
    assert (refused["code"], refused["id"]) == ("too_long", "b")
    assert alice.say("c", "\n" * 256)["code"] == "too_long"
    assert alice.say("d", "\n" * 254 + "x")["t"] == "say"
    assert alice.say("e", "\n" * 255)["code"] == "bad_field", "there is nothing in it"


def test_a_text_of_several_lines_is_one_record_and_plain_readers_see_each(start: Start) -> None:
    plain, alice = start.plain("Bob"), start.native("Alice")
    assert alice.say("a", "one\ntwo")["text"] == "one\ntwo"
    assert plain.read_until("two")[-2:] == ["Alice: one", "Alice: two"]


def test_raw_bytes_are_safe_on_a_terminal(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    bad = "\x1b[2J\x07\x9b\u202e\u2066\u2028\x7f"
    alice.send("topic", room="#lobby", text=bad)
    alice.send("away", text=bad)
    alice.say("a", bad)
    assert bob.read_until("say")["text"] == bad
    alice.send("quit", text=bad)
    bob.read_until("leave")
    for line in bob.lines:
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", line)


def test_a_lone_surrogate_reaches_nobody(start: Start) -> None:
    alice, bob, plain = start.native("Alice"), start.native("Bob"), start.plain("Carol")
    assert alice.say("a", "x\ud800y")["text"] == "x\ufffdy"
    assert bob.read_until("say")["text"] == "x\ufffdy"
    assert plain.read_until("x") == ["Alice: x\ufffdy"]


def test_several_rooms_at_a_time(start: Start) -> None:
    alice, bob = start.native(), start.native("Bob")
    welcome = alice.hello("Alice", rooms=["#lobby", "#dev"])
    assert [room["room"] for room in welcome["rooms"]] == ["#lobby", "#dev"]
    joined = bob.ask("join", room="#DEV")
    assert (joined["t"], joined["room"], joined["count"]) == ("ok", "#dev", 2)
    assert [person["alias"] for person in joined["people"]] == ["Alice", "Bob"]
    for number in range(6):
        alice.send("say", id=str(number), room=("#lobby", "#dev")[number % 2], text=str(number))
    bob.read_until(lambda message: message.get("text") == "5")
    assert bob.texts() == list("012345")
    seqs = [message["seq"] for message in bob.messages if is_record(message)]
    assert seqs == sorted(set(seqs))
    assert bob.ask("part", room="#dev")["room"] == "#dev"
    assert alice.read_until("leave").items() >= {"room": "#dev", "why": "quit"}.items()
    assert bob.say("x", "hi", "#dev")["code"] == "not_in_room"
    assert bob.say("x", "hi", "#none")["code"] == "no_such_room"


def test_a_new_room_takes_a_topic_and_one_with_a_past_sends_its_history(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    alice.ask("join", room="#dev", topic="code")
    assert alice.read_until("topic")["text"] == "code"
    alice.say("a", "hi", "#dev")
    assert bob.ask("join", room="#dev", topic="other")["topic"] == "code"
    history = bob.read_until("history")
    assert [record["text"] for record in history["records"]] == ["hi"]


def test_a_direct_message_reaches_both_people_and_nobody_else(start: Start) -> None:
    alice, bob, carol = start.native("Alice"), start.native("Bob"), start.native("Carol")
    alice.send("dm", id="d", to="bob", text="psst")
    mine, theirs = alice.read_until("dm"), bob.read_until("dm")
    assert mine.items() >= {"from": "Alice", "to": "Bob", "id": "d", "text": "psst"}.items()
    assert (mine["seq"], mine["text"]) == (theirs["seq"], theirs["text"])
    assert carol.settle() == []
    alice.send("dm", id="d", to="Bob", text="psst")
    assert alice.read_until("ack")["seq"] == mine["seq"]
    assert alice.ask("dm", id="e", to="Nobody", text="psst")["code"] == "no_such_person"


def test_nick_topic_away_and_their_answers(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    assert alice.ask("nick", alias="Ally")["alias"] == "Ally"
    assert bob.read_until("nick").items() >= {"from": "Alice", "to": "Ally"}.items()
    assert alice.ask("topic", room="#lobby", text="tea")["room"] == "#lobby"
    assert bob.read_until("topic").items() >= {"from": "Ally", "text": "tea"}.items()
    assert alice.ask("topic", room="#lobby", text="")["t"] == "ok"
    assert bob.read_until("topic")["text"] == ""
    assert alice.ask("away", text="lunch")["state"] == "away"
    presence = bob.read_until("presence")
    assert presence == {"t": "presence", "alias": "Ally", "state": "away", "text": "lunch"}
    assert alice.ask("away")["state"] == "here"
    assert bob.read_until("presence").items() >= {"alias": "Ally", "state": "here"}.items()
    assert alice.ask("nick", alias="Bob")["code"] == "alias_taken"


def test_who_rooms_and_help_answer(start: Start) -> None:
    alice = start.native()
    alice.hello("Alice", rooms=["#lobby", "#dev"])
    start.plain("Bob")
    lobby, dev = alice.ask("who")["rooms"]
    assert (lobby["room"], lobby["count"], dev["room"], dev["count"]) == ("#lobby", 2, "#dev", 1)
    assert [person["alias"] for person in lobby["people"]] == ["Alice", "Bob"]
    assert alice.ask("who", room="#dev")["rooms"] == [dev]
    rooms = alice.ask("rooms")
    assert rooms["rooms"][0] == {"room": "#lobby", "topic": "", "people": 2}
    assert not rooms["more"]
    commands = alice.ask("help")["commands"]
    assert {"say", "dm", "history", "quit"} <= {command["name"] for command in commands}
    assert all(command["summary"] for command in commands)
    assert [row["name"] for row in alice.ask("help", command="nick")["commands"]] == ["nick"]


def test_history_pages_before_after_and_since(start: Start) -> None:
    alice = start.native("Alice")
    said = [alice.say(str(number), str(number)) for number in range(10)]

    def page(**fields: object) -> tuple[list[str], bool]:
        answer = alice.ask("history", room="#lobby", **fields)
        assert answer["t"] == "history"
        seqs = [record["seq"] for record in answer["records"]]
        assert seqs == sorted(set(seqs))
        return [record["text"] for record in answer["records"] if "text" in record], answer["more"]

    assert page(limit=3) == (["7", "8", "9"], True)
    assert page(before=said[7]["seq"], limit=3) == (["4", "5", "6"], True)
    assert page(before=said[1]["seq"]) == (["0"], False)
    assert page(after=said[6]["seq"], limit=2) == (["7", "8"], True)
    assert page(after=said[6]["seq"]) == (["7", "8", "9"], False)
    assert page(since=said[0]["time"]) == (list("0123456789"), False)
    assert page(since="2099-01-01T00:00:00Z") == ([], False)
    assert alice.ask("history", room="#lobby", before=9, after=1)["code"] == "bad_field"
    assert alice.ask("history", room="#lobby", limit=0)["code"] == "bad_field"


def test_quit_says_bye_and_closes(start: Start) -> None:
    alice, bob = start.native("Alice"), start.native("Bob")
    alice.send("quit", text="see you", re=1)
    assert alice.read_messages_to_end()[-1] == {"t": "bye", "reason": "quit", "re": 1}
    assert bob.read_until("leave").items() >= {"why": "quit", "text": "see you"}.items()
    start.native("Alice")


def test_native_and_plain_meet_in_one_room(start: Start) -> None:
    alice, bob = start.native("Alice"), start.plain("Bob")
    assert alice.read_until("join")["alias"] == "Bob"
    bob.send("one", "two", "/me waves")
    assert [alice.read_until("say")["text"], alice.read_until("say")["text"]] == ["one", "two"]
    assert alice.read_until("me")["text"] == "waves"
    bob.send("/quit bye")
    assert alice.read_until("leave").items() >= {"alias": "Bob", "why": "quit"}.items()
