"""The plain dialect asks for the server's password after the alias, and knows which line is which."""

from __future__ import annotations

import pytest

from chatcore.dialects.dialect import Hangup
from chatcore.dialects.plain import PASSWORD_TRIES, Plain, TelnetPlain
from chatcore.hub.command import Hello, Mistake
from chatcore.hub.reply import Refusal, Refused, Welcome

NEEDED = Refused(Refusal("password_needed", "words"))
WRONG = Refused(Refusal("password_wrong", "words"))
BUSY = Refused(Refusal("too_many_tries", "Try again in 20 s.", 20.0))
TAKEN = Refused(Refusal("alias_taken", "Ann is taken. Choose another alias."))
WELCOME = Welcome("log", "s1", None, "Ann", False, 0, 15.0, ())

IAC_WILL_ECHO = b"\xff\xfb\x01"
IAC_WONT_ECHO = b"\xff\xfc\x01"
IAC_DO_ECHO = b"\xff\xfd\x01"


def feed(dialect: Plain, *lines: bytes) -> None:
    dialect.feed(b"".join(line + b"\n" for line in lines))


def test_the_line_after_the_question_is_the_password_for_the_alias_before_it() -> None:
    plain = Plain()
    feed(plain, b"Ann", b"/quit is my password ", b"hi")
    assert plain.next(1) == Hello("Ann")
    assert plain.reply(NEEDED) == b"-- This server has a password. Type it:\n"
    assert plain.next(1) == Hello("Ann", password="/quit is my password ")
    plain.reply(WELCOME)
    said = plain.next(10)
    assert said is not None
    assert said[1] == "hi"
    assert plain._password is None


def test_a_wrong_password_is_asked_for_again_and_the_third_is_the_last() -> None:
    plain = Plain()
    feed(plain, b"Ann", b"a", b"b", b"c", b"d")
    assert plain.next(1) == Hello("Ann")
    plain.reply(NEEDED)
    for password in ("a", "b"):
        assert plain.next(1) == Hello("Ann", password=password)
        assert plain.reply(WRONG) == b"-- That is not the password. Try again:\n"
    assert plain.next(1) == Hello("Ann", password="c")
    assert plain.reply(WRONG) == b""
    last = plain.next(1)
    assert type(last) is Hangup
    assert str(PASSWORD_TRIES) in last.reason
    assert b"not the password" in last.farewell


def test_what_could_not_be_checked_may_be_typed_again() -> None:
    plain = Plain()
    feed(plain, b"Ann", b"a", b"b")
    plain.next(1)
    plain.reply(NEEDED)
    plain.next(1)
    assert plain.reply(BUSY) == b"-- Try again in 20 s.\n"
    assert plain.next(1) == Hello("Ann", password="b")


def test_a_taken_alias_is_asked_for_again_and_the_password_is_not() -> None:
    plain = Plain()
    feed(plain, b"Ann", b"geheim", b"Bob", b"")
    plain.next(1)
    plain.reply(NEEDED)
    plain.next(1)
    assert plain.reply(TAKEN) == b"-- Ann is taken. Choose another alias.\n"
    assert plain.next(1) == Hello("Bob", password="geheim")
    # The settings have changed meanwhile: it is the password that is wrong, not the alias.
    plain.reply(WRONG)
    assert plain.next(1) == Hello("Bob", password="")


def test_a_line_that_is_too_long_or_no_utf_8_is_named_for_what_it_was_meant_as() -> None:
    plain = Plain()
    feed(plain, b"\xff", b"Ann")
    assert type(plain.next(1)) is Mistake
    plain.next(1)
    plain.reply(NEEDED)
    feed(plain, b"x" * 5_000, b"\xff")
    mistake = plain.next(1)
    assert type(mistake) is Mistake
    told = plain.reply(Refused(mistake.refusal))
    assert told == b"-- That is too long for a password. Type it:\n"
    assert plain.next(1) == Hello("Ann", password="\ufffd")


def test_lines_without_end_before_a_password_is_right_are_bounded() -> None:
    plain = Plain()
    feed(plain, b"Ann", *[b"x"] * 100)
    plain.next(1)
    plain.reply(NEEDED)
    for _ in range(100):
        event = plain.next(1)
        if type(event) is Hangup:
            return
        plain.reply(BUSY)
    pytest.fail("nobody hung up")


def test_a_telnet_client_shows_no_password() -> None:
    telnet = TelnetPlain()
    telnet.feed(b"\xff\xfb\x18Ann\r\n")
    assert telnet.next(1) == Hello("Ann")
    telnet.answers()
    asked = telnet.reply(NEEDED)
    assert asked == b"-- This server has a password. Type it:\n" + IAC_WILL_ECHO
    telnet.feed(IAC_DO_ECHO + b"no\r\n")
    assert telnet.answers() == b""  # that it is wanted is no news
    assert telnet.next(1) == Hello("Ann", password="no")
    assert telnet.reply(WRONG) == b"\r\n-- That is not the password. Try again:\n"
    telnet.feed(b"geheim\r\n")
    assert telnet.next(1) == Hello("Ann", password="geheim")
    welcome = telnet.reply(WELCOME)
    assert welcome.startswith(IAC_WONT_ECHO + b"\r\nConnected to the server!\n")
    telnet.feed(b"\xff\xfe\x01hi\r\n")
    assert telnet.answers() == b""
    assert telnet.reply(TAKEN) == b"-- Ann is taken. Choose another alias.\n"


def test_what_a_client_asked_with_its_alias_is_refused_before_the_echo_is_taken() -> None:
    """PuTTY asks for our echo at once; a refusal after the question would have it show the password."""
    telnet = TelnetPlain()
    telnet.feed(IAC_DO_ECHO + b"Ann\r\n")
    assert telnet.next(1) == Hello("Ann")
    asked = telnet.reply(NEEDED) + telnet.answers()
    assert asked.startswith(IAC_WONT_ECHO)
    assert asked.endswith(IAC_WILL_ECHO)
    assert asked.count(b"\xff") == 2


def test_a_client_that_shows_nothing_gets_its_echo_back_when_the_alias_is_the_trouble() -> None:
    telnet = TelnetPlain()
    telnet.feed(b"Ann\r\ngeheim\r\n")
    telnet.next(1)
    assert telnet.reply(NEEDED).endswith(IAC_WILL_ECHO)
    telnet.next(1)
    assert telnet.reply(TAKEN).startswith(IAC_WONT_ECHO + b"\r\n-- Ann is taken")
