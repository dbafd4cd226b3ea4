"""Bans of addresses, with real ones: in a namespace, because loopback is what nobody can ban."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatcore.passwords import Scrypt
from tests.conftest import NO_FLOOD
from tests.faults.namespaces import Side, demand_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Start

SERVER = "10.9.0.1"
OPERATOR, PHONE, LAPTOP, OTHER = "10.9.0.2", "10.9.1.7", "10.9.2.7", "10.9.3.7"
PHONE_NET = "10.9.1.0/24"


@pytest.fixture
def side(wait_for: Callable[..., None]) -> Iterator[Side]:
    demand_namespaces()
    made = Side(wait_for)
    try:
        made.run("ip", "route", "add", "local", "10.9.0.0/16", "dev", "lo")
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("banned", [PHONE, LAPTOP, PHONE_NET])
def test_who_has_two_addresses_is_out_when_either_is_banned(
    start: Start, side: Side, banned: str
) -> None:
    cheap = Scrypt.of("geheim", cost_log2=4)
    config = f'{NO_FLOOD}[[operators]]\nname = "Root"\nhash = "{cheap}"\n'
    with side:
        start.server("--host", SERVER, config=config)
        root = start.native(source=OPERATOR)
        root.hello("Ann")
        assert root.ask("oper", name="Root", password="geheim")["t"] == "ok"
        other = start.native("Eve", source=OTHER)
        phone, laptop = start.native(source=PHONE), start.native(source=LAPTOP)
        welcome = phone.hello("Bob")
        assert laptop.back(welcome, welcome["seq"])["resumed"] is True
        assert root.ask("ban", name=banned, text="flood")["t"] == "ok"
        for device in (phone, laptop):
            bye = device.read_until(lambda message: message["t"] == "bye")
            assert bye["words"] == "You were banned by Ann: flood"
            device.read_to_end()
        for alias, source in (("Cy", PHONE), ("Dee", LAPTOP)):
            inside = source == banned or (source, banned) == (PHONE, PHONE_NET)
            answer = start.native(source=source).hello(alias)
            assert answer.get("code") == ("banned" if inside else None), source
        assert other.ask("ping")["t"] == "pong"
