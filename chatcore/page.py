"""The page: its files, and the names under which a browser may ask for them. Read once, at the start.

What the files are made of stands in `chatcore/dialects/page`; who is answered with them, in `chatcore.dialects.http`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chatcore.certificates import names_of
from chatcore.dialects.http import TYPES, Site, host_name, site_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.config import Settings
    from chatcore.connection.tls import Door

FOLDER = Path(__file__).parent / "dialects" / "page"

PACKAGE = "websockets"

NO_PACKAGE = (
    "To join with a browser, whoever runs this server installs one package: pip install websockets"
)
SWITCHED_OFF = "Browsers are not served here: the settings say [web] enabled = false."


class Page:
    """The page in force; the next browser meets it at the `door`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._addresses: tuple[str, ...] = ()

    def open(self, settings: Settings, addresses: Iterable[str]) -> None:
        """Show it to whoever asks a server that listens on these addresses."""
        self._addresses = tuple(addresses)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Names may have changed; the files are read again, too."""
        self._door.site = site_of(settings, self._addresses)

    @property
    def words(self) -> str:
        """Why there is none, for the person who starts the server; empty if there is one."""
        return self._door.site.missing


def site_of(settings: Settings, addresses: Iterable[str]) -> Site:
    """What browsers get from a server that listens on these addresses."""
    if not settings.web_enabled:
        return Site(missing=SWITCHED_OFF)
    if find_spec(PACKAGE) is None:
        return Site(missing=NO_PACKAGE)
    names = (*names_of(addresses), *settings.web_names)
    hosts = frozenset(filter(None, (host_name(_written(name)) for name in names)))
    sources = ((path.name, path.read_bytes()) for path in FOLDER.iterdir() if _is_file(path))
    return Site(site_files(sources), hosts, frozenset(settings.web_origins))


def _written(name: str) -> str:
    """As a `Host` field has it."""
    return f"[{name}]" if ":" in name else name


def _is_file(path: Path) -> bool:
    return path.suffix[1:] in TYPES
