"""Keys of rooms: what is kept of one, and whether another is the same.

A key is a word that people tell one another, so it is short, and no password: it is checked in the loop, where a
thousand tries in one read must not hold up anybody. What is kept is in the log and in snapshots, and says nothing of
it to those who only read the file; somebody who tries all words against it will find a weak one.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

ROUNDS = 50
"""Of PBKDF2: some 20 µs of the loop for everybody who tries a key (measured: 0.6 ms with 2,000)."""

KEY_CHARACTERS = 128
"""Longer ones are refused: nobody types them."""


def kept(key: str, salt: str) -> str:
    """What is kept of the key. The salt is any words that no other lock was kept with."""
    digest = hashlib.sha256(salt.encode()).hexdigest()[:32]
    return f"{digest}:{_hash(key, digest)}"


def fits(key: str, kept_key: str) -> bool:
    salt, _, expected = kept_key.partition(":")
    return hmac.compare_digest(_hash(key[:KEY_CHARACTERS], salt), expected)


def _hash(key: str, salt: str) -> str:
    composed = unicodedata.normalize("NFC", key).encode("utf-8", "replace")
    return hashlib.pbkdf2_hmac("sha256", composed, salt.encode(), ROUNDS).hex()
