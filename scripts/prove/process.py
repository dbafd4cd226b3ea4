"""A real server as a process of its own, that can be killed and started again on the same folder and port."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = float(os.environ.get("CHATCORE_TEST_PATIENCE", "1"))
"""What every deadline is multiplied by, for slow machines."""

DEADLINE_S = 30.0 * PATIENCE
"""For what takes milliseconds: only a broken server or a very busy machine gets there."""

CONFIG = "[flood]\nenabled = false\n[limits]\nconnections_per_address = 0\n"
"""The people here say more at once than people do, and all from one address."""


class Failed(Exception):
    """A round could not be carried through. The words say what did not happen."""


class Server:
    """`server_1.py` with its history in `folder/data`; what it writes to stderr is in `log`, over all its lives."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        data: Path | None = None,
        under: Sequence[str] = (),
        config: str = CONFIG,
        environment: dict[str, str] | None = None,
    ) -> None:
        """Returns when it listens. `under`: a command that runs it, for example strace, and becomes it."""
        folder.mkdir(exist_ok=True)
        settings = folder / "chatcore.toml"
        settings.write_text(config)
        self._log_path = folder / "stderr.log"
        self.data = folder / "data" if data is None else data
        command = [*under, sys.executable, str(ROOT / "server_1.py"), "--port", str(port)]
        command += ["--data", str(self.data), "--config", str(settings)]
        kept = {name: each for name, each in os.environ.items() if not name.startswith("CHATCORE_")}
        began = time.monotonic()
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=kept | (environment or {}),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.pid = self.process.pid
        self.address = self._listens()
        self.started_s = time.monotonic() - began

    def _listens(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        fd, printed, end = self.process.stdout.fileno(), b"", time.monotonic() + DEADLINE_S
        while not (found := re.search(rb"listening on (\S+):(\d+)\n", printed)):
            ready, _, _ = select.select([fd], [], [], max(end - time.monotonic(), 0))
            data = os.read(fd, 4096) if ready else b""
            if not data:
                self.close()
                raise Failed(f"the server did not start:\n{self.log}")
            printed += data
        return found[1].decode(), int(found[2])

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    @property
    def rss_kib(self) -> int:
        """Memory in use."""
        return self._status("VmRSS")

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0])

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """Pull the plug on the process."""
        self.process.kill()
        self.close()

    def stop(self) -> int:
        """The clean way; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ends()

    def ends(self) -> int:
        """Wait for its end; the exit code."""
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Failed("the server did not end") from None
        self.close()
        return code

    def close(self) -> None:
        """End it for good, whatever it does."""
        if self.running:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


def tool(*arguments: str, under: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run one of the command line tools: `check`, `backup`, `export`."""
    return subprocess.run(
        [*under, sys.executable, "-m", "chatcore", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * DEADLINE_S,
    )
