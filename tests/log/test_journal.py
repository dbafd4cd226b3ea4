"""The journal that keeps nothing: what it is given is durable at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.log.journal import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatcore.log.record import Said


def test_nothing_is_durable_before_the_first_batch() -> None:
    assert MemoryJournal().durable_seq(0.0) == 0


def test_a_batch_is_durable_to_the_last_line_of_its_last_run(said: Callable[..., Said]) -> None:
    journal = MemoryJournal()
    journal.commit([said(1), said(2, "x", "y", "z")])
    assert journal.durable_seq(0.0) == 4
    journal.commit([said(5)])
    assert journal.durable_seq(0.0) == 5
