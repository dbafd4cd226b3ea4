"""P7 and P8: text that is none and JSON that is nasty, from real connections. Others read valid UTF-8, the sender reads
what was wrong, and nobody is disturbed."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.hub.verbs import NATIVE
from chatcore.hub.verbs.table import Kind
from tests.fuzz.layers import RAW

if TYPE_CHECKING:
    from tests.connection.conftest import House

BROKEN_TEXT: dict[str, bytes] = {
    "stray continuation": b"a\x80b",
    "cut sequence": b"a\xe2\x82",
    "overlong slash": b"\xc0\xaf",
    "overlong NUL": b"\xc0\x80",
    "overlong in three": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "CESU pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "latin-1": "Grüße".encode("latin-1"),
    "utf-16": "hi".encode("utf-16-le"),
    "byte order mark": b"\xef\xbb\xbfhi",
    "NUL": b"a\0b",
    "NEL": "a\u0085b".encode(),
    "separators": "a\u2028b\u2029c".encode(),
    "file separators": b"a\x1cb\x1dc\x1ed",
    "noncharacters": "\ufffe\uffff\U0010ffff".encode(),
    "every byte but the line end": bytes(set(range(256)) - {10}),
}

NASTY_JSON: dict[str, bytes] = {
    "deep lists": b"[" * 16_000,
    "deep objects": b'{"a":' * 6_000,
    "deep and whole": b'{"t":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
    "5,000 digits": b'{"t":"ping","re":' + b"9" * 5_000 + b"}",
    "30 digits": b'{"t":"history","room":"#lobby","before":' + b"9" * 30 + b"}",
    "NaN": b'{"t":"ping","re":NaN}',
    "Infinity": b'{"t":"history","room":"#lobby","limit":Infinity}',
    "1e400": b'{"t":"history","room":"#lobby","limit":1e400}',
    "minus": b'{"t":"history","room":"#lobby","limit":-1}',
    "duplicate keys": b'{"t":"ping","t":"ping","re":1,"re":2}',
    "a megabyte": b'{"t":"say","id":"i","room":"#lobby","text":"' + b"x" * 1_000_000 + b'"}',
    "lone surrogate": b'{"t":"say","id":"s1","room":"#lobby","text":"a\\ud800b"}',
    "surrogate pair": b'{"t":"say","id":"s2","room":"#lobby","text":"\\ud83d\\ude00"}',
    "surrogate in a name": b'{"t":"nick","alias":"\\udc00"}',
    "surrogate in a key": b'{"\\ud800":1,"t":"ping"}',
    "surrogate as a tag": b'{"t":"ping","re":"\\ud800"}',
    "escaped NUL": b'{"t":"say","id":"s3","room":"#lobby","text":"\\u0000"}',
    "no UTF-8": b'{"t":"say","id":"s4","room":"#lobby","text":"\xff\xfe"}',
    "control in a string": b'{"t":"say","id":"s5","room":"#lobby","text":"\x01"}',
    "a list": b"[1,2]",
    "a string": b'"ping"',
    "null": b"null",
    "empty": b"{}",
    "comment": b'{"t":"ping"} // hi',
    "two objects": b'{"t":"ping"}{"t":"ping"}',
    "many keys": json.dumps({f"k{number}": number for number in range(2_000)}).encode(),
    "ints that hash alike": json.dumps(
        {"t": "ping", "re": [(2**61 - 1) * n for n in range(1_000)]}
    ).encode(),
}

WRONG: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**70,
    "",
    "x" * 5_000,
    "\x1b[2J",
    [],
    ["x"],
    {},
    {"t": "x"},
]


def is_well(house: House, *others: Any) -> str:
    """The others were disturbed by nothing, and are still served."""
    for sock in others:
        try:
            sock.sent.decode()
        except UnicodeDecodeError as error:
            return f"others read no UTF-8: {error}"
        if RAW.search(sock.sent):
            return "others read a control character"
        if any(is_half(line) for line in sock.sent.split(b"\n") if line.startswith(b"{")):
            return "others read half a character"
        if sock.ended or sock.closes:
            return "others were left"
    return "" if house.reactor.stats.faults == 0 else "a handler failed"


def is_half(line: bytes) -> bool:
    """There is a surrogate without its other half in it, in escapes: no program can write that out."""
    try:
        json.dumps(json.loads(line), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


TELNET = b"\xff"
"""Begins a command of telnet, which is taken out before anything is text."""


@pytest.mark.parametrize("name", [name for name, text in BROKEN_TEXT.items() if TELNET not in text])
@pytest.mark.parametrize("chosen", ["plain", "native"])
def test_what_is_no_text_is_read_with_marks_in_its_place(
    house: House, chosen: str, name: str
) -> None:
    """By a program: neither dropped nor taken for another encoding. What it shows to people is its own business."""
    nan, broken = house.native("Nan"), b"<" + BROKEN_TEXT[name] + b">"
    if chosen == "plain":
        house.plain("Pete").incoming.append(broken + b"\n")
    else:
        words = b"".join(b"\\u%04x" % byte if byte < 0x20 else bytes((byte,)) for byte in broken)
        head = b'{"t":"say","id":"i","room":"#lobby","text":"'
        house.native("Nell").incoming.append(head + words + b'"}\n')
    house.settle()
    assert nan.messages[-1]["text"] == broken.decode(errors="replace")
    assert is_well(house, nan) == ""


@pytest.mark.parametrize(
    "place", ["{}", "/me {}", "/topic {}", "/nick {}", "/msg Watch {}", "/join #{}", "/{}", "//{}"]
)
def test_no_bytes_make_others_read_what_is_no_text(house: House, place: str) -> None:
    watch, nan = house.plain("Watch"), house.native("Nan")
    tried, failed = 0, []
    for name, broken in BROKEN_TEXT.items():
        sock, _ = house.connect()
        sock.say(f"P{tried}")
        before, _, after = place.encode().partition(b"{}")
        sock.incoming.append(before + broken + after + b"\n")
        house.settle()
        tried += 1
        if wrong := is_well(house, watch, nan) or is_well(house, sock):
            failed.append((name, wrong))
        sock.end()
        house.settle()
    print(f"text in {place}: {tried} tried, {len(failed)} failed")
    assert failed == []


@pytest.mark.parametrize("opening", BROKEN_TEXT)
def test_no_bytes_are_an_alias_that_is_no_text(house: House, opening: str) -> None:
    sock, _ = house.connect()
    sock.incoming.append(b"-" + BROKEN_TEXT[opening] + b"\nFine\n")
    house.settle()
    assert is_well(house, sock) == ""
    assert b"-- " in sock.sent


@pytest.mark.parametrize("joined", [True, False], ids=["joined", "new"])
def test_nasty_json_is_answered_and_disturbs_nobody(house: House, joined: bool) -> None:
    watch, nan = house.plain("Watch"), house.native("Nan")
    tried, failed = 0, []
    for name, line in NASTY_JSON.items():
        sock, _ = house.connect()
        if joined:
            sock.say({"t": "hello", "v": 1, "alias": f"N{tried}"})
        else:
            sock.say({"t": "ping"})
        house.settle()
        sock.sent.clear()
        sock.incoming.append(line + b"\n")
        house.settle()
        tried += 1
        answers = sock.messages
        if wrong := is_well(house, watch, nan, sock):
            failed.append((name, wrong))
        elif not answers:
            failed.append((name, "no answer"))
        elif not joined and answers[0]["t"] != "refused":
            failed.append((name, f"not refused: {answers}"))
        sock.say({"t": "quit"})
        house.settle()
    print(f"nasty JSON: {tried} tried, {len(failed)} failed")
    assert failed == []


def fields() -> list[tuple[str, dict[str, Any], str]]:
    """Every field of every native command, in an otherwise right message."""
    right: dict[Kind, Any] = {
        Kind.NAME: "Watch",
        Kind.WORDS: "words",
        Kind.ID: "i",
        Kind.NUMBER: 5,
        Kind.TIME: "2h",
    }
    found = []
    for verb in NATIVE.values():
        if verb.name == "quit":
            continue
        message = {"t": verb.name, "re": 1}
        message |= {
            param.name: right.get(param.kind, "5m" if param.name == "for" else "#lobby")
            for param in verb.params
        }
        found += [
            (verb.name, message, name) for name in ("re", *(param.name for param in verb.params))
        ]
    hello = {
        "t": "hello",
        "v": 1,
        "alias": "H",
        "token": "t",
        "log": "l",
        "after": 1,
        "rooms": ["#lobby"],
        "client": "c",
        "password": "p",
        "re": 1,
    }
    return found + [("hello", hello, name) for name in hello if name != "t"]


def test_a_wrong_type_in_any_field_is_answered(house: House) -> None:
    watch, nan = house.plain("Watch"), house.native("Nan")
    sender = house.native("Nell")
    tried, failed = 0, []
    for (verb, message, name), value in product(fields(), WRONG):
        sock = sender
        if verb == "hello":
            sock, _ = house.connect()
        sock.sent.clear()
        sock.say(message | {name: value})
        house.settle()
        tried += 1
        if wrong := is_well(house, watch, nan) or is_well(house, sock):
            failed.append((verb, name, value, wrong))
        elif not sock.messages:
            failed.append((verb, name, value, "no answer"))
        if verb == "hello":
            sock.say({"t": "quit"})
            house.settle()
        elif sender.ended:
            sender = house.native("Nell")
    print(f"wrong types: {tried} tried, {len(failed)} failed")
    assert tried > 900
    assert failed == []
