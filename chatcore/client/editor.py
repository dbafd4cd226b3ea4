"""The line editor: what a terminal sends → the line being typed, and what it asks the program to do.

Invariants: `feed` takes any bytes in any split and never raises; a line leaves only by Enter, `take` or Ctrl-C; a
line end inside a paste never sends. Pure: no I/O, no clock. It does not draw (`chatcore.client.screen`) and does not
know what is typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from chatcore.client.history import History
from chatcore.client.keys import Key, KeyReader, Pasted, Stroke, Typed
from chatcore.client.line_buffer import LineBuffer
from chatcore.client.recall import Recall

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PASTED_LINES = 3
"""That many go into the line as they are; more are somebody's log file, and are asked about."""


class Submit(NamedTuple):
    """Enter, on a line that is not empty; or on an empty one, if a question stands."""

    text: str


class Interrupt(NamedTuple):
    """Ctrl-C on an empty line; on another one it only clears it."""


class EndOfInput(NamedTuple):
    """Ctrl-D on an empty line."""


class Suspend(NamedTuple):
    """Ctrl-Z."""


class Paste(NamedTuple):
    """A paste that the person should look at before it is sent."""

    text: str


Input: TypeAlias = Submit | Interrupt | EndOfInput | Suspend | Paste
Complete: TypeAlias = "Callable[[str, int], list[str]]"
"""Text and cursor → what may stand in place of the word before the cursor."""

Conceal: TypeAlias = "Callable[[str], str]"
"""A line → the same with `MASK` for each character that nobody may see; such a line is not kept either."""
MASK = "*"


class Completion(NamedTuple):
    """A word being completed: Tab replaces what it put there with the next."""

    start: int
    candidates: list[str]
    chosen: int


class Editor:
    """`rang`: something of the last `feed` was refused. `clear_asked`: Ctrl-L; whoever draws resets both."""

    def __init__(
        self,
        prompt: str = "",
        complete: Complete | None = None,
        conceal: Conceal | None = None,
    ) -> None:
        self.prompt = prompt
        self.complete = complete
        self.secret = False
        """What is typed now is a password: it is not shown and not kept."""
        self.asks = False
        """A question stands: Enter alone is an answer, too."""
        self._conceal = conceal
        self.history = History()
        self.rang = False
        self.clear_asked = False
        self._keys = KeyReader()
        self._line = LineBuffer()
        self._completion: Completion | None = None
        self._recall: Recall | None = None
        self._editing = self._make_editing()
        self._asking: dict[Key, Callable[[], Input | None]] = {
            Key.ENTER: self._enter,
            Key.INTERRUPT: self._interrupt,
            Key.DELETE_OR_END: self._delete_or_end,
            Key.SUSPEND: Suspend,
        }

    @property
    def text(self) -> str:
        return self._line.text

    @property
    def shown_prompt(self) -> str:
        return self._recall.prompt if self._recall else self.prompt

    @property
    def shown(self) -> str:
        """The text as it may be seen: as long as it is."""
        return MASK * len(self.text) if self.secret else self._concealed

    @property
    def _concealed(self) -> str:
        return self._conceal(self.text) if self._conceal else self.text

    @property
    def cursor(self) -> int:
        return self._line.cursor

    def set_prompt(self, prompt: str) -> None:
        """It may hold SGR colour sequences; whatever else it holds must be safe to show."""
        self.prompt = prompt

    def take(self) -> str:
        """Returns and clears the unsent line."""
        text = self.text
        self._set("")
        return text

    def restore(self, text: str) -> None:
        self._set(text)

    def feed(self, data: bytes) -> list[Input]:
        self.rang = False
        inputs = []
        for stroke in self._keys.feed(data):
            given = self._handle(stroke)
            if given is not None:
                inputs.append(given)
        return inputs

    def _handle(self, stroke: Stroke) -> Input | None:
        if self._recall is not None and self._go_on_recalling(self._recall, stroke):
            return None
        if stroke is Key.TAB or stroke is Key.SHIFT_TAB:
            self._complete_word(1 if stroke is Key.TAB else -1)
            return None
        self._completion = None
        if isinstance(stroke, Typed):
            self._require(self._line.type(stroke.text))
            return None
        if isinstance(stroke, Pasted):
            return self._pasted(stroke)
        if stroke in self._asking:
            return self._asking[stroke]()
        self._editing[stroke]()
        return None

    def _make_editing(self) -> dict[Key, Callable[[], object]]:
        """The keys that only edit."""
        line = self._line
        return {
            Key.HOME: lambda: line.move(0),
            Key.END: lambda: line.move(len(line.text)),
            Key.LEFT: lambda: line.move(line.left()),
            Key.RIGHT: lambda: line.move(line.right()),
            Key.WORD_LEFT: lambda: line.move(line.word_left()),
            Key.WORD_RIGHT: lambda: line.move(line.word_right()),
            Key.UP: lambda: self._browse(-1),
            Key.DOWN: lambda: self._browse(1),
            Key.BACKSPACE: lambda: line.delete(line.left(), line.cursor),
            Key.DELETE: self._delete,
            Key.KILL_TO_END: lambda: line.kill(line.cursor, len(line.text)),
            Key.KILL_TO_START: lambda: line.kill(0, line.cursor),
            Key.KILL_WHITE_WORD_LEFT: lambda: line.kill(line.white_word_left(), line.cursor),
            Key.KILL_WORD_LEFT: lambda: line.kill(line.word_left(), line.cursor),
            Key.KILL_WORD_RIGHT: lambda: line.kill(line.cursor, line.word_right()),
            Key.YANK: lambda: self._require(line.yank()),
            Key.TRANSPOSE: line.transpose,
            Key.UNDO: lambda: self._require(line.undo()),
            Key.NEWLINE: lambda: self._require(line.insert("\n")),
            Key.CLEAR_SCREEN: self._ask_clear,
            Key.RECALL: self._begin_recall,
        }

    def _set(self, text: str) -> None:
        """Another line, in place of the one there was."""
        self._completion = self._recall = None
        self.history.leave()
        self._line.reset(text)

    def _require(self, is_done: bool) -> None:
        self.rang = self.rang or not is_done

    def _enter(self) -> Submit | None:
        is_kept = not self.secret and self._concealed == self.text
        text = self.take()
        if not text:
            return Submit("") if self.asks else None
        if is_kept:
            self.history.add(text)
        return Submit(text)

    def _interrupt(self) -> Interrupt | None:
        if not self.text:
            return Interrupt()
        self._line.delete(0, len(self.text))  # undo brings it back: Ctrl-C is close to other keys
        self.history.leave()
        return None

    def _delete_or_end(self) -> EndOfInput | None:
        if not self.text:
            return EndOfInput()
        self._delete()
        return None

    def _delete(self) -> None:
        self._line.delete(self._line.cursor, self._line.right())

    def _ask_clear(self) -> None:
        self.clear_asked = True

    def _browse(self, step: int) -> None:
        found = None if self.secret else self.history.browse(step, self.text)
        if found is None:
            self.rang = True
        else:
            self._line.reset(found)

    def _begin_recall(self) -> None:
        if self.secret:
            self.rang = True
            return
        self.history.leave()
        self._recall = Recall(self.history.lines, self.text, self.cursor)

    def _go_on_recalling(self, recall: Recall, stroke: Stroke) -> bool:
        """False: what was found is the line now, and the key means what it always does."""
        match stroke:
            case Typed(text):
                self._require(recall.type(text))
            case Key.BACKSPACE:
                self._require(recall.erase())
            case Key.RECALL:
                self._require(recall.older())
            case Key.INTERRUPT:
                self._recall = None
                recall.erase_all()
            case _:
                self._recall = None
                return False
        text, cursor = recall.found
        self._line.reset(text)
        self._line.move(cursor)
        return True

    def _complete_word(self, step: int) -> None:
        completion = self._completion
        if completion is None:
            can = self.complete is not None and not self.secret
            candidates = self.complete(self.text, self.cursor) if self.complete and can else []
            first = 0 if step > 0 else len(candidates) - 1
            completion = Completion(self._line.unfinished_word(), candidates, first)
        else:
            chosen = (completion.chosen + step) % len(completion.candidates)
            completion = completion._replace(chosen=chosen)
        if not completion.candidates:
            self.rang = True
            return
        self._completion = completion
        word = completion.candidates[completion.chosen]
        self._require(self._line.replace(completion.start, self.cursor, word))

    def _pasted(self, paste: Pasted) -> Paste | None:
        text = paste.text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        if self.secret:
            text = text.split("\n")[0]
        if text.count("\n") >= MAX_PASTED_LINES:
            return Paste(text)
        self._require(paste.is_whole and self._line.insert(text))
        return None
