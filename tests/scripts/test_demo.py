"""The demo as a person runs it: scripted, and at a terminal in the panes of tmux."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "scripts" / "demo.sh"
DEADLINE_S = 60.0
NAMES = ("Alice", "Bob", "Carol", "Dave")

SPOILT = """\
import subprocess, sys
with subprocess.Popen([sys.executable, "clients/real_4.py", *sys.argv[1:]], stdout=subprocess.PIPE) as real:
    for line in real.stdout:
        sys.stdout.buffer.write(line * ({times} if b"kettle" in line else 1))
        sys.stdout.buffer.flush()
sys.exit(real.returncode)
"""
"""In the place of Dave's client: the real one, but a certain line comes so many times."""


def run(
    demo: Path, *arguments: str, folder: Path, patience: float, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [demo, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHON": sys.executable} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * patience,
    )


def rows(transcript: str) -> dict[str, str]:
    """What was said, and who read it: `{"Bob: hi": "✓✓✓·"}`."""
    found = re.findall(r"^  (.*?) {2,}([✓·✗‼](?: +[✓·✗‼])*)$", transcript, re.MULTILINE)
    return {line: re.sub(" +", "", signs) for line, signs in found}


def test_the_scripted_conversation_shows_who_read_what(tmp_path: Path, patience: float) -> None:
    result = run(DEMO, "--scripted", folder=tmp_path, patience=patience, PYTHONUTF8="1")
    assert (result.returncode, result.stderr) == (0, "")
    read = rows(result.stdout)
    assert read["Dave has connected to the chat room"] == "✓✓✓✓"
    assert read["Bob: Hello, everyone!"] == "✓✓✓✓"
    assert read["* Carol puts the kettle on"] == "✓✓✓✓"
    assert read["[Alice -> Bob] bring the cake"] == "✓✓··"
    assert read["Alice: He will read this when he wakes"] == "✓✓✓✓"
    assert read["Dave has left the chat room! (off to the shop)"] == "✓✓✓·"
    assert f"\n{len(read)} lines in " in result.stdout
    assert not [*tmp_path.iterdir()]


def test_settings_of_a_server_that_somebody_runs_here_do_not_matter(
    tmp_path: Path, patience: float
) -> None:
    settings = {"CHATCORE_PORT": "1", "CHATCORE_DATA": "/nowhere", "CHATCORE_CONFIG": "/nowhere"}
    result = run(DEMO, "--scripted", folder=tmp_path, patience=patience, **settings)
    assert result.returncode == 0, result.stdout + result.stderr


def test_without_a_terminal_it_is_scripted_and_shows_on_any_terminal(
    tmp_path: Path, patience: float
) -> None:
    result = run(DEMO, folder=tmp_path, patience=patience, PYTHONIOENCODING="latin-1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^  Bob: What cake\? +x      x      x      x$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("times", "sign", "words"),
    [
        pytest.param(2, "✓✓✓‼", "Dave read other lines than were meant for Dave", id="twice"),
        pytest.param(
            0,
            "✓✓✓✗",
            "Dave did not read: * Carol puts the kettle on",
            id="never",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_line_that_somebody_does_not_read_once_fails_the_demo(
    tmp_path: Path, patience: float, times: int, sign: str, words: str
) -> None:
    for name in ("chatcore", "clients", "scripts/demo"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("server_1.py", "scripts/demo.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    dave = tmp_path / "clients" / "client_4.py"
    dave.rename(dave.with_name("real_4.py"))
    dave.write_text(SPOILT.format(times=times))
    demo = tmp_path / "scripts" / "demo.sh"
    result = run(demo, "--scripted", folder=tmp_path, patience=patience, PYTHONUTF8="1")
    assert result.returncode == 1
    assert rows(result.stdout)["* Carol puts the kettle on"] == sign
    assert f"The demo failed: {words}" in result.stdout


def test_help_explains_and_a_wrong_option_is_a_usage_error(tmp_path: Path, patience: float) -> None:
    helped = run(DEMO, "--help", folder=tmp_path, patience=patience)
    assert helped.returncode == 0
    assert helped.stdout.startswith("usage: scripts/demo.sh [--scripted]")
    wrong = run(DEMO, "--scriptd", folder=tmp_path, patience=patience)
    assert (wrong.returncode, wrong.stdout) == (64, "")
    assert wrong.stderr == helped.stdout


@pytest.mark.parametrize("path", ["demo.sh", "demo/panes.sh", "test.sh"])
def test_the_shell_scripts_parse(path: str) -> None:
    subprocess.run(["bash", "-n", ROOT / "scripts" / path], check=True)


def is_running(pid: int) -> bool:
    if not pid:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and nobody has asked how


class Terminal:
    """A terminal that a person looks at: the only pane of a tmux of its own, in which the demo was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server_pid = 0
        environment = {k: v for k, v in os.environ.items() if k != "TMUX"}
        self._environment = environment | {
            "PYTHON": sys.executable,
            "TMPDIR": str(folder),
            "TMUX_TMPDIR": str(folder),
            "LC_ALL": "C.UTF-8",
        }
        session = ["new-session", "-d", "-x", "140", "-y", "45"]
        self.tmux(*session, f"cd / && '{DEMO}'; echo \"the exit code is $?\"; cat")

    def tmux(self, *arguments: str, socket: tuple[str, str] = ("-L", "terminal")) -> str:
        result = subprocess.run(
            ["tmux", *socket, "-f", "/dev/null", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_S,
        )
        return result.stdout

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def types(self, line: str) -> None:
        self.tmux("send-keys", "-l", line)
        self.keys("Enter")

    @property
    def shows(self) -> str:
        """All of the screen."""
        return self.tmux("capture-pane", "-p")

    @property
    def panes(self) -> dict[str, str]:
        """The demo's panes by their name, and what each has shown; empty while there are none."""
        found: dict[str, str] = {}
        for path in self.folder.glob("tmp.*/tmux"):
            socket = ("-S", str(path))
            try:
                listed = self.tmux("list-panes", "-a", "-F", "#{pane_id} #{@name}", socket=socket)
                for line in listed.splitlines():
                    pane, _, name = line.partition(" ")
                    # From the first line on: what the server says later may have moved others out of sight.
                    whole = ("capture-pane", "-p", "-S", "-", "-t", pane)
                    found[name] = self.tmux(*whole, socket=socket)
            except subprocess.CalledProcessError:
                return {}  # it begins, or ends, at this moment
        return found

    def note_server(self) -> None:
        """Remember its process, while the demo's folder is there to tell."""
        (path,) = self.folder.glob("tmp.*/pid")
        self.server_pid = int(path.read_text())

    def close(self) -> None:
        """End what a failed demo has left."""
        if is_running(self.server_pid):
            os.kill(self.server_pid, signal.SIGKILL)
        for path in (*self.folder.glob("tmp.*/tmux"), self.folder / f"tmux-{os.getuid()}/terminal"):
            subprocess.run(["tmux", "-S", path, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(wait_for: Callable[..., None]) -> Iterator[Terminal]:
    """A terminal in which the demo runs, all four connected."""
    if shutil.which("tmux") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no tmux here: the tests need it")
        pytest.skip("there is no tmux here")
    with tempfile.TemporaryDirectory(prefix="chat") as folder:  # short: a socket lives in it
        terminal = Terminal(Path(folder))
        try:
            connected = [f"{name} connected from" for name in NAMES]
            wait_for(
                lambda: all(
                    words in terminal.panes.get("the server's console", "") for words in connected
                ),
                "all four at the server",
                DEADLINE_S,
            )
            terminal.note_server()
            yield terminal
            wait_for(lambda: not [*Path(folder).glob("tmp.*")], "the demo has tidied up")
        finally:
            terminal.close()


def test_at_a_terminal_the_panes_are_alive_and_end_with_a_key(
    terminal: Terminal, wait_for: Callable[..., None]
) -> None:
    assert set(terminal.panes) == {"the server's console", *NAMES}
    for name in NAMES:
        wait_for(lambda name=name: "Connected to the server!" in terminal.panes.get(name, ""), name)
    assert "Ctrl-Q ends the demo" in terminal.shows
    terminal.types("hello from Alice")
    for name in NAMES:
        wait_for(lambda name=name: "Alice: hello from Alice" in terminal.panes.get(name, ""), name)
    terminal.keys("F3")
    terminal.types("Carol here")
    for name in NAMES:
        wait_for(lambda name=name: "Carol: Carol here" in terminal.panes.get(name, ""), name)
    terminal.keys("C-q")
    wait_for(lambda: "the exit code is 0" in terminal.shows, "the end of the demo")
    wait_for(lambda: not is_running(terminal.server_pid), "the end of the server")


def test_it_ends_when_the_last_person_has_left(
    terminal: Terminal, wait_for: Callable[..., None]
) -> None:
    for number, name in enumerate(NAMES, 1):
        terminal.keys(f"F{number}", "C-d")
        wait_for(lambda name=name: name not in terminal.panes, f"the end of {name}")
    wait_for(lambda: "the exit code is 0" in terminal.shows, "the end of the demo")
    wait_for(lambda: not is_running(terminal.server_pid), "the end of the server")


def test_a_terminal_that_goes_away_takes_the_demo_with_it(
    terminal: Terminal, wait_for: Callable[..., None]
) -> None:
    terminal.tmux("kill-server")
    wait_for(lambda: not is_running(terminal.server_pid), "the end of the server")


def test_whoever_has_seen_enough_of_it_is_no_fault(patience: float) -> None:
    """`scripts/demo.sh --scripted | head -1`"""
    command = "scripts/demo.sh --scripted | true; exit ${PIPESTATUS[0]}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=os.environ | {"PYTHON": sys.executable},
        capture_output=True, text=True, timeout=DEADLINE_S * patience,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")
