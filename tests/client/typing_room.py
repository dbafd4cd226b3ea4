"""A program of nothing but an editor and a terminal: what is sent comes back above. Run by `test_terminal`.

Words that make it do something: `raise`, `exit`, `again` (a second visit), `noise N` (N lines), `tick` (a line every
20 ms from then on, as from a network).
"""

from __future__ import annotations

import select
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from chatcore.client.editor import Editor, EndOfInput, Input, Interrupt, Paste, Submit, Suspend
from chatcore.client.terminal import Terminal

if TYPE_CHECKING:
    from types import FrameType

TICK_S = 0.02


def leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


class TypingRoom:
    def __init__(self) -> None:
        self.editor = Editor("room> ", complete=lambda text, cursor: ["Anna", "Anton"])
        self.terminal = Terminal(0, 1, self.editor)
        self.tick_s: float | None = None
        self.ticks = 0

    def run(self) -> str:
        signal.signal(signal.SIGWINCH, lambda number, frame: self.terminal.resized())
        with self.terminal:
            self.terminal.print_above(["ready"])
            while True:
                if not select.select([0], [], [], self.tick_s)[0]:
                    self.ticks += 1
                    self.terminal.print_above([f"tick {self.ticks} " + "·" * (self.ticks % 100)])
                    continue
                data = self.terminal.read()
                if not data:
                    return "gone"
                for each in self.editor.feed(data):
                    if word := self.handle(each):
                        return word
                self.terminal.redraw()

    def handle(self, given: Input) -> str:
        match given:
            case Submit("raise"):
                raise RuntimeError("as asked")
            case Submit("exit" | "again" as word):
                return word
            case Submit("tick"):
                self.tick_s = TICK_S
            case Submit(text) if text.startswith("noise "):
                self.terminal.print_above([f"noise {n}" for n in range(int(text.split()[1]))])
            case Submit(text):
                self.terminal.print_above([f"said {text!r}"])
            case Paste(text):
                self.terminal.print_above([f"pasted {len(text.splitlines())} lines"])
            case Interrupt() | EndOfInput():
                return type(given).__name__
            case Suspend():
                self.terminal.suspend()
                self.terminal.print_above(["back"])
        return ""


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, leave)
    while (reason := TypingRoom().run()) == "again":
        pass
    sys.stdout.write(f"left: {reason}\n")
