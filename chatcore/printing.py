"""Standard output, whose reader may have seen enough (`chatcore export | head`), whose disk may be full, or which may
not be there at all."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_SIGPIPE = 141
"""What shells report of a program that SIGPIPE ended: 128 + 13."""

EXIT_IO = 74
"""As in BSD's sysexits.h: input/output error."""

STANDARD_FDS = 3
"""Input, output, errors."""


def printing(work: Callable[[], int]) -> int:
    """Do what prints; returns its exit code, or that of a reader who left. Raises OSError, also of the output."""
    try:
        code = work()
        sys.stdout.flush()
    except BrokenPipeError:
        _print_no_more()
        return EXIT_SIGPIPE
    except OSError:
        put("")  # what was printed before it, if that is not what failed
        raise
    return code


def say(text: str, code: int = 0) -> int:
    """Print it; returns the exit code, that of a reader who left, or that of an output that takes nothing."""
    error = put(text)
    if error is None:
        return code
    if isinstance(error, BrokenPipeError):
        return EXIT_SIGPIPE
    sys.stderr.write(f"chatcore: cannot write the output: {error.strerror}\n")
    return EXIT_IO


def put(text: str) -> OSError | None:
    """Print it; returns why that cannot be. Then nothing is printed any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _print_no_more()
        return error
    return None


def _print_no_more() -> None:
    """Python would flush, and complain, once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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
