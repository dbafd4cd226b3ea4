"""Who may act on others: the `[[operators]]` of the settings file, a name and the hash of a password each.

There is nothing between right and wrong here: one mistake in the list, and none of it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chatcore.config.values import Several
from chatcore.hub import names
from chatcore.hub.reply import Refusal
from chatcore.hub.skeleton import look
from chatcore.passwords import BadHash, Scrypt

OPERATORS_MOST = 1_000
"""More than any room has, and few enough to be compared with every name that is chosen."""

KEYS = frozenset(("name", "hash"))


@dataclass(frozen=True, slots=True)
class Operator:
    """A name that only its owner may take, and what the password is checked against."""

    name: str
    hash: str = field(repr=False)


def operators(value: object) -> tuple[Operator, ...]:
    """The list as it stands in the file. Raises Several with all that is wrong with it; never with a hash."""
    entries = value if isinstance(value, list | tuple) else None
    if entries is None or len(entries) > OPERATORS_MOST:
        raise Several([f"must be a list of tables, [[operators]], at most {OPERATORS_MOST:,}"])
    found: list[Operator] = []
    mistakes: list[str] = []
    taken: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, Operator):
            found.append(entry)
            continue
        faults = _faults(entry)
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and name:
            if look(name) in taken:
                faults.append("has a name that is given twice, or looks like another one")
            taken.add(look(name))
        mistakes += [f"entry {number} {fault}" for fault in faults]
        if not faults:
            found.append(Operator(entry["name"], entry["hash"]))
    if mistakes:
        raise Several(mistakes)
    return tuple(found)


def _faults(entry: object) -> list[str]:
    """What is wrong with one of them."""
    if not isinstance(entry, dict):
        return ["must be a table: [[operators]], then name = …, hash = …"]
    faults = [
        f"has {key!a}, which nobody knows; it takes name and hash"
        for key in sorted(entry.keys() - KEYS)
    ]
    name, hashed = entry.get("name"), entry.get("hash")
    if not isinstance(name, str):
        faults.append("needs a name")
    else:
        checked = names.alias(name)
        if type(checked) is Refusal:
            faults.append(f"has a name that nobody can take: {checked.words}")
        elif checked != name:
            faults.append("has a name that is not in its composed form (NFC)")
    if not isinstance(hashed, str) or not hashed:
        faults.append("needs a hash: `chatcore passwd` makes one")
    else:
        try:
            Scrypt.parse(hashed)
        except BadHash as bad:
            faults.append(f"has a hash that must be {bad}")
    return faults
