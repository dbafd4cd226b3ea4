#!/usr/bin/env python3
"""Fuzzes the pure layers: with atheris, guided by what the code does with the input, else by mutations from a seed.

    pip install atheris          guided; for CPython up to 3.13
    scripts/fuzz.py [LAYER ...] [--runs 1000000] [--seconds 600] [--seed 1]

The layers and what they promise are in tests/fuzz/layers.py. An input that breaks one is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNS = 1_000_000
PROGRESS_EVERY = 100_000
MOST_BYTES = 8 * 1024
"""Of a guided input: enough for anything but what is only large."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzzes the pure layers.")
    parser.add_argument("layers", nargs="*", metavar="LAYER", help="all, if none is named")
    parser.add_argument("--runs", type=int, default=RUNS, help="inputs (default: a million)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def guided(asked: argparse.Namespace) -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["chatcore"]):
        from tests.fuzz.layers import LAYERS
    from tests.fuzz.inputs import CORPUS

    layers = chosen(LAYERS, asked.layers)

    def one(data: bytes) -> None:
        # The first byte chooses, so that what is found for one layer also helps another.
        if data:
            layers[data[0] % len(layers)](data[1:])

    folder = Path(__file__).resolve().parent.parent / ".cache" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(CORPUS):
        for layer in range(len(layers)):
            (folder / f"corpus-{number}-{layer}").write_bytes(bytes((layer,)) + data)
    options = [f"-runs={asked.runs}", f"-seed={asked.seed}", f"-max_len={MOST_BYTES}"]
    if asked.seconds != float("inf"):
        options.append(f"-max_total_time={int(asked.seconds)}")
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(folder)], one)
    atheris.Fuzz()


def by_chance(asked: argparse.Namespace) -> int:
    from tests.fuzz.inputs import mutated
    from tests.fuzz.layers import LAYERS

    source, end = random.Random(asked.seed), time.monotonic() + asked.seconds
    layers = chosen(LAYERS, asked.layers)
    for number in range(asked.runs):
        data = mutated(source)
        try:
            layers[number % len(layers)](data)
        except BaseException:
            print(f"input {number} of seed {asked.seed}: {data!r}", file=sys.stderr)
            raise
        if number % PROGRESS_EVERY == 0:
            print(f"{number:,} inputs", flush=True)
        if time.monotonic() > end:
            break
    return 0


def chosen(
    layers: dict[str, Callable[[bytes], None]], wanted: Sequence[str]
) -> list[Callable[[bytes], None]]:
    if unknown := set(wanted) - set(layers):
        raise SystemExit(
            f"no such layer: {', '.join(sorted(unknown))}; there are: {', '.join(layers)}"
        )
    return [layers[name] for name in wanted or layers]


def main() -> int:
    asked = arguments()
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed (pip install atheris): by chance, from a seed")
        return by_chance(asked)
    guided(asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
