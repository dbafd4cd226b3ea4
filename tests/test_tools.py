"""The tools as whoever runs a server types them: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatcore.__main__ import main
from chatcore.dialects.native_form import record_lines
from chatcore.log.record import Act, Direct
from tests.store.kept import TIME_MS, Kept, said

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DEADLINE_S = 30.0
PIPE_BYTES = 1024 * 1024
"""More than a pipe holds."""
TOOLS = ("backup", "check", "export", "modlog")


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def only_our_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CHATCORE_CONFIG", "CHATCORE_EPHEMERAL", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHATCORE_DATA", str(tmp_path / "data"))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with closing(Kept(tmp_path / "data")) as kept:
        kept.add(said(1, "one", "two\x1b[2J"), said(3, "three", room="#dev"))
        kept.add(Direct(4, TIME_MS + 4000, "s1", "Ann", "s2", "Bo", "psst", None))
        yield kept


def test_backup_says_what_was_saved(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copy.db"
    assert main(["backup", str(target)]) == 0
    size = f"{target.stat().st_size:,}"
    assert capsys.readouterr() == (
        f"saved to {target}: lines up to number 4, {size} bytes\n",
        "",
    )
    restored = tmp_path / "restored"
    restored.mkdir()
    target.rename(restored / "chatcore.db")
    assert main(["check", "--data", str(restored)]) == 0


def test_backup_refuses_a_file_that_is_there(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "copy.db").touch()
    assert main(["backup", str(tmp_path / "copy.db")]) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert "it stays as it is. Name another FILE." in err


def test_check_prints_a_line_a_check(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), out.count(": no fault\n"), err) == (5, 5, "")


def test_check_names_each_fault_and_ends_with_74(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.connection.execute("UPDATE batches SET body = '['")
    assert main(["check"]) == 74
    out, err = capsys.readouterr()
    assert "numbers up to 4: 2 faults\n" in out
    assert re.findall("^chatcore: batch ([0-9]+): ", err, re.MULTILINE) == ["1", "4"]


def test_very_many_faults_are_only_counted(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    kept.connection.executemany(
        "INSERT INTO places VALUES('#odd', ?)", [(number,) for number in range(10, 1010)]
    )
    assert main(["check"]) == 74
    out, err = capsys.readouterr()
    assert "1,000 faults" in out
    assert err.count("\n") == 100


def test_export_prints_history_lines_with_the_date_and_the_room(
    kept: Kept, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "#lobby [2026-11-20 14:02] Ann: one",
        "#lobby [2026-11-20 14:02] Ann: two␛[2J",
        "#dev [2026-11-20 14:02] Ann: three",
    ]


@pytest.mark.parametrize("room", ["dev", "#DEV"])
def test_export_of_one_room(kept: Kept, capfd: pytest.CaptureFixture[str], room: str) -> None:
    assert main(["export", "--room", room]) == 0
    assert capfd.readouterr().out == "[2026-11-20 14:02] Ann: three\n"


def test_export_as_json_is_what_the_native_dialect_sends(
    kept: Kept, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--json"]) == 0
    out = capfd.readouterr().out
    assert out == record_lines(said(1, "one", "two\x1b[2J")) + record_lines(
        said(3, "three", room="#dev")
    )
    assert [json.loads(line)["seq"] for line in out.splitlines()] == [1, 2, 3]


def test_a_room_that_never_was_is_64(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--room", "none"]) == 64
    assert capsys.readouterr() == ("", "chatcore: nothing is kept of a room #none\n")


def test_export_ends_quietly_when_nobody_reads_on(kept: Kept) -> None:
    for number in range(5, 5 + PIPE_BYTES // 4000):
        kept.add(said(number, "x" * 4000))
    command = [sys.executable, "-m", "chatcore", "export"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        assert export.stdout.readline().endswith(b"Ann: one\n")
        export.stdout.close()
        assert export.wait(DEADLINE_S) == 141
        assert export.stderr.read() == b""


def test_export_to_a_full_disk_says_so_in_one_line(kept: Kept) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chatcore", "export"], cwd=ROOT, env=environment, stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S,
        )  # fmt: skip
    assert done.stderr == "chatcore: output: No space left on device\n"
    assert done.returncode == 74


def test_backup_into_a_folder_that_is_not_there_names_the_folder(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", str(tmp_path / "nope" / "copy.db")]) == 74
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"chatcore: Nothing can be saved in {tmp_path / 'nope'}: No such file")
    assert ".part" not in err


@pytest.mark.parametrize("tool", TOOLS)
def test_a_folder_without_a_log_is_74_and_says_what_to_do(
    tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argument = [str(tmp_path / "copy")] if tool == "backup" else []
    assert main([tool, *argument, "--data", str(tmp_path)]) == 74
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("chatcore: There is no log at ")
    assert "--data" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("arguments", [["--no-such"], ["--data"], ["one", "two"]])
def test_wrong_usage_is_64(
    tool: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([tool, *arguments])
    assert left.value.code == 64
    assert capsys.readouterr().err.startswith(f"usage: chatcore {tool} ")


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_explains_itself(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([tool, "--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert "--data DIR" in out
    assert "exit status:" in out
    assert main(["--help"]) == 0
    assert f"chatcore {tool} " in capsys.readouterr().out


def test_the_folder_is_the_one_of_the_settings(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CHATCORE_DATA")
    path = tmp_path / "chatcore.toml"
    path.write_text(f'[server]\ndata = "{kept.folder}"\n')
    assert main(["check", "--config", str(path)]) == 0
    monkeypatch.setenv("CHATCORE_EPHEMERAL", "1")
    assert main(["check"]) == 64
    assert "nothing is kept" in capsys.readouterr().err
    monkeypatch.setenv("CHATCORE_CONFIG", str(tmp_path / "none.toml"))
    assert main(["check"]) == 78


def test_modlog_prints_what_was_done_and_never_what_is_kept_of_a_key(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["modlog"]) == 0
    assert capsys.readouterr() == ("", "")
    then = TIME_MS + 5_000
    kept.add(
        Act(5, then, "", "s1", "Ann", "ban", "10.0.0.0/8", "", "flood\x1b", then + 60_000),
        Act(6, then, "#dev", "s1", "Ann", "lock", "", "", "salt:hash", 0),
    )
    assert main(["modlog"]) == 0
    out = capsys.readouterr().out
    assert out == (
        "[2026-11-20 14:02] Ann banned 10.0.0.0/8 from the server for 1 minute (flood␛), until 2026-11-20 14:03\n"
        "[2026-11-20 14:02] Ann locked #dev\n"
    )
    for tool in ("modlog", "export"):
        assert main([tool, "--json"]) == 0
        out = capsys.readouterr().out
        assert ("lock" in out, "hash" in out, "\x1b" in out) == (True, False, False)
    assert main(["check"]) == 0
