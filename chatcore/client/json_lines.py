"""`--json`: what happened, one object a line, for programs. Pure.

ASCII only: everything else is escaped, so that the output is safe wherever it ends up.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chatcore.client import messages

if TYPE_CHECKING:
    from chatcore.client.events import Event
    from chatcore.client.messages import Record

KINDS: dict[type[Record], str] = {
    messages.Direct: "dm",
    messages.Joined: "join",
    messages.Left: "leave",
    messages.Renamed: "nick",
    messages.TopicSet: "topic",
    messages.Act: "act",
    messages.Crowd: "crowd",
}


def json_line(record: Record) -> str:
    """The record as the native dialect sends it (docs/PROTOCOL.md): `t`, `seq`, `time`, and the fields of its kind."""
    comes_or_goes = isinstance(record, messages.Joined | messages.Left)
    fields: dict[str, Any] = {"t": _kind(record)}
    for name, value in record._asdict().items():
        fields["from" if name == "alias" and not comes_or_goes else name] = value
    fields.pop("me", None)
    for name in ("joined", "left"):
        if name in fields:
            fields[name] = fields[name]._asdict()
    if isinstance(record, messages.Said | messages.Direct) and not record.id:
        del fields["id"]
    if isinstance(record, messages.Left) and not record.text:
        del fields["text"]
    if isinstance(record, messages.Act):
        fields = {name: value for name, value in fields.items() if value != "" or name == "sid"}
    return json.dumps(fields, separators=(",", ":"))


def records_of(event: Event) -> tuple[Record, ...]:
    """What of the event is for programs: also the older lines that come as a page."""
    if isinstance(event, messages.History):
        return event.records
    return (event,) if isinstance(event, messages.Record) else ()


def _kind(record: Record) -> str:
    if isinstance(record, messages.Said):
        return "me" if record.me else "say"
    return KINDS[type(record)]
