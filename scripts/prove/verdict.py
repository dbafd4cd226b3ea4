"""The comparison: what was acknowledged, what each reader saw, and what the history holds.

Every line begins with a word of its own, `WHO-NUMBER`: it says who said the line and when in turn, and stands for
the line here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .wire import Message


@dataclass
class Account:
    """What one of the people says of a round."""

    name: str
    rooms: tuple[str, ...]
    sees_all: bool
    """Is entitled to every line of its rooms from the first that it saw."""
    said: int = 0
    acked: dict[str, int | None] = field(default_factory=dict)
    """Line → its number; the plain dialect does not tell it."""
    seen: list[tuple[int | None, str]] = field(default_factory=list)
    """Number and line of each that came live."""
    faults: list[str] = field(default_factory=list)


def word(text: str) -> str:
    """What stands for a line."""
    return text.partition(" ")[0]


@dataclass
class Verdict:
    """All that is counted must be 0, but for `tried`."""

    tried: int = 0
    """Lines that were said, acknowledged or not."""
    lost: int = 0
    """Acknowledged, or seen by somebody, and not in the history; or in it and not seen by one who was entitled to it."""
    doubled: int = 0
    """Twice in the history, or twice before one reader."""
    reordered: int = 0
    """Before a line that it came after: in the history, or before a reader."""
    faults: list[str] = field(default_factory=list)
    """Whatever else is wrong, in words."""
    notes: list[str] = field(default_factory=list)
    """What was measured."""

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.reordered or self.faults)

    def __str__(self) -> str:
        counts = f"tried {self.tried:,} · lost {self.lost:,} · doubled {self.doubled:,} · reordered {self.reordered:,}"
        more = [*self.notes, *(f"WRONG: {fault}" for fault in self.faults)]
        return " · ".join([counts, *more])


class History:
    """What the server keeps of some rooms, paged out of it."""

    def __init__(self, rooms: dict[str, list[Message]]) -> None:
        self.seqs = [[record["seq"] for record in records] for records in rooms.values()]
        said = [each for records in rooms.values() for each in records if each["t"] == "say"]
        said.sort(key=lambda record: record["seq"])
        self.order = [word(record["text"]) for record in said]
        self.times = Counter(self.order)
        self.place = {word(record["text"]): record["seq"] for record in reversed(said)}
        """Line → its number; the first, if it stands there twice."""
        self.room = {word(record["text"]): record["room"] for record in said}


def descents(numbers: Iterable[int]) -> int:
    """How often a number stands after a larger one."""
    return sum(after < before for before, after in pairwise(numbers))


def judge(history: History, accounts: Sequence[Account]) -> Verdict:
    """Compare what each of them was told with the history."""
    verdict = Verdict(doubled=sum(times - 1 for times in history.times.values()))
    verdict.reordered += sum(descents(seqs) for seqs in history.seqs)
    own: dict[str, list[int]] = {}
    for text in history.order:
        name, _, number = text.rpartition("-")
        own.setdefault(name, []).append(int(number))
    for account in accounts:
        verdict.tried += account.said
        verdict.reordered += descents(own.get(account.name, []))
        for text, seq in account.acked.items():
            if text not in history.place:
                verdict.lost += 1
            elif seq not in (None, history.place[text]):
                verdict.reordered += 1
        _judge_seen(verdict, history, account)
        verdict.faults += account.faults
    return verdict


def _judge_seen(verdict: Verdict, history: History, account: Account) -> None:
    seen = [text for _, text in account.seen]
    verdict.doubled += len(seen) - len(set(seen))
    verdict.lost += sum(text not in history.place for text in seen)
    places = [history.place[text] for text in seen if text in history.place]
    verdict.reordered += descents(places)
    verdict.reordered += sum(
        seq is not None and history.place.get(text, seq) != seq for seq, text in account.seen
    )
    if account.sees_all and places:
        due = {
            text
            for text in history.order
            if history.room[text] in account.rooms and history.place[text] >= places[0]
        }
        verdict.lost += len(due - set(seen))
