"""Row K1 at a real terminal: a hostile server writes nothing to it that we did not write, and the line being typed stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.client.hostile import Hostility
from tests.clients.puppet import Puppet, line, said

if TYPE_CHECKING:
    from tests.clients.conftest import Chatters

OURS = re.compile(r"\x1b\[(?:(?:|0|1|2|1;7|38;5;\d+)m|\?7[lh]|\?2004[lh]|[KCJ]|\d+[AB])|[\r\n\x07]")
"""Every sequence that `style` and `screen` write."""
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
UNHEARD = {"bye", "welcome", "refused", "nick", "leave"}
"""What ends the visit, and what changes where one is: other tests say it, this one wants to go on."""
BATCH = 50


@pytest.mark.parametrize(
    "lines", [2_000, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_hostile_server_cannot_write_to_the_terminal(
    chatters: Chatters, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    puppet = Puppet()
    try:
        hostility = Hostility(2)
        alice = chatters.person(1, "--no-reconnect", address=puppet.address)
        alice.until(lambda: alice.typed == "#lobby>", "the prompt")
        alice.keys("half a line")
        alice.until(lambda: alice.typed == "#lobby> half a line", "the typed")
        title = alice.title
        for number in range(0, lines, BATCH):
            puppet.says(b"".join(hostility.message(but=UNHEARD) for _ in range(BATCH)))
            mark = f"still here {number}"
            puppet.says(said(hostility.next_seq(), mark))
            alice.sees(f"^Bob: {mark}$")
            alice.until(lambda: alice.typed == "#lobby> half a line", "the typed again")
        raw = alice.raw.decode("utf-8", "replace")
        left = OBEYED.findall(OURS.sub("", raw))
        with capsys.disabled():
            print(
                f"\nK1: {lines:,} hostile lines to a terminal, {len(raw):,} characters written,"
                f" {len(left)} to obey that are not ours"
            )
        assert left == []
        assert alice.title == title
        alice.types("")
        alice.until(lambda: alice.typed == "#lobby>", "an empty line")
        alice.until_quiet(lambda: said_to(puppet) == ["half a line"], "what was typed, and no more")
    finally:
        puppet.close()
    assert alice.ends() == 69
    assert alice.modes == alice.modes_before


def said_to(puppet: Puppet) -> list[str]:
    return [each["text"] for each in puppet.heard if each["t"] == "say"]


LAST_WORDS = {
    "a refusal": line("refused", code="no", words="\x1b]0;owned\x07\x1b[2Jno"),
    "a held alias": line("refused", code="alias_in_grace", words="\x1b[6nlater", retry_s=100),
    "a refused alias": line("refused", code="alias_taken", words="\x1b[?1049htaken"),
}


@pytest.mark.parametrize("answer", LAST_WORDS.values(), ids=LAST_WORDS.keys())
def test_last_words_are_as_safe_as_others(chatters: Chatters, answer: bytes) -> None:
    puppet = Puppet(answer)
    try:
        result = chatters.pipe(1, "--timeout", "2", address=puppet.address).ends()
    finally:
        puppet.close()
    assert result.code == 77
    assert "\x1b" not in result.out + result.err
    assert "␛" in result.err
