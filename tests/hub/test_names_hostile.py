"""Names made to pass for another's: none gets in while that one is here, is held, or is an operator's.

Each test counts what it tried and what got through.
"""

from __future__ import annotations

import sys
import time
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from chatcore.hub import names
from chatcore.hub.command import Nick
from chatcore.hub.confusables import DATA
from chatcore.hub.invisible import BLANK, IGNORED
from chatcore.hub.reply import Refusal, Refused
from chatcore.hub.skeleton import look, looks, prototypes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hub.conftest import House

HELD = [
    "Alice",
    "paypal",
    "BILL",
    "Ian",
    "Mallory",
    "bob0",
    "x|y",
    "Žižek",
    "Ольга",
    "Δημήτρης",
    "小明",
    "jonas",
]
"""Mixed on purpose: letters with many doubles and with none, accents, other scripts, digits."""

REFUSED = {
    "alias_taken",
    "alias_in_grace",
    "alias_looks_like",
    "alias_of_operator",
    "alias_not_allowed",
    "alias_too_long",
}

NO_LETTERS = [
    chr(code) for first, last in IGNORED + BLANK for code in range(first, min(last, first + 40) + 1)
] + [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0x200B, 0x2010))]
"""Invisible, zero wide, blank, or turning the line round."""

WHOLE_MARKS = [chr(code) for code in range(0x0300, 0x0370)]


def doubles() -> dict[str, list[str]]:
    """Look → the characters that have it, from the table and from what Unicode calls a wide or font variant."""
    found: dict[str, list[str]] = {}
    for code, end in prototypes(DATA).items():
        found.setdefault(end, []).append(chr(code))
    for code in range(sys.maxunicode + 1):
        kind, _, plain = unicodedata.decomposition(chr(code)).partition(" ")
        if kind in ("<font>", "<wide>", "<narrow>") and " " not in plain:
            found.setdefault(look(chr(int(plain, 16))), []).append(chr(code))
    return found


def disguises(name: str, alike: dict[str, list[str]]) -> Iterator[str]:
    """Other spellings that people would take for the name."""
    yield from (unicodedata.normalize(form, name) for form in ("NFD", "NFKC", "NFKD"))
    yield name.swapcase()
    for spelt in (name, name.upper(), name.lower(), name.capitalize()):
        yield spelt
        for at, letter in enumerate(spelt):
            before, after = spelt[:at], spelt[at + 1 :]
            for double in alike.get(look(letter), ()):
                yield before + double + after
        yield "".join(alike.get(look(letter), [letter])[-1] for letter in spelt)
    for at, letter in enumerate(name):
        for unseen in NO_LETTERS:
            yield name[:at] + unseen + name[at:]
        if unicodedata.normalize("NFD", letter) != letter:
            mark = unicodedata.normalize("NFD", letter)[-1]
            yield name[: at + 1] + mark + name[at + 1 :]
    yield name.replace("m", "rn")
    yield name.replace("i", "i\u0307").replace("j", "j\u0307")


@pytest.mark.parametrize("how", ["here", "grace", "operator"])
def test_nobody_passes_for_another(house: House, how: str) -> None:
    alike = doubles()
    owners = [] if how == "operator" else [house.enter(name) for name in HELD]
    if how == "grace":
        for owner in owners:
            house.world.presence.lost(owner.sid, house.world.now)
    if how == "operator":
        house.world.operator_names = frozenset(key for name in HELD for key in looks(name))
    mallet = house.enter("Zed")
    codes: Counter[str] = Counter()
    through = []
    for name in HELD:
        for disguise in dict.fromkeys(disguises(name, alike)):
            reply = house.hello(disguise).replies[0]
            if type(reply) is Refused:
                codes[reply.refusal.code] += 1
                assert house.refused(mallet, Nick(disguise)).code == reply.refusal.code
            else:
                through.append((name, ascii(disguise)))
    tried = codes.total() + len(through)
    print(f"names {how}: {tried} disguises tried, {len(through)} got through; {dict(codes)}")
    assert tried > 5_000
    assert through == []
    assert set(codes) <= REFUSED


def test_no_pair_of_the_table_lets_one_pass_for_the_other(house: House) -> None:
    tried, through, not_names = 0, [], 0
    for code, end in prototypes(DATA).items():
        one, other = f"x{chr(code)}x", f"x{end}x"
        if names.alias(one) != one or names.alias(other) != other:
            not_names += 1
            continue
        owner = house.enter(other)
        tried += 1
        reply = house.hello(one).replies[0]
        if type(reply) is not Refused or reply.refusal.code not in REFUSED:
            through.append(hex(code))
        house.leave(owner)
    print(f"pairs: {tried} tried, {len(through)} got through, {not_names} are no names")
    assert tried > 4_000
    assert through == []


def test_names_that_only_resemble_are_let_in(house: House) -> None:
    for name in [
        "Alice",
        "Alicia",
        "Ali",
        "Bob",
        "Rob",
        "bot1",
        "bot2",
        "Zoë",
        "Zoe",
        "Ольга",
        "Олег",
        "小明",
        "小月",
    ]:
        house.enter(name)
    for number in range(1, 1_001):
        house.enter(f"user{number}")


# What is said about it


def test_a_refusal_names_the_character_and_the_way_out(house: House) -> None:
    house.enter("paypal")
    reply = house.hello("p\u0430ypal").replies[0]
    assert type(reply) is Refused
    assert reply.refusal == Refusal(
        "alias_looks_like",
        "p\u0430ypal looks like paypal, who is here, by its U+0430 CYRILLIC SMALL LETTER A. "
        "Choose an alias that nobody can take for another.",
    )


def test_the_name_of_an_operator_is_free_only_to_that_operator(house: House) -> None:
    house.world.operator_names = frozenset((look("Alice"), look("Root")))
    for alias in ("Alice", "ALICE", "\u0391lice"):
        reply = house.hello(alias).replies[0]
        assert type(reply) is Refused
        assert reply.refusal.code == "alias_of_operator"
        assert "/oper" in reply.refusal.words
    session = house.enter("Ann")
    assert house.refused(session, Nick("Alice")).code == "alias_of_operator"
    house.world.presence.make_operator(session.sid, "alice")
    house.do(session, Nick("Alice"))
    assert session.alias == "Alice"
    assert house.refused(session, Nick("Root")).code == "alias_of_operator"


def test_ones_own_old_alias_is_no_obstacle(house: House) -> None:
    session = house.enter("user1")
    house.do(session, Nick("userl"))
    house.do(session, Nick("USER1"))
    assert session.alias == "USER1"
    house.do(session, Nick("Ann"))
    house.enter("userI")


def test_a_name_is_free_again_with_its_looks(house: House) -> None:
    owner = house.enter("Ian")
    house.leave(owner)
    other = house.enter("lan")
    house.lapse(other)
    house.enter("1an")


@pytest.mark.parametrize(
    "alias",
    ["--", "\u2010\u2010", "\u2212\u2013", "\u2014", "\u30fc", "\u4e00", "\uff0d\uff0d", "---"],
)
def test_no_dashes_pass_for_the_server(house: House, alias: str) -> None:
    reply = house.hello(alias).replies[0]
    assert type(reply) is Refused
    assert reply.refusal.code == "alias_not_allowed"
    assert "how the server signs" in reply.refusal.words


# Names that cannot be seen, and names that spread


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("\u3164", "invisible characters (U+3164 HANGUL FILLER)"),
        ("a\u3164", "invisible characters (U+3164 HANGUL FILLER)"),
        ("a\u115f", "invisible characters (U+115F HANGUL CHOSEONG FILLER)"),
        ("a\u034fb", "invisible characters (U+034F COMBINING GRAPHEME JOINER)"),
        ("a\uffa0", "invisible characters (U+FFA0 HALFWIDTH HANGUL FILLER)"),
        ("\u2800", "invisible characters (U+2800 BRAILLE PATTERN BLANK)"),
        ("a\U0001d159", "invisible characters (U+1D159 MUSICAL SYMBOL NULL NOTEHEAD)"),
        ("\ufe0f", "begin with a combining mark (U+FE0F VARIATION SELECTOR-16)"),
        ("\u1161a", "begin with a combining mark (U+1161 HANGUL JUNGSEONG A)"),
        ("a" + "\u0301\u0302\u0303\u0304\u0306", "more than 4 marks on a letter"),
        ("a" + "\u1161\u1162\u1163\u1164\u1165", "more than 4 marks on a letter"),
        ("\u1ea5\u0323\u0324\u0325", "more than 4 marks on a letter"),
        ("n\u0303\u0303", "same mark twice on a letter (U+0303 COMBINING TILDE)"),
        ("\u1ee5\u0301\u0323", "same mark twice on a letter (U+0323 COMBINING DOT BELOW)"),
    ],
)
def test_what_is_not_seen_or_too_much_is_refused_by_a_rule(name: str, rule: str) -> None:
    refusal = names.alias(name)
    assert isinstance(refusal, Refusal)
    assert rule in refusal.words
    assert names.room(f"#{name}").code == "room_not_allowed"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name",
    [
        "❤️",
        "葛\U000e0100",
        "1️⃣",
        "ṩ",
        "Nguyễn",
        "שָׁלוֹם",
        "สวัสดี",
        "क्षत्रिय",
        "བསྒྲུབས",
        "မြန်မာ",
        "ស្ត្រី",
        "한글",
        "ᠮᠣᠩᠭᠣᠯ\u180b",
        "ᾂ",
    ],
)
def test_what_people_write_is_accepted(name: str) -> None:
    assert names.alias(name) == unicodedata.normalize("NFC", name)


def test_no_heap_of_marks_gets_in() -> None:
    """Marks in any number and order, up to the longest name: at most four on a letter, none twice."""
    tried, through = 0, []
    for height in (2, 3, 4, 5, 8, 16, 31):
        for start in range(len(WHOLE_MARKS)):
            marks = (WHOLE_MARKS[start:] + WHOLE_MARKS)[:height]
            tried += 1
            name = names.alias("a" + "".join(marks))
            if isinstance(name, str):
                stack = unicodedata.normalize("NFD", name)[1:]
                if len(stack) > names.MARKS_IN_A_ROW or len(set(stack)) < len(stack):
                    through.append(ascii(name))
    print(f"heaps of marks: {tried} tried, {len(through)} got through")
    assert through == []


# What it costs


BOMBS: dict[str, Callable[[], str]] = {
    "shrinks most": lambda: unicodedata.normalize("NFD", "\u1f82") * 32,
    "marks out of order": lambda: ("a" + "\u0301\u0323\u0327" * 42)[: names.LOOKED_AT_CHARACTERS],
    "grows by folding": lambda: "\u0390" * 32,
    "grows by looks": lambda: "\ufdfa" * 32,
    "a million characters": lambda: "a" + "\u0301\u0323" * 500_000,
}

COST_MS = 5.0
"""What any one command may cost."""


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_name_costs_more_than_a_command_may(house: House, bomb: str) -> None:
    name = BOMBS[bomb]()
    house.hello(name)
    best_ms = min(_cpu_ms(lambda: house.hello(name)) for _ in range(5))
    print(f"{bomb}: {best_ms:.3f} ms")
    assert best_ms < COST_MS
    assert len(look(name[: names.LOOKED_AT_CHARACTERS])) < 32 * names.LOOKED_AT_CHARACTERS


def _cpu_ms(act: Callable[[], object]) -> float:
    before = time.process_time()
    act()
    return (time.process_time() - before) * 1e3
