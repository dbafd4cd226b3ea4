"""Variables that look like settings and are none.

They are no mistakes: orchestrators put there what they like, and the client has variables of its own. But whoever
mistypes one, or believes that every setting has one, should hear of it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from chatcore.config.rows import ROWS
from chatcore.config.spelling import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "CHATCORE_"

VARIABLES = {f"{PREFIX}CONFIG", *(row.variable for row in ROWS if row.variable is not None)}

OF_TESTS = f"{PREFIX}TEST_"
"""What tests are told in the environment; the servers that they start inherit it."""


def strays(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each of them."""
    names = [name for name in environment if name.startswith(PREFIX) and name not in VARIABLES]
    return [
        f"{shown(name)} in the environment is no setting; {_hint(name.removeprefix(PREFIX))}"
        for name in sorted(names)
        if not name.startswith(OF_TESTS)
    ]


def _hint(name: str) -> str:
    meant = name.lower()
    in_file = [
        row.key
        for row in ROWS
        if row.variable is None and meant in (row.key.replace(".", "_"), row.key.partition(".")[2])
    ]
    if in_file:
        return f"{' or '.join(in_file)} stands only in the file of --config"
    near = get_close_matches(name, [known.removeprefix(PREFIX) for known in VARIABLES], n=1)
    return f"did you mean {PREFIX}{near[0]}?" if near else "it changes nothing"
