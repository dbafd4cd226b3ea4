"""Operators: whoever says an operator's password acts on everybody, until the session ends.

Nothing here knows a password: that is checked by a thread, between the two decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.hub.decision import Decision
from chatcore.hub.names import fold
from chatcore.hub.reply import Done, Refusal
from chatcore.log.record import DRAFT, Act

if TYPE_CHECKING:
    from chatcore.hub.command import Oper, Tag
    from chatcore.hub.decision import World
    from chatcore.hub.session import Session


def decide_oper(world: World, session: Session, command: Oper) -> Decision | Refusal:
    """An empty decision: the password is to be checked, and nobody is answered yet."""
    name = world.presence.operators.get(session.sid)
    if name is not None and fold(name) == fold(command.name):
        return Decision(
            replies=(_risen(f"You are the operator {name} already.", name, command.re),)
        )
    if not world.operator_names:
        words = "This server has no operators: its settings name none."
        return Refusal("not_operator", words)
    return Decision()


def decide_rise(session: Session, name: str, re: Tag) -> Decision:
    """The password was right. The hub carries it out: who is an operator is not in the log, only that it was asked."""
    act = Act(DRAFT, DRAFT, "", session.sid, session.alias, "oper", name, session.sid, "", 0)
    words = f"You are the operator {name} now, until you leave. /help lists what you may do."
    return Decision((act,), then=(_risen(words, name, re),))


def _risen(words: str, name: str, re: Tag) -> Done:
    return Done(words, {"operator": name}, re)
