"""Standard output, whose reader may have seen enough (`chatcore export | head`), or which may not be there at all."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_SIGPIPE = 141
"""What shells report of a program that SIGPIPE ended: 128 + 13."""

STANDARD_FDS = 3
"""Input, output, errors."""


def printing(work: Callable[[], int]) -> int:
    """Do what prints; returns its exit code, or that of a reader who left."""
    try:
        code = work()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would flush, and complain, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SIGPIPE
    return code


def say(text: str, code: int = 0) -> int:
    """Print it; returns the exit code, or that of a reader who left."""

    def write() -> int:
        sys.stdout.write(text)
        return code

    return printing(write)


def open_missing() -> None:
    """Give the standard streams that whoever started us has closed (`>&-`) a place that takes everything.

    Otherwise the next socket or file would get their descriptors, and what is meant for a terminal would go there.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) < STANDARD_FDS:
        pass
    os.close(fd)
    # Python has None where there was no stream when it started.
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
