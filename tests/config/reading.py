"""Reading settings as a server does that somebody called Ann starts."""

from __future__ import annotations

import pytest

from chatcore import config
from chatcore.config import ConfigError, Settings

HOME = {"HOME": "/home/ann"}
DEFAULT_FOLDER = "/home/ann/.local/state/chatcore"


def load(*argv: str, env: dict[str, str] | None = None) -> Settings:
    return config.load(config.parser().parse_args(argv), HOME | (env or {}))[0]


def mistakes(*argv: str, env: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(*argv, env=env)
    return caught.value.mistakes
