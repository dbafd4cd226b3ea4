"""Ctrl-R: older lines that hold what is typed, and the way back."""

from __future__ import annotations

import pytest

from chatcore.client.editor import Editor, Submit

CTRL_R, CTRL_C, BACKSPACE, LEFT = b"\x12", b"\x03", b"\x7f", b"\x1b[D"


@pytest.fixture
def editor():
    editor = Editor("> ")
    for line in ("make tea", "drink Tea", "wash up", "more tea"):
        editor.feed(line.encode() + b"\r")
    editor.feed(b"half")
    return editor


def test_each_ctrl_r_finds_an_older_one(editor):
    editor.feed(CTRL_R + b"tea")
    assert (editor.text, editor.cursor, editor.shown_prompt) == ("more tea", 5, "(search: tea) ")
    editor.feed(CTRL_R)
    assert editor.text == "drink Tea"
    editor.feed(CTRL_R)
    assert editor.text == "make tea"
    editor.feed(CTRL_R)
    assert (editor.text, editor.rang) == ("make tea", True)


def test_typing_on_narrows_and_backspace_widens_it(editor):
    editor.feed(CTRL_R + b"t")
    assert editor.text == "more tea"
    editor.feed(CTRL_R + b"ea")
    assert editor.text == "drink Tea"
    editor.feed(b"x")
    assert (editor.text, editor.rang, editor.shown_prompt) == ("drink Tea", True, "(search: tea) ")
    editor.feed(BACKSPACE)
    assert editor.text == "more tea"
    editor.feed(BACKSPACE * 2)
    assert editor.text == "half"


def test_enter_sends_what_was_found(editor):
    assert editor.feed(CTRL_R + b"wash\r") == [Submit("wash up")]
    assert (editor.text, editor.shown_prompt) == ("", "> ")


def test_another_key_edits_what_was_found(editor):
    editor.feed(CTRL_R + b"wash" + LEFT)
    assert (editor.text, editor.shown_prompt) == ("wash up", "> ")
    editor.feed(b"\x05!")
    assert editor.text == "wash up!"


def test_ctrl_c_brings_back_what_was_being_typed(editor):
    assert editor.feed(CTRL_R + b"wash" + CTRL_C) == []
    assert (editor.text, editor.cursor, editor.shown_prompt) == ("half", 4, "> ")


def test_nothing_is_looked_for_while_a_password_is_typed(editor):
    editor.take()
    editor.secret = True
    editor.feed(b"x" + CTRL_R + b"tea")
    assert editor.text == "xtea"
    assert editor.shown == "****"


def test_a_password_is_not_found_later():
    editor = Editor("> ", conceal=lambda text: "*" * len(text) if "secret" in text else text)
    editor.feed(b"/oper root secret\rhello\r" + CTRL_R + b"oper")
    assert (editor.text, editor.rang) == ("", True)
