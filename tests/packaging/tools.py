"""Programs that the tests of packaging need."""

from __future__ import annotations

import os
import shutil

import pytest


def tool(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails where everything is to be tested."""
    found = shutil.which(name)
    if found is None:
        demand(f"{name} is not installed")
    return str(found)


def demand(reason: str) -> None:
    """Something is missing: skip, or fail where everything is to be tested."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
