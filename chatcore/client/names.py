"""Names as the server compares them. Pure."""

from __future__ import annotations

import unicodedata


def fold(name: str) -> str:
    """Whatever the case, and however its accents were typed."""
    return unicodedata.normalize("NFC", name).casefold()
