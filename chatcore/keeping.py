"""Keeping: what a server stands on, in memory or on disk (`chatcore.on_disk`), and what of it outlives the process.

SQLite is loaded for those who keep something: the others start sooner, and on a Python without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from chatcore.config import EXIT_CONFIG, EXIT_STORAGE
from chatcore.hub.decision import World
from chatcore.hub.presence import Presence
from chatcore.hub.skeleton import looks
from chatcore.hub.state import State
from chatcore.log.journal import MemoryJournal
from chatcore.log.log import Log
from chatcore.log.order import LocalOrderer
from chatcore.store.log_name import new_log_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatcore.config import Settings
    from chatcore.log.archive import Archive
    from chatcore.log.journal import Journal
    from chatcore.log.record import Record
    from chatcore.reactor.loop import Reactor

NO_SQLITE = "this Python has no module sqlite3, which keeps the history"
OTHER_PYTHON = (
    "Run the server with one that has it (`python -c 'import sqlite3'` then says nothing), or with --ephemeral: "
    "nothing is kept then."
)


class CannotKeepError(Exception):
    """There is nothing to stand on: the cause, and the way out."""

    def __init__(self, words: str, exit_code: int) -> None:
        super().__init__(words)
        self.exit_code = exit_code


class Keeping(Protocol):
    """What the server needs, whichever it stands on."""

    world: World
    orderer: LocalOrderer
    journal: Journal
    archive: Archive | None

    def commit(self, batch: Sequence[Record]) -> None:
        """Hand a tick's records to the journal."""

    def configure(self, settings: Settings) -> None:
        """Take over what decisions and the journal need to know of the settings."""

    def close(self) -> None:
        """Keep what is to be kept, and let go. Waits."""


class InMemory:
    """What `--ephemeral` stands on: nothing outlives the process."""

    def __init__(self, settings: Settings) -> None:
        log = Log(new_log_name())
        self.world = World(State(), log, Presence(settings.grace_s), settings.history_on_join)
        InMemory.configure(self, settings)
        self.orderer = LocalOrderer()
        self.journal: Journal = MemoryJournal()
        self.archive: Archive | None = None

    def commit(self, batch: Sequence[Record]) -> None:
        self.journal.commit(batch)

    def configure(self, settings: Settings) -> None:
        self.world.presence.grace_s = settings.grace_s
        self.world.history_on_join = settings.history_on_join
        self.world.motd = settings.motd
        self.world.operator_names = frozenset(
            key for each in settings.operators for key in looks(each.name)
        )

    def close(self) -> None:
        """Nothing is kept."""


def open_keeping(settings: Settings, reactor: Reactor) -> Keeping:
    """What the settings say. Raises CannotKeepError."""
    if settings.data is None:
        return InMemory(settings)
    try:
        import sqlite3  # noqa: F401 - it alone may be missing
    except ImportError as error:
        raise CannotKeepError(f"{NO_SQLITE} ({error}). {OTHER_PYTHON}", EXIT_CONFIG) from None
    from chatcore.on_disk import OnDisk
    from chatcore.store.schema import StoreError

    try:
        return OnDisk(settings, reactor)
    except StoreError as error:
        raise CannotKeepError(str(error), EXIT_STORAGE) from None
