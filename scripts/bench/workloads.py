"""W1 to W7: what each asks of a server, and one measurement of it.

W1-W3  closed loop, 10 senders, 8 lines of 64 bytes in flight each; 10, 100, 1,000 clients
W4     1,000 clients, one sends 100 lines a second: the price and the delay at light load
W5     200 clients, all send on an even schedule: the highest rate at which all arrives in time
W6     clients that have joined and sit still: memory of each, and how fast they came in
W7     10 clients, one sends 20 lines a second: how long until it has its own line back, which with
       history on says that the line is on the disk; and what one fdatasync there costs, measured
       beside it
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .disk import flush_times_ms
from .figures import Measurement, median
from .machine import ALL_SAID, Cores, Failed, Process
from .search import Outcome, Peak, Plan, highest
from .servers import DISK, OUR_SERVERS, Running, Server, our_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .build import Programs

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("W1", "W2", "W3", "W4", "W5", "W6", "W7")

LINE_BYTES = 64
WINDOW = 8
LIGHT_RATE = 100  # lines a second
SETUP_S = 60  # joining; servers that tell everyone of every join need long for 10,000
DRAIN_S = 10
MARGIN_S = 45  # beyond set-up, load and drain: quiet before the load is at most 30 s

W5_P99_US = 250_000
W5_STEP_S = 2.0
W5_DRAIN_S = 1.0  # what is not there a second after the end is not there in 250 ms
W5_PLAN = Plan(start=5_000, floor=150, ceiling=1_280_000, bisections=3)
W5_QUICK_PLAN = Plan(start=10_000, floor=600, ceiling=1_280_000, bisections=0)
# A step that failed says nothing of a server that had time left while the load had none.
LOAD_BUSY = 0.90
SERVER_BUSY = 0.95
LATE_US = 50_000

W6_IDLE_S = 1.0
START_RUNS = 7


@dataclass(frozen=True, slots=True)
class Shape:
    clients: int
    senders: int
    rate: float = 0  # lines a second of all senders; 0: closed loop


# The same with either load: few enough that the fan-out is nothing beside the commit, and lines far
# enough apart that each is a commit of its own.
ACKNOWLEDGED = Shape(clients=10, senders=1, rate=20)
# Before the load and again after it, for the disk that was quick a second ago may be busy now: 4 s
# in all.
FLUSHES = 40


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many clients: the full number with the C load, fewer with the Python one."""

    steady: dict[str, Shape]
    flood: Shape
    idle: tuple[int, ...]


FULL = Sizes(
    steady={
        "W1": Shape(10, 10),
        "W2": Shape(100, 10),
        "W3": Shape(1_000, 10),
        "W4": Shape(1_000, 1, LIGHT_RATE),
    },
    flood=Shape(200, 200),
    idle=(1_000, 10_000),
)
SMALL = Sizes(
    steady={
        "W1": Shape(10, 10),
        "W2": Shape(50, 10),
        "W3": Shape(200, 10),
        "W4": Shape(200, 1, LIGHT_RATE),
    },
    flood=Shape(30, 30),
    idle=(1_000,),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements of a run have in common."""

    programs: Programs | None
    cores: Cores
    duration_s: float
    quick: bool
    too_many: set[tuple[str, int]] = field(default_factory=set)  # not tried again in later rounds

    @property
    def sizes(self) -> Sizes:
        return FULL if self.programs else SMALL

    def measure(self, workload: str, server: Server, turn: int) -> Measurement:
        """One measurement; what went wrong becomes its `failure`."""
        try:
            return Measurement(workload, server.name, turn, self._figures(workload, server))
        except (Failed, OSError) as error:
            return Measurement(workload, server.name, turn, {}, failure=str(error))

    def _figures(self, workload: str, server: Server) -> dict[str, float]:
        match workload:
            case "W5":
                return self._flood(server)
            case "W6":
                return self._idle(server)
            case "W7":
                return self._acknowledgement(server)
            case _:
                return self._steady(server, self.sizes.steady[workload])

    def _steady(self, server: Server, shape: Shape) -> dict[str, float]:
        figures = self._load(server, shape, self.duration_s, DRAIN_S)
        return {**figures, "cpu_percent": 100 * figures["cpu_s"] / figures["wall_s"]}

    def _flood(self, server: Server) -> dict[str, float]:
        held: dict[float, float] = {}

        def attempt(rate: float) -> Outcome:
            shape = Shape(self.sizes.flood.clients, self.sizes.flood.senders, rate)
            figures = self._load(server, shape, W5_STEP_S, W5_DRAIN_S)
            outcome = judge(figures)
            if outcome is Outcome.HELD:
                held[rate] = figures["p99_us"]
            return outcome

        peak: Peak = highest(attempt, W5_QUICK_PLAN if self.quick else W5_PLAN)
        figures = {"rate": peak.rate, "at_least": float(peak.at_least)}
        return figures | ({"p99_us": held[peak.rate]} if peak.rate else {})

    def _idle(self, server: Server) -> dict[str, float]:
        figures: dict[str, float] = {}
        for clients in self.sizes.idle[: 1 if self.quick else None]:
            if (server.name, clients) in self.too_many:
                break
            try:
                seen = self._run(server, Shape(clients, 1), ["--idle", str(W6_IDLE_S)], SETUP_S)
            except Failed:
                if clients == self.sizes.idle[0] or server.name in OUR_SERVERS:
                    raise
                self.too_many.add((server.name, clients))  # its column stays empty
                break
            figures[f"kib_{clients}"] = seen["rss_per_client_kib"]
            figures[f"joined_per_s_{clients}"] = seen["joined_per_s"]
        return figures

    def _acknowledgement(self, server: Server) -> dict[str, float]:
        keeps = server.name == DISK
        flushes = self._flushes() if keeps else []
        figures = self._load(server, ACKNOWLEDGED, self.duration_s, DRAIN_S, "--own-echo")
        if not figures["echo"]:
            raise Failed("sends no echo: nothing tells a sender that its line was taken")
        if keeps:
            figures["sync_ms"] = median([*flushes, *self._flushes()])
            figures["over_sync_ms"] = figures["p50_us"] / 1e3 - figures["sync_ms"]
        return figures

    def _flushes(self) -> list[float]:
        """On the disk that holds the server's own folder, before it has started or after it has ended."""
        with _scratch_folder() as folder:
            return flush_times_ms(folder, FLUSHES, self.cores.server)

    def _load(
        self, server: Server, shape: Shape, duration_s: float, drain_s: float, *more: str
    ) -> dict[str, float]:
        argv = ["--senders", str(shape.senders), "--size", str(LINE_BYTES), "--window", str(WINDOW)]
        argv += ["--rate", str(shape.rate / shape.senders), "--duration", str(duration_s)]
        argv += ["--drain", str(drain_s), *more]
        return self._run(server, shape, argv, SETUP_S + duration_s + drain_s)

    def _run(
        self, server: Server, shape: Shape, argv: list[str], limit_s: float
    ) -> dict[str, float]:
        with self._started(server) as (running, folder):
            command = [str(self.programs.loadgen)] if self.programs else _python_load()
            command += ["--proto", running.proto, "--port", str(running.port)]
            command += ["--in-hand", str(server.in_hand)]
            for pid in running.process.pids:
                command += ["--pid", str(pid)]
            command += ["--clients", str(shape.clients), "--setup", str(SETUP_S), *argv]
            with Process(command, self.cores.load, folder / "load.log") as load:
                code, out = load.output(limit_s + MARGIN_S)
                if code not in (0, 1) or not out.strip():
                    raise Failed(load.last_words())
                return parse(out)

    @contextlib.contextmanager
    def _started(self, server: Server) -> Iterator[tuple[Running, pathlib.Path]]:
        with _scratch_folder() as folder:
            folder.chmod(0o755)  # ngIRCd reads its file as another user
            running = server.start(folder, self.cores.server)
            with running.process:
                if server.name in OUR_SERVERS:
                    # What it takes to make a certificate is no part of what is measured.
                    running.process.until_said(ALL_SAID)
                yield running, folder

    def start_times_ms(self, server: Server) -> list[float]:
        """Of a server of ours: from exec to the line that says where it listens; none when it does not start."""
        try:
            return [self._start_time_ms(server) for _ in range(START_RUNS)]
        except Failed:
            return []

    def _start_time_ms(self, server: Server) -> float:
        with _scratch_folder() as folder:
            command = our_command(server.name, folder)
            with Process(command, self.cores.server, folder / "server.log") as process:
                process.listening_port()
                return (time.monotonic() - process.started) * 1e3


@contextlib.contextmanager
def _scratch_folder() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="chatcore-bench-", ignore_cleanup_errors=True) as name:
        yield pathlib.Path(name)


def _python_load() -> list[str]:
    return [sys.executable, str(HERE / "pyload.py")]


def parse(out: bytes) -> dict[str, float]:
    """The load's one line of JSON: its numbers."""
    try:
        read: Any = json.loads(out)
        return {name: float(value) for name, value in read.items() if not isinstance(value, str)}
    except (ValueError, AttributeError, TypeError):
        raise Failed(f"unreadable result: {out[:80]!r}") from None


def judge(figures: dict[str, float]) -> Outcome:
    """Did a step of W5 hold: everything delivered, in order, in time?"""
    faults = ("lost", "bad_clients", "order_errors", "closed")
    if not any(figures[name] for name in faults) and figures["p99_us"] < W5_P99_US:
        return Outcome.HELD
    load_full = figures["load_busy"] > LOAD_BUSY or figures["load_late_us"] > LATE_US
    server_full = figures["cpu_s"] > SERVER_BUSY * figures["wall_s"]
    return Outcome.LOAD_FULL if load_full and not server_full else Outcome.MISSED
