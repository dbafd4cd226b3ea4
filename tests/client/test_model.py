"""Events in, lines out: what a person is told, in which room, and what is remembered."""

from __future__ import annotations

import pytest

from chatcore.client import events, messages
from chatcore.client.lines import Kind, Line, notice
from chatcore.client.messages import Names, Person, Request, Room
from chatcore.client.model import MAX_REFUSED, Model

TIME = "2026-11-20T14:02:11.000Z"


def welcome(*rooms, returning=False, alias="Alice"):
    given = [Room(name, "", (Person(alias, "here", ""),), 1) for name in rooms or ("#lobby",)]
    return events.Welcomed(
        messages.Welcome("l", "me", "t", alias, False, 1, tuple(given)), returning
    )


@pytest.fixture
def model():
    model = Model("Alice", "#lobby", "127.0.0.1:59000", lambda sid: sid == "me")
    model.show(welcome("#lobby", "#dev"))
    return model


def said(text, room="#lobby", alias="Bob", sid="bob", me=False):
    return messages.Said(7, TIME, room, alias, sid, "", text, me)


def ok(request, **fields):
    empty = messages.Ok("", "", "", "", "", (), 0, (), 0)
    return events.Answer(request, empty._replace(**fields), 0.0)


def texts(lines):
    return [line.text for line in lines]


def test_joining_tells_where_one_is_and_who_is_there():
    model = Model("Alice", "#lobby", "x", lambda sid: False)
    people = (Person("Alice", "here", ""), Person("Bob", "away", "tea"))
    rooms = (Room("#lobby", "tea at four", people, 64),)
    lines = model.show(
        events.Welcomed(messages.Welcome("l", "me", "t", "Alice", False, 1, rooms), False)
    )
    assert lines == [
        Line(Kind.CONNECTED),
        *notice(
            "You are in #lobby. Topic: tea at four",
            "Here: Alice, Bob and 62 others (64). /help lists the commands.",
        ),
    ]


@pytest.mark.parametrize(
    ("event", "still"),
    [
        (events.Refusal(Request("mute", name="Bob"), "not_operator", "Only operators."), False),
        (events.Refusal(Request("kick", name="Bob"), "not_moderator", "Only its own."), False),
        (events.Refusal(Request("kick", room="#lobby"), "not_moderator", "It has none."), True),
        (welcome(returning=True), False),
    ],
)
def test_who_is_no_operator_any_more_means_the_room_again(model, event, still):
    model.show(ok(Request("oper", name="root")))
    assert model.operator
    model.show(event)
    assert model.operator is still


def test_lines_of_the_current_room_stand_alone_others_carry_their_room(model):
    assert model.show(said("hi"))[0].room == ""
    assert model.show(said("hi", room="#dev"))[0].room == "#dev"
    model.switch("#dev")
    assert model.show(said("hi", room="#DEV"))[0].room == ""
    assert model.show(said("hi"))[0].room == "#lobby"


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("alice: look", True),
        ("ALICE", True),
        ("what does Alice's cat eat?", True),
        ("malice", False),
        ("alice2", False),
        ("nobody", False),
    ],
)
def test_a_mention_is_a_whole_word_in_any_case(model, text, mention):
    assert model.show(said(text))[0].mention is mention


def test_one_is_not_mentioned_by_oneself(model):
    line = model.show(said("Alice here", alias="Alice", sid="me"))[0]
    assert (line.own, line.mention) == (True, False)


def test_a_direct_message_is_for_whom_it_is_to(model):
    to_me = messages.Direct(8, TIME, "Bob", "Alice", "bob", "", "psst")
    from_me = messages.Direct(9, TIME, "Alice", "Bob", "me", "", "psst")
    assert model.show(to_me)[0].mention is True
    assert model.show(from_me)[0].mention is False


def test_a_new_alias_is_the_one_that_is_listened_for(model):
    model.show(messages.Renamed(8, TIME, "#lobby", "Alice", "Ally", "me"))
    assert model.alias == "Ally"
    assert model.show(said("hey ally"))[0].mention is True
    assert model.show(said("hey alice"))[0].mention is False


def test_a_rename_is_told_once_however_many_rooms_are_shared(model):
    first = messages.Renamed(8, TIME, "#lobby", "Bob", "Rob", "bob")
    lines = model.show(first)
    assert [(line.kind, line.name, line.other) for line in lines] == [(Kind.RENAMED, "Bob", "Rob")]
    assert model.show(first._replace(seq=9, room="#dev")) == []
    assert len(model.show(messages.Renamed(10, TIME, "#lobby", "Rob", "Bob", "bob"))) == 1
    assert len(model.show(first._replace(seq=11))) == 1


def test_a_page_tells_a_rename_that_was_seen_as_well(model):
    rename = messages.Renamed(8, TIME, "#lobby", "Bob", "Rob", "bob")
    model.show(rename)
    page = messages.History("r", "#lobby", (said("hi"), rename, rename._replace(seq=9)), False)
    assert [line.kind for line in model.show(page)] == [
        Kind.SAID,
        Kind.RENAMED,
        Kind.RENAMED,
        Kind.NOTICE,
    ]
    assert model.show(rename._replace(seq=10, room="#dev")) == []


def test_who_is_where_is_kept(model):
    model.show(messages.Joined(8, TIME, "#lobby", "Bob", "bob"))
    model.show(messages.Presence(Person("bob", "away", "tea")))
    assert model.rooms["#lobby"].people["bob"].state == "away"
    model.show(messages.Renamed(9, TIME, "#lobby", "Bob", "Rob", "bob"))
    assert list(model.rooms["#lobby"].people) == ["alice", "rob"]
    model.show(messages.Left(10, TIME, "#lobby", "Rob", "bob", "quit", ""))
    assert list(model.rooms["#lobby"].people) == ["alice"]
    model.show(messages.TopicSet(11, TIME, "#lobby", "Bob", "bob", "tea"))
    assert model.rooms["#lobby"].topic == "tea"


def test_what_is_typed_after_a_join_goes_to_that_room_at_once(model):
    request = Request("join", room="#New")
    model.asked(request)
    assert model.current == "#New"
    model.show(welcome("#lobby", returning=True))  # a loss before the answer changes nothing
    assert model.current == "#New"
    lines = model.show(
        ok(request, room="#new", topic="tea", people=(Person("A", "here", ""),), size=1)
    )
    assert model.current == "#new"
    assert texts(lines) == ["You are in #new. Topic: tea", "Here: A (1)."]


def test_a_refused_join_leaves_one_where_one_was(model):
    request = Request("join", room="#b a d")
    model.asked(request)
    assert texts(model.show(events.Refusal(request, "room_not_allowed", "No."))) == ["No."]
    assert model.current == "#lobby"


def test_leaving_the_current_room_goes_back_to_another(model):
    left = messages.Left(8, TIME, "#lobby", "Alice", "me", "quit", "")
    lines = model.show(left)
    assert [line.kind for line in lines] == [Kind.LEFT, Kind.NOTICE]
    assert lines[1].text == "You are in #dev now."
    assert model.current == "#dev"
    assert model.show(ok(Request("part", room="#lobby"), room="#lobby")) == []
    lines = model.show(ok(Request("part", room="#dev"), room="#dev"))
    assert texts(lines) == ["You are in no room now."]
    assert model.current == ""


def test_what_is_typed_after_a_part_goes_back_at_once(model):
    join, part = Request("join", room="#new"), Request("part", room="#new")
    model.asked(join)
    model.asked(part)
    assert model.current == "#lobby"
    model.show(ok(join, room="#new"))
    assert model.current == "#lobby"
    assert texts(model.show(ok(part, room="#new"))) == ["You are in #lobby now."]


def test_leaving_for_good_says_nothing_of_other_rooms(model):
    model.leaving = True
    lines = model.show(messages.Left(8, TIME, "#lobby", "Alice", "me", "quit", ""))
    assert [line.kind for line in lines] == [Kind.LEFT]


def test_a_refused_line_is_told_with_its_text_and_can_be_sent_again(model):
    request = Request("say", room="#lobby", text="hi there")
    lines = model.show(events.Refusal(request, "flood", "Too much at once."))
    assert lines == [Line(Kind.REFUSED, "Not sent: “hi there” (Too much at once)")]
    assert model.take_refused() == [request]
    assert model.take_refused() == []


def test_how_to_become_an_operator_is_told_as_it_is_done_here(model):
    words = "Only operators can do that. Become one: /oper NAME password"
    lines = model.show(events.Refusal(Request("mute", name="Bob"), "not_operator", words))
    assert texts(lines) == ["Only operators can do that. Become one: /oper NAME"]


def test_what_was_typed_ahead_is_told_without_its_words_and_can_be_sent(model):
    typed = [Request("say", room="#lobby", text=f"line {number}") for number in range(1500)]
    refused, flooded = typed[0], typed[-1]
    model.show(events.Refusal(refused, "flood", "Too much at once."))
    (line,) = model.withdrawn(typed[1:])
    assert "1,499 lines" in line.text
    assert "line 1" not in line.text
    assert model.withdrawn([]) == []
    for _ in range(MAX_REFUSED):
        model.show(events.Refusal(flooded, "flood", "Too much at once."))
    assert model.take_refused() == typed + [flooded] * MAX_REFUSED, "all of them, in their order"
    assert model.take_refused() == []


def test_of_a_line_that_is_too_long_the_beginning_is_told(model):
    request = Request("say", room="#lobby", text="x" * 5000)
    line = model.show(events.Refusal(request, "too_long", "it is long"))[0]
    assert line.text == f"Not sent: “{'x' * 60}…” (it is long)"


@pytest.mark.parametrize(
    ("request_", "fields", "words"),
    [
        (
            Request("who"),
            {
                "rooms": (
                    Room("#a", "", (Person("A", "here", ""), Person("B", "away", "tea")), 2),
                    Room("#b", "", (Person("C", "grace", ""), Person("D", "away", "")), 9),
                )
            },
            [
                "In #a (2): A, B (away: tea)",
                "In #b (9): C (connection lost), D (away) and 7 others",
            ],
        ),
        (
            Request("rooms"),
            {"rooms": (Room("#a", "tea", (), 1200), Room("#b", "", (), 1)), "more": 5},
            ["#a (1,200) tea", "#b (1)", "and 5 more"],
        ),
        (Request("topic"), {"room": "#a", "topic": "tea"}, ["Topic of #a: tea"]),
        (Request("topic"), {"room": "#a"}, ["#a has no topic."]),
        (Request("topic", text="tea"), {"room": "#a"}, []),
        (Request("away", text="tea"), {"state": "away"}, ["You are away: tea"]),
        (Request("away"), {"state": "here"}, ["You are back."]),
        (Request("nick", alias="X"), {"alias": "X"}, []),
    ],
)
def test_answers_in_words(model, request_, fields, words):
    assert texts(model.show(ok(request_, **fields))) == words


def test_a_pong_tells_how_long_it_took(model):
    assert texts(model.show(events.Answer(Request("ping"), None, 0.0123))) == ["pong (12 ms)"]


def test_being_away_is_known(model):
    model.show(ok(Request("away", text="tea"), state="away"))
    assert model.away
    model.show(ok(Request("away"), state="here"))
    assert not model.away


def test_a_crowd_is_two_lines_at_most(model):
    crowd = messages.Crowd(8, TIME, "#dev", Names(("Ann", "Bob"), 62), Names(("Cy",), 0))
    assert [(each.kind, each.room, each.parts, each.count) for each in model.show(crowd)] == [
        (Kind.CROWD_JOINED, "#dev", ("Ann", "Bob"), 62),
        (Kind.CROWD_LEFT, "#dev", ("Cy",), 0),
    ]
    assert model.show(crowd._replace(joined=Names((), 0), left=Names((), 0))) == []


def test_history_is_past_and_changes_nothing(model):
    old = (said("hello"), messages.Left(3, TIME, "#lobby", "Alice", "me", "quit", ""))
    lines = model.show(messages.History("", "#lobby", old, False))
    assert [(line.kind, line.past) for line in lines] == [(Kind.SAID, True), (Kind.LEFT, True)]
    assert model.current == "#lobby"
    assert texts(model.show(messages.History("r", "#lobby", (), False))) == [
        "Nothing was found in #lobby."
    ]


def test_a_page_that_was_asked_for_says_how_much_it_is(model):
    page = messages.History("r", "#lobby", (said("one"), said("two")), True)
    assert model.show(page)[-1] == notice("2 lines of #lobby.")[0]
    assert model.show(page._replace(records=page.records[:1]))[-1].text == "1 line of #lobby."
    unasked = model.show(page._replace(re=""))
    assert [line.kind for line in unasked] == [Kind.SAID, Kind.SAID]


def test_whom_one_writes_to_is_said_to_be_away_once_a_time(model):
    def written(to, sid="me"):
        return texts(model.show(messages.Direct(9, TIME, "Alice", to, sid, "", "hi")))[1:]

    model.show(messages.Joined(8, TIME, "#dev", "Zoë", "zoe"))
    assert written("Zoë") == []
    model.show(messages.Presence(Person("Zoë", "away", "日本")))
    assert written("zoë", sid="bob") == [], "only the writer"
    assert written("zoë") == ["Zoë is away: 日本"]
    assert written("Zoë") == []
    model.show(messages.Presence(Person("Zoë", "here", "")))
    assert written("Zoë") == []
    model.show(messages.Presence(Person("Zoë", "away", "")))
    assert written("Zoë") == ["Zoë is away."]
    assert written("Nobody") == []


def test_the_words_to_those_who_arrive_stand_behind_where_one_is(model):
    told = welcome("#lobby").welcome._replace(motd="Be kind.", kept="Kept for a day.")
    assert texts(model.show(events.Welcomed(told, False))) == [
        "",
        "You are in #lobby.",
        "Here: Alice (1). /help lists the commands.",
        "Be kind.",
        "Kept for a day.",
    ]


def test_what_a_search_found_says_where_and_how_much_it_is(model):
    found = (said("tea"), said("more tea", room="#dev"))
    lines = model.show(messages.History("r", "", found, True))
    assert [(line.past, line.room) for line in lines] == [(True, ""), (True, "#dev"), (False, "")]
    assert lines[2].text == (
        "2 lines found; there may be older ones: add before: and a day, or more words."
    )
    assert texts(model.show(messages.History("r", "", found[:1], False)))[1:] == ["1 line found."]
    assert texts(model.show(messages.History("r", "", (), False))) == ["Nothing found."]
    (words,) = texts(model.show(messages.History("r", "", (), True)))
    assert words.startswith("Nothing found yet")


def test_a_gap_is_told_in_its_place(model):
    assert model.show(messages.Gap("#dev", 1204, 9)) == [Line(Kind.MISSED, room="#dev", count=1204)]


def test_a_long_loss_is_told_once_until_its_reason_changes(model):
    lost = events.Lost("server closed", 4.2, 2, again=False, joined=True)
    line = model.show(lost)[0]
    assert (line.kind, line.name, line.text) == (Kind.LOST, "disconnected", "server closed")
    assert line.parts == ("retry in 4 s", "2 lines waiting")
    refused = lost._replace(reason="connection refused", again=True, joined=False, waiting=1)
    line = model.show(refused)[0]
    assert line.name == "cannot connect to 127.0.0.1:59000"
    assert line.parts == ("retry in 4 s", "1 line waiting")
    assert model.show(refused) == []
    assert model.show(refused._replace(reason="no answer")) != []


def test_a_try_that_was_asked_for_is_told_once(model):
    lost = events.Lost("connection refused", 4.2, 0, again=False, joined=True)
    model.show(lost)
    again = lost._replace(again=True, retry_s=7)
    model.is_called_back = True
    assert model.show(again)[0].parts == ("retry in 7 s",)
    assert model.show(again) == []


@pytest.mark.parametrize(
    ("back", "parts"),
    [
        (events.Back(37.4, 14, False, False), ("back after 37 s", "14 missed lines below")),
        (events.Back(1, 1, False, False), ("back after 1 s", "1 missed line below")),
        (events.Back(600, 1000, True, False), ("back after 10 min", "1,000+ missed lines below")),
        (events.Back(9000, 0, False, False), ("back after 2 h", "nothing missed")),
    ],
)
def test_a_return_tells_how_long_and_how_much(model, back, parts):
    assert model.show(back)[0].parts == parts


def test_a_return_to_a_server_that_forgot_says_so(model):
    assert "new arrival" in model.show(events.Back(1, 0, False, True))[0].parts[1]


def test_a_held_alias_is_waited_for_aloud(model):
    lines = model.show(events.Held("Alice is held.", 9.5, "Alice"))
    assert texts(lines) == ["Alice is held.", "Waiting 10 s for Alice."]


def test_what_is_nobodys_business_is_not_shown(model):
    assert model.show(events.Stored("k")) == []
    assert model.show(events.Ended("quit", "")) == []
