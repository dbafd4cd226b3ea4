"""Names: what is accepted is safe and comparable, and a refusal says which rule was broken."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcore.hub import names
from chatcore.hub.reply import Refusal

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=140)
"""All of Unicode, lone surrogates included, also beyond what is looked at."""

GOOD = [
    "A",
    "Alice",
    "x" * 32,
    "ally-2",
    "Žižek",
    "Δημήτρης",
    "小明",
    "🙂",
    "R&D",
    "o'Neil",
    "a/b",
    "a#b",
    "9",
    "_",
]

BAD = [
    ("a,b", "cannot contain ,"),
    ("a:", "cannot contain :"),
    ("a!b", "cannot contain !"),
    ("a@b", "cannot contain @"),
    ("a*", "cannot contain *"),
    ("a?", "cannot contain ?"),
    ("/a", "cannot begin with /"),
    ("#a", "cannot begin with #"),
    ("{a", "cannot begin with {"),
    ("&a", "cannot begin with &"),
    ("$a", "cannot begin with $"),
    ("+a", "cannot begin with +"),
    ("~a", "cannot begin with ~"),
    ("a\tb", "white space (U+0009)"),
    ("a\x1cb", "white space (U+001C)"),
    ("a\u3000b", "white space (U+3000 IDEOGRAPHIC SPACE)"),
    ("a\u2028b", "white space (U+2028 LINE SEPARATOR)"),
    ("a\x1bb", "control characters (U+001B)"),
    ("a\x00b", "control characters (U+0000)"),
    ("a\x9bb", "control characters (U+009B)"),
    ("a\u202eb", "format characters (U+202E RIGHT-TO-LEFT OVERRIDE)"),
    ("a\u2066b", "format characters (U+2066 LEFT-TO-RIGHT ISOLATE)"),
    ("a\u200bb", "format characters (U+200B ZERO WIDTH SPACE)"),
    ("a\u200db", "format characters (U+200D ZERO WIDTH JOINER)"),
    ("a\ufeffb", "format characters (U+FEFF ZERO WIDTH NO-BREAK SPACE)"),
    ("a\ud800b", "half characters (U+D800)"),
    ("a\ue000b", "private-use characters (U+E000)"),
    ("a\u0378b", "unassigned characters (U+0378)"),
    ("a\uffffb", "unassigned characters (U+FFFF)"),
    ("\u0301a", "begin with a combining mark (U+0301 COMBINING ACUTE ACCENT)"),
    ("\u0300\u0301\u0302a", "begin with a combining mark"),
]


@pytest.mark.parametrize("text", GOOD)
def test_good_names_are_accepted_as_they_are(text: str) -> None:
    assert names.alias(text) == text
    assert names.room(f"#{text}") == f"#{text}"


@pytest.mark.parametrize(("text", "rule"), BAD, ids=[ascii(text) for text, _ in BAD])
def test_a_refusal_names_the_broken_rule_and_what_is_allowed(text: str, rule: str) -> None:
    for refusal, code in (
        (names.alias(text), "alias_not_allowed"),
        (names.room(f"#{text}"), "room_not_allowed"),
    ):
        assert isinstance(refusal, Refusal)
        assert refusal.code == code
        assert rule in refusal.words
        assert names.ALLOWED in refusal.words


@pytest.mark.parametrize("text", ["a b", " ", "a\tb c", "/me waves"])
def test_a_space_needs_no_more_words_than_that(text: str) -> None:
    assert names.alias(text) == Refusal(
        "alias_not_allowed", "An alias has no spaces. Choose another alias."
    )
    assert names.room(f"#{text}") == Refusal(
        "room_not_allowed", "After its #, a room's name has no spaces. Choose another name."
    )


@pytest.mark.parametrize(
    ("given_", "answer", "code"),
    [
        ("", names.alias, "alias_empty"),
        ("x" * 33, names.alias, "alias_too_long"),
        ("", names.room, "room_empty"),
        ("#", names.room, "room_empty"),
        ("#" + "x" * 33, names.room, "room_too_long"),
    ],
)
def test_empty_and_too_long_have_codes_of_their_own(given_: str, answer, code: str) -> None:  # type: ignore[no-untyped-def]
    assert answer(given_).code == code


@pytest.mark.parametrize(
    "text", ["10.0.0.7", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "999.1.1.1", "1.2.3.4.5"]
)
def test_what_reads_as_an_address_is_no_alias(text: str) -> None:
    """Whoever was called so could not be banned by name: the ban would be of the address."""
    assert names.alias(text).code == "alias_not_allowed"
    assert names.room(f"#{text}") == f"#{text}"


@pytest.mark.parametrize(
    "text", ["v1.2.3.4", "1.2.3", "1.2.3.", "1..2.3", "127.0.0.l", "1.2.3.4/x"]
)
def test_what_only_nearly_reads_as_one_is(text: str) -> None:
    assert names.alias(text) == text


def test_a_room_without_its_sign_is_suggested_with_it_when_that_would_do() -> None:
    assert names.room("dev").words == "A room's name begins with #. Did you mean #dev?"
    assert names.room("e\u0301").words.endswith("Did you mean #é?")
    for text in ("de v", "x" * 33, "a\x1b[2J"):
        assert names.room(text).words == "A room's name begins with #."


def test_limits_apply_after_composing() -> None:
    decomposed = "e\u0301" * 32
    assert names.alias(decomposed) == "é" * 32
    assert names.alias("e\u0301" * 33).code == "alias_too_long"


def test_what_shrinks_most_is_still_accepted_at_the_limit() -> None:
    four_to_one = unicodedata.normalize("NFD", "\u1f82")
    assert len(four_to_one) == 4
    assert names.alias(four_to_one * 32) == "\u1f82" * 32


def test_no_character_stands_for_more_than_the_bound_assumes() -> None:
    longest = max(len(unicodedata.normalize("NFD", chr(c))) for c in range(sys.maxunicode + 1))
    assert names.NAME_CHARACTERS * longest == names.LOOKED_AT_CHARACTERS


def test_absurdly_long_input_is_refused_without_composing_it() -> None:
    bomb = "a" + "\u0301\u0323" * 500_000
    assert names.alias(bomb).code == "alias_too_long"
    assert names.room(f"#{bomb}").code == "room_too_long"


def test_compatibility_characters_are_not_expanded() -> None:
    assert names.alias("\ufdfa") == "\ufdfa"  # NFKC would make 18 characters of it
    assert names.alias("ﬁ") == "ﬁ"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "aLICE"),
        ("straße", "STRASSE"),
        ("É", "e\u0301"),
        ("İ", "i\u0307"),
        ("ΣΑΣ", "σας"),
        ("\u212b", "å"),
        ("\u1f82", unicodedata.normalize("NFD", "\u1f82").upper()),
    ],
)
def test_case_and_composition_make_no_other_name(one: str, other: str) -> None:
    assert names.fold(one) == names.fold(other)


def test_dotless_and_dotted_i_stay_apart() -> None:
    assert names.fold("ı") != names.fold("i")
    assert names.fold("İ") != names.fold("I")


@given(ANY_TEXT)
@example("\u0345\u0301")
@example("\u1fb3\u0301")
def test_folding_is_idempotent_and_blind_to_composition(text: str) -> None:
    folded = names.fold(text)
    assert names.fold(folded) == folded
    for form in ("NFC", "NFD"):
        assert names.fold(unicodedata.normalize(form, text)) == folded


@given(ANY_TEXT)
def test_what_is_accepted_keeps_every_rule(text: str) -> None:
    name = names.alias(text)
    if isinstance(name, Refusal):
        assert name.words.isprintable()
        return
    assert 1 <= len(name) <= 32
    assert unicodedata.is_normalized("NFC", name)
    assert name.isprintable()
    assert not any(c in ",:!@*?" or c.isspace() for c in name)
    assert name[0] not in "/#{&$+~"
    assert unicodedata.category(name[0])[0] != "M"
    assert {unicodedata.category(c)[0] for c in name} <= set("LMNSP")
    assert names.alias(name) == name


@given(ANY_TEXT)
def test_rooms_follow_the_same_rules_after_their_sign(text: str) -> None:
    alias, room = names.alias(text), names.room(f"#{text}")
    if isinstance(alias, str):
        assert room == f"#{alias}"
    elif names.ADDRESS.fullmatch(text) or text in names.RESERVED:
        assert room == f"#{text}", "nobody bans a room, and no room signs"
    else:
        assert isinstance(room, Refusal)
        assert room.code == alias.code.replace("alias", "room")


def test_every_character_alone_gives_a_name_or_printable_words() -> None:
    for code in range(sys.maxunicode + 1):
        answer = names.alias(f"a{chr(code)}")
        words = answer.words if isinstance(answer, Refusal) else answer
        assert words.isprintable(), hex(code)
