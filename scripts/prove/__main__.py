"""`python -m scripts.prove`: the headline rounds, one line each. Exit code: 0 when every count is 0, 1 when not."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .disk import NoSmallDisk, full_round
from .process import Failed
from .rounds import cut_rounds, kill_rounds
from .stall import stall_round
from .wire import Ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from .verdict import Verdict

    Round = tuple[str, Callable[[Path], Verdict]]

SEED = 20_261_121
"""Any other is as good: it says when the plug is pulled."""


def rounds(arguments: argparse.Namespace) -> list[Round]:
    return [
        ("the server is killed", partial(kill_rounds, kills=arguments.kills, seed=arguments.seed)),
        ("the network is cut", partial(cut_rounds, cuts=arguments.cuts, seed=arguments.seed)),
        ("two do not read", partial(stall_round, lines=arguments.lines)),
        ("the disk is full", full_round),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/prove.sh",
        description="Break a real server in four ways, and count what was lost, doubled or reordered.",
    )
    parser.add_argument("--kills", type=int, default=20, help="of the server (default: 20)")
    parser.add_argument("--cuts", type=int, default=50, help="of the network (default: 50)")
    parser.add_argument(
        "--lines", type=int, default=100_000, help="past one who does not read (default: 100000)"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the moments")
    arguments = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="chatcore-prove-") as folder:
        for number, (name, run) in enumerate(rounds(arguments)):
            began = time.monotonic()
            try:
                verdict = run(Path(folder) / str(number))
                words, good = str(verdict), good and verdict.good
            except (Failed, Ended) as failure:
                words, good = f"FAILED: {failure}", False
            except NoSmallDisk as reason:
                words = f"not tried: {reason} (root can)"
            print(f"{name:<21} {words} · {time.monotonic() - began:.0f} s", flush=True)
    print("nothing lost, nothing doubled, nothing reordered" if good else "THE PROMISE IS BROKEN")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        code = main()
    except BrokenPipeError:
        # Its reader has seen enough (`| head`). Python would flush, and complain, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)
