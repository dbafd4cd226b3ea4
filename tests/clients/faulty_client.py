"""A client with a fault in it: what one types makes it raise, in the middle of a turn."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from chatcore.client import chat, main


def interpret(text: str, place: object) -> object:
    raise RuntimeError("a fault, as asked")


chat.interpret = interpret  # type: ignore[assignment]
sys.exit(main(alias="Alice"))
