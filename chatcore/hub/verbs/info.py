"""Answers that need no looking up: a sign of life, and what was wrong with what was typed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from chatcore.hub.decision import Decision
from chatcore.hub.reply import Pong, Refusal

if TYPE_CHECKING:
    from chatcore.hub.command import Mistake, Ping
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session


def decide_ping(world: World, session: Session, command: Ping) -> Decision:
    return Decision(replies=(Pong(command.re),))


def decide_mistake(world: World, session: Session, command: Mistake) -> Refusal:
    return command.refusal


def unknown_command(name: str, known: list[str], sign: str) -> Refusal:
    """The refusal of a command that does not exist, with the one that was probably meant."""
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {sign}{near[0]}?" if near else f"{sign}help lists the commands."
    return Refusal("unknown_command", f"There is no command {sign}{name}. {hint}")
