"""A house whose passwords are checked when the test says so, and what clients of it say and are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatcore.config.operators import Operator
from chatcore.passwords import Scrypt

if TYPE_CHECKING:
    from collections.abc import Callable

FAR = "203.0.113.5"
"""An address that is not loopback."""


def cheap(password: str) -> str:
    return str(Scrypt.of(password, cost_log2=4, parallel=1))


ROOT = Operator("Root", cheap("geheim"))


class ScriptedOffload:
    """A thread that does its work when the test says so."""

    def __init__(self) -> None:
        self.work: Callable[[], Any] | None = None
        self.then: Callable[[Any], None] | None = None
        self.done = 0

    @property
    def busy(self) -> bool:
        return self.work is not None

    def do(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        assert not self.busy
        self.work, self.then = work, then

    def finish(self, *, fails: bool = False) -> None:
        """Done, and answered; or it could not be done."""
        work, then = self.work, self.then
        assert work is not None
        assert then is not None
        self.work = self.then = None
        self.done += 1
        then(None if fails else work())


def checked_by_hand(make_house: Callable[..., Any]) -> Callable[..., Any]:
    """Makes houses whose passwords are checked when the test says so."""

    def make(**settings: Any) -> Any:
        house = make_house(**settings)
        house.thread = house.exchange.admission._offload = ScriptedOffload()
        return house

    return make


def check(house: Any, *, fails: bool = False) -> None:
    """What is being checked is known now."""
    house.thread.finish(fails=fails)
    house.settle()


def hello(alias: str, password: str | None = None, **more: Any) -> dict[str, Any]:
    return {"t": "hello", "v": 1, "alias": alias, "password": password} | more


def told(sock: Any) -> list[Any]:
    """The kinds of what a native client was told, and the codes of refusals; then it is forgotten."""
    kinds = [each.get("code", each["t"]) for each in sock.messages]
    sock.sent.clear()
    return kinds


def lines(sock: Any) -> list[str]:
    """What a plain client was told; then it is forgotten."""
    found = list(sock.lines)
    sock.sent.clear()
    return found


def ask(house: Any, *said: Any, host: str = "127.0.0.1") -> Any:
    """Somebody connects and sends this."""
    sock, _ = house.connect(host)
    sock.say(*said)
    house.settle()
    return sock
