"""The disk under the scratch folder: what one flush of a page costs there, and whether it is a disk at all.

A commit of a server that keeps its history ends in one flush, so its acknowledgement cannot be faster:
this is the floor that W7 measures against, in the same round.
"""

from __future__ import annotations

import os
import pathlib
import time

FLUSH_BYTES = 8 * 1024  # two pages of SQLite's log: about what a commit of one line writes
MOUNTS = pathlib.Path("/proc/self/mounts")
IN_MEMORY = ("tmpfs", "ramfs")


PAUSE_S = 0.05  # between two, as between W7's lines: a disk and a core that rest in between take five times as long


def flush_times_ms(folder: pathlib.Path, count: int, core: int | None = None) -> list[float]:
    """What `count` times one `pwrite` and `fdatasync` in `folder` took, each in milliseconds.

    The file is written once before and then overwritten in place: a file that grows must also have its
    new length on the disk, which costs a flush more. A log that is used over and over does not grow.
    They come as far apart as the lines that they are compared with, and from the server's core: on this machine
    the one core hears from the disk in 0.5 ms and the other in 1.1.
    """
    times: list[float] = []
    before = os.sched_getaffinity(0)
    fd = os.open(folder / "flushed", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.sched_setaffinity(0, before if core is None else {core})
        for number in range(count + 1):
            data = bytes([number % 256]) * FLUSH_BYTES
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            os.pwrite(fd, data, 0)
            os.fdatasync(fd)
            times.append((time.perf_counter() - start) * 1e3)
    finally:
        os.sched_setaffinity(0, before)
        os.close(fd)
    return times[1:]  # the first one made the file grow


def is_memory(folder: pathlib.Path, mounts: pathlib.Path = MOUNTS) -> bool:
    """Is the folder on a file system without a disk, such as /tmp of many systems?"""
    kinds = {}
    for line in mounts.read_text(errors="replace").splitlines():
        _, point, kind, *_ = line.split(" ")
        kinds[point] = kind  # of two on one point the later one is seen
    place = folder.resolve()
    found = next((str(p) for p in (place, *place.parents) if str(p) in kinds), "/")
    return kinds.get(found) in IN_MEMORY
