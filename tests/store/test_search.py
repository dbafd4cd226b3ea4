"""Words are found exactly: against a plain model, through the index, the lines after it, and both together."""

from __future__ import annotations

import re
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.hub.names import fold
from chatcore.log.archive import Found, Search, Unreadable
from chatcore.log.record import Direct, Said, last_seq, streams_of
from chatcore.store import search
from chatcore.store.batches import Batches
from chatcore.store.schema import INDEX_FILE, LOG_FILE
from chatcore.store.search import DAMAGED, NO_FTS5, WORDS_MOST, Finder, lines_in
from tests.store.kept import TIME_MS, Kept, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatcore.log.record import Record

ROOMS = ("#lobby", "#Dev", "#ü")
ALIASES = ("Ann", "BOB", "Zoë")
WORDS = ("deploy", "deployed", "Üben", "fix-it", "AND", "x_y", "10%", '"quoted"', "naïve")
TEXT = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
DRAFT = st.one_of(
    st.tuples(
        st.sampled_from(ROOMS), st.sampled_from(ALIASES), st.lists(TEXT, min_size=1, max_size=3)
    ),
    st.tuples(st.sampled_from(["s1", "s2"]), st.sampled_from(ALIASES), TEXT),
)
TYPED = st.sampled_from(
    [
        *WORDS,
        "DEPLOY",
        "dep*",
        "uben",
        "deploy fix",
        "it AND",
        "naive*",
        "-",
        "*",
        '"',
        "NEAR(",
        "nosuch",
    ]
)


class Shelf:
    """A log, its index up to some line, and somebody who searches."""

    def __init__(self, folder: Path, records: list[Record], indexed: int, *, index: bool = True):
        self.kept = Kept(folder / "data")
        for record in records:
            self.kept.add(record)
        self.head = last_seq(records[-1]) if records else 0
        if index:
            lines = [line for line in lines_in(records) if line.seq <= indexed]
            self.index = self.kept.index(*lines, until=indexed)
        self.batches = Batches(folder / "data" / LOG_FILE)
        self.finder = Finder(folder / "data" / INDEX_FILE)

    def find(
        self, *words: str, streams: tuple[str, ...] = ROOMS, **fields: Any
    ) -> Found | Unreadable:
        fields = {"lines": 50, "before": self.head + 1} | fields
        return self.finder.find(self.batches, Search(words, streams, **fields))

    def seqs(self, *words: str, **fields: Any) -> list[int]:
        found = self.find(*words, **fields)
        assert type(found) is Found, found
        return [record.seq for record in found.records]

    def close(self) -> None:
        self.finder.close()
        self.batches.close()
        self.kept.close()


# The model: what a word is, in another way than SQLite does it


def tokens(text: str) -> list[str]:
    plain = text.lower().replace("ü", "u").replace("ï", "i")
    return re.findall(r"[a-z0-9]+", plain)


def has(text: str, typed: str) -> bool:
    wanted, there = tokens(typed), tokens(text)
    if not wanted:
        return True
    for begin in range(len(there) - len(wanted) + 1):
        piece = there[begin : begin + len(wanted)]
        if typed.endswith("*"):
            same = piece[:-1] == wanted[:-1] and piece[-1].startswith(wanted[-1])
        else:
            same = piece == wanted
        if same:
            return True
    return False


def made(drafts: list[Any]) -> list[Record]:
    records: list[Record] = []
    seq = 1
    for where, alias, text in drafts:
        time_ms = TIME_MS + seq // 2
        if where.startswith("#"):
            ids = tuple(f"id{seq + line}" for line in range(len(text))) if alias == "Ann" else ()
            body = "\n".join(text)
            records.append(Said(seq, time_ms, where, "s5", alias, body, len(text), ids, me=False))
        else:
            records.append(Direct(seq, time_ms, "s5", alias, where, "To", text, None))
        seq = last_seq(records[-1]) + 1
    return records


@settings(deadline=None, max_examples=120)
@given(
    drafts=st.lists(DRAFT, max_size=12),
    words=st.lists(TYPED, max_size=2),
    alias=st.none() | st.sampled_from(ALIASES),
    streams=st.sets(st.sampled_from([*ROOMS, "s1", "s5"])),
    lines=st.integers(1, 6),
    data=st.data(),
)
def test_exactly_the_lines_that_match_newest_first(
    drafts: list[Any],
    words: list[str],
    alias: str | None,
    streams: set[str],
    lines: int,
    data: st.DataObject,
) -> None:
    records = made(drafts)
    head = last_seq(records[-1]) if records else 0
    indexed = data.draw(st.integers(0, head), "indexed")
    before = data.draw(st.integers(0, head + 2), "before")
    times = st.none() | st.integers(TIME_MS - 1, TIME_MS + head // 2 + 2)
    since_ms, until_ms = data.draw(times, "since"), data.draw(times, "until")
    expected = [
        line
        for line in reversed([*lines_in(records)])
        if not streams.isdisjoint(streams_of(line))
        and line.seq < before
        and (alias is None or fold(line.alias) == fold(alias))
        and (since_ms is None or line.time_ms >= since_ms)
        and (until_ms is None or line.time_ms < until_ms)
        and all(has(line.text, word) for word in words)
    ]
    with tempfile.TemporaryDirectory() as folder:
        with closing(Shelf(Path(folder), records, indexed)) as shelf:
            found = shelf.find(
                *words,
                streams=tuple(sorted(streams)),
                lines=lines,
                before=before,
                alias=alias and fold(alias),
                since_ms=since_ms,
                until_ms=until_ms,
            )
    assert found == Found(tuple(expected[:lines]), len(expected) > lines)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Lines 1 to 3 are indexed, 4 to 6 are not."""
    records: list[Record] = [
        said(1, "alpha beta"),
        said(2, "beta alpha"),
        Direct(3, TIME_MS + 3_000, "s1", "Ann", "s2", "Bob", "alpha in secret", None),
        said(4, "alpha beta"),
        Direct(5, TIME_MS + 5_000, "s2", "Bob", "s3", "Eve", "alpha in secret", None),
        said(6, "alpha", room="#dev"),
    ]
    with closing(Shelf(tmp_path, records, 3)) as shelf:
        yield shelf


SYNTAX = [
    '"', '""', '"alpha', "alpha'", "AND", "OR", "NOT", "NEAR(", "NEAR(alpha beta)", "*", "**", "-", "-alpha",
    "^alpha", "text:", "tags:", "tags : x", "{text tags} : alpha", "(", ")", "alpha)", "+", "\0", "alpha\0beta", ";",
    "--", "'; DROP TABLE lines; --", "%", "_", "\\", "😀", "\u0301", "", " ",
]  # fmt: skip


@pytest.mark.parametrize("typed", SYNTAX)
def test_nothing_that_is_typed_is_syntax(shelf: Shelf, typed: str) -> None:
    every = [4, 2, 1]
    wanted = tokens(typed.replace("\0", " "))
    texts = {1: "alpha beta", 2: "beta alpha", 4: "alpha beta"}
    expected = [seq for seq in every if has(texts[seq], " ".join(wanted))]
    assert shelf.seqs(typed) == expected
    assert shelf.seqs(typed, "beta") == expected, "and beside a word it changes nothing"


def test_directs_are_found_through_ones_own_sid_only(shelf: Shelf) -> None:
    assert shelf.seqs("secret") == []
    assert shelf.seqs("secret", streams=("#lobby", "s1")) == [3]
    assert shelf.seqs("secret", streams=("#lobby", "s2")) == [5, 3]
    assert shelf.seqs("secret", streams=("#lobby", "s3")) == [5]
    assert shelf.seqs("secret", streams=("#lobby", "s4")) == []
    assert shelf.seqs(streams=()) == []


@pytest.mark.parametrize("typed", ["s2337", "s73", "a616e6e", "s236c6f626279", "id1"])
def test_the_tokens_of_streams_and_aliases_are_no_words(shelf: Shelf, typed: str) -> None:
    assert shelf.seqs(typed, streams=("#lobby", "s1")) == []


def test_a_page_of_long_lines_is_bounded(tmp_path: Path) -> None:
    records: list[Record] = [said(seq, "word " * 800) for seq in range(1, 101)]
    with closing(Shelf(tmp_path, records, 100)) as shelf:
        found = shelf.find("word", lines=100)
        assert type(found) is Found
        assert found.more
        assert 50 < len(found.records) < 70
        rest = shelf.seqs("word", lines=100, before=found.records[-1].seq)
    assert [record.seq for record in found.records] + rest == list(range(100, 0, -1))


def test_an_index_far_behind_says_that_there_is_more(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TAIL_BYTES", 1)
    found = shelf.find("alpha", streams=("#lobby", "#dev"))
    assert type(found) is Found
    assert [record.seq for record in found.records] == [6, 2, 1]
    assert found.more


def test_a_burst_between_two_looks_shows_no_line_twice(tmp_path: Path) -> None:
    records: list[Record] = [said(seq, "alpha") for seq in range(1, 6)]
    with closing(Shelf(tmp_path, records, 0, index=False)) as shelf:
        # As if the mark had been read before the burst, and the lines after it.
        shelf.kept.index(*records, until=2)
        assert shelf.seqs("alpha") == [5, 4, 3, 2, 1]


def test_what_retention_removed_is_not_found(shelf: Shelf) -> None:
    shelf.kept.connection.execute("DELETE FROM batches WHERE seq < 2")
    shelf.kept.connection.execute("UPDATE meta SET value = 2 WHERE key = 'kept_from'")
    assert shelf.seqs("alpha") == [4, 2], "though the index still has it"


def test_too_many_words_are_refused(shelf: Shelf) -> None:
    assert shelf.seqs(*["alpha"] * WORDS_MOST) == [4, 2, 1]
    answer = shelf.find(*["alpha"] * (WORDS_MOST + 1))
    assert type(answer) is Unreadable
    assert str(WORDS_MOST) in answer.words


def test_many_rooms_are_looked_through(shelf: Shelf) -> None:
    rooms = tuple(f"#room{number}" for number in range(1_000))
    assert shelf.seqs("alpha", streams=(*rooms, "#dev")) == [6]


def test_an_index_that_is_replaced_is_opened_anew(shelf: Shelf) -> None:
    assert shelf.seqs("alpha") == [4, 2, 1]
    shelf.index.close()
    for suffix in ("", "-wal", "-shm"):
        (shelf.kept.folder / f"{INDEX_FILE}{suffix}").unlink(missing_ok=True)
    assert shelf.seqs("alpha") == [4, 2, 1], "until there is an index, the log itself is searched"
    shelf.kept.index(said(1, "alpha"), until=5)
    assert shelf.seqs("alpha") == [1]


def test_an_index_of_another_log_is_not_read(shelf: Shelf) -> None:
    shelf.index.execute("UPDATE meta SET value = 'another' WHERE key = 'log'")
    shelf.index.execute("DELETE FROM lines")
    assert shelf.seqs("alpha") == [4, 2, 1]


def test_a_damaged_index_is_told_of(tmp_path: Path) -> None:
    with closing(Shelf(tmp_path, [said(1, "alpha")], 1, index=False)) as shelf:
        (shelf.kept.folder / INDEX_FILE).write_bytes(
            b"no database, but long enough to be looked at " * 50
        )
        assert shelf.find("alpha") == Unreadable(DAMAGED)


def test_without_fts5_it_says_so(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "has_fts5", lambda: False)
    assert shelf.find("alpha") == Unreadable(NO_FTS5)
