"""Answers that need no looking up: a sign of life, who is behind, and what was wrong with what was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.decision import Decision
from chatcore.hub.reply import LagPage, Pong, Refusal

if TYPE_CHECKING:
    from chatcore.hub.command import Lag, Mistake, Ping
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session


def decide_ping(world: World, session: Session, command: Ping) -> Decision:
    return Decision(replies=(Pong(command.re),))


def decide_lag(world: World, session: Session, command: Lag) -> Decision | Refusal:
    """For operators: it tells who reads slowly, in all rooms."""
    if not world.presence.is_operator(session.sid):
        return Refusal("not_operator", "Only operators are told who is behind: /oper NAME password")
    return Decision(replies=(LagPage(re=command.re),))


def decide_mistake(world: World, session: Session, command: Mistake) -> Refusal:
    return command.refusal


def unknown_command(name: str, known: list[str], sign: str) -> Refusal:
    """The refusal of a command that does not exist, with the one that was probably meant."""
    near = [each for each in known if _is_slip(name, each)]
    hint = f"Did you mean {sign}{near[0]}?" if near else f"{sign}help lists the commands."
    return Refusal("unknown_command", f"There is no command {sign}{name}. {hint}")


def _is_slip(typed: str, meant: str) -> bool:
    """One letter is wrong, missing or too many, or two have changed places.

    `difflib` would guess at more, for 50 µs, and one read may hold thousands of such lines.
    """
    if typed[:1] != meant[:1] and typed[-1:] != meant[-1:]:
        # Cheap, and true of nearly every pair; a slip spares one end.
        return False
    if abs(len(typed) - len(meant)) > 1:
        return False
    at = 0
    while typed[at : at + 1] == meant[at : at + 1] != "":
        at += 1
    typed, meant = typed[at:], meant[at:]
    swapped = typed[1:2] + typed[:1] + typed[2:]
    return meant in {typed[1:], swapped} or meant[1:] in {typed, typed[1:]}
