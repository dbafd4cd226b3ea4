"""What is typed unseen is an answer to the question it was typed for, and to no other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from chatcore.client import events, messages
from chatcore.client.chat import Chat
from chatcore.client.messages import Request
from chatcore.client.options import parse_options
from chatcore.client.questions import REST, Alias, Questions, Unsaid
from chatcore.client.signals import Signals
from chatcore.client.style import Looks, Style

if TYPE_CHECKING:
    from chatcore.client.console import Console

OPER = Request("oper", name="root")
TAKEN = events.AliasRefused("Alice", "alias_taken", "Alice is taken.")
LOST = events.Lost("gone", 1.0, 0, again=False, joined=True)


class Editor:
    """A console of nothing but the line being typed."""

    def __init__(self) -> None:
        self.typed = ""
        self.shown = ("", False)

    def take(self) -> str:
        typed, self.typed = self.typed, ""
        return typed

    def restore(self, text: str) -> None:
        self.typed = text

    def prompt(self, words: str, *, asks: bool, hidden: bool) -> None:
        self.shown = (words, hidden)


class Asked:
    def __init__(self) -> None:
        self.editor = Editor()
        self._questions = Questions(self.editor)

    def heed(self, event: events.Event) -> None:
        self._questions.heed(event, was_joined=True)

    def ask_secret(self) -> None:
        self._questions.ask_secret(OPER)

    @property
    def shown(self) -> tuple[str, bool]:
        self._questions.prompt("#lobby> ")
        return self.editor.shown

    def enter(self, text: str = "") -> object:
        self.editor.typed += text
        return self._questions.answer(self.editor.take())


def test_the_rest_of_an_operators_password_is_no_alias() -> None:
    asked = Asked()
    asked.editor.typed = "a line"
    asked.ask_secret()
    asked.editor.typed = "s3cr"
    asked.heed(TAKEN)
    assert asked.shown == (REST, True)
    assert asked.enter("et") == Unsaid()
    assert asked.shown == ("Choose an alias: ", False)
    assert asked.enter("Zed") == Alias("Zed")
    assert asked.shown == ("The password of the operator root: ", True)
    assert asked.enter() == Unsaid()
    assert asked.shown == ("#lobby> ", False)
    assert asked.editor.typed == "a line"


def test_a_rest_is_one_until_enter_whatever_is_asked_meanwhile() -> None:
    asked = Asked()
    asked.ask_secret()
    assert asked.enter("s3cret") == OPER._replace(password="s3cret")
    asked.editor.typed = "s3c"
    asked.heed(LOST)
    assert asked.shown == (REST, True)
    asked.heed(TAKEN)
    assert asked.shown == (REST, True)
    assert asked.enter("ret") == Unsaid()
    assert asked.enter("Zed") == Alias("Zed")
    assert asked.shown == ("#lobby> ", False)


def test_without_a_beginning_there_is_no_rest() -> None:
    asked = Asked()
    asked.ask_secret()
    asked.heed(TAKEN)
    assert asked.shown == ("Choose an alias: ", False)


def test_a_wrong_one_is_asked_for_again_and_the_line_stays_aside() -> None:
    asked = Asked()
    asked.editor.typed = "a line"
    asked.ask_secret()
    asked.enter("wrong")
    asked.editor.typed = "s3c"
    asked.heed(events.Refusal(OPER, "password_wrong", "That is not the password."))
    assert asked.shown == ("The password of the operator root: ", True)
    assert asked.enter("ret") == OPER._replace(password="s3cret")
    asked.heed(events.Refusal(OPER, "flood", "Too much at once."))
    assert asked.shown == ("#lobby> ", False)
    assert asked.editor.typed == "a line"


class Quick(Editor):
    """Whoever sees the welcome types at once."""

    input_fd = None

    def show(self, lines: list[str]) -> None:
        if any("Connected to the server!" in line for line in lines):
            self.typed += "hello"

    def completes(self, complete: object) -> None:
        """Nothing is completed here."""


def test_what_is_typed_at_the_sight_of_the_welcome_is_a_line() -> None:
    """And no rest of the password, which is thrown away when it is known to be right."""
    console = Quick()
    room = messages.Room("#lobby", "", (), 1)
    welcome = messages.Welcome("l", "me", "t", "Alice", False, 1, (room,))
    with Signals(()) as signals:
        chat = Chat(
            parse_options(["127.0.0.1"], "Alice"),
            cast("Console", console),
            Style(Looks(), lambda: datetime.now(UTC)),
            signals,
            interactive=True,
        )
        chat._tell([events.PasswordRefused("password_wrong", "That is not the password.")])
        console.typed = "s3cr"
        chat._tell([events.Welcomed(welcome, False)])
    assert console.typed == "hello"
