"""For hatchling: the wheel takes in the man pages, the completion of shells, and the files for systemd.

What is generated lives in a temporary folder while the wheel is built, and nowhere else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = {
    "packaging/systemd/chatcore.service": "share/chatcore/systemd/chatcore.service",
    "packaging/systemd/chatcore.socket": "share/chatcore/systemd/chatcore.socket",
    "packaging/sysctl.d/50-chatcore.conf": "share/chatcore/sysctl.d/50-chatcore.conf",
}
"""Not where systemd looks: whoever installs a wheel decides whether it becomes a service."""


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        packaging = str(Path(self.root, "packaging"))
        sys.path.insert(0, packaging)
        try:
            from generate import generate
        finally:
            sys.path.remove(packaging)
        self._folder = tempfile.TemporaryDirectory()
        made = generate(Path(self._folder.name))
        shared = {str(path): place for path, place in made.items()}
        build_data["shared_data"] = shared | {
            str(Path(self.root, path)): place for path, place in FILES.items()
        }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()
