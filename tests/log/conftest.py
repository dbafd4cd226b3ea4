"""Records made short, and a wire form whose bytes say what they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatcore.log.record import Said, TopicSet, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.log.record import Record


def make_said(
    seq: int, *texts: str, room: str = "#a", ids: tuple[str, ...] = (), time_ms: int = 1_000
) -> Said:
    """A run of these lines; without any, of one line that names its number."""
    lines = texts or (f"line {seq}",)
    return Said(seq, time_ms, room, "s1", "Ann", "\n".join(lines), len(lines), ids, me=False)


class LineForm:
    """One `seq text` line for each line; a cleared topic is shown to nobody; a gap names its stream and numbers."""

    @staticmethod
    def record(record: Record) -> bytes:
        if isinstance(record, TopicSet) and not record.text:
            return b""
        texts = texts_of(record) if isinstance(record, Said) else ["-"]
        return b"".join(
            b"%d %s\n" % (record.seq + line, text.encode()) for line, text in enumerate(texts)
        )

    @staticmethod
    def gap(stream: str, missed: int, next_seq: int) -> bytes:
        return b"gap %s %d %d\n" % (stream.encode(), missed, next_seq)


@pytest.fixture(scope="session")
def said() -> Callable[..., Said]:
    return make_said


@pytest.fixture(scope="session")
def form() -> LineForm:
    return LineForm()
