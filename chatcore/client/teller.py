"""What happened, told: to a person in words, to a program as JSON; what went wrong, apart from the rest.

Invariant: with `--json` nothing but records reaches the output; without somebody who types, what was refused goes to
standard error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcore.client.json_lines import json_line, records_of
from chatcore.client.lines import Kind, Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatcore.client.console import Console
    from chatcore.client.events import Event
    from chatcore.client.model import Model
    from chatcore.client.style import Style


class Teller:
    def __init__(
        self, console: Console, style: Style, model: Model, *, json: bool, interactive: bool
    ) -> None:
        self._console, self._style, self._model = console, style, model
        self._json, self._interactive = json, interactive

    def tell(self, told: Iterable[Event]) -> None:
        """What the link told, all of it in one go."""
        shown: list[str] = []
        lines: list[Line] = []
        for event in told:
            of_event = self._model.show(event)
            lines += of_event
            if not self._json:
                shown += self._rendered(of_event)
            elif records := records_of(event):
                shown += map(json_line, records)
            else:
                self.complain(of_event)
        if shown:
            self._console.show(shown)
        if any(line.mention and not line.past for line in lines) and not self._model.away:
            self._console.bell()

    def here(self, lines: list[Line]) -> None:
        """What was answered here, without the server."""
        if self._json:
            self.complain(lines)
        elif texts := self._rendered(lines):
            self._console.show(texts)

    def complain(self, lines: list[Line]) -> None:
        texts = [text for line in lines for text in self._style.render(line)]
        if texts:
            self._console.complain(texts)

    def _rendered(self, lines: list[Line]) -> list[str]:
        """What a pipe refuses goes to standard error; whoever types sees it where it happened."""
        texts: list[str] = []
        for line in lines:
            if line.kind is Kind.REFUSED and not self._interactive:
                self.complain([line])
            else:
                texts += self._style.render(line)
        return texts
