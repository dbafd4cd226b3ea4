"""Where a link stands, and what it means when a server refuses a hello. Values only."""

from __future__ import annotations

import enum


class State(enum.Enum):
    NEEDS_ALIAS = "nothing happens until `choose`"
    NEEDS_PASSWORD = "nothing happens until `unlock`"
    OFFLINE = "no connection; `retry_at` says when to try"
    HELLO = "connected, hello sent"
    HELD = "connected; the server wants one to wait: hello again later"
    JOINED = "in"
    ENDED = "for good"


ALIAS_CODES = {
    "alias_taken",
    "alias_empty",
    "alias_too_long",
    "alias_not_allowed",
    "alias_looks_like",
    "alias_of_operator",
}
"""Another alias helps."""
PASSWORD_CODES = {"password_needed", "password_wrong"}
WAITING_CODES = {"alias_in_grace", "too_many_tries"}
"""The same hello may do, on the same connection, after a while that the server names."""
PASSING_CODES = {"stopping", "storage_full", "flood"}
"""A hello refused for these may succeed later."""
REMOVED = {"kicked", "banned"}
"""Goodbyes of the server that mean this person: one does not come back by oneself."""
