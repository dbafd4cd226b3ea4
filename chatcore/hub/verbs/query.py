"""The little language of a search: words, `"quoted phrases"`, and `from:ann in:#room since:2d before:2026-11-01`.

The same for everybody who searches, from every dialect; the filters may stand anywhere, each once. A word with a
colon that is no filter is a word, and so is a filter in quotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, final

from chatcore.hub.moments import EXAMPLES, moment
from chatcore.hub.reply import Refusal

if TYPE_CHECKING:
    from chatcore.hub.command import Search
    from chatcore.hub.moments import Moment

USAGE = "/search words from:NAME in:#room since:2d before:2026-11-01"

WORDS_MOST = 32
"""Words and phrases of one search: each costs a look into the index, and nobody types so many."""

_TOKEN = re.compile(r'"([^"]*)"?|(\S+)')

_FILTERS = {"from": "alias", "in": "room", "since": "since", "before": "before"}
"""What is typed, and the field of the command that says the same."""


@final
class Query(NamedTuple):
    """A search, understood."""

    words: tuple[str, ...]
    room: str | None
    alias: str | None
    since: Moment | None
    before: Moment | None


def parse(command: Search) -> Query | Refusal:
    """The search that a command asks for; a refusal says what of it is not understood."""
    words: list[str] = []
    given: dict[str, Any] = {
        field: value
        for field in _FILTERS.values()
        if (value := getattr(command, field)) is not None
    }
    for phrase, word in _TOKEN.findall(command.text):
        name, _, value = word.partition(":")
        field = _FILTERS.get(name.lower())
        if not (field and value):
            words += filter(None, ((phrase or word).strip(),))
        elif field in given:
            return _misused(f"Give {name.lower()}: once")
        else:
            given[field] = moment(value) if field in {"since", "before"} else value
            if given[field] is None:
                return _misused(f"{name.lower()}: must be {EXAMPLES}")
    if len(words) > WORDS_MOST:
        return _misused(f"A search has at most {WORDS_MOST} words")
    if not (words or given):
        return _misused("Say what to look for")
    return Query(
        tuple(words),
        given.get("room"),
        given.get("alias"),
        given.get("since"),
        given.get("before"),
    )


def _misused(what: str) -> Refusal:
    return Refusal("bad_field", f"{what}. Usage: {USAGE}")
