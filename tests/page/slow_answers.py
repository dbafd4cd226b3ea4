"""Answers that take their time: what somebody does meanwhile is up to a test.

They are held in the browser. A route of playwright's would pass on what the page says only while a test calls the
browser, and a test that waits for somebody else to hear it would wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import eventually

if TYPE_CHECKING:
    from tests.page.conftest import Visitor

HOLD = """
const slow = window.slow = { kind: KIND, holding: HOLDING, held: [], socket: undefined };
const isSlow = (message) => {
  if (message.t !== slow.kind || !(message.re !== undefined || slow.kind === "welcome")) return false;
  return slow.kind !== "ok" || "room" in message;  // that of a join: the page asks for the list of rooms by itself
};
window.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address);
    slow.socket = this;
    this.addEventListener("message", (event) => {
      if (!event.isTrusted || !slow.holding || !isSlow(JSON.parse(event.data))) return;
      event.stopImmediatePropagation();
      slow.held.push([this, event.data]);
    });
  }
};
slow.letThrough = (count) => {
  for (const [socket, data] of slow.held.splice(0, count)) socket.dispatchEvent(new MessageEvent("message", { data }));
};
"""


class SlowAnswers:
    """A server whose answers of one type keep the page waiting until they are let through."""

    def __init__(self, visitor: Visitor, kind: str, *, holding: bool = True) -> None:
        self.page = visitor.page
        script = HOLD.replace("KIND", f'"{kind}"').replace("HOLDING", str(holding).lower())
        self.page.add_init_script(script)
        self.page.reload()

    def hold(self, *, holding: bool = True) -> None:
        """From now on, or no more."""
        self.page.evaluate("holding => void (slow.holding = holding)", holding)

    def cut(self) -> None:
        """The connection is lost."""
        self.page.evaluate("slow.socket.close()")

    def wait(self, answers: int = 1) -> None:
        eventually(
            lambda: self.page.evaluate("slow.held.length") >= answers,
            f"{answers} answers have come",
        )

    def let_through(self, answers: int = 1_000) -> None:
        """The first ones; all of them, if no number is given."""
        self.wait()
        self.page.evaluate("count => slow.letThrough(count)", answers)
