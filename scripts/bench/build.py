"""Compiles the C parts once per version of their source; says so; does without when it cannot.

The programs lie in a cache folder named after a hash of source, flags, compiler and processor: a build
for one processor (`-march=native`) is never run on another.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native")
PROGRAMS = ("loadgen", "limit")
COMPILE_S = 120
FOLDER = "chatcore-bench"


@dataclass(frozen=True, slots=True)
class Programs:
    loadgen: pathlib.Path
    limit: pathlib.Path


def compile_c_parts(say: Callable[[str], None], *, keep_old: bool = False) -> Programs | None:
    """None, with the reason said, where there is no C compiler or it fails."""
    compiler = shutil.which("cc")
    if compiler is None:
        say("no C compiler (cc): a smaller load in Python is used, and there is no limit column")
        return None
    cache = _cache_folder()
    folder = cache / _fingerprint(compiler)
    built = Programs(folder / "loadgen", folder / "limit")
    if built.loadgen.exists() and built.limit.exists():
        return built
    say(f"compiling {' and '.join(f'{name}.c' for name in PROGRAMS)} into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        if error := _compile(compiler, name, folder):
            say(
                f"cc failed ({error}): a smaller load in Python is used, and there is no limit column"
            )
            return None
    if not keep_old:
        _remove_old(cache, folder)
    return built


def _cache_folder() -> pathlib.Path:
    """The user's cache; without a writable home, a folder of one's own in the temp folder."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    with contextlib.suppress(OSError):
        (folder := pathlib.Path(home) / FOLDER).mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    folder = pathlib.Path(tempfile.gettempdir()) / f"{FOLDER}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # somebody else's programs are not run
        folder = pathlib.Path(tempfile.mkdtemp(prefix=FOLDER))
    return folder


def _fingerprint(compiler: str) -> str:
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    features = next((line for line in cpuinfo if line.startswith(("flags", "Features"))), "")
    seen = hashlib.sha256()
    for part in (version, features.encode(), platform.machine().encode(), " ".join(FLAGS).encode()):
        seen.update(part + b"\0")
    for name in PROGRAMS:
        seen.update((HERE / f"{name}.c").read_bytes())
    return seen.hexdigest()[:16]


def _compile(compiler: str, name: str, folder: pathlib.Path) -> str:
    """The first line of the compiler's complaint, or nothing. Renamed when whole: two may build at once."""
    draft = folder / f".{name}.{os.getpid()}"
    argv = [compiler, *FLAGS, "-o", str(draft), str(HERE / f"{name}.c")]
    done = subprocess.run(
        argv, capture_output=True, text=True, errors="replace", check=False, timeout=COMPILE_S
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[0]
    draft.replace(folder / name)
    return ""


def _remove_old(cache: pathlib.Path, current: pathlib.Path) -> None:
    for folder in cache.iterdir():
        if folder != current and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
