"""The server's password: who waits, who is refused, and what nobody learns by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.connection.passwords import (
    FAR,
    ROOT,
    ask,
    cheap,
    check,
    checked_by_hand,
    hello,
    lines,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make(make_house: Callable[..., Any]) -> Callable[..., Any]:
    return checked_by_hand(make_house)


@pytest.fixture
def guarded(make: Callable[..., Any]) -> Any:
    return make(password=cheap("open sesame"), operators=(ROOT,))


def test_a_native_client_sends_the_password_with_the_hello(guarded: Any) -> None:
    sock = ask(guarded, hello("Ann") | {"re": 1})
    assert sock.messages[0]["re"] == 1
    assert told(sock) == ["password_needed"]
    sock.say(hello("Ann", "no"))
    guarded.settle()
    assert told(sock) == []
    check(guarded)
    assert told(sock) == ["password_wrong"]
    sock.say(hello("Ann", "open sesame"))
    guarded.settle()
    check(guarded)
    assert told(sock) == ["welcome", "join"]


def test_a_person_is_asked_after_the_alias(guarded: Any) -> None:
    sock = ask(guarded, "Ann")
    assert lines(sock) == ["-- This server has a password. Type it:"]
    sock.say("no")
    guarded.settle()
    check(guarded)
    assert lines(sock) == ["-- That is not the password. Try again:"]
    sock.say("")
    guarded.settle()
    assert lines(sock) == ["-- This server has a password. Type it:"]
    sock.say("open sesame")
    guarded.settle()
    check(guarded)
    assert lines(sock)[0] == "Connected to the server!"
    sock.say("open sesame is what I said")
    guarded.settle()
    assert lines(sock) == ["Ann: open sesame is what I said"]


def test_what_is_sent_ahead_waits_for_the_password(guarded: Any) -> None:
    sock, _ = guarded.connect()
    sock.say("Ann", "open sesame", "hi", "/ping")
    sock.end()
    guarded.settle()
    assert lines(sock) == ["-- This server has a password. Type it:"]
    check(guarded)
    assert lines(sock)[-2:] == ["Ann: hi", "-- pong"]
    assert sock.closes == 1


def test_three_wrong_passwords_and_a_person_is_sent_away(guarded: Any) -> None:
    sock = ask(guarded, "Ann", "a", "b", "c", "open sesame")
    for _ in range(3):
        check(guarded)
    assert lines(sock)[-1] == "-- That is not the password. Connect again to try once more."
    assert sock.ended
    assert guarded.thread.done == 3
    assert not guarded.thread.busy


def test_whose_alias_is_taken_is_not_asked_for_the_password_again(guarded: Any) -> None:
    ask(guarded, hello("Ann", "open sesame"))
    check(guarded)
    sock = ask(guarded, "Ann", "open sesame")
    assert lines(sock)[1:] == ["-- Ann is taken. Choose another alias."]
    sock.say("Bob")
    guarded.settle()
    assert lines(sock)[0] == "Connected to the server!"


def test_who_has_no_password_learns_of_no_name(guarded: Any) -> None:
    """Taken, an operator's or free: the same bytes, and as much work."""
    ask(guarded, hello("Ann", "open sesame"))
    check(guarded)
    answers: set[tuple[bytes, int]] = set()
    tried = 0
    for said in (
        lambda alias: [hello(alias)],
        lambda alias: [hello(alias, "wrong")],
        lambda alias: [hello(alias, "x", token="never", log=guarded.world.log.name)],
        lambda alias: [alias, "wrong"],
    ):
        for alias in ("Ann", "ann", "\u0410nn", "Root", "Free"):
            before = guarded.thread.done
            sock = ask(guarded, *said(alias))
            if guarded.thread.busy:
                check(guarded)
            answers.add((bytes(sock.sent), guarded.thread.done - before))
            tried += 1
        assert len(answers) == 1, answers
        answers.clear()
    print(f"\nnames tried without the password: {tried}, told apart: 0")


def test_an_alias_that_nobody_can_have_is_refused_before_the_password(guarded: Any) -> None:
    assert told(ask(guarded, hello("a b"))) == ["alias_not_allowed"]
    assert lines(ask(guarded, ""))[0].startswith("-- An alias cannot be empty")
    assert not guarded.thread.busy


def test_who_comes_back_with_a_token_needs_no_password(guarded: Any) -> None:
    sock = ask(guarded, hello("Ann", "open sesame"))
    check(guarded)
    (welcome,) = [each for each in sock.messages if each["t"] == "welcome"]
    sock.reset()
    guarded.settle()
    back = hello("Ann", token=welcome["token"], log=welcome["log"], after=welcome["seq"])
    assert told(ask(guarded, back))[0] == "welcome"
    assert told(ask(guarded, back | {"token": "other"})) == ["password_needed"]
    assert told(ask(guarded, back | {"log": "other"})) == ["password_needed"]
    guarded.pass_time(60)


@pytest.mark.parametrize(
    ("hosts", "others"),
    [
        (["203.0.113.5"] * 4, "203.0.113.6"),
        (["::ffff:203.0.113.5", "203.0.113.5"] * 2, "::ffff:203.0.113.6"),
        (["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8::4"], "2001:db8:0:1::1"),
    ],
)
def test_an_address_has_three_tries_a_minute_and_the_right_one_is_not_looked_at_then(
    guarded: Any, hosts: list[str], others: str
) -> None:
    for host in hosts[:3]:
        assert told(ask(guarded, hello("Ann", "wrong"), host=host)) == []
        check(guarded)
    sock = ask(guarded, hello("Ann", "open sesame"), host=hosts[3])
    assert sock.messages[0]["retry_s"] == 20.0
    assert told(sock) == ["too_many_tries"]
    assert guarded.thread.done == 3
    ask(guarded, hello("Zoe", "open sesame"), host=others)
    check(guarded)
    # It is remembered now, and still nobody guesses on.
    assert told(ask(guarded, hello("Ann", "open sesame"), host=hosts[3])) == ["too_many_tries"]
    guarded.pass_time(21)
    assert told(ask(guarded, hello("Ann", "open sesame"), host=hosts[3]))[0] == "welcome"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_may_mistype_the_servers_password_as_it_likes(guarded: Any, host: str) -> None:
    for _ in range(6):
        sock = ask(guarded, hello("Ann", "wrong"), host=host)
        check(guarded)
        assert told(sock) == ["password_wrong"]


def test_what_is_being_checked_counts_until_it_is_known(guarded: Any) -> None:
    """Ten guesses at once are no more than three."""
    socks = [ask(guarded, hello("Ann", f"guess {n}"), host=FAR) for n in range(10)]
    refused = [sock for sock in socks if sock.sent]
    assert [told(sock) for sock in refused] == [["too_many_tries"]] * 7
    for _ in range(3):
        check(guarded)
    assert guarded.thread.done == 3
    assert not guarded.thread.busy
    assert not guarded.exchange.admission._under_way
    right = [ask(guarded, hello(f"n{n}xyz", "open sesame"), host="203.0.113.9") for n in range(3)]
    check(guarded)
    assert [told(sock)[0] for sock in right] == ["welcome"] * 3


def test_so_many_wait_and_no_more(make: Callable[..., Any]) -> None:
    house = make(password=cheap("in"), logins_waiting=4)
    socks = [ask(house, hello(f"n{n}xyz", "in")) for n in range(6)]
    assert house.exchange.admission.waiting == 4
    assert [told(sock) for sock in socks[4:]] == [["too_many_tries"]] * 2
    check(house)
    # One was right, so all that waited are known to be.
    assert [told(sock)[0] for sock in socks[:4]] == ["welcome"] * 4
    assert house.thread.done == 1
    assert house.exchange.admission.waiting == 0


def test_a_crowd_comes_in_with_one_check(make: Callable[..., Any]) -> None:
    house = make(password=cheap("in"), connections_per_address=0, arrivals_per_minute=0)
    ask(house, hello("first", "in"))
    check(house)
    people = 500
    for number in range(people):
        sock, _ = house.connect(f"10.0.{number % 7}.1")
        sock.say(hello(f"p{number}q", "in"))
    house.settle()
    assert len(house.world.state.sessions) == people + 1
    assert house.thread.done == 1


def test_who_is_gone_when_the_answer_comes_holds_up_nobody(guarded: Any) -> None:
    gone = [ask(guarded, hello("Ann", "wrong"), host=FAR) for _ in range(3)]
    stays = ask(guarded, hello("Bob", "open sesame"))
    for sock in gone:
        guarded.exchange.lost(guarded.connection_of(sock), "reset")
    guarded.settle()
    check(guarded)
    # The two that had not begun were not worth the work; the one that was wrong counts.
    assert guarded.thread.done == 1
    check(guarded)
    assert told(stays)[0] == "welcome"
    assert guarded.exchange.admission._tries.left(("address", FAR), guarded.clock, 3) == 2
    assert not guarded.exchange.admission._under_way


def test_a_server_that_stops_waits_for_no_password(guarded: Any) -> None:
    checked = ask(guarded, hello("Ann", "open sesame"))
    waits = ask(guarded, "Bob", "open sesame")
    guarded.exchange.stop("stopping")
    guarded.settle()
    assert told(checked) == ["bye"]
    assert lines(waits)[-1] == "-- The server is stopping."
    assert checked.ended
    check(guarded)
    assert told(checked) == []
    assert not guarded.world.state.sessions


def test_the_deadline_to_join_counts_while_a_password_is_checked(guarded: Any) -> None:
    sock = ask(guarded, hello("Ann", "open sesame"))
    guarded.pass_time(61)
    assert told(sock) == ["hello_first"]
    assert sock.ended
    check(guarded)
    assert not guarded.world.state.sessions


def test_a_reload_holds_for_what_is_being_checked(guarded: Any) -> None:
    admission = guarded.exchange.admission
    old, new = ask(guarded, hello("Ann", "open sesame")), ask(guarded, hello("Bob", "new"))
    admission.configure(cheap("new"), (ROOT,))
    for _ in range(3):
        check(guarded)
    assert told(old) == ["password_wrong"]
    assert told(new)[0] == "welcome"
    admission.configure(None, (ROOT,))
    assert told(ask(guarded, hello("Zoe")))[0] == "welcome"


def test_those_who_are_new_read_the_words_of_the_server(make: Callable[..., Any]) -> None:
    house = make(motd="Be kind.\nNo \x1b[2Jtricks.")
    house.world.kept_words = "What is said here is kept for 3 days, then deleted."
    assert lines(ask(house, "Ann"))[3:6] == [
        "-- What is said here is kept for 3 days, then deleted.",
        "-- Be kind.",
        "-- No \u241b[2Jtricks.",
    ]
    (welcome,) = [each for each in ask(house, hello("Bob")).messages if each["t"] == "welcome"]
    assert welcome["motd"] == "Be kind.\nNo \x1b[2Jtricks."
    assert welcome["kept"] == "What is said here is kept for 3 days, then deleted."
