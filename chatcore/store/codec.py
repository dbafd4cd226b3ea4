"""Records as text: one tick's records are one JSON array, kept as they will be read for years.

Each record is an array of its tag and its fields, in the order of its named tuple. Invariant: what `decode`
returns equals what `encode` was given, but for `Said.clean`, which is only known to whoever took the bytes from a
wire and is False here.

`encode` runs for every tick in the writer's thread and leaves all the work to the C encoder. `decode` trusts
nothing: the file may be damaged, and what it returns goes into the state.
"""

from __future__ import annotations

import json
from binascii import crc32
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from chatcore.log.record import (
    ACTS,
    Act,
    Closed,
    Crowd,
    Direct,
    Joined,
    Left,
    Opened,
    Record,
    Renamed,
    Said,
    TopicSet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS: dict[type[Record], str] = {
    Said: "s",
    Direct: "d",
    Opened: "o",
    Closed: "c",
    Joined: "j",
    Left: "l",
    Renamed: "r",
    TopicSet: "t",
    Crowd: "w",
    Act: "a",
}

Shape: TypeAlias = tuple[type, ...]

_NULL = type(None)
SHAPES: dict[str, tuple[type[Any], tuple[Shape, ...]]] = {
    "s": (Said, ((int, int, str, str, str, str, int, list, bool),)),
    "d": (
        Direct,
        ((int, int, str, str, str, str, str, str), (int, int, str, str, str, str, str, _NULL)),
    ),
    "o": (Opened, ((int, int, str, str, str), (int, int, str, str, _NULL))),
    "c": (Closed, ((int, int, str, bool),)),
    "j": (Joined, ((int, int, str, str, str, bool),)),
    "l": (Left, ((int, int, str, str, str, str, str, bool),)),
    "r": (Renamed, ((int, int, str, str, str, str),)),
    "t": (TopicSet, ((int, int, str, str, str, str),)),
    "w": (
        Crowd,
        ((int, int, str, list, int, list, int, int), (int, int, str, list, int, list, int)),
    ),
    "a": (Act, ((int, int, str, str, str, str, str, str, str, int),)),
}
"""Tag → the record, and the types that its fields may have; exact types, because True is an int as well."""

# No search for cycles: records cannot hold one. Texts stay UTF-8 and readable.
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def encode(records: Sequence[Record]) -> str:
    """The records as one line of JSON."""
    return _encode([(TAGS[type(record)], *_stored(record)) for record in records])


def _stored(record: Record) -> tuple[Any, ...]:
    return record[:-1] if type(record) is Said else record


def checksum(body: str) -> int:
    """Kept beside an encoded batch: SQLite's pages have none, and a flipped bit may leave a text that can be read.

    Some 1 µs for a KiB. Not from `zlib`, which a Python may lack.
    """
    return crc32(body.encode())


def verify(body: str, crc: object) -> None:
    """Raises ValueError if the batch is not what was written. Batches of the log's first form have no checksum."""
    if crc is not None and crc != checksum(body):
        raise ValueError("its checksum is not the one that was written")


def decode(body: str) -> list[Record]:
    """The records of an encoded batch. Raises ValueError, naming what is wrong, for anything else."""
    try:
        entries = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply to be records") from None
    if type(entries) is not list:
        raise ValueError("not a list of records")
    return [_record(entry) for entry in entries]


def _record(entry: object) -> Record:
    if type(entry) is not list or not entry:
        raise ValueError("not a record: not a list with a tag")
    tag, *fields = entry
    if type(tag) is not str or tag not in SHAPES:
        raise ValueError("a record of no known kind")
    kind, shapes = SHAPES[tag]
    if tuple(map(type, fields)) not in shapes:
        raise ValueError(f"a {kind.__name__} with other fields than it has")
    if kind is Said:
        _check_said(fields)
    elif kind is Act and fields[5] not in ACTS:
        raise ValueError("an Act of no known kind")
    record: Record = kind(*[_names(each) if type(each) is list else each for each in fields])
    return record


def _names(values: list[object]) -> tuple[str, ...]:
    """A list within a record: ids, or aliases."""
    if not all(type(value) is str for value in values):
        raise ValueError("a list in a record that is not of strings")
    return cast("tuple[str, ...]", tuple(values))


def _check_said(fields: list[Any]) -> None:
    """A run takes the numbers that it says: readers cut it by its lines, and a wrong count would shift all after it."""
    text, lines, ids = fields[5], fields[6], fields[7]
    if lines < 1 or (lines > 1 and text.count("\n") != lines - 1):
        raise ValueError("a Said whose text has another number of lines than it says")
    if ids and len(ids) != lines:
        raise ValueError("a Said with another number of ids than of lines")
