"""The four bundled clients at four terminals: they see each other, and everything that one can do to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.clients.conftest import Chatters, Person
    from tests.conftest import Start

NAMES = ("Alice", "Bob", "Carol", "Dave")


def all_four(chatters: Chatters) -> list[Person]:
    """One after the other, each seen by those who are there."""
    people: list[Person] = []
    for number, name in enumerate(NAMES, 1):
        person = chatters.person(number)
        for each in (*people, person):
            each.sees(f"^{name} has connected to the chat room$")
        people.append(person)
    return people


def test_four_clients_join_talk_and_leave_as_in_the_example(chatters: Chatters) -> None:
    alice, bob, carol, dave = all_four(chatters)
    for person in (alice, bob, carol, dave):
        assert person.count("^Connected to the server!$") == 1
    bob.types("Hello, everyone!")
    for person in (alice, bob, carol, dave):
        person.sees("^Bob: Hello, everyone!$")
    bob.types("/quit")
    assert bob.ends() == 0
    for person in (alice, carol, dave):
        person.sees("^Bob has left the chat room!$")
    for person in (alice, carol, dave):
        person.settle()
        assert person.count("Bob: Hello, everyone!") == 1
        assert person.count("Bob has left") == 1


def test_what_all_four_say_at_once_is_seen_once_by_each_in_one_order(chatters: Chatters) -> None:
    people = all_four(chatters)
    for person, name in zip(people, NAMES, strict=True):
        person.types(*(f"{name} says {number}" for number in range(5)))
    for person in people:
        person.sees(*(f"^{name}: {name} says 4$" for name in NAMES))
    told = [[line for line in person.said if " says " in line] for person in people]
    assert len(set(told[0])) == len(told[0]) == 20
    assert told == [told[0]] * 4


def test_a_message_to_one_person_is_seen_by_two_only(chatters: Chatters) -> None:
    alice, bob, carol, dave = all_four(chatters)
    alice.types("/msg Bob only for you", "and now all")
    for person in (alice, bob, carol, dave):
        person.sees("^Alice: and now all$")
    assert [person.count(r"only for you") for person in (alice, bob, carol, dave)] == [1, 1, 0, 0]
    assert bob.count(r"^\[Alice -> Bob\] only for you$") == 1
    assert b"only for you" not in carol.raw + dave.raw


def test_a_new_alias_a_topic_and_an_action_are_seen_by_others(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.person(2).joined()
    alice.types("/me waves", "/topic tea at four", "/nick Ally", "it is me")
    for person in (alice, bob):
        person.sees(
            r"^\* Alice waves$",
            "^Alice set the topic: tea at four$",
            "^Alice is now known as Ally$",
            "^Ally: it is me$",
        )
    carol = chatters.person(3)
    carol.sees(r"^-- You are in #lobby. Topic: tea at four$", r"^-- Here: .*Ally")


def test_a_room_of_ones_own_is_not_heard_in_the_lobby(chatters: Chatters) -> None:
    alice, bob, carol = (chatters.person(number).joined() for number in (1, 2, 3))
    for person in (alice, bob):
        person.types("/join #tea green or black")
        person.until(lambda person=person: person.typed.startswith("#tea>"), "the room's prompt")
    alice.sees("^Bob has connected to the chat room$", "^Alice set the topic: green or black$")
    bob.sees(r"^-- You are in #tea\. Topic: ", "^-- Here: Alice, Bob")
    alice.types("black")
    bob.sees("^Alice: black$")
    carol.types("anybody?")
    alice.sees("^#lobby Carol: anybody\\?$")
    carol.settle()
    assert carol.count("black") == 0


def test_an_alias_that_is_taken_is_asked_for_at_the_terminal(chatters: Chatters) -> None:
    alice = chatters.person(1).joined()
    other = chatters.person(1)
    other.until(lambda: other.lines[-1].startswith("Choose an alias:"), "the question")
    other.types("bob me")
    other.sees("^-- An alias has no spaces")
    other.until(lambda: other.lines[-1] == "Choose an alias:", "the question again")
    other.types("Ally")
    other.joined()
    alice.sees("^Ally has connected to the chat room$")


def test_an_alias_held_for_somebody_who_may_return_is_waited_for(
    chatters: Chatters, start: Start
) -> None:
    chatters.server(config="[presence]\ngrace_s = 1\n")
    bob, lost = start.native("Bob"), start.native("Alice")
    lost.reset()
    bob.read_until(lambda message: message.get("state") == "grace")
    alice = chatters.person(1)
    alice.sees(r"^-- Waiting \d+ s for Alice\.$", "^Connected to the server!$")
    assert alice.count("Choose") == 0
