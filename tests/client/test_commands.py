"""What is typed is chat, or a command, and never the one for the other."""

from __future__ import annotations

import pytest

from chatcore.client.commands import (
    COMMANDS,
    Mistake,
    Quit,
    Reconnect,
    Retry,
    Switch,
    Tell,
    concealed,
    interpret,
    is_without_password,
)
from chatcore.client.messages import Request


class Place:
    def __init__(self, current="#lobby", rooms=("#lobby", "#Dev"), operator=False):
        self.current, self._rooms = current, rooms
        self.operator = operator

    def joined(self, room):
        return next((each for each in self._rooms if each.casefold() == room.casefold()), None)


@pytest.mark.parametrize(
    ("typed", "action"),
    [
        ("hi", Request("say", room="#lobby", text="hi")),
        ("  hi  ", Request("say", room="#lobby", text="  hi  ")),
        ("//etc is a folder", Request("say", room="#lobby", text="/etc is a folder")),
        ("///", Request("say", room="#lobby", text="//")),
        ("/me waves", Request("me", room="#lobby", text="waves")),
        ("/ME waves", Request("me", room="#lobby", text="waves")),
        ("/msg Bob  hi there", Request("dm", to="Bob", text="hi there")),
        ("/join #new", Request("join", room="#new")),
        ("/join new tea at four", Request("join", room="#new", text="tea at four")),
        ("/join #dev", Switch("#Dev")),
        ("/room dev", Switch("#Dev")),
        ("/part", Request("part", room="#lobby")),
        ("/part dev", Request("part", room="#Dev")),
        ("/rooms", Request("rooms")),
        ("/who", Request("who", room="#lobby")),
        ("/who dev", Request("who", room="#dev")),
        ("/nick Ally", Request("nick", alias="Ally")),
        ("/topic", Request("topic", room="#lobby")),
        ("/topic tea at four", Request("topic", room="#lobby", text="tea at four")),
        ("/away", Request("away")),
        ("/away lunch", Request("away", text="lunch")),
        ("/back", Request("away")),
        ("/ping", Request("ping")),
        ("/history 50", Request("history", room="#lobby", limit=50)),
        ("/history", Request("history", room="#lobby", limit=20)),
        ("/history before 7", Request("history", room="#lobby", limit=20, before=7)),
        ("/history 50  after 0", Request("history", room="#lobby", limit=50, after=0)),
        ("/history since 2h", Request("history", room="#lobby", limit=20, since="2h")),
        ("/last Bob", Request("last", room="#lobby", alias="Bob", limit=10)),
        ("/last Bob 3", Request("last", room="#lobby", alias="Bob", limit=3)),
        ('/search "a tea" from:ann', Request("search", text='"a tea" from:ann')),
        ("/quit", Quit("")),
        ("/quit so long", Quit("so long")),
        ("/retry", Retry()),
        ("/reconnect", Reconnect()),
    ],
)
def test_typed(typed, action):
    assert interpret(typed, Place()) == action


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("/jion #dev", "There is no command /jion. Did you mean /join?"),
        ("/xyzzy", "There is no command /xyzzy. /help lists the commands."),
        ("/", "There is no command /. /help lists the commands."),
        ("/msg Bob", "Usage: /msg NAME text"),
        ("/me", "Usage: /me text"),
        ("/nick", "Usage: /nick NAME"),
        ("/join", "Usage: /join #room [topic]"),
        ("/room", "Usage: /room #room"),
        ("/room #x", "You are not in #x. /join #x goes there."),
        ("/history 0", "Usage: /history [n] [since 2h]"),
        ("/history many", "Usage: /history [n] [since 2h]"),
        ("/history 501", "Usage: /history [n] [since 2h]"),
        ("/history before", "Usage: /history [n] [since 2h]"),
        ("/history before x", "Usage: /history [n] [since 2h]"),
        (f"/history after {2**53}", "Usage: /history [n] [since 2h]"),
        ("/history since 2h 50", "Usage: /history [n] [since 2h]"),
        ("/last", "Usage: /last NAME [n]"),
        ("/last Bob many", "Usage: /last NAME [n]"),
        ("/last Bob 0", "Usage: /last NAME [n]"),
        ("/search", "Usage: /search words"),
        ("/help jion", "There is no command /jion. Did you mean /join?"),
    ],
)
def test_what_cannot_be_done_is_answered_and_never_sent(typed, words):
    assert interpret(typed, Place()) == Mistake(words)


@pytest.mark.parametrize("typed", ["hi", "/me waves", "/part", "/topic x", "/history"])
def test_in_no_room_one_is_told_how_to_get_into_one(typed):
    assert interpret(typed, Place("", ())) == Mistake(
        "You are in no room. /join #room goes to one."
    )


def test_help_has_a_line_for_each_command():
    lines = interpret("/help", Place()).lines
    assert [line.split()[0] for line in lines] == [f"/{name}" for name in COMMANDS]


def test_help_explains_one_command():
    assert interpret("/help /me", Place()) == Tell(("/me text  says what you do: * Alice waves",))


MODERATION = [
    ("/kick Bob", Request("kick", name="Bob", room="#lobby")),
    ("/kick Bob  too loud", Request("kick", name="Bob", room="#lobby", text="too loud")),
    ("/kick Bob #dev too loud", Request("kick", name="Bob", room="#dev", text="too loud")),
    ("/ban Bob", Request("ban", name="Bob", room="#lobby")),
    ("/ban Bob 10m", Request("ban", name="Bob", room="#lobby", period="10m")),
    ("/ban Bob #dev 2h spam", Request("ban", name="Bob", room="#dev", period="2h", text="spam")),
    ("/ban Bob 10 lines", Request("ban", name="Bob", room="#lobby", text="10 lines")),
    ("/unban Bob", Request("unban", name="Bob", room="#lobby")),
    ("/unban Bob #dev", Request("unban", name="Bob", room="#dev")),
    ("/bans", Request("bans", room="#lobby")),
    ("/bans dev", Request("bans", room="#dev")),
    ("/mute Bob", Request("mute", name="Bob")),
    ("/mute Bob 10m too loud", Request("mute", name="Bob", period="10m", text="too loud")),
    ("/unmute Bob", Request("unmute", name="Bob")),
    ("/op Bob", Request("op", name="Bob", room="#lobby")),
    ("/deop Bob #dev", Request("deop", name="Bob", room="#dev")),
    ("/invite Bob", Request("invite", name="Bob", room="#lobby")),
    ("/lock", Request("lock", room="#lobby")),
    ("/lock opensesame", Request("lock", room="#lobby", key="opensesame")),
    ("/announce tea at four", Request("announce", text="tea at four")),
    ("/modlog", Request("modlog", limit=20)),
    ("/modlog 5", Request("modlog", limit=5)),
    ("/lag", Request("lag")),
    ("/oper root", Request("oper", name="root")),
    ("/oper root open sesame", Request("oper", name="root", password="open sesame")),
]


@pytest.mark.parametrize(("typed", "action"), MODERATION)
def test_moderation_is_of_the_room(typed, action):
    assert interpret(typed, Place()) == action


@pytest.mark.parametrize("typed", ["/kick Bob", "/ban Bob 10m", "/unban Bob", "/bans"])
def test_an_operator_who_names_no_room_means_the_server(typed):
    assert interpret(typed, Place(operator=True)).room == ""
    assert interpret(f"{typed.replace(' 10m', '')} #dev", Place(operator=True)).room == "#dev"


@pytest.mark.parametrize(
    "typed",
    [
        "/kick",
        "/ban",
        "/unban",
        "/mute",
        "/unmute",
        "/unmute a b",
        "/op",
        "/op a b",
        "/invite",
        "/announce",
        "/modlog x",
        "/modlog 0",
        "/oper",
    ],
)
def test_moderation_without_what_it_needs_is_a_mistake(typed):
    assert isinstance(interpret(typed, Place()), Mistake)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("/oper root", "/oper root"),
        ("/oper root ", "/oper root "),
        ("/oper root s3cret", "/oper root ******"),
        ("/OPER  root  a b", "/OPER  root  ***"),
        (" /oper root x", " /oper root *"),
        ("oper root x", "oper root x"),
        ("//oper root x", "//oper root x"),
    ],
)
def test_an_operators_password_is_masked_letter_by_letter(typed, shown):
    assert concealed(typed) == shown
    assert len(shown) == len(typed)


def test_only_an_oper_without_a_password_wants_one():
    assert is_without_password(Request("oper", name="root"))
    assert not is_without_password(Request("oper", name="root", password="x"))
    assert not is_without_password(Request("ping"))
