"""What a log is called: clients compare it to know whether the `seq` that they remember means anything here."""

from __future__ import annotations

import secrets

LOG_NAME_BYTES = 8
"""Random bytes of a log's name: enough that no two logs ever have the same."""


def new_log_name() -> str:
    """A name that no log had before."""
    return secrets.token_hex(LOG_NAME_BYTES)
