"""On disk: what a server stands on by default, a data folder.

State is a fold of the log, so a start is a snapshot and the records after it. The snapshot is brought up to date
every `SNAPSHOT_RECORDS`, a few pieces a turn, and once more at a clean stop; without it a start would be as long as
the history.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from chatcore.hub.apply import apply
from chatcore.hub.snapshot import Snapshot, restore
from chatcore.hub.state import State
from chatcore.keeping import InMemory
from chatcore.log.journal import CLOSE_S
from chatcore.log.log import Log
from chatcore.log.order import LocalOrderer
from chatcore.store.indexer import Indexer
from chatcore.store.library import Library
from chatcore.store.schema import DAMAGED, INDEX_FILE, LOG_FILE, StoreError
from chatcore.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatcore.config import Settings
    from chatcore.log.record import Record
    from chatcore.reactor.loop import Reactor

SNAPSHOT_RECORDS = 50_000
"""Records after which the snapshot is brought up to date: a start folds no more than that, in half a second."""

LINES_RECALLED = 2_000
"""Lines taken into memory at a start, so that not everybody who returns at once has to ask the disk; 8 MiB at most."""

SNAPSHOT_S = 60.0
"""The same by the clock: what no snapshot covers cannot be deleted when it is too old (`history.keep_days`)."""

READERS_CLOSE_S = CLOSE_S / 4
"""How much of it the end waits for each of those who read the log. A hung disk holds up all of them, and half is left
for what is still to be written."""

BUSY_SHARE = 0.2
"""Share of the time that the loop works from which on it counts as busy, and what can wait (the index) rests."""

LOOK_S = 0.01
"""Of less than that nothing can be told."""


class OnDisk(InMemory):
    """See the module. Raises StoreError when it cannot be used."""

    def __init__(self, settings: Settings, reactor: Reactor) -> None:
        super().__init__(settings)
        assert settings.data is not None
        folder = Path(settings.data)
        self._reactor = reactor
        self._store = Store.open(folder, settings.durability)
        try:
            self.world.state, self._snapshot = recover(self._store)
            self.world.log = recall(self._store)
        except StoreError:
            self._store.close()
            raise
        self.orderer = LocalOrderer(self._store.head_seq, self._store.head_time_ms)
        self._journal = self._store.journal(lambda: reactor.call_from_thread(_nothing))
        self.journal = self._journal
        self.configure(settings)
        log_path, index_path = folder / LOG_FILE, folder / INDEX_FILE
        self._library = Library(log_path, index_path, reactor.call_from_thread)
        self.archive = self._library
        self._seen = (0.0, 0.0)
        self._indexer = Indexer(log_path, index_path, self._busy)
        self._since = self._store.head_seq - self._store.state_seq
        """Records since the last snapshot."""
        self._saving = self._overdue = False
        self._kept_from = self._journal.kept_from
        """Memory has nothing from before this `seq`."""
        reactor.call_later(SNAPSHOT_S, self._every_now_and_then)

    def configure(self, settings: Settings) -> None:
        super().configure(settings)
        self.world.kept_words = kept_words(settings.keep_days, settings.keep_records)
        self._journal.keep(settings.keep_days, settings.keep_records)

    def commit(self, batch: Sequence[Record]) -> None:
        self.journal.commit(batch)
        self._since += len(batch)
        if self._since >= SNAPSHOT_RECORDS or self._overdue:
            self._begin_snapshot()
        if self._journal.kept_from != self._kept_from:
            self._forget_deleted()

    def _forget_deleted(self) -> None:
        self._kept_from = self._journal.kept_from
        self.world.log.forget(self._kept_from)

    def _every_now_and_then(self) -> None:
        self._forget_deleted()
        self._overdue = self._since > 0
        # What this turn has decided is handed over at its end, and the snapshot begins there.
        if self._overdue and not self.world.log.has_batch:
            self._begin_snapshot()
        self._reactor.call_later(SNAPSHOT_S, self._every_now_and_then)

    def _begin_snapshot(self) -> None:
        if not self._saving:
            self._since = 0
            self._overdue = False
            self._saving = True
            self._snapshot.begin(self.world.log.head_seq)
            self._reactor.call_soon(self._save)

    def _save(self) -> None:
        """Some pieces of the snapshot; the next ones in the next turn."""
        if not self._snapshot.step():
            self._reactor.call_soon(self._save)
            return
        self._saving = False
        self.journal.save(self._snapshot.seq, self._snapshot.take_changes())

    def _busy(self) -> bool:
        """The loop has worked so much since the last look that others had better not compete with it."""
        busy_s, at = self._seen
        self._seen = (self._reactor.stats.busy_s, self._reactor.now)
        passed_s = max(self._reactor.now - at, LOOK_S)
        return self._reactor.stats.busy_s - busy_s > BUSY_SHARE * passed_s

    def close(self) -> None:
        """Save the snapshot and let go of the folder. After a failure of the disk nothing more is written."""
        if not self.journal.failure:
            while self._saving:
                self._save()
            self._snapshot.begin(self.world.log.head_seq)
            while not self._snapshot.step():
                pass
            self.journal.save(self._snapshot.seq, self._snapshot.take_changes())
        began = time.monotonic()
        # The index last of the two: its writer copies its -wal back when nobody else has it open.
        self._library.close(READERS_CLOSE_S)
        self._indexer.close(READERS_CLOSE_S)
        self.journal.close(CLOSE_S - (time.monotonic() - began))
        self._store.close()


def kept_words(days: int, records: int) -> str:
    """What those who join are told about how long history is kept; nothing if it is for ever."""
    limits = [f"{days:,} day{'s' if days > 1 else ''}"] if days else []
    limits += [f"the last {records:,} lines of all rooms"] if records else []
    return f"What is said here is kept for {' or '.join(limits)}, then deleted." if limits else ""


def recover(store: Store) -> tuple[State, Snapshot]:
    """The state at the end of the log, and the snapshot that from now on knows what changes."""
    state = State()
    try:
        restore(store.entities(), state)
        snapshot = Snapshot(state)
        for record in store.records_after(store.state_seq):
            apply(state, record)
    except (ValueError, KeyError) as error:
        raise StoreError(
            f"{store.path}: the snapshot and the log do not fit together: {error}. {DAMAGED}"
        ) from error
    state.take_forgotten()
    return state, snapshot


def recall(store: Store) -> Log:
    """The log as it goes on, with its end in memory: what most of those who return have missed is there."""
    base_seq = max(store.kept_from - 1, store.head_seq - LINES_RECALLED)
    log = Log(store.log_name, base_seq, archived=True)
    log.recall(store.records_after(base_seq))
    return log


def _nothing() -> None:
    """A turn of the loop looks at the journal anyway."""
