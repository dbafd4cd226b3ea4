"""What the value of a setting may be: one check for each kind of value.

A check takes what stood in a flag, the environment or the file, and returns the value that is meant. It raises
`Wrong`, which says what it takes. Text is accepted where a flag or the environment has nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_PORT = 65_535
MOST = 10**9
"""Of any number: more than any setting has use for, and few enough digits to be computed with and shown."""


class Wrong(Exception):
    """A value is not what its row takes; says what it takes."""


def whole(least: int, most: int = MOST) -> Callable[[object], int]:
    """A number from `least` to `most`; True is none."""

    def check(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:12])
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong("a whole number")
        if not least <= value <= most:
            raise Wrong(f"a whole number from {least} to {most}")
        return value

    return check


def amount(words: str, *, zero: bool) -> Callable[[object], float]:
    """A finite number up to `MOST`, above 0 or from 0 on; `words` say what it counts."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(words)
        if not 0 <= value <= MOST or not (value or zero):  # NaN is not between them either
            raise Wrong(f"{words} up to {MOST}")
        return float(value)

    return check


def yes_or_no(value: object) -> bool:
    """A switch, also as environments spell it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _SPELT:
        return _SPELT[value.lower()]
    raise Wrong("true or false")


_SPELT = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def some_text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise Wrong("a text")
    return value


def one_of(*allowed: str) -> Callable[[object], str]:
    """One of these words, in any case."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in allowed:
            raise Wrong(f"one of {', '.join(allowed)}")
        return value.lower()

    return check


def addresses(value: object) -> tuple[tuple[str, int], ...]:
    """`HOST:PORT`, `[::1]:PORT`, or a list of them."""
    several = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(_address(each) for each in several)


def _address(value: object) -> tuple[str, int]:
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise Wrong("HOST:PORT, or [::1]:PORT for IPv6")
    return host.strip("[]"), whole(0, MOST_PORT)(port)
