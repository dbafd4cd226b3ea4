"""What a scraper reads, checked with Prometheus' own parser, and what `chatcore status` and the health pages say."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chatcore.connection.crowd import FAREWELLS
from chatcore.metrics import FAMILIES
from chatcore.status import shown
from chatcore.store.measured import COMMIT_BOUNDS_S, Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Plain, Server, Start

ROOT = Path(__file__).parent.parent
DEADLINE_S = 20.0

DIALECTS = {"plain", "native", "undecided", "irc", "page", "websocket"}
CLOSED = {
    "dialect": DIALECTS,
    "encrypted": {"true", "false"},
    "path": {"push", "page"},
    "reason": set(FAREWELLS),
    "state": {"under_way", "waiting"},
}
"""The values that labels may have; those of `code` are the refusals that PROTOCOL.md names."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Socket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(self._path))


def get(path: Path, target: str) -> tuple[int, str]:
    with closing(Socket(path)) as asked:
        asked.request("GET", target)
        answer = asked.getresponse()
        return answer.status, answer.read().decode()


def scrape(path: Path) -> Samples:
    """Every sample by its name and labels; what the parser takes no offence at."""
    status, text = get(path, "/metrics")
    assert status == 200
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture
def kept(start: Start, tmp_path: Path) -> tuple[Server, Path]:
    """A server that keeps, and its admin socket."""
    data = tmp_path / "data"
    return start.server(data=data), data / "admin.sock"


def test_what_prometheus_reads_is_what_happened(
    start: Start, kept: tuple[Server, Path], wait_for: Callable[..., None]
) -> None:
    _, path = kept
    alice, bob = start.plain("Alice"), start.plain("Bob")
    carol = start.native("Carol")
    silent = start.plain()
    for number in range(10):
        alice.send(f"line {number}")
    bob.read_until("line 9")
    carol.say("c1", "hello")
    alice.read_until("Carol: hello")
    alice.send("/nick Bob", "/nonsense")
    alice.settle()
    before = scrape(path)
    assert value(before, "chatcore_connections", dialect="plain", encrypted="false") == 2
    assert value(before, "chatcore_connections", dialect="native", encrypted="false") == 1
    assert value(before, "chatcore_connections", dialect="undecided", encrypted="false") == 1
    assert value(before, "chatcore_sessions") == 3
    assert value(before, "chatcore_rooms") == 1
    assert value(before, "chatcore_messages_total") == 11
    assert value(before, "chatcore_refusals_total", code="alias_taken") == 1
    assert value(before, "chatcore_refusals_total", code="unknown_command") == 1
    assert value(before, "chatcore_turned_away_total", reason="arrivals_per_minute") == 0
    assert value(before, "chatcore_internal_errors_total") == 0
    assert value(before, "chatcore_storage_trouble") == 0
    assert value(before, "chatcore_readers_behind") == 0
    assert value(before, "chatcore_lag_lines") == 0
    assert value(before, "chatcore_commit_seconds_count") >= 3
    assert value(before, "chatcore_commit_seconds_bucket", le="+Inf") == value(
        before, "chatcore_commit_seconds_count"
    )
    assert 0 < value(before, "chatcore_loop_stall_most_seconds") < DEADLINE_S
    assert value(before, "process_resident_memory_bytes") > 1_000_000
    assert value(before, "process_open_fds") > 5
    silent.close()
    alice.send("and one more")
    bob.read_until("and one more")
    wait_for(
        lambda: ("chatcore_connections", frozenset({("dialect", "undecided"), ("encrypted", "false")}))
        not in scrape(path),
        "the silent one is gone",
    )  # fmt: skip
    after = scrape(path)
    assert value(after, "chatcore_messages_total") == 12
    for (name, labels), old in before.items():
        if name.endswith(("_total", "_count", "_sum", "_bucket")):
            assert after[name, labels] >= old, f"{name} {labels} went down"
    print(f"metrics: {len(before)} samples of {len(FAMILIES)} families read, 0 wrong")


def test_the_longest_recent_turn_begins_anew_with_each_scrape(kept: tuple[Server, Path]) -> None:
    _, path = kept
    stalls = [value(scrape(path), "chatcore_loop_stall_seconds") for _ in range(5)]
    most = value(scrape(path), "chatcore_loop_stall_most_seconds")
    assert min(stalls[1:]) < most or most == 0
    assert max(stalls) <= most


def test_no_name_of_a_person_or_a_room_is_told(start: Start, kept: tuple[Server, Path]) -> None:
    _, path = kept
    alice = start.plain("Xanthippe")
    alice.send('/join #sokrates" evil', "something said", "/nick Xanthippe2")
    alice.settle()
    _, text = get(path, "/metrics")
    for secret in ("anthippe", "sokrates", "something", "evil"):
        assert secret not in text
    protocol = (ROOT / "docs" / "PROTOCOL.md").read_text()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label, found in sample.labels.items():
                if label in CLOSED:
                    assert found in CLOSED[label]
                elif label == "code":
                    assert f"`{found}`" in protocol
                else:
                    assert (label, sample.name.partition("{")[0]) in {
                        ("le", "chatcore_commit_seconds_bucket"),
                        ("version", "chatcore_build_info"),
                        ("python", "chatcore_build_info"),
                    }


def test_names_units_and_types_are_as_prometheus_has_them() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"(chatcore|process)_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.help.endswith(".")
        assert "\n" not in family.help
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_operating_lists_the_metrics_as_they_are() -> None:
    document = (ROOT / "docs" / "OPERATING.md").read_text()
    listed = re.findall(
        r"^\| `((?:chatcore|process)_\w+)` \| (\w+) \| (.*) \|$", document, re.MULTILINE
    )
    assert listed == [(each.name, each.kind, each.help) for each in FAMILIES]


def test_over_tcp_people_are_counted_and_not_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start.server(config=f'[flood]\nenabled = false\n[admin]\nlisten = "127.0.0.1:{port}"\n')
    start.plain("Xanthippe")
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as asked:
        asked.request("GET", "/status")
        status = json.load(asked.getresponse())
    assert status["people"] == 1
    assert "worst" not in status["behind"]


def test_who_has_left_is_not_counted_although_they_may_return(start: Start, tmp_path: Path) -> None:
    """A closed tab says no goodbye: its session waits for days, and the room is as empty as it looks."""
    data = tmp_path / "data"
    start.server(config="[presence]\ngrace_s = 0.05\n", data=data)
    stays = start.plain("Stays")
    lost = start.native("Lost")
    stays.read_until("Lost has connected to the chat room")
    lost.close()
    stays.read_until("Lost has left the chat room!")
    path = data / "admin.sock"
    assert json.loads(get(path, "/status")[1])["people"] == 1
    assert value(scrape(path), "chatcore_sessions") == 1


def test_nothing_answers_when_it_is_off(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    start.server(config='[admin]\nlisten = "off"\n', data=data)
    assert not (data / "admin.sock").exists()


# Health


def test_a_server_that_serves_is_alive_and_ready(kept: tuple[Server, Path]) -> None:
    _, path = kept
    status, words = get(path, "/healthz")
    assert status == 200
    assert re.fullmatch(r"alive: turn \d+, [\d.]+ ms old; the longest took [\d.]+ ms\n", words)
    assert get(path, "/readyz") == (200, "ready\n")


def test_a_locked_log_is_not_ready_and_says_why(
    start: Start, kept: tuple[Server, Path], wait_for: Callable[..., None]
) -> None:
    _, path = kept
    alice = start.plain("Alice")
    with closing(sqlite3.connect(path.parent / "chatcore.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        alice.send("into the void")
        wait_for(lambda: get(path, "/readyz")[0] == 503, "it is not ready")
        assert "locked" in get(path, "/readyz")[1]
        assert value(scrape(path), "chatcore_storage_trouble") == 1
        assert value(scrape(path), "chatcore_unsaved_characters") == len("into the void")
        asked = command("status", "--data", str(path.parent))
        assert asked.returncode == 1
        assert "not ready: The log is locked" in asked.stdout
        assert get(path, "/healthz")[0] == 200
        other.execute("ROLLBACK")
    alice.read_until("Alice: into the void")
    wait_for(lambda: get(path, "/readyz") == (200, "ready\n"), "it is ready again")


def one_falls_behind(start: Start) -> Plain:
    """Slow reads nothing of Alice's 4,000 lines; returned is Alice."""
    slow, alice = start.plain(receive_buffer=4096), start.plain("Alice")
    slow.join("Slow")
    for number in range(40):
        alice.send(*["x" * 1_000] * 99, f"round {number}")
        alice.read_until(f"round {number}$")
    return alice


def test_a_server_that_stops_is_not_ready(start: Start, kept: tuple[Server, Path]) -> None:
    server, path = kept
    alice = one_falls_behind(start)
    server.signal(signal.SIGTERM)
    alice.read_until("stopping")
    status, words = get(path, "/readyz")
    assert (status, words) == (503, "the server is stopping\n")
    server.kill()


# chatcore status


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chatcore", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_status_names_who_is_behind(start: Start, kept: tuple[Server, Path]) -> None:
    server, path = kept
    one_falls_behind(start)
    done = command("status", "--data", str(path.parent))
    assert done.returncode == 0, done.stderr
    assert "2 in 1 room; 4,000 lines said" in done.stdout
    assert re.search(r"^    Slow: [\d,]+ lines, [\d.,]+ s \(plain\)$", done.stdout, re.MULTILINE)
    status = json.loads(command("status", "--json", "--admin", str(path)).stdout)
    (worst,) = status["behind"]["worst"]
    assert worst["alias"] == "Slow"
    assert 0 < worst["lines"] < 4_000
    assert value(scrape(path), "chatcore_lag_lines") == worst["lines"]
    server.stop()
    done = command("status", "--data", str(path.parent))
    assert done.returncode == 69
    assert "no answer at" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize("place", ["127.0.0.1:x", "nonsense", "/nowhere/admin.sock"])
def test_status_of_nothing_is_69(place: str) -> None:
    done = command("status", "--admin", place)
    assert done.returncode == 69
    assert "Traceback" not in done.stderr


# The histogram of commits


def test_a_commit_is_counted_in_one_bucket() -> None:
    measured = Measured()
    assert measured.commit_quantile_s(0.5) is None
    for took_s in (0.0, 0.0001, 0.00011, 0.9, 1.0, 99.0):
        measured.committed(took_s)
    assert sum(measured.buckets) == measured.commits == 6
    assert measured.buckets[0] == 2
    assert measured.buckets[1] == 1
    assert measured.buckets[-1] == 1
    assert measured.commit_quantile_s(0.5) == COMMIT_BOUNDS_S[1]
    assert measured.commit_quantile_s(0.99) == 99.0
    assert measured.longest_commit_s == 99.0


def test_a_share_of_the_commits_never_took_longer_than_the_longest() -> None:
    measured = Measured()
    measured.committed(0.0011)
    assert measured.commit_quantile_s(0.5) == measured.commit_quantile_s(0.99) == 0.0011


# How busy


@pytest.mark.parametrize(
    ("busy_s", "uptime_s", "words"),
    [
        (0.36, 7_200, "0.4 s, 0.0% of the time"),
        (1_800.0, 7_200, "1,800.0 s, 25.0% of the time"),
        (0.2, 0, "0.2 s, 20.0% of the time"),
    ],
    ids=["hardly", "a quarter", "just started"],
)
def test_how_busy_the_loop_was_is_a_share_of_its_life(
    busy_s: float, uptime_s: float, words: str
) -> None:
    status = {
        "version": "1", "uptime_s": uptime_s, "ready": True, "reason": "", "people": 0, "rooms": 1, "messages": 0,
        "connections": [], "loop": {"busy_s": busy_s, "longest_turn_s": 0.0012, "internal_errors": 0},
        "storage": {"kept": False}, "behind": {"readers": 0, "parked": 0},
    }  # fmt: skip
    assert f"longest turn 1.2 ms; busy for {words}\n" in shown(status)
