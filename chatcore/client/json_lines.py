"""`--json`: what happened, one object a line, for programs. Pure.

ASCII only: everything else is escaped, so that the output is safe wherever it ends up.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chatcore.client import messages

if TYPE_CHECKING:
    from chatcore.client.messages import Record


KINDS: dict[type[Record], str] = {
    messages.Direct: "dm",
    messages.Joined: "join",
    messages.Left: "leave",
    messages.Renamed: "nick",
    messages.TopicSet: "topic",
    messages.Crowd: "crowd",
}


def json_line(record: Record) -> str:
    fields: dict[str, Any] = {"t": _kind(record)} | record._asdict()
    fields.pop("me", None)
    if "alias" in fields and not isinstance(record, messages.Joined | messages.Left):
        fields["from"] = fields.pop("alias")
    for name in ("joined", "left"):
        if name in fields:
            fields[name] = fields[name]._asdict()
    return json.dumps(fields, separators=(",", ":"))


def _kind(record: Record) -> str:
    if isinstance(record, messages.Said):
        return "me" if record.me else "say"
    return KINDS[type(record)]
