"""The pure layers, each as one function of bytes that raises only when the layer broke its word.

What they promise is the same for all: any input gives a value or the one error that is named, text that comes out can
be encoded, and what is rendered is safe to show.
"""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chatcore.client import wire
from chatcore.config import file as config_file
from chatcore.config.rows import ROWS
from chatcore.config.spelling import short
from chatcore.config.values import Several, Wrong
from chatcore.dialects.client_hello import client_hello
from chatcore.dialects.dialect import Hangup
from chatcore.dialects.lines import OVERLONG, Lines
from chatcore.dialects.native import Native
from chatcore.dialects.plain import Plain, TelnetPlain
from chatcore.dialects.sniff import sniff
from chatcore.dialects.telnet import TelnetFilter
from chatcore.hub import names
from chatcore.hub.command import Mistake, Search
from chatcore.hub.moments import moment, span
from chatcore.hub.reply import Refusal, Refused, Welcome
from chatcore.hub.skeleton import looks
from chatcore.hub.text import UNSAFE, replace_surrogates, shown, shown_lines
from chatcore.hub.verbs.query import parse
from chatcore.store import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.dialects.dialect import Dialect

WELCOME = Welcome("log", "s1", None, "A", False, 0, 0.0, ())

MOST_LINES = 100
ALL = 1_000_000
"""As without flood control: a read is taken whole."""

REPLIES_BYTES = 64 * 1024
"""Beyond so much unread the server asks a dialect for nothing more."""

TEXT_BYTES = 16 * 1024
"""Four times the longest text."""

LINE_LIMIT = 64
REFUSALS_BYTES = 2 * 256 * 3
"""Telnet: each option is refused once, in three bytes."""

RAW = re.compile(
    rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)
"""Bytes that nobody may be sent: C0 but the line end, DEL, C1, line separators, bidi controls."""


def _sniff(data: bytes) -> None:
    kinds = [sniff(data[:end]) for end in range(min(len(data), 40) + 1)]
    decided = [kind for kind in kinds if kind is not None]
    assert len(set(decided)) <= 1
    assert kinds[len(kinds) - len(decided) :] == decided
    sniff(data)


def _lines(data: bytes) -> None:
    framing = Lines(LINE_LIMIT)
    framing.feed(data)
    taken = []
    while (block := framing.take(MOST_LINES)) is not None:
        if block is OVERLONG:
            continue
        lines = block.split(b"\n")
        assert len(lines) <= MOST_LINES
        assert all(len(line) - line.endswith(b"\r") <= LINE_LIMIT for line in lines)
        taken.append(block)
    assert sum(map(len, taken)) <= len(data)


def _telnet(data: bytes) -> None:
    whole, halves = TelnetFilter(), TelnetFilter()
    text, answers = whole.feed(data)
    pieces = [halves.feed(data[: len(data) // 2]), halves.feed(data[len(data) // 2 :])]
    assert (text, answers) == (pieces[0][0] + pieces[1][0], pieces[0][1] + pieces[1][1])
    assert len(text) <= len(data)
    assert len(answers) <= REFUSALS_BYTES


def _dialect(make: Callable[[], Dialect], data: bytes) -> None:
    dialect = make()
    if len(data) % 4:
        dialect.reply(WELCOME)
    dialect.feed(data)
    owed = 0
    while owed < REPLIES_BYTES and (event := dialect.next(ALL)) is not None:
        _encodable(event)
        if type(event) is Mistake:
            answer = dialect.reply(Refused(event.refusal, event.id, event.re))
            owed += len(answer)
            _safe(answer)
        if type(event) is Hangup:
            _safe(event.farewell)
            break
    assert len(dialect.answers()) <= REFUSALS_BYTES
    _safe(dialect.rest())


def _encodable(value: Any) -> None:
    """Every text in it can be sent to others."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, tuple):
        for each in value:
            _encodable(each)


def _safe(data: bytes) -> None:
    data.decode()
    assert not RAW.search(data), data


def _moments(data: bytes) -> None:
    text = data.decode(errors="replace")
    moment(text)
    span(text)


def _query(data: bytes) -> None:
    query = parse(Search(data.decode(errors="replace")))
    if isinstance(query, Refusal):
        query.words.encode()


def _names(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    names.fold(text[: names.LOOKED_AT_CHARACTERS])
    for name in (names.alias(text), names.room(f"#{text}")):
        if isinstance(name, Refusal):
            assert name.words.isprintable()
            continue
        assert name.isprintable()
        assert len(name) <= names.NAME_CHARACTERS + 1
        name.encode()
        assert all(looks(name))


def _texts(data: bytes) -> None:
    text = data[:TEXT_BYTES].decode("utf-8", "surrogateescape")
    assert not UNSAFE.search(shown(text))
    assert not UNSAFE.search(shown_lines(text).replace("\n", ""))
    replace_surrogates(text).encode()


def _settings(data: bytes) -> None:
    values: list[object] = [data.decode(errors="replace")]
    with suppress(ValueError, RecursionError):
        values.append(json.loads(values[0]))  # type: ignore[arg-type]
    for value in values:
        assert short(value).isprintable()
        for row in ROWS:
            try:
                row.check(value)
            except (Wrong, Several) as wrong:
                str(wrong).encode()


def _toml(data: bytes) -> None:
    mistakes: list[str] = []
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        found = config_file.read(file.name, mistakes)
    assert all(mistake.isprintable() for mistake in mistakes)
    for row in ROWS:
        if row.key in found:
            with suppress(Wrong, Several):
                row.check(found[row.key])


def _codec(data: bytes) -> None:
    try:
        records = codec.decode(data.decode(errors="replace"))
    except ValueError:
        return
    assert [each[:3] for each in codec.decode(codec.encode(records))] == [
        each[:3] for each in records
    ]


def _client(data: bytes) -> None:
    inbox = wire.Inbox()
    half = len(data) // 2
    for fields in inbox.feed(data[:half]) + inbox.feed(data[half:]):
        wire.parse(fields)


def _client_hello(data: bytes) -> None:
    client_hello(data)
    client_hello(b"\x16\x03" + data)


LAYERS: dict[str, Callable[[bytes], None]] = {
    "sniff": _sniff,
    "lines": _lines,
    "telnet": _telnet,
    "plain": lambda data: _dialect(Plain, data),
    "telnet plain": lambda data: _dialect(TelnetPlain, data),
    "native": lambda data: _dialect(Native, data),
    "moments": _moments,
    "query": _query,
    "names": _names,
    "text": _texts,
    "settings": _settings,
    "toml": _toml,
    "codec": _codec,
    "client": _client,
    "client hello": _client_hello,
}
