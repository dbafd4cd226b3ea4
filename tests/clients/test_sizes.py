"""Row K4 at a real terminal: a storm of sizes and a megabyte in one paste leave the line being typed whole."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.clients.conftest import Chatters

CTRL_L = "\x0c"
PROMPT = "#lobby> "


@pytest.mark.parametrize(
    "changes", [60, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_storm_of_sizes_leaves_the_line_whole(
    chatters: Chatters, changes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    alice.sees("^Bob has connected")
    typed = "añb漢👍c한" * 4
    alice.keys(typed)
    dice = random.Random(5)
    for number in range(changes):
        alice.resize(dice.randint(1, 500), dice.randint(1, 200))
        if number % 10 == 0:
            bob.send(f"line {number}")
    alice.resize(80, 24)
    alice.keys(CTRL_L)

    def is_whole() -> bool:
        *above, line = alice.lines
        # What Bob said last may come after the screen was cleared.
        return line == f"{PROMPT}{typed}" and all(each.startswith("Bob: line ") for each in above)

    alice.until(is_whole, "the line, and nothing else")
    with capsys.disabled():
        print(f"\nK4: {changes:,} changes of size at a terminal, the line is whole")
    alice.types("")
    bob.sees(f"^Alice: {typed}$")


def test_a_megabyte_that_is_pasted_is_shown_for_review_and_sent_nowhere(chatters: Chatters) -> None:
    alice, bob = chatters.person(1).joined(), chatters.netcat("Bob")
    alice.sees("^Bob has connected")
    lines = 100_000
    alice.pastes("漢字 line\n" * lines)
    alice.until(
        lambda: f"Send {lines} lines as one message? [y/N]" in alice.lines[-1], "a question"
    )
    alice.types("n")
    alice.until(lambda: alice.typed == PROMPT.rstrip(), "the prompt")
    alice.settle()
    bob.settle()
    assert bob.count("line") == 0
