"""A password is never said in a room, whenever it is typed: ahead of the question, once more while it is checked, after
a wrong one, after a return. All of it against our own server, at a real terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.test_front_door import OPERATOR, operator_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.conftest import Chatters, Person

__all__ = ["operator_hash"]
SECRET = "opensesame"
WIDE = (160, 40)
"""No line of these is wrapped."""
QUESTION = "The server's password:"
GUARDED = f'[server]\npassword = "{SECRET}"\n[flood]\nenabled = false\n'
KINDS = pytest.mark.parametrize("options", [(), ("--plain",)], ids=["editor", "plain"])


def asked(person: Person, times: int = 1) -> None:
    """The question stands, so many times asked."""

    def stands() -> bool:
        return QUESTION in person.lines[-1] and person.raw.count(QUESTION.encode()) >= times

    person.until(stands, "the question")


def witness(chatters: Chatters) -> Person:
    return chatters.person(4, size=WIDE, variables={"CHATCORE_PASSWORD": SECRET}).joined()


def heard(witness: Person, last: str) -> list[str]:
    """Everything that was said until `last`."""
    witness.sees(f"^Alice: {last}$")
    witness.settle()
    return [line for line in witness.lines if line.startswith("Alice: ")]


@KINDS
def test_what_is_typed_while_one_is_checked_is_not_said(
    chatters: Chatters, options: tuple[str, ...]
) -> None:
    chatters.server(config=GUARDED)
    dave = witness(chatters)
    alice = chatters.person(1, *options, size=WIDE)
    asked(alice)
    alice.types("wrong", SECRET)
    alice.until(
        lambda: any("Not sent: the password is still" in line for line in alice.lines), "a word"
    )
    alice.until(lambda: any("That is not" in line for line in alice.lines), "the refusal")
    asked(alice, 2)
    alice.types(SECRET)
    alice.until(lambda: "Connected to the server!" in alice.lines, "the welcome")
    alice.types("hello")
    assert heard(dave, "hello") == ["Alice: hello"]
    assert SECRET.encode() not in alice.raw


def test_what_is_typed_ahead_is_not_said_unasked(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GUARDED)
    dave, network = witness(chatters), chatters.network()
    network.hold("down")
    alice = chatters.person(1, size=WIDE, address=network.address)
    alice.until(lambda: alice.typed == "#lobby (offline)>", "the prompt")
    wait_for(lambda: b"password_needed" in network.swallowed, "the refusal is lost")
    alice.keys(f"{SECRET}\ropen")
    alice.until(lambda: alice.typed.endswith("(offline)> open"), "typed ahead")
    network.cut()
    asked(alice)
    alice.sees("^-- Not sent: 1 line that you typed before the password was asked for")
    alice.types(SECRET)
    alice.sees("^Connected to the server!$")
    alice.types("hello")
    assert heard(dave, "hello") == ["Alice: hello"]
    alice.types("/retry")
    alice.sees(f"^Alice: {SECRET}$")


def test_a_line_that_was_on_its_way_is_said_all_the_same(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    """Only what was never sent is taken back; of what was, the server may know."""
    chatters.server()
    network = chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address).joined()
    network.hold("up")
    alice.types("on its way")
    wait_for(lambda: b"on its way" in network.swallowed, "the line is lost")
    network.server = chatters.server(config=GUARDED).address
    dave = witness(chatters)
    network.cut()
    asked(alice)
    alice.types(SECRET)
    alice.sees("^── back after")
    assert heard(dave, "on its way") == ["Alice: on its way"]


def test_a_return_to_a_new_password_says_none_of_it(chatters: Chatters) -> None:
    chatters.server()
    network = chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address).joined()
    alice.keys("half a li")
    alice.until(lambda: alice.typed.endswith("half a li"), "half a line")
    network.server = chatters.server(config=GUARDED).address
    dave = witness(chatters)
    network.cut()
    alice.sees("^── disconnected")
    asked(alice)
    alice.types("wrong", SECRET)
    alice.sees("^-- Not sent: the password is still", "^-- That is not the password")
    asked(alice)
    alice.types(SECRET)
    alice.sees("^── back after")
    alice.until(lambda: alice.typed.endswith("#lobby> half a li"), "the line that was kept")
    alice.types("ne")
    assert heard(dave, "half a line") == ["Alice: half a line"]
    assert SECRET.encode() not in alice.raw


def test_a_second_one_half_typed_when_the_first_is_right_is_not_said(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GUARDED)
    dave, network = witness(chatters), chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address)
    asked(alice)
    network.hold("up")
    alice.types(SECRET)
    wait_for(lambda: SECRET.encode() in network.swallowed, "the password is lost")
    alice.keys("opens")
    alice.until(lambda: alice.lines[-1].endswith("… *****"), "half of it, unseen")
    network.cut()
    alice.sees("^Connected to the server!$")
    alice.until(lambda: "Enter goes on:" in alice.lines[-1], "what is left of the question")
    alice.types("ame", "hello")
    assert heard(dave, "hello") == ["Alice: hello"]
    assert b"ame" not in alice.raw.rpartition(b"Enter goes on:")[2].partition(b"#lobby")[0]


@KINDS
def test_a_second_one_half_typed_when_the_alias_is_refused_is_no_alias(
    chatters: Chatters, wait_for: Callable[..., None], options: tuple[str, ...]
) -> None:
    chatters.server(config=GUARDED)
    dave, network = witness(chatters), chatters.network()
    alice = chatters.person(1, *options, size=WIDE, address=network.address)
    asked(alice)
    network.hold("up")
    alice.types(SECRET)
    wait_for(lambda: SECRET.encode() in network.swallowed, "the password is lost")
    first = chatters.person(1, size=WIDE, variables={"CHATCORE_PASSWORD": SECRET}).joined()
    alice.keys("opens")
    if not options:
        alice.until(lambda: alice.lines[-1].endswith("… *****"), "half of it, unseen")
    network.cut()
    alice.until(lambda: "Enter goes on:" in alice.lines[-1], "what is left of the question")
    alice.types("ame")
    alice.until(lambda: "Choose an alias:" in alice.lines[-1], "the question for an alias")
    alice.types("Zed")
    alice.until(lambda: "Connected to the server!" in alice.lines, "the welcome")
    alice.types("hello")
    dave.sees("^Zed: hello$")
    first.types("bye")
    assert heard(dave, "bye") == ["Alice: bye"]
    assert not any("ame" in line for line in dave.lines)
    assert b"ame" not in alice.raw.rpartition(b"Enter goes on:")[2].partition(b"Choose")[0]


def test_while_it_is_checked_one_may_leave(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GUARDED)
    network = chatters.network()
    alice = chatters.person(1, size=WIDE, address=network.address)
    asked(alice)
    network.hold("up")
    alice.types(SECRET)
    wait_for(lambda: SECRET.encode() in network.swallowed, "the password is lost")
    alice.types("/quit")
    assert alice.ends() == 0


@KINDS
def test_an_operators_is_asked_for_again_and_not_said(
    chatters: Chatters, operator_hash: str, options: tuple[str, ...]
) -> None:
    config = (
        f'[server]\npassword = "{SECRET}"\n[[operators]]\nname = "root"\nhash = "{operator_hash}"\n'
    )
    chatters.server(config=config)
    dave = witness(chatters)
    alice = chatters.person(1, *options, size=WIDE, variables={"CHATCORE_PASSWORD": SECRET})
    alice.until(lambda: "Connected to the server!" in alice.lines, "the welcome")
    alice.types("/oper root")
    question = "The password of the operator root:"
    alice.until(lambda: question in alice.lines[-1], "the question")
    alice.types("wrong", OPERATOR)
    alice.until(lambda: any("There is no operator" in line for line in alice.lines), "the refusal")
    alice.until(lambda: question in alice.lines[-1], "the question again")
    alice.types(OPERATOR)
    alice.until(
        lambda: any("You are the operator root" in line for line in alice.lines), "the answer"
    )
    alice.types("/oper root")
    alice.until(lambda: question in alice.lines[-1], "the question once more")
    alice.types("", "hello")
    assert heard(dave, "hello") == ["Alice: hello"]
    assert OPERATOR.encode() not in alice.raw


def test_without_an_editor_what_the_terminal_has_of_a_second_one_is_thrown_away(
    chatters: Chatters, wait_for: Callable[..., None]
) -> None:
    chatters.server(config=GUARDED)
    dave, network = witness(chatters), chatters.network()
    alice = chatters.person(1, "--plain", size=WIDE, address=network.address)
    asked(alice)
    network.hold("up")
    alice.types(SECRET)
    wait_for(lambda: SECRET.encode() in network.swallowed, "the password is lost")
    alice.keys(SECRET)
    network.cut()
    alice.until(lambda: "Connected to the server!" in alice.lines, "the welcome")
    alice.until(lambda: "Enter goes on:" in alice.lines[-1], "what is left of the question")
    alice.types("rest", "hello")
    assert heard(dave, "hello") == ["Alice: hello"]
    assert SECRET.encode() not in alice.raw
