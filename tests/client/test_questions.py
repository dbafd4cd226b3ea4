"""What is typed unseen is an answer to the question it was typed for, and to no other."""

from __future__ import annotations

from chatcore.client import events
from chatcore.client.messages import Request
from chatcore.client.questions import REST, Alias, Questions, Unsaid

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
