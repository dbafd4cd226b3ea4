"""What the value of a setting may be: one check for each kind of value.

A check takes what stood in a flag, the environment or the file, and returns the value that is meant. It raises
`Wrong`, which says what it takes. Text is accepted where a flag or the environment has nothing else.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chatcore.passwords import BadHash, Scrypt, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_PORT = 65_535
MOST = 10**9
"""Of any number: more than any setting has use for, and few enough digits to be computed with and shown."""

MOTD_CHARACTERS = 2_000
"""Of the words for those who arrive: a screen, and no dialect has to cut it."""

MOTD_LINES = 24
"""A terminal's height."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Wrong(Exception):
    """A value is not what its row takes; says what it takes."""


class Several(Exception):
    """A list has more than one mistake, each a sentence to follow its key."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


def whole(least: int, most: int = MOST) -> Callable[[object], int]:
    """A number from `least` to `most`; True is none."""

    def check(value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:12])
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong("a whole number")
        if not least <= value <= most:
            raise Wrong(f"a whole number from {least:,} to {most:,}")
        return value

    return check


def above_0(unit: str) -> Callable[[object], float]:
    """A number of what `unit` names, however small: at 0 nothing would ever happen."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST:
            raise Wrong(f"a number of {unit} above 0 and up to {MOST:,}")
        return float(value)

    return check


def between(least: float, most: float, unit: str) -> Callable[[object], float]:
    """A number from `least` to `most` of what `unit` names."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"a number of {unit}")
        if not least <= value <= most:  # NaN is not between them either
            raise Wrong(f"a number of {unit} from {least:,} to {most:,}")
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
        raise Wrong("a text that is not empty")
    return value


def a_path(value: object) -> str:
    """A file or folder, made absolute: a server that changes its folder still finds it."""
    try:
        text = some_text(value)
        if "\0" in text:
            raise Wrong("a path, which holds no NUL")
        return str(Path(text).expanduser().absolute())
    except RuntimeError:  # what pathlib raises when it finds no home folder
        raise Wrong("a path without ~, as there is no home folder") from None


def motd(value: object) -> str:
    """Words for those who arrive, of some lines; without the line end that TOML's triple quotes leave."""
    if not isinstance(value, str):
        raise Wrong("a text")
    words = value.strip("\n")
    if len(words) > MOTD_CHARACTERS or words.count("\n") >= MOTD_LINES:
        raise Wrong(f"a text of at most {MOTD_CHARACTERS:,} characters and {MOTD_LINES} lines")
    return words


def password(value: object) -> str:
    """A password as people can type it, or the hash of one."""
    if not isinstance(value, str) or not value:
        raise Wrong("a text that is not empty")
    if value.startswith("$scrypt$"):
        try:
            Scrypt.parse(value)
        except BadHash as bad:
            raise Wrong(str(bad)) from None
    elif wrong := unusable(value):
        raise Wrong(wrong)
    return value


def admin_address(value: object) -> str:
    """Where the server tells of itself: nothing (a socket in the data folder), `off`, a path, or HOST:PORT of loopback."""
    if not isinstance(value, str):
        raise Wrong("a text")
    if value in ("", "off"):
        return value
    if "/" in value:
        return a_path(value)
    try:
        host, _ = _address(value)
    except Wrong:
        raise Wrong("off, a path with a /, or HOST:PORT") from None
    if not _is_loopback(host):
        raise Wrong("a loopback address, as 127.0.0.1:9590: whoever reads it reads names")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def one_of(*allowed: str) -> Callable[[object], str]:
    """One of these words, in any case."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in allowed:
            raise Wrong(f"one of {', '.join(allowed)}")
        return value.lower()

    return check


def addresses(value: object) -> tuple[Address, ...]:
    """`HOST:PORT`, `[::1]:PORT`, or a list of them."""
    several = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(_address(each) for each in several)


def _address(value: object) -> Address:
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise Wrong("HOST:PORT, or [::1]:PORT for IPv6")
    return Address(host.strip("[]"), whole(0, MOST_PORT)(port))


def host_names(value: object) -> tuple[str, ...]:
    """Names and addresses of hosts, without ports."""
    return _each(value, _HOST, "a list of host names, without http:// and without port")


def origins(value: object) -> tuple[str, ...]:
    """Origins as browsers send them (RFC 6454 6.1): `https://chat.example.org`, in lower case."""
    return _each(value, _ORIGIN, 'a list of origins like "https://chat.example.org"')


_HOST = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


def _each(value: object, shape: re.Pattern[str], what: str) -> tuple[str, ...]:
    found = [each.lower() if isinstance(each, str) else "" for each in _list(value, what)]
    if not all(map(shape.fullmatch, found)):
        raise Wrong(what)
    return tuple(found)


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list | tuple):
        raise Wrong(what)
    return list(value)
