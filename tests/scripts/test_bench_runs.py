"""The benchmark for real, and short: what it starts, what it counts, what it leaves behind."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from scripts.bench import build, cli, disk, workloads
from scripts.bench.machine import Cores, descendants
from scripts.bench.servers import DISK, OUR_SERVERS, Server, all_servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench.py"
RUN_S = 60


def needs_compiler() -> None:
    if shutil.which("cc") is None:
        assert os.environ.get("CI") != "true", "CI has no C compiler: the bench would go untested"
        pytest.skip("no C compiler")


# The disk


def test_flushes_overwrite_one_small_file(tmp_path: pathlib.Path) -> None:
    times = disk.flush_times_ms(tmp_path, 5)
    assert len(times) == 5
    assert min(times) > 0
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == disk.FLUSH_BYTES


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/tmp/scratch", True), ("/tmp/disk/scratch", False), ("/tmpfile", False), ("/", False)],
)
def test_folder_in_memory_is_told_from_one_on_a_disk(
    folder: str, expected: bool, tmp_path: pathlib.Path
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        "/dev/vdb /tmp ext4 rw 0 0\n"
        "tmpfs /tmp tmpfs rw 0 0\n"  # over the one before
        "/dev/vdc /tmp/disk ext4 rw 0 0\n"
    )
    assert disk.is_memory(pathlib.Path(folder), mounts) is expected


# Whole runs


def run_bench(*argv: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH), *argv]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=RUN_S, check=False
    )


def test_quick_run_counts_every_delivery(tmp_path: pathlib.Path) -> None:
    needs_compiler()
    done = run_bench(
        "--quick",
        "--workloads",
        "W1",
        "--servers",
        "limit,threads",
        "--json",
        "r.json",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "limit (C)" in done.stdout
    measurements = json.loads((tmp_path / "r.json").read_text())["measurements"]
    assert [m["server"] for m in measurements] == ["limit", "threads"]
    for one in measurements:
        assert not one["failure"]
        assert one["figures"]["delivered"] == one["figures"]["sent"] * 10 > 0
        assert one["figures"]["lost"] == one["figures"]["order_errors"] == 0


def started(name: str) -> Server:
    return next(server for server in all_servers(None)[0] if server.name == name)


def test_of_ours_only_the_one_with_history_on_keeps_anything(tmp_path: pathlib.Path) -> None:
    for name in OUR_SERVERS:
        (folder := tmp_path / name).mkdir()
        with started(name).start(folder, None).process:
            kept = folder / "data" / "chatcore.db"
            assert kept.exists() is (name == DISK)


@pytest.mark.parametrize("compiled", [True, False], ids=["C load", "Python load"])
def test_acknowledgement_is_measured_at_the_sender_beside_the_disk(compiled: bool) -> None:
    if compiled:
        needs_compiler()
    programs = build.compile_c_parts(print) if compiled else None
    bench = workloads.Bench(programs, Cores(None, None), duration_s=0.5, quick=True)
    for name in OUR_SERVERS:
        one = bench.measure("W7", started(name), 0)
        assert not one.failure
        figures = one.figures
        assert figures["sent"] == workloads.ACKNOWLEDGED.rate * 0.5
        assert figures["lost"] == figures["order_errors"] == 0
        assert figures["timed"] == figures["sent"]  # each line once, not each of its copies
        assert ("sync_ms" in figures) is (name == DISK)


def test_without_a_compiler_a_smaller_python_load_is_used_and_said(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing is installed there
    done = run_bench("--quick", "--workloads", "W1", "--servers", "limit,threads", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a smaller load in Python" in done.stderr
    assert "without limit: not compiled" in done.stderr
    assert "thread per client" in done.stdout


def test_interrupted_bench_leaves_no_process_behind(tmp_path: pathlib.Path) -> None:
    needs_compiler()
    argv = ["--runs", "1", "--duration", "60", "--workloads", "W1", "--servers", "threads"]
    with subprocess.Popen(
        [sys.executable, str(BENCH), *argv], cwd=tmp_path, stderr=subprocess.DEVNULL
    ) as bench:
        family = wait_for_family(bench.pid, members=2)  # the server and the load
        bench.send_signal(signal.SIGINT)
        assert bench.wait(RUN_S) == cli.INTERRUPTED
    assert [pid for pid in family if pathlib.Path(f"/proc/{pid}").exists()] == []


def wait_for_family(pid: int, members: int) -> list[int]:
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline:
        family = descendants(pid)
        commands = [pathlib.Path(f"/proc/{one}/cmdline") for one in family]
        if len(family) == members and all(
            path.exists() and b"--port" in path.read_bytes() for path in commands[1:]
        ):
            return family
        os.sched_yield()
    raise AssertionError("the bench did not start its processes")
