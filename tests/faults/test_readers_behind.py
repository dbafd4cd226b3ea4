"""Readers far behind, and very many at once, with the history on disk: served from its pages, and nobody else waits."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scripts.prove.people import Talker, wait_for
from scripts.prove.process import ROOT, Server
from scripts.prove.rounds import begin, finish
from scripts.prove.stall import MOST_MIB, PADDING, stall_round
from scripts.prove.wire import PAGE, Asker, Wire, form
from tests.faults.ways import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Message, Start

GRACE = (
    "[flood]\nenabled = false\n[limits]\nconnections_per_address = 0\n[presence]\ngrace_s = 60\n"
)
BACK_S = 30.0


def check_stalled(folder: Path, lines: int, **sizes: int) -> None:
    verdict = stall_round(folder, lines, **sizes)
    print(f"\n{verdict}")
    assert verdict.tried == lines
    assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.faults) == (0, 0, 0, [])


def test_who_does_not_read_gets_every_line_later_from_the_disk(tmp_path: Path) -> None:
    """F1."""
    check_stalled(tmp_path, 30_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_who_does_not_read_while_200_000_lines_pass_gets_every_one_later(tmp_path: Path) -> None:
    check_stalled(tmp_path, 200_000)


def test_twenty_of_a_hundred_who_do_not_read_get_every_line_later(tmp_path: Path) -> None:
    """F2; few but long lines, more than memory holds."""
    check_stalled(tmp_path, 5_000, asleep=20, others=80, padding=3_900)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_of_a_thousand_who_do_not_read_get_every_line_later(tmp_path: Path) -> None:
    check_stalled(tmp_path, 5_000, asleep=200, others=800, padding=3_900)


def check_all_ways(folder: Path, lines: int, asleep: int, others: int) -> None:
    """F2: who sleeps, who reads and who talks come in every way there is."""
    ways = list(KINDS.values())
    verdict = stall_round(
        folder, lines, asleep=asleep, others=others, padding=3_900, kinds=ways, talking=ways
    )
    print(f"\n{', '.join(KINDS)}: {verdict}")
    assert verdict.tried == lines
    assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.faults) == (0, 0, 0, [])


def test_in_whatever_way_they_come_they_get_every_line_once_in_one_order(tmp_path: Path) -> None:
    check_all_ways(tmp_path, 3_000, asleep=6, others=6)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_of_a_thousand_in_every_way_get_every_line_once_in_one_order(
    tmp_path: Path,
) -> None:
    check_all_ways(tmp_path, 3_000, asleep=200, others=800)


def check_stopped_client(
    folder: Path, wait_for_it: Callable[..., None], lines: int, patience: float
) -> None:
    """F1 as a person has it: Ctrl-Z, or a laptop that sleeps."""
    heard = folder / "heard"
    with closing(Server(folder)) as server, heard.open("wb") as out:
        talker = Talker(
            "talker", server.address, ("#lobby",), window=256, most=lines, padding=PADDING
        )
        client = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "clients" / "client_2.py"),
                f"127.0.0.1:{server.address[1]}",
                *("--listen", "--json"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_it(lambda: b'"Bob"' in heard.read_bytes(), "Bob is in")
            client.send_signal(signal.SIGSTOP)
            before_kib = server.rss_kib
            talker.start()
            wait_for(lambda: talker.quiet, [talker], "everything is said")
            grown_mib = (server.rss_kib - before_kib) / 1024
            assert len(heard.read_bytes()) < lines * PADDING // 2, "it is stopped"
            client.send_signal(signal.SIGCONT)
            with closing(Asker(server.address, "End", ("#lobby",))) as asker:
                asker.say("#lobby", "end-0")
            wait_for_it(lambda: b'"end-0"' in tail(heard), "Bob has heard the end", 60.0)
            assert client.poll() is None, "it was not closed"
        finally:
            client.kill()
            client.wait(20 * patience)
    messages = [json.loads(line) for line in heard.read_text().splitlines()]
    said = [each["text"].partition(" ")[0] for each in messages if each.get("t") == "say"]
    print(f"\n{lines:,} lines past a stopped client: server memory +{grown_mib:.1f} MiB")
    assert said == [*(f"talker-{number + 1}" for number in range(lines)), "end-0"]
    assert not [each for each in messages if each.get("t") == "gap"]
    assert grown_mib <= MOST_MIB


def tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read()


def test_a_stopped_client_goes_on_with_every_line_once(
    tmp_path: Path, wait_for: Callable[..., None], patience: float
) -> None:
    check_stopped_client(tmp_path, wait_for, 30_000, patience)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stopped_client_goes_on_after_200_000_lines(
    tmp_path: Path, wait_for: Callable[..., None], patience: float
) -> None:
    check_stopped_client(tmp_path, wait_for, 200_000, patience)


def check_history_flood(folder: Path, readers: int, pages: int) -> None:
    """F6. After a restart, and of long lines: their beginning is not in the server's memory."""
    with closing(Server(folder)) as server:
        talker = Talker("talker", server.address, ("#lobby",), window=64, most=20_000, padding=500)
        begin([talker])
        wait_for(lambda: talker.quiet, [talker], "there is a history")
        finish(server, [talker])
    with closing(Server(folder)) as server:
        got: list[list[Message]] = [[] for _ in range(readers)]

        def read(name: str, mine: list[Message]) -> None:
            with closing(Asker(server.address, name, ("#lobby",))) as reader:
                mine += reader.history("#lobby", pages)

        threads = [
            threading.Thread(target=read, args=(f"reader{number}", mine))
            for number, mine in enumerate(got)
        ]
        for thread in threads:
            thread.start()
        with closing(Asker(server.address, "Asker", ("#lobby",))) as asker:
            pings, worst_s = 0, 0.0
            while any(thread.is_alive() for thread in threads):
                began = time.monotonic()
                asker.wait_for(form("ping", re=f"p{pings}"), "re", f"p{pings}")
                worst_s = max(worst_s, time.monotonic() - began)
                pings += 1
        for thread in threads:
            thread.join()
    print(
        f"\n{readers} readers, {readers * pages} pages of {PAGE}; meanwhile {pings} pings, "
        f"the worst {worst_s * 1000:.0f} ms"
    )
    stored = sorted(seq for seq in talker.acked.values() if seq is not None)
    for mine in got:
        assert len(mine) == PAGE * pages
        said = [record["seq"] for record in mine if record["t"] == "say"]
        assert said == stored[: len(said)]
        assert len(said) > len(mine) - 2 * readers, "the others are arrivals"
    assert pings


def test_ten_who_page_through_the_history_get_it_and_others_are_answered(tmp_path: Path) -> None:
    check_history_flood(tmp_path, 10, 20)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_who_page_through_the_history_get_it_and_others_are_answered(
    tmp_path: Path,
) -> None:
    check_history_flood(tmp_path, 100, 40)


def check_return_storm(start: Start, data: Path, count: int) -> None:
    """F7."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        server = start.server(config=GRACE, data=data)
        welcomes = storm(server.address, [{"rooms": rooms(number)} for number in range(count)])
        server.kill()
        server = start.server("--port", str(server.address[1]), config=GRACE, data=data)
        began = time.monotonic()
        returns = storm(
            server.address,
            [
                {key: welcome[key] for key in ("token", "log")} | {"after": welcome["seq"]}
                for welcome in welcomes
            ],
        )
        back_s = time.monotonic() - began
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"\n{count} back within {back_s:.2f} s after a kill")
    assert [back.get("resumed") for back in returns] == [True] * count
    for number, (welcome, back) in enumerate(zip(welcomes, returns, strict=True)):
        assert (back["sid"], back["alias"]) == (welcome["sid"], f"user{number}")
        assert sorted(room["room"] for room in back["rooms"]) == sorted(rooms(number))
    late = start.native()
    late.hello("Late")
    late.say("1", "room for one more")


def rooms(number: int) -> list[str]:
    return ["#lobby", f"#room{number % 50}"]


def storm(address: tuple[str, int], hellos: list[dict[str, object]]) -> list[Message]:
    """All of them connected at the same time; what each was answered first."""
    wires = [Wire(address) for _ in hellos]
    try:
        for number, (wire, hello) in enumerate(zip(wires, hellos, strict=True)):
            wire.send(form("hello", v=1, alias=f"user{number}", **hello))
        return [wire.messages()[0] for wire in wires]
    finally:
        for wire in wires:
            wire.close()


def test_three_hundred_come_back_to_a_restarted_server(start: Start, tmp_path: Path) -> None:
    check_return_storm(start, tmp_path / "data", 300)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_thousand_come_back_to_a_restarted_server(start: Start, tmp_path: Path) -> None:
    check_return_storm(start, tmp_path / "data", 5_000)
