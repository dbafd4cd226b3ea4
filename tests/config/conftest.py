from __future__ import annotations

import pytest


@pytest.fixture
def in_file(tmp_path):
    def write(text: str | bytes) -> str:
        path = tmp_path / "chatcore.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write
