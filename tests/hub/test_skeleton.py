"""Look-alikes: names that people would take for one another have one key, and others keep theirs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.hub import confusables, names, skeleton
from chatcore.hub.invisible import UNSEEN
from chatcore.hub.skeleton import DASHES, difference, look, looks

ROOT = Path(__file__).parent.parent.parent
PUBLISHED = os.environ.get("CHATCORE_CONFUSABLES", "/usr/share/unicode/security/confusables.txt")
"""The table of UTS #39 as it is published, where there is one."""

SOURCE_BYTES = 80_000
"""What the table may take in the repository."""

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
ASCII_NAME = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=32)

ALIKE = [
    ("Ian", "lan"),
    ("ian", "lan"),
    ("ian", "IAN"),
    ("BlLL", "BILL"),
    ("bill", "BlLL"),
    ("user1", "userl"),
    ("bob0", "BobO"),
    ("Amy", "Arny"),
    ("AMY", "arny"),
    ("a|ice", "alice"),
    ("paypal", "p\u0430ypal"),
    ("Alice", "\u0391lice"),
    ("ALICE", "\u0410\u216cI\u0421\u0395"),
    ("Nina", "\u039dina"),
    ("Bob", "\u0412ob"),
    ("evan", "\u0435van"),
    ("scope", "\u0455\u0441\u043e\u0440\u0435"),
    ("Alice", "\uff21\uff4c\uff49\uff43\uff45"),
    ("Alice", "\U0001d400\U0001d425\U0001d422\U0001d41c\U0001d41e"),
    ("alice", "\u1d00\u029f\u026a\u1d04\u1d07"),
    ("alice", "al\u0131ce"),
    ("ian", "i\u0307an"),
    ("Ipek", "\u0130pek"),
    ("jan", "j\u0307an"),
    ("\u1ecban", "i\u0323\u0307an"),
    ("Alice", "Ali\ufe00ce"),
    ("Zoë", "Zoe\u0308"),
    ("Straße", "STRASSE"),
    ("--", "\u2010\u2212"),
    ("a|ice", "a\uff5cice"),
]

APART = [
    ("Nina", "Vina"),
    ("bot1", "bot7"),
    ("Zoë", "Zoe"),
    ("Ann", "Anna"),
    ("小明", "小朋"),
    ("Ольга", "Олег"),
    ("Bob", "Rob"),
    ("rn", "n"),
    ("vv", "w"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_look_alike_have_one_key(one: str, other: str) -> None:
    assert look(one) == look(other)


@pytest.mark.parametrize(("one", "other"), APART)
def test_names_that_do_not_look_alike_keep_their_keys(one: str, other: str) -> None:
    assert look(one) != look(other)


@pytest.mark.parametrize(
    "pattern", ["bot{}", "bot{:04}", "user-{}", "m{}", "{}", "I{}l", "tester{}of1000"]
)
def test_numbered_names_never_collide_among_themselves(pattern: str) -> None:
    assert len({look(pattern.format(number)) for number in range(1_001)}) == 1_001


@pytest.mark.parametrize(
    ("name", "disguise"),
    [
        ("Ольга", "OЛЬГA"),  # Latin O and A
        ("гена", "Гeнa"),  # Latin e and a
        ("ДИМА", "димa"),  # Latin a
        ("Δημήτρης", "ΔHMΉTPHΣ"),  # Latin H, M, T, P and H
    ],
)
def test_a_name_is_known_in_capitals_and_in_small_letters(name: str, disguise: str) -> None:
    assert names.fold(name) != names.fold(disguise)
    assert look(disguise) in looks(name)


@given(ANY_TEXT)
def test_the_looks_of_a_name_begin_with_its_own(text: str) -> None:
    assert looks(text)[0] == look(text)
    assert len(set(looks(text))) == len(looks(text)) <= 4
    if text.isascii():
        assert len(looks(text)) == 1


@given(ASCII_NAME)
def test_ascii_names_that_differ_in_case_look_alike(name: str) -> None:
    assert look(name.upper()) == look(name.lower()) == look(name)


@given(ASCII_NAME)
def test_the_small_table_says_what_the_big_one_does(name: str) -> None:
    assert look(name) == look(name + "\u200b")


@given(ANY_TEXT)
def test_a_look_is_its_own_look_and_blind_to_composition(text: str) -> None:
    key = look(text)
    assert look(key) == key
    for form in ("NFC", "NFD"):
        assert look(unicodedata.normalize(form, text)) == key


def test_every_character_has_a_look_that_stays() -> None:
    codes = range(sys.maxunicode + 1)
    assert [hex(code) for code in codes if look(key := look(chr(code))) != key] == []


def test_no_accepted_name_looks_like_nothing() -> None:
    """Neither one character nor a letter with it, where a mark would be."""
    accepted = [
        chr(code) for code in range(sys.maxunicode + 1) if names.alias(chr(code)) == chr(code)
    ]
    assert len(accepted) > 100_000
    assert [ascii(each) for each in accepted if not look(each)] == []


@pytest.mark.parametrize("reserved", sorted(names.RESERVED))
def test_the_looks_of_the_servers_own_signs_are_known(reserved: str) -> None:
    assert not look(reserved).strip(DASHES)


def test_mathematical_letters_are_their_letters() -> None:
    """An account of its own: what Unicode says is but a font variant, and not what the table is made of."""
    tried, failed = 0, []
    for code in range(0x1D400, 0x1D800):
        kind, _, plain = unicodedata.decomposition(chr(code)).partition(" ")
        if kind != "<font>":
            continue
        tried += 1
        if look(chr(code)) != look(chr(int(plain, 16))):
            failed.append(hex(code))
    print(f"font variants: {tried} tried, {len(failed)} failed")
    assert tried > 900
    assert failed == []


def test_a_difference_is_named_by_code_point() -> None:
    assert difference("p\u0430ypal", "paypal") == "U+0430 CYRILLIC SMALL LETTER A"
    assert difference("userl", "user1") == "U+006C LATIN SMALL LETTER L"
    assert difference("Alice\ufe0f", "Alice") == "U+FE0F VARIATION SELECTOR-16"
    assert difference("Arn", "Am") == "U+0072 LATIN SMALL LETTER R"
    assert difference("Alice", "Alice\ufe0f") == "U+0065 LATIN SMALL LETTER E"


def test_the_big_table_is_not_read_before_it_is_needed() -> None:
    program = (
        "import sys, chatcore.server\n"
        "from chatcore.hub.skeleton import look\n"
        "look('Alice')\n"
        "assert 'chatcore.hub.confusables' not in sys.modules\n"
        "look('Žižek')\n"
        "assert 'chatcore.hub.confusables' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_the_table_is_small_and_holds_only_ends() -> None:
    assert Path(confusables.__file__).stat().st_size < SOURCE_BYTES
    table = skeleton.prototypes(confusables.DATA)
    assert len(table) > 4_000
    wrong = [hex(code) for code, end in table.items() if look(chr(code)) != look(end)]
    unstable = [hex(code) for code, end in table.items() if set(map(ord, end)) & set(table)]
    assert (wrong, unstable) == ([], [])


# Against the published table, which no package of the systems that we test on has: CHATCORE_CONFUSABLES names the file


def generator() -> Any:
    path = ROOT / "scripts" / "unicode" / "make_confusables.py"
    spec = importlib.util.spec_from_file_location("make_confusables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def published() -> dict[str, str]:
    if not Path(PUBLISHED).is_file():
        pytest.skip(f"no table of UTS #39 at {PUBLISHED}; CHATCORE_CONFUSABLES names another place")
    version, looks = generator().published(Path(PUBLISHED))
    if version != confusables.VERSION:
        pytest.skip(f"{PUBLISHED} is version {version}; ours is made of {confusables.VERSION}")
    return looks  # type: ignore[no-any-return]


@pytest.mark.slow
def test_the_table_is_what_the_generator_makes(published: dict[str, str]) -> None:
    if unicodedata.unidata_version != confusables.FOLDED_BY:
        pytest.skip(f"this Python folds as Unicode {unicodedata.unidata_version} says")
    assert Path(confusables.__file__).read_text("utf-8") == generator().module(Path(PUBLISHED))


@pytest.mark.slow
def test_names_with_equal_skeletons_have_equal_looks(published: dict[str, str]) -> None:
    """UTS #39, section 4, told in its own words; spaces are in no name."""

    def skeleton(text: str) -> str:
        seen = "".join(
            each for each in unicodedata.normalize("NFD", text) if not UNSEEN.match(each)
        )
        return unicodedata.normalize("NFD", "".join(published.get(each, each) for each in seen))

    tried, failed = 0, []
    for one, prototype in published.items():
        if one.isspace() or skeleton(one) != skeleton(prototype):
            continue
        tried += 1
        if look(one) != look(prototype):
            failed.append((one, prototype))
    print(f"published pairs: {tried} tried, {len(failed)} failed")
    assert tried > 6_000
    assert failed == []
