"""Moderation as a fold of the log: whatever moderators and operators do, in long plays in which they do much of it.

The property tests of `test_hub` and `test_snapshot` play these commands too, but shortly, and an act needs a room, a
moderator and somebody to act on. Here every kind of act happens, and the test fails if one does not.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from chatcore.hub.command import (
    Announce,
    Ban,
    Dm,
    Invite,
    Join,
    Kick,
    Lock,
    Mute,
    Nick,
    Op,
    Part,
    Quit,
    Say,
    Topic,
    Unban,
    Unmute,
)
from chatcore.hub.reply import Refused
from chatcore.log.record import Act
from tests.hub.play import PEOPLE, Play
from tests.hub.test_snapshot import Disk

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIASES = ("Ann", "Bob", "Cy", "Dee", "Eve", "b0b", "ANN")
ROOMS = ("#lobby", "#a", "#b", "#A")
TARGETS = (*ALIASES, "10.0.0.1", "10.0.0.2/31", "::ffff:10.0.0.3")
STEPS_A_PLAY = 400


def ops(steps: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Always the same ones for a seed."""
    chance = random.Random(seed)
    pick = chance.choice

    def spans() -> int | None:
        return pick((None, None, *range(200, 3_000, 400)))

    def act() -> Any:
        alias, room = pick(ALIASES), pick((None, *ROOMS))
        return pick(
            (
                Kick(alias, room, pick(("", "why not"))),
                Ban(pick(TARGETS), room, spans(), "noise"),
                Unban(pick(TARGETS), room),
                Unban(pick(ALIASES), pick((None, "#a", "#b"))),
                Mute(alias, spans(), "noise"),
                Unmute(alias),
                Op(alias, room, take=pick((False, False, True))),
                Lock(pick((None, "sesame")), room),
                Invite(alias, room),
                Announce("fire drill"),
            )
        )

    def other() -> Any:
        alias, room = pick(ALIASES), pick(ROOMS)
        return pick(
            (
                Join(room, pick((None, "sesame")), move=pick((False, True))),
                Join(room),
                Join(room),
                Join(room, key="sesame"),
                Part(room),
                Nick(alias),
                Topic(room, "tea"),
                Say(room, "hi", 1, ()),
                Dm(alias, "psst"),
                Quit(),
            )
        )

    for _ in range(steps):
        who = chance.randrange(PEOPLE)
        plain = chance.random() < 0.3
        if chance.random() < 0.5:  # nothing comes of it if they are here
            yield ("hello", who, pick(ALIASES[:PEOPLE]), [pick(ROOMS)], plain)
        yield pick(
            (
                ("return", who, pick(ALIASES), []),
                ("lapse", who),
                ("later", 600),
                ("rise", 0),
                ("rise", 1),
                ("do", who, act()),
                ("do", who, act()),
                ("do", 0, act()),
                ("do", 1, act()),
                ("do", who, other()),
                ("do", who, other()),
            )
        )


def played(new_house: Any, view: Any, plays: int, steps: int) -> Counter[str]:
    """So many plays; whether the state is the fold of the log, and comes back from a snapshot at any time."""
    seen: Counter[str] = Counter()
    for seed in range(plays):
        house = new_house()
        play, disk = Play(house), Disk(house)
        for number, op in enumerate(ops(steps, seed)):
            before = view(house.state) if op[0] == "do" else None
            outcome = play.run(op)
            if outcome is not None and any(type(reply) is Refused for reply in outcome.replies):
                (reply, *_) = outcome.replies
                assert isinstance(reply, Refused)
                seen[f"refused {reply.refusal.code}"] += 1
                assert before is None or view(house.state) == before, op
            disk.step(number % 4)
            if number % 20 == 0:
                assert view(disk.started_again(), ordered=False) == view(
                    house.state, ordered=False
                ), (seed, number, op)
        house.collect()
        for record in house.records:
            if type(record) is Act:
                where = "room" if record.room else "server"
                seen[f"{record.act} {where}"] += 1
        assert view(house.replayed()) == view(house.state), seed
    return seen


KINDS = (
    *("kick room", "kick server", "ban room", "ban server", "unban room", "unban server"),
    *("mute server", "unmute server", "op room", "deop room", "lock room", "unlock room"),
    *("invite room", "announce room", "announce server", "oper server"),
    *("refused banned", "refused muted", "refused room_locked", "refused not_moderator"),
    "refused not_operator",
)


@pytest.mark.parametrize(
    "plays", [pytest.param(40, id="40"), pytest.param(1_000, id="1,000", marks=pytest.mark.slow)]
)
def test_the_state_is_the_fold_of_what_was_done_and_comes_back_from_any_snapshot(
    new_house: Any, view: Any, plays: int
) -> None:
    seen = played(new_house, view, plays, STEPS_A_PLAY)
    print(
        f"moderation: {plays * STEPS_A_PLAY:,} steps, {dict(sorted(seen.items()))}, 0 differences"
    )
    assert [kind for kind in KINDS if not seen[kind]] == []
