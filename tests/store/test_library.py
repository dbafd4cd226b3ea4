"""What is read from disk is what memory would have held; and whatever the disk does, there is an answer."""

from __future__ import annotations

import json
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcore.dialects.native_form import NativeForm
from chatcore.dialects.plain_form import PlainForm
from chatcore.log.archive import Found, Part, Past, Rest, Search, Stretch, Unreadable
from chatcore.log.log import Log
from chatcore.log.paging import first_page, last_page
from chatcore.log.reader import Reader
from chatcore.log.record import Direct, Joined, Opened, Said, TopicSet, last_seq
from chatcore.log.shelf import Pages, Shelf
from chatcore.log.stream import PAGE_BYTES
from chatcore.store import batches as batches_module
from chatcore.store.batches import QUESTION_BYTES, ROW_BYTES, Batches
from chatcore.store.library import Library, past, rest
from chatcore.store.schema import INDEX_FILE, LOG_FILE
from tests.store.kept import TIME_MS, Kept, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chatcore.log.archive import Answer, Question
    from chatcore.log.record import Record

    Draft = tuple[Any, ...]

NAMES = ("#a", "#b", "#c")
ALIASES = ("Ann", "Bob", "ÄNNE")
DRAFT = st.one_of(
    st.tuples(
        st.just("said"),
        st.sampled_from(NAMES),
        st.sampled_from(ALIASES),
        st.integers(1, 4),
        st.sampled_from([1, 1, 1, 1, 7_000, 30_000]),
        st.booleans(),
    ),
    st.tuples(st.just("topic"), st.sampled_from(NAMES)),
    st.tuples(st.just("joined"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("direct"), st.sampled_from(["s1", "s2"])),
    st.just(("opened",)),
)
TICKS = st.lists(st.tuples(st.lists(DRAFT, min_size=1, max_size=4), st.integers(0, 2)), max_size=12)
FORMS = st.sampled_from([PlainForm(), NativeForm()])


def made(draft: Draft, seq: int, time_ms: int) -> Record:
    match draft:
        case ("said", room, alias, lines, width, ids):
            text = "\n".join(f"{seq + line} \x07{'x' * width}" for line in range(lines))
            names = tuple(f"id{seq + line}" for line in range(lines)) if ids else ()
            return Said(seq, time_ms, room, "s1", alias, text, lines, names, me=False)
        case ("topic", room):
            return TopicSet(seq, time_ms, room, "s1", "Ann", "words")
        case ("joined", room, quiet):
            return Joined(seq, time_ms, room, "s1", "Ann", quiet)
        case ("direct", to):
            return Direct(seq, time_ms, "s9", "Zoë", to, "Ann", "psst", None)
    return Opened(seq, time_ms, "s5", "Eve", None)


class World:
    """The same records in a log in memory and in one on disk."""

    def __init__(self, folder: Path, ticks: list[tuple[list[Draft], int]], unplaced: int) -> None:
        self.kept = Kept(folder / "data")
        self.log = Log("memory")
        self.ends = [0]
        time_ms = TIME_MS
        for number, (drafts, passed) in enumerate(ticks):
            batch: list[Record] = []
            for draft in drafts:
                time_ms += passed
                record = made(draft, self.ends[-1] + 1, time_ms)
                self.log.append(record)
                batch.append(record)
                self.ends.append(last_seq(record))
            self.kept.add(*batch, placed=number < len(ticks) - unplaced)
        self.batches = Batches(folder / "data" / LOG_FILE)

    def close(self) -> None:
        self.batches.close()
        self.kept.close()


@contextmanager
def both(ticks: list[tuple[list[Draft], int]], unplaced: int) -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(World(Path(folder), ticks, unplaced)) as world,
    ):
        yield world


@st.composite
def parts(draw: st.DrawFn, ends: list[int]) -> tuple[Part, ...]:
    """What a reader follows: rooms it is in, has left, or has left and joined again, and its private stream."""
    found = []
    for name in [*draw(st.sets(st.sampled_from(NAMES))), "s1"]:
        after = draw(st.integers(0, ends[-1]))
        left = draw(st.none() | st.sampled_from([end for end in ends if end >= after]))
        found.append(Part(name, after, left))
        if left is not None and draw(st.booleans()):
            found.append(Part(name, draw(st.sampled_from([e for e in ends if e >= left])), None))
    return tuple(found)


def pulled(world: World, question: Rest) -> bytes:
    """What a reader of the same streams in memory is sent."""
    reader = Reader(question.form, question.position)
    for part in question.parts:
        reader.follow(world.log.stream(part.stream), part.after)
        reader.subscriptions[-1].until = part.until
    out = b""
    while data := reader.pull(question.until):
        out += data
    return out


def shelf() -> Pages:
    return Pages(Shelf())


def stretched(world: World, question: Rest, kept: Pages) -> bytes:
    """The stretches up to the end, put together."""
    out = b""
    while question.position < question.until:
        stretch = rest(world.batches, question, kept)
        assert question.position < stretch.position <= question.until
        out += stretch.data
        question = question._replace(position=stretch.position)
    return out


@settings(deadline=None, max_examples=60)
@given(ticks=TICKS, unplaced=st.integers(0, 5), form=FORMS, data=st.data())
def test_stretches_are_what_a_reader_in_memory_is_sent(
    ticks: list[Any], unplaced: int, form: Any, data: st.DataObject
) -> None:
    with both(ticks, unplaced) as world:
        kept = shelf()
        one, another = data.draw(parts(world.ends)), data.draw(parts(world.ends))
        for name in ("one", "another", "one again"):  # who may be given what those before were
            followed = another if name == "another" else one
            position = data.draw(st.integers(0, world.ends[-1]), f"{name} position")
            ends = [end for end in world.ends if end >= position]
            until = data.draw(st.sampled_from(ends), f"{name} until")
            question = Rest(followed, position, until, form)
            assert stretched(world, question, kept) == pulled(world, question)


@settings(deadline=None, max_examples=25)
@given(ticks=TICKS, form=FORMS, data=st.data())
def test_stretches_that_end_at_the_bound_leave_nothing_out(
    ticks: list[Any], form: Any, data: st.DataObject
) -> None:
    with both(ticks, 2) as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr("chatcore.store.library.Allowance", lambda: batches_module.Allowance(1))
        question = Rest(data.draw(parts(world.ends)), 0, world.ends[-1], form)
        assert stretched(world, question, shelf()) == pulled(world, question)


@settings(deadline=None, max_examples=60)
@given(
    ticks=TICKS,
    unplaced=st.integers(0, 5),
    lines=st.integers(1, 8),
    talk_only=st.booleans(),
    data=st.data(),
)
def test_a_page_is_what_memory_would_give(
    ticks: list[Any],
    unplaced: int,
    lines: int,
    talk_only: bool,
    data: st.DataObject,
) -> None:
    with both(ticks, unplaced) as world:
        before = data.draw(st.integers(0, world.ends[-1] + 2), "before")
        room = data.draw(st.sampled_from([*NAMES, "#none", "s1"]), "room")
        asked = Past(room, lines, before, talk_only=talk_only)
        stream = world.log.stream(room)
        records = list(stream.before(before))
        assert past(world.batches, asked) == last_page(records, lines, talk_only=talk_only)


@settings(deadline=None, max_examples=60)
@given(ticks=TICKS, unplaced=st.integers(0, 5), lines=st.integers(1, 8), data=st.data())
def test_a_page_forwards_begins_after_a_number_or_at_a_time(
    ticks: list[Any], unplaced: int, lines: int, data: st.DataObject
) -> None:
    with both(ticks, unplaced) as world:
        head = world.ends[-1]
        stream = world.log.stream("#a")
        after = data.draw(st.integers(0, head + 1), "after")
        found = past(world.batches, Past("#a", lines, head + 1, after=after))
        assert found == first_page(stream.after(after, head), lines)
        since_ms = TIME_MS + data.draw(st.integers(-1, 50), "since")
        found = past(world.batches, Past("#a", lines, head + 1, since_ms=since_ms))
        late = (record for record in stream.after(0, head) if record.time_ms >= since_ms)
        assert found == first_page(late, lines)


# By hand


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with closing(Kept(tmp_path / "data")) as kept:
        yield kept


@pytest.fixture
def batches(kept: Kept) -> Iterator[Batches]:
    with closing(Batches(kept.folder / LOG_FILE)) as batches:
        yield batches


def test_one_question_reads_only_so_much(kept: Kept, batches: Batches) -> None:
    count = QUESTION_BYTES // ROW_BYTES
    for seq in range(1, count + 1):
        kept.add(said(seq, "x"))
    asked = Past("#lobby", count, count + 1)
    found = past(batches, asked)
    assert found.more
    assert 1 < found.records[0].seq < found.records[-1].seq == count
    nearer = past(batches, asked._replace(before=count // 4))
    assert nearer.records[0].seq == 1
    assert not nearer.more


def test_what_retention_removed_is_passed_over(kept: Kept, batches: Batches) -> None:
    kept.add(said(1, "one"))
    kept.add(said(2, "two"))
    kept.add(said(3, "three"))
    kept.connection.execute("DELETE FROM batches WHERE seq < 3")
    kept.connection.execute("UPDATE meta SET value = 3 WHERE key = 'kept_from'")
    assert past(batches, Past("#lobby", 10, 4)) == Found((said(3, "three"),), more=False)
    assert past(batches, Past("#lobby", 10, 4, after=0)) == Found((said(3, "three"),), more=False)
    assert past(batches, Past("#lobby", 10, 4, since_ms=0)) == Found(
        (said(3, "three"),), more=False
    )


def test_a_reader_behind_what_retention_removed_is_told_so_in_each_room_and_reads_on(
    kept: Kept, batches: Batches
) -> None:
    for seq in range(1, 6):
        kept.add(said(seq, f"line {seq}"))
    kept.connection.execute("DELETE FROM batches WHERE seq < 4")
    kept.connection.execute("UPDATE meta SET value = 4 WHERE key = 'kept_from'")
    lobby = Part("#lobby", 0, None)
    left, joined = Part("#left", 0, 1), Part("#new", 3, None)
    private = Part("ann-1", 0, None)
    behind = Rest((lobby, left, joined, private), 1, 5, NativeForm())
    kept_pages = shelf()
    stretch = rest(batches, behind, kept_pages)
    assert [*map(json.loads, stretch.data.splitlines())] == [
        {"t": "gap", "room": "#lobby", "missed": 0, "next": 4}
    ]
    assert stretch.position == 3
    after = rest(batches, behind._replace(position=stretch.position), kept_pages)
    assert [json.loads(line)["text"] for line in after.data.splitlines()] == ["line 4", "line 5"]
    # Nothing is said of what is gone to those who had come to it, or who do not ask as far.
    plain = Rest((lobby,), 3, 5, PlainForm())
    assert rest(batches, plain, kept_pages) == Stretch(b"Ann: line 4\nAnn: line 5\n", 5)
    gone = Rest((lobby,), 0, 2, PlainForm())
    assert rest(batches, gone, kept_pages) == Stretch(
        "— what was said before this is no longer kept —\n".encode(), 2
    )


def test_what_retention_is_about_to_remove_is_in_no_page(kept: Kept, batches: Batches) -> None:
    kept.add(said(1, "one"))
    kept.add(said(2, "two"))
    kept.connection.execute("UPDATE meta SET value = 2 WHERE key = 'kept_from'")
    assert past(batches, Past("#lobby", 10, 3)) == Found((said(2, "two"),), more=False)


def test_a_time_at_which_one_batch_ends_and_the_next_begins(kept: Kept, batches: Batches) -> None:
    times = [[1, 2], [2, 2], [2, 3], [5]]
    seq, later = 1, []
    for each in times:
        batch = [
            said(seq + number, "x")._replace(time_ms=time_ms) for number, time_ms in enumerate(each)
        ]
        kept.add(*batch)
        seq += len(batch)
        later += each
    for time_ms in range(8):
        expected = 1 + sum(each < time_ms for each in later)
        assert batches.seq_at(time_ms) == expected, f"the first of {later} from {time_ms} on"


def test_nothing_was_ever_said(batches: Batches) -> None:
    assert past(batches, Past("#lobby", 10, 1)) == Found((), more=False)
    assert past(batches, Past("#lobby", 10, 1, since_ms=5)) == Found((), more=False)


def test_readers_that_fell_behind_together_have_it_decoded_once(
    kept: Kept, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seq in range(1, 10):
        kept.add(said(seq, f"line {seq}"))
    decoded: list[str] = []
    decode = batches_module.decode
    monkeypatch.setattr(batches_module, "decode", lambda body: decoded.append(body) or decode(body))
    behind = Rest((Part("#lobby", 0, None),), 0, 9, PlainForm())
    assert len({rest(batches, behind, shelf()) for _ in range(5)}) == 1
    assert len(decoded) == 9


def test_readers_who_come_from_different_places_read_the_same_pages_from_there_on(
    kept: Kept, batches: Batches
) -> None:
    """And so each line is rendered about once, however many they are."""
    for seq in range(1, 400):
        kept.add(said(seq, "x" * 999))
    rendered: list[int] = []

    class Counting(PlainForm):
        @staticmethod
        def record(record: Record) -> bytes:
            rendered.append(record.seq)
            return PlainForm.record(record)

    form, pages = Counting(), shelf()
    for position in (0, 7, 90, 3, 150):
        question = Rest((Part("#lobby", position, None),), position, 399, form)
        while question.position < 399:
            stretch = rest(batches, question, pages)
            question = question._replace(position=stretch.position)
    assert len(rendered) < 399 + 5 * (PAGE_BYTES // 999)


def test_nobody_is_given_what_only_others_may_read(kept: Kept, batches: Batches) -> None:
    for seq in range(1, 5):
        kept.add(said(seq, f"line {seq}"))
    form, pages = PlainForm(), shelf()

    def read(after: int, left: int | None) -> bytes:
        return rest(batches, Rest((Part("#lobby", after, left),), 0, 4, form), pages).data

    assert read(0, None).count(b"line") == 4
    assert read(2, None) == b"Ann: line 3\nAnn: line 4\n", "who joined behind the second"
    assert read(0, 3) == b"Ann: line 1\nAnn: line 2\nAnn: line 3\n", "who left behind the third"
    assert read(0, None).count(b"line") == 4


def test_what_retention_has_removed_is_on_no_shelf(kept: Kept, batches: Batches) -> None:
    """A private stream has no notice of what is gone: what was kept for others would be the answer."""
    kept.add(Direct(1, TIME_MS, "s9", "Zoë", "ann-1", "Ann", "psst", None))
    kept.add(Direct(2, TIME_MS, "s9", "Zoë", "ann-1", "Ann", "later", None))
    question, pages = Rest((Part("ann-1", 0, None),), 0, 2, PlainForm()), shelf()
    assert b"psst" in rest(batches, question, pages).data
    kept.connection.execute("DELETE FROM places WHERE seq < 2")
    kept.connection.execute("DELETE FROM batches WHERE seq < 2")
    kept.connection.execute("UPDATE meta SET value = 2 WHERE key = 'kept_from'")
    data = rest(batches, question, pages).data
    assert b"psst" not in data
    assert b"later" in data


def test_decoded_batches_take_only_so_much_memory(
    kept: Kept, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "KEPT_BYTES", 5_000)
    for seq in range(1, 10):
        kept.add(said(seq, "x" * 1_000))
    page = past(batches, Past("#lobby", 10, 10))
    assert len(page.records) == 9
    assert 0 < batches._kept_bytes <= 5_000
    assert batches._kept_bytes == sum(batch.memory_bytes for batch in batches._kept.values())
    assert past(batches, Past("#lobby", 10, 10)) == page


class Loop:
    """Runs what threads hand over, in the test's own thread."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.deadline_s = 30.0

    def answer(self, library: Library, question: Question) -> Answer:
        answers: list[Answer] = []
        library.ask(question, answers.append)
        self.calls.get(timeout=self.deadline_s)()
        return answers[0]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def library(kept: Kept, loop: Loop) -> Iterator[Library]:
    with closing(
        Library(kept.folder / LOG_FILE, kept.folder / INDEX_FILE, loop.calls.put)
    ) as library:
        yield library


def test_answers_come_in_the_loop_and_in_the_order_asked(
    kept: Kept, library: Library, loop: Loop
) -> None:
    kept.add(said(1, "one"))
    kept.index(said(1, "one"), until=1)
    here = threading.get_ident()
    came: list[tuple[int, Answer]] = []
    asked: list[Question] = [
        Past("#lobby", 10, 2),
        Rest((Part("#lobby", 0, None),), 0, 1, PlainForm()),
        Search(("one",), ("#lobby",), 10, 2),
    ]
    for question in asked:
        library.ask(question, lambda answer: came.append((threading.get_ident(), answer)))
    for _ in asked:
        loop.calls.get(timeout=loop.deadline_s)()
    one = Found((said(1, "one"),), more=False)
    assert came == [(here, one), (here, Stretch(b"Ann: one\n", 1)), (here, one)]


def test_a_flipped_bit_within_a_text_is_not_read_as_what_was_said(tmp_path: Path) -> None:
    with closing(Kept(tmp_path)) as kept:
        kept.add(said(1, "tea at four"))
        kept.connection.execute("UPDATE batches SET body = replace(body, 'four', 'fous')")
        with closing(Batches(tmp_path / LOG_FILE)) as batches:
            with pytest.raises(ValueError, match="batch 1 is damaged: its checksum"):
                list(batches.all_after(0))


def test_a_damaged_batch_is_told_of_and_the_thread_goes_on(
    kept: Kept, library: Library, loop: Loop
) -> None:
    kept.add(said(1, "one"))
    kept.add(said(2, "two", room="#dev"))
    kept.connection.execute("UPDATE batches SET body = '[[' WHERE seq = 1")
    answer = loop.answer(library, Past("#lobby", 10, 3))
    assert type(answer) is Unreadable
    assert "batch 1 is damaged" in answer.words
    assert "chatcore check" in answer.words
    assert loop.answer(library, Past("#dev", 10, 3)) == Found((said(2, "two", room="#dev"),), False)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE batches SET body = NULL WHERE seq = 1",
        "UPDATE batches SET body = x'00ff' WHERE seq = 1",
        "UPDATE batches SET streams = x'00' WHERE seq = 1",
        "UPDATE meta SET value = NULL WHERE key = 'placed_seq'",
        "UPDATE meta SET value = 'many' WHERE key = 'kept_from'",
    ],
)
def test_whatever_stands_in_the_file_the_thread_goes_on(
    kept: Kept, library: Library, loop: Loop, damage: str
) -> None:
    kept.connection.execute("PRAGMA ignore_check_constraints = 1")
    kept.connection.execute("PRAGMA writable_schema = 1")
    kept.connection.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name IN ('batches', 'meta')"
    )
    kept.connection.execute("PRAGMA writable_schema = RESET")
    kept.add(said(1, "one"), placed=False)
    kept.connection.execute(damage)
    asked = Past("#lobby", 10, 2)
    assert isinstance(loop.answer(library, asked), Unreadable | Found)
    assert isinstance(loop.answer(library, asked), Unreadable | Found)


def test_a_folder_that_is_gone_is_told_of_and_the_thread_goes_on(
    tmp_path: Path, loop: Loop
) -> None:
    folder = tmp_path / "gone"
    folder.write_text("this is no folder")
    with closing(Library(folder / LOG_FILE, folder / INDEX_FILE, loop.calls.put)) as library:
        for question in (Past("#lobby", 10, 2), Search(("x",), ("#lobby",), 5, 2)):
            assert type(loop.answer(library, question)) is Unreadable


def test_what_sqlite_refuses_is_told_of_and_over_when_it_is_over(
    kept: Kept, library: Library, loop: Loop
) -> None:
    kept.add(said(1, "one"))
    kept.connection.execute("ALTER TABLE batches RENAME TO elsewhere")
    assert type(loop.answer(library, Past("#lobby", 10, 2))) is Unreadable
    kept.connection.execute("ALTER TABLE elsewhere RENAME TO batches")
    assert loop.answer(library, Past("#lobby", 10, 2)) == Found((said(1, "one"),), False)


def test_a_number_that_no_log_can_hold_ends_nothing(
    kept: Kept, library: Library, loop: Loop
) -> None:
    kept.add(said(1, "one"))
    assert type(loop.answer(library, Past("#lobby", 10, 10**30))) is Unreadable
    assert type(loop.answer(library, Past("#lobby", 10, 2))) is Found


def test_with_a_file_that_could_not_be_read_the_pages_of_it_are_let_go(
    kept: Kept, library: Library, loop: Loop
) -> None:
    """Opened anew it may be another one."""
    kept.add(said(1, "of before"))
    question = Rest((Part("#lobby", 0, None),), 0, 1, PlainForm())
    assert loop.answer(library, question) == Stretch(b"Ann: of before\n", 1)
    kept.connection.execute(
        "UPDATE batches SET body = replace(body, 'of before', 'restored'), crc = NULL"
    )
    assert type(loop.answer(library, Past("#lobby", 10, 10**30))) is Unreadable
    assert loop.answer(library, question) == Stretch(b"Ann: restored\n", 1)


def test_it_can_be_closed_with_questions_waiting(
    kept: Kept, loop: Loop, wait_for: Callable[..., None]
) -> None:
    kept.add(said(1, "one"))
    held, go_on = threading.Event(), threading.Event()

    def call(callback: Callable[[], None]) -> None:
        loop.calls.put(callback)
        held.set()
        assert go_on.wait(loop.deadline_s)

    library = Library(kept.folder / LOG_FILE, kept.folder / INDEX_FILE, call)
    for _ in range(3):
        library.ask(Past("#lobby", 10, 2), lambda answer: None)
    assert held.wait(loop.deadline_s)
    closer = threading.Thread(target=library.close)
    closer.start()
    wait_for(lambda: library._closing, "it is being closed")
    go_on.set()
    closer.join(loop.deadline_s)
    assert not closer.is_alive()
    assert loop.calls.qsize() == 1
