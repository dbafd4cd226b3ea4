"""What shows nothing: the characters that Unicode says to ignore, and the few that are blank without being spaces.

A name may hold a variation selector, which changes the sign before it (❤️, 葛󠄀, Mongolian letters); nothing else that
cannot be seen. `chatcore.hub.skeleton` drops them all.
"""

from __future__ import annotations

import re

IGNORED = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""First and last code points of Default_Ignorable_Code_Point (DerivedCoreProperties.txt of Unicode 17)."""

SELECTORS = ((0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Those of them that are variation selectors."""

BLANK = ((0x2800, 0x2800), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159))
"""Signs that are there and show nothing: the empty Braille pattern, a Khitan filler, the head of no note."""


def _one_of(spans: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)


UNSEEN = re.compile(f"(?![{_one_of(SELECTORS)}])[{_one_of(IGNORED + BLANK)}]")
"""What no name may hold."""


def dropped() -> dict[int, str]:
    """For `str.translate`: takes out what shows nothing."""
    return {code: "" for first, last in IGNORED + BLANK for code in range(first, last + 1)}
