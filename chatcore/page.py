"""The page: its files, and the names under which a browser may ask for them. Read once, at the start.

What the files are made of stands in `chatcore/dialects/page`; who is answered with them, in `chatcore.dialects.http`.
"""

from __future__ import annotations

import logging
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chatcore.certificates import names_of
from chatcore.dialects.http import TYPES, Site, host_name, site_files
from chatcore.reactor.offload import Offload

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.machinery import ModuleSpec

    from chatcore.config import Settings
    from chatcore.connection.door import Door
    from chatcore.reactor.loop import Reactor

FOLDER = Path(__file__).parent / "dialects" / "page"

PACKAGE = "websockets"

PACKAGE_MAJOR = 17
"""The version that pyproject.toml asks for. In others, what this stands on is missing, or private and different: with the
10 of Debian 12 and the 15 of Debian 13, every browser would meet an internal error."""

NO_PACKAGE = (
    "To join with a browser, whoever runs this server installs one package: pip install websockets"
)
OTHER_VERSION = (
    "To join with a browser, whoever runs this server needs version {wanted} of the package websockets, and its Python "
    "has {found}: pip install 'websockets=={wanted}.*' (in a virtual environment, if Python is the system's)"
)
BROKEN = (
    "Browsers cannot be served here at the moment; whoever runs this server finds in its log why."
)
SWITCHED_OFF = "Browsers are not served here: the settings say [web] enabled = false."

DIALECT = "chatcore.dialects.websocket"
"""What serves browsers. It brings the package, and 30 ms and 3 MiB of its own with it."""

LOAD_AFTER_S = 300.0
"""After the server listens: those who return after a restart go first, and whoever measures what each of them takes is
through. Who replaces the files has a server that has run for longer, or starts it anew anyway."""

logger = logging.getLogger("chatcore.page")


class Page:
    """The page in force; the next browser meets it at the `door`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._addresses: tuple[str, ...] = ()
        self._reactor: Reactor | None = None

    def open(self, settings: Settings, addresses: Iterable[str]) -> None:
        """Show it to whoever asks a server that listens on these addresses."""
        self._addresses = tuple(addresses)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Names may have changed; the files are read again, too."""
        self._door.site = site_of(settings, self._addresses)
        self._load()

    def prepare(self, reactor: Reactor) -> None:
        """Load what serves browsers, in a while and beside the loop, if no browser comes before.

        With the first browser may be too late: the files may be those of another version by then.
        """
        self._reactor = reactor
        reactor.call_later(LOAD_AFTER_S, self._load)

    def _load(self) -> None:
        if self._reactor is not None and self._door.site.files:
            Offload(self._reactor.call_from_thread).do(_load_dialect, self._loaded)

    def _loaded(self, failure: str | None) -> None:
        """`failure`: what is wrong with its files; empty if nothing is, None if that stands in the log."""
        if failure:
            words = "no page for browsers: %(reason)s. Install it anew (pip install --force-reinstall %(package)s), then restart"
            logger.error(words, {"reason": failure, "package": PACKAGE})
        if failure != "":
            self._door.site = Site(missing=BROKEN)

    @property
    def words(self) -> str:
        """Why there is none, for the person who starts the server; empty if there is one."""
        return self._door.site.missing


def _load_dialect() -> str:
    try:
        import_module(DIALECT)
    except (ImportError, SyntaxError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def site_of(settings: Settings, addresses: Iterable[str]) -> Site:
    """What browsers get from a server that listens on these addresses."""
    if not settings.web_enabled:
        return Site(missing=SWITCHED_OFF)
    package = find_spec(PACKAGE)
    if package is None:
        return Site(missing=NO_PACKAGE)
    major, found = _version(package)
    if found and major != PACKAGE_MAJOR:
        return Site(missing=OTHER_VERSION.format(wanted=PACKAGE_MAJOR, found=found))
    names = (*names_of(addresses), *settings.web_names)
    hosts = frozenset(filter(None, (host_name(_written(name)) for name in names)))
    sources = ((path.name, path.read_bytes()) for path in FOLDER.iterdir() if _is_file(path))
    return Site(site_files(sources), hosts, frozenset(settings.web_origins))


def _version(package: ModuleSpec) -> tuple[int, str]:
    """The package's major version and all of it, without the 50 ms of importing it; 0 and "" if that cannot be told."""
    try:
        source = Path(package.origin or "").with_name("version.py").read_bytes()
    except (OSError, ValueError):
        return 0, ""
    found = re.search(rb'^tag = .*"(\d+)([.\w]*)"', source, re.MULTILINE)
    return (int(found[1]), (found[1] + found[2]).decode("ascii", "replace")) if found else (0, "")


def _written(name: str) -> str:
    """As a `Host` field has it."""
    return f"[{name}]" if ":" in name else name


def _is_file(path: Path) -> bool:
    return path.suffix[1:] in TYPES
