"""The command: options, the order of measurements, the results in three forms.

In every round each workload visits all servers, beginning with another one each time, so that no server
is always first on a warm or a tired machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import signal
import sys
import tempfile
from typing import TYPE_CHECKING, NoReturn

from . import build, disk, machine, report, servers, workloads
from .figures import Measurement, exit_code, summarise
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .servers import Server

RUNS = 5
# Where one measurement is long (W5 is a search) or hardly varies (W6), three rounds do.
FEWER_RUNS = {"W5": 3, "W6": 3}
DURATION_S = 3.0
QUICK_S = 1.0
INTERRUPTED = 130
QUIET_LOAD = 0.5  # load average above which others disturb the figures


def main(argv: Sequence[str] | None = None) -> int:
    options = parse_options(argv)
    if sys.platform != "linux":
        sys.exit("bench.py: needs Linux (it reads the servers' CPU time and memory from /proc)")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        return run(options)
    except KeyboardInterrupt:
        print("\nbench.py: interrupted", file=sys.stderr)
        return INTERRUPTED


def _interrupted(*_: object) -> NoReturn:
    """Unwinds through every `with`, so no child outlives the bench; a second Ctrl-C must not stop that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description="Chat servers side by side.")
    parser.add_argument("--workloads", type=_Names(workloads.NAMES), default=list(workloads.NAMES))
    parser.add_argument("--servers", type=_Names(servers.NAMES), default=list(servers.NAMES))
    parser.add_argument("--runs", type=int, default=RUNS, help=f"interleaved rounds ({RUNS})")
    parser.add_argument("--duration", type=float, help=f"seconds of load a run ({DURATION_S:.0f})")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every measurement")
    parser.add_argument("--markdown", action="store_true", help="tables for the README")
    parser.add_argument(
        "--keep-build", action="store_true", help="keep builds of older sources too"
    )
    options = parser.parse_args(argv)
    options.runs = 1 if options.quick else max(1, options.runs)
    options.duration = options.duration or (QUICK_S if options.quick else DURATION_S)
    return options


class _Names:
    """An argparse type: names parted by commas, each once, in our order."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = allowed

    def __call__(self, text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in self._allowed]:
            raise argparse.ArgumentTypeError(
                f"{', '.join(unknown)} not among {', '.join(self._allowed)}"
            )
        return [name for name in self._allowed if name in chosen]


def run(options: argparse.Namespace) -> int:
    progress = Progress(0, sys.stderr)
    programs = build.compile_c_parts(progress.say, keep_old=options.keep_build)
    found, missing = servers.all_servers(programs)
    for name in options.servers:
        if name in missing:
            progress.say(f"without {name}: {missing[name]}")
    chosen = [server for server in found if server.name in options.servers]
    cores = machine.Cores.of_this_machine()
    if cores.server is None:
        progress.say("only one core: server and load share it, the figures say little")
    if (load := os.getloadavg()[0]) > QUIET_LOAD:
        progress.say(
            f"the machine is busy (load average {load:.1f}): trust the ratios, and not by much"
        )
    if machine.raise_descriptor_limit() < servers.REDIS_CLIENTS:
        progress.say("the limit on open files is low: W6 cannot have 10,000 clients")
    scratch = pathlib.Path(tempfile.gettempdir())
    if any(server.name == servers.DISK for server in chosen) and disk.is_memory(scratch):
        progress.say(f"{scratch} is memory: for history on, set TMPDIR to a folder on a disk")
    bench = workloads.Bench(programs, cores, options.duration, options.quick)
    measurements = measure_all(bench, chosen, options)
    ours = [server for server in chosen if server.name in servers.OUR_SERVERS]
    starts = {server.name: bench.start_times_ms(server) for server in ours}
    show(measurements, starts, chosen, bench, options)
    return exit_code(measurements) if all(starts.values()) else 1


def schedule(
    chosen: Sequence[Server], names: Sequence[str], runs: int
) -> Iterator[tuple[int, str, Server]]:
    """(round, workload, server): every server's turn once a round, the first one rotating."""
    for turn in range(runs):
        for workload in names:
            if turn < FEWER_RUNS.get(workload, runs):
                first = turn % max(1, len(chosen))
                for server in [*chosen[first:], *chosen[:first]]:
                    yield turn, workload, server


def measure_all(
    bench: workloads.Bench, chosen: Sequence[Server], options: argparse.Namespace
) -> list[Measurement]:
    plan = list(schedule(chosen, options.workloads, options.runs))
    progress = Progress(len(plan), sys.stderr)
    measurements: list[Measurement] = []
    for turn, workload, server in plan:
        progress.step(f"round {turn + 1}: {workload} {server.title}")
        measurements.append(bench.measure(workload, server, turn))
        if failure := measurements[-1].failure:
            progress.say(f"{workload} {server.title}: {failure}")
    progress.finish()
    order = [server.name for server in chosen]
    return sorted(measurements, key=lambda m: (m.workload, order.index(m.server), m.turn))


def show(
    measurements: Sequence[Measurement],
    starts: Mapping[str, Sequence[float]],
    chosen: Sequence[Server],
    bench: workloads.Bench,
    options: argparse.Namespace,
) -> None:
    rows = summarise(measurements)
    titles = {server.name: server.title for server in chosen}
    clients = {name: shape.clients for name, shape in bench.sizes.steady.items()}
    clients["W5"] = bench.sizes.flood.clients
    clients["W7"] = workloads.ACKNOWLEDGED.clients
    made = report.tables(rows, titles, clients)
    blocks = [table.markdown() if options.markdown else table.text() for table in made]
    started = [report.start_line(name, titles[name], ms) for name, ms in starts.items() if ms]
    blocks += ["\n".join(started)] if started else []
    blocks += report.notes(rows, titles)
    print("\n\n".join(blocks))
    if options.json:
        record = {
            "machine": {
                "processor": platform.machine(),
                "kernel": platform.release(),
                "python": platform.python_version(),
                "cores": os.cpu_count(),
            },
            "runs": options.runs,
            "duration_s": options.duration,
            "load": "C" if bench.programs else "Python",
            "start_ms": starts,
            "measurements": [dataclasses.asdict(one) for one in measurements],
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n")
