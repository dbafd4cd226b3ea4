"""P1: any bytes into any pure layer give a value: no exception, no stall, no growth. Mutations of a corpus, from a seed."""

from __future__ import annotations

import gc
import json
import mmap
import resource
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import CORPUS, mutated
from tests.fuzz.layers import LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20261121
STALL_S = 0.05
GROWTH_KIB = 8 * 1024
"""More than an allocator keeps for itself, less than any leak of one object an input leaves over the run."""

WARM = 0.2
"""Share of the inputs after which memory has to have settled."""

SIZES = [
    pytest.param(50_000, id="50k"),
    pytest.param(1_000_000, id="1M", marks=[pytest.mark.slow, pytest.mark.timeout(1_800)]),
]


def rss_kib() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def cost_s(layer: Callable[[bytes], None], data: bytes) -> float:
    before = time.thread_time()
    layer(data)
    return time.thread_time() - before


def run(layers: dict[str, Callable[[bytes], None]], tries: int, seed: int) -> dict[str, object]:
    """What a run comes to: uncaught exceptions and stalls, each with the input that made it."""
    random = Random(seed)
    uncaught: list[tuple[str, str, bytes]] = []
    stalls: list[tuple[str, float, bytes]] = []
    worst, settled = (0.0, ""), 0
    rounds = tries // len(layers)
    for number in range(rounds):
        if number == int(rounds * WARM):
            gc.collect()
            settled = rss_kib()
        for name, layer in layers.items():
            data = mutated(random)
            try:
                spent = cost_s(layer, data)
                if spent > STALL_S:
                    # Only what is slow every time is slow: the machine may have been busy.
                    spent = min(spent, *(cost_s(layer, data) for _ in range(3)))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                uncaught.append((name, repr(error)[:200], data[:200]))
                continue
            worst = max(worst, (spent, name))
            if spent > STALL_S:
                stalls.append((name, spent, data[:200]))
    gc.collect()
    return {
        "tried": rounds * len(layers),
        "uncaught": uncaught,
        "stalls": stalls,
        "worst": f"{worst[0] * 1e3:.1f} ms ({worst[1]})",
        "grown_kib": rss_kib() - settled,
    }


@pytest.mark.parametrize("tries", SIZES)
def test_no_input_breaks_stalls_or_swells_a_layer(tries: int) -> None:
    result = run(LAYERS, tries, SEED)
    print(
        f"fuzz: {result['tried']:,} tried, {len(result['uncaught'])} uncaught, {len(result['stalls'])} stalls, "  # type: ignore[arg-type]
        f"worst {result['worst']}, grown {result['grown_kib']} KiB, seed {SEED}"
    )
    assert result["uncaught"] == []
    assert result["stalls"] == []
    assert result["grown_kib"] < GROWTH_KIB  # type: ignore[operator]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_corpus_itself_is_taken(layer: str) -> None:
    for data in CORPUS:
        LAYERS[layer](data)


@pytest.mark.parametrize("layer", LAYERS)
@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(max_size=400)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_taken(layer: str, data: bytes) -> None:
    LAYERS[layer](data)


@pytest.mark.parametrize("layer", ["native", "codec", "client", "settings"])
@settings(max_examples=60, deadline=None)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_taken(layer: str, data: object) -> None:
    LAYERS[layer](json.dumps(data).encode() + b"\n")


# The net itself: it has to catch what it is for


PIECE_BYTES = 256 * 1024


def test_the_run_finds_what_it_is_made_to_find() -> None:
    def breaks(data: bytes) -> None:
        data.decode()

    def stalls(data: bytes) -> None:
        end = time.thread_time() + 2 * STALL_S
        while data.startswith(b"Alice") and time.thread_time() < end:
            pass

    kept: list[mmap.mmap] = []

    def swells(data: bytes) -> None:
        # Memory of its own, and written to: nothing that was freed before can hide it.
        kept.append(mmap.mmap(-1, PIECE_BYTES))
        kept[-1].write(b"x" * PIECE_BYTES)

    result = run({"breaks": breaks}, 200, SEED)
    assert result["uncaught"]
    assert run({"stalls": stalls}, 30, SEED)["stalls"]
    assert run({"swells": swells}, 200, SEED)["grown_kib"] > GROWTH_KIB  # type: ignore[operator]
