"""A server that wants a password: it is asked for unseen, kept for returns only, and given from a file or a variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clients.puppet import TIME, Puppet, line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.clients.conftest import Chatters

SECRET = "opensesame"
NEEDED = line("refused", code="password_needed", words="This server has a password.")
WRONG = line("refused", code="password_wrong", words="That is not the password.")


def passwords(puppet: Puppet) -> list[str | None]:
    return [each.get("password") for each in puppet.heard if each["t"] == "hello"]


def test_it_is_asked_for_unseen_until_it_is_right(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    puppet = puppets(NEEDED, WRONG)
    alice = chatters.person(1, address=puppet.address)
    alice.until(lambda: "The server's password:" in alice.lines[-1], "the question")
    alice.keys("wrong one")
    alice.until(lambda: alice.lines[-1].endswith(": *********"), "a mask")
    alice.types("")
    alice.sees("That is not the password")
    alice.until(lambda: "The server's password:" in alice.lines[-1], "the question again")
    alice.types(SECRET)
    alice.sees("Connected to the server!")
    assert passwords(puppet) == [None, "wrong one", SECRET]
    assert b"wrong one" not in alice.raw
    assert SECRET.encode() not in alice.raw
    alice.keys("\x1b[A")
    alice.settle()
    assert SECRET not in alice.typed, "no key brings it back"


def test_a_return_needs_no_question(chatters: Chatters, puppets: Callable[..., Puppet]) -> None:
    puppet = puppets(NEEDED)
    alice = chatters.person(1, address=puppet.address)
    alice.until(lambda: "The server's password:" in alice.lines[-1], "the question")
    alice.types(SECRET)
    alice.sees("Connected to the server!")
    puppet.hangs_up()
    alice.sees("disconnected")
    alice.types("/reconnect")
    alice.until_quiet(lambda: passwords(puppet).count(SECRET) == 2, "the hello of the return")


def test_without_an_editor_it_is_unseen_as_well(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    puppet = puppets(NEEDED)
    alice = chatters.person(1, "--plain", address=puppet.address)
    alice.until(lambda: "password:" in "".join(alice.lines), "the question")
    alice.until_quiet(lambda: alice.modes != alice.modes_before, "no echo")
    alice.types(SECRET)
    alice.until(lambda: "Connected to the server!" in alice.lines, "the welcome")
    alice.until_quiet(lambda: alice.modes == alice.modes_before, "the modes as they were")
    assert SECRET.encode() not in alice.raw


def test_nobody_to_ask_is_77_and_says_where_it_may_come_from(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    for answer in (NEEDED, WRONG):
        result = chatters.pipe(1, address=puppets(answer).address).ends()
        assert result.code == 77
        assert "--password-file" in result.err


def test_a_file_or_a_variable_answers(
    chatters: Chatters,
    puppets: Callable[..., Puppet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\nnot this\n")
    first = puppets()
    assert chatters.pipe(1, "--password-file", str(path), address=first.address).ends().code == 0
    assert passwords(first) == [SECRET]
    second = puppets()
    alice = chatters.person(1, address=second.address, variables={"CHATCORE_PASSWORD": SECRET})
    alice.sees("Connected to the server!")
    assert passwords(second) == [SECRET]


def test_too_many_tries_are_waited_out(chatters: Chatters, puppets: Callable[..., Puppet]) -> None:
    later = line("refused", code="too_many_tries", words="Too many wrong passwords.", retry_s=0.1)
    puppet = puppets(later)
    alice = chatters.person(1, address=puppet.address, variables={"CHATCORE_PASSWORD": SECRET})
    alice.sees("Too many wrong passwords", "Waiting 1 s", "Connected to the server!")
    assert passwords(puppet) == [SECRET, SECRET]


# An operator's


def test_an_operators_password_is_never_seen(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    puppet = puppets()
    alice = chatters.person(1, address=puppet.address)
    alice.until(lambda: alice.typed == "#lobby>", "the prompt")
    alice.types("/oper root")
    alice.until(lambda: "The password of the operator root:" in alice.lines[-1], "the question")
    alice.types(SECRET)
    alice.until(lambda: alice.typed.endswith("#lobby>"), "the prompt")
    alice.keys(f"/oper root {SECRET}")
    alice.until(lambda: alice.typed == f"#lobby> /oper root {'*' * len(SECRET)}", "the mask")
    alice.types("")
    alice.until_quiet(lambda: [each["t"] for each in puppet.heard].count("oper") == 2, "both")
    asked = [each for each in puppet.heard if each["t"] == "oper"]
    assert [(each["name"], each["password"]) for each in asked] == [("root", SECRET)] * 2
    alice.keys("\x1b[A")
    alice.until(lambda: alice.typed.endswith("#lobby> /oper root"), "what may be kept")
    assert SECRET.encode() not in alice.raw


# What moderators and the server say


ACTS = [
    (("announce", "", "", "tea at four"), "^-- Announcement from Bob: tea at four$"),
    (("op", "#lobby", "Carol", ""), "^Bob made Carol a moderator$"),
    (("deop", "#lobby", "Carol", ""), "^Bob took the moderation from Carol$"),
    (("lock", "#lobby", "", ""), "^Bob locked the room: it needs a key now$"),
    (("unlock", "#lobby", "", ""), "^Bob opened the room again$"),
    (("mute", "", "Alice", "too loud"), r"^-- Bob muted you for 10 minutes \(too loud\)$"),
    (("unmute", "", "Alice", ""), "^-- Bob lets you speak again$"),
    (("invite", "#dev", "Alice", ""), "^-- Bob invites you to #dev: /join #dev$"),
]


def test_the_message_of_the_day_and_acts_are_shown(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    puppet = puppets(motd="Be kind.\nTea at four.", kept="Lines are kept for 7 days.")
    alice = chatters.person(1, address=puppet.address)
    alice.sees("^-- Be kind.$", "^-- Tea at four.$", "^-- Lines are kept for 7 days.$")
    for seq, ((act, room, to, text), pattern) in enumerate(ACTS, 1):
        fields = {"room": room, "to": to, "text": text}
        until = {"until": "2026-11-20T14:12:11.000Z"} if act == "mute" else {}
        given = {name: value for name, value in fields.items() if value} | until
        puppet.says(
            line("act", seq=seq, time=TIME, act=act, **{"from": "Bob", "sid": "s9"}, **given)
        )
        alice.sees(pattern)
    puppet.says(line("act", seq=99, time=TIME, act="something new", **{"from": "Bob", "sid": "s9"}))
    alice.settle()
    assert not any("something new" in each for each in alice.lines)


def test_who_is_removed_does_not_come_back(
    chatters: Chatters, puppets: Callable[..., Puppet]
) -> None:
    for reason in ("kicked", "banned"):
        puppet = puppets()
        alice = chatters.person(1, address=puppet.address)
        alice.sees("Connected to the server!")
        puppet.says(line("bye", reason=reason, words="by Bob: enough of that"))
        assert alice.ends() == 77
        assert any("enough of that" in each for each in alice.lines)
        assert len(passwords(puppet)) == 1
