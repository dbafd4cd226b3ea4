"""Row K5: whom a client believes. Every certificate that does not make the server the one that was meant is refused,
with words that say why, before anything is said to that server."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.client.tls_front import Authority, Certificate, Front
from tests.clients.conftest import command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.clients.conftest import Chatters
    from tests.conftest import Server, Start

DEADLINE_S = 30.0
READ_BYTES = 64 * 1024
HOST = "127.0.0.1"
CHANGED, DISTRUSTED, UNAVAILABLE = 79, 76, 69


class Visit(NamedTuple):
    code: int
    out: str
    err: str


class Traveller:
    """Somebody with a client, a home of their own, and a server whose certificate changes."""

    def __init__(self, folder: Path, front: Front, authority: Authority) -> None:
        self.front, self.authority = front, authority
        self.home = folder / "home"
        self.pins = self.home / "chatcore" / "known_hosts"
        self.pem = folder / "authority.pem"
        self.pem.write_bytes(authority.pem)
        self.home.mkdir()

    @property
    def server(self) -> str:
        return f"{HOST}:{self.front.address[1]}"

    def pin(self, certificate: Certificate) -> None:
        self.pins.parent.mkdir(exist_ok=True)
        self.pins.write_text(f"{self.server} {certificate.fingerprint}\n")

    def visits(self, *options: str, **variables: str) -> Visit:
        return visits(self.front.address, self.home, "--tls", *options, **variables)


def visits(address: tuple[str, int], home: Path, *options: str, **variables: str) -> Visit:
    """Somebody comes by, says hi, and leaves."""
    done = subprocess.run(
        command(1, address, options),
        input=b"hi\n",
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
        env=environment() | {"XDG_CONFIG_HOME": os.fspath(home)} | variables,
    )
    return Visit(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def traveller(tmp_path: Path, server: Server) -> Iterator[Traveller]:
    folder = tmp_path / "certificates"
    folder.mkdir()
    front = Front(folder, server.address)
    yield Traveller(tmp_path, front, Authority())
    front.close()


def test_a_self_signed_certificate_is_trusted_on_first_use_and_then_silently(
    traveller: Traveller,
) -> None:
    shown = traveller.authority.certificate("elsewhere.example", self_signed=True)
    traveller.front.show(shown)
    first = traveller.visits()
    assert first.code == 0, first
    assert "Alice: hi" in first.out
    assert shown.fingerprint in first.err
    assert "Compare" in first.err
    assert traveller.pins.read_text() == f"{traveller.server} {shown.fingerprint}\n"
    traveller.front.show(shown)
    assert traveller.visits()[::2] == (0, "")
    assert traveller.front.connections == 1, "a known server is visited once"


def test_a_certificate_that_is_vouched_for_needs_no_pin(traveller: Traveller) -> None:
    traveller.front.show(traveller.authority.certificate(HOST))
    assert traveller.visits(SSL_CERT_FILE=os.fspath(traveller.pem))[::2] == (0, "")
    assert traveller.visits("--tls-ca", os.fspath(traveller.pem))[::2] == (0, "")
    assert traveller.pins.read_text() == f"{traveller.server} authority\n"


def test_who_was_vouched_for_once_cannot_come_back_self_signed(traveller: Traveller) -> None:
    trusted = {"SSL_CERT_FILE": os.fspath(traveller.pem)}
    traveller.front.show(traveller.authority.certificate(HOST))
    assert traveller.visits(**trusted).code == 0
    traveller.front.show(traveller.authority.certificate(HOST))
    assert traveller.visits(**trusted).code == 0, "another one that is vouched for is fine"
    traveller.front.show(traveller.authority.certificate(HOST, self_signed=True))
    visit = traveller.visits(**trusted)
    assert visit.code == CHANGED
    assert "vouched for the one before" in visit.err
    assert f"remove line 1 of {traveller.pins}" in visit.err
    assert traveller.front.said == b""


def test_a_pinned_server_may_get_a_certificate_that_is_vouched_for(traveller: Traveller) -> None:
    traveller.pin(traveller.authority.certificate(HOST, self_signed=True))
    traveller.front.show(traveller.authority.certificate(HOST))
    assert traveller.visits(SSL_CERT_FILE=os.fspath(traveller.pem))[::2] == (0, "")


def test_a_file_of_pins_that_cannot_be_read_is_no_empty_one(traveller: Traveller) -> None:
    traveller.front.show(traveller.authority.certificate(HOST, self_signed=True))
    traveller.pins.parent.write_text("a file where the folder should be")
    visit = traveller.visits()
    assert visit.code == DISTRUSTED
    assert "Cannot read" in visit.err
    assert traveller.front.connections == 0


def test_a_server_that_comes_back_with_another_certificate_is_not_returned_to(
    traveller: Traveller, chatters: Chatters
) -> None:
    known, other = (traveller.authority.certificate(HOST, self_signed=True) for _ in range(2))
    traveller.front.show(known)
    variables = {"XDG_CONFIG_HOME": os.fspath(traveller.home)}
    alice = chatters.person(
        1, "--tls", address=traveller.front.address, size=(120, 40), variables=variables
    )
    alice.joined()
    traveller.front.drop()
    alice.sees("disconnected")
    traveller.front.show(other)
    alice.types("an unsent line", "/reconnect")
    assert alice.ends() == CHANGED
    seen = "\n".join(alice.lines)
    assert "ANOTHER CERTIFICATE" in seen
    assert other.fingerprint in seen
    assert "Not sent: “an unsent line”" in seen
    assert traveller.front.said == b""
    assert alice.modes == alice.modes_before


class Case(NamedTuple):
    """A server that is to be refused: what it shows, what one knew of it, how one comes, and why it is refused."""

    shown: Callable[[Authority], Certificate]
    why: str
    code: int = DISTRUSTED
    known: bool = False
    options: tuple[str, ...] = ()
    system: bool = True
    """The system trusts the authority."""


CASES = {
    "wrong host": Case(lambda by: by.certificate("other.example"), "not for 127.0.0.1"),
    "wrong address": Case(lambda by: by.certificate("127.0.0.2"), "not for 127.0.0.1"),
    "expired": Case(lambda by: by.certificate(HOST, from_days=-9, to_days=-1), "has expired"),
    "not valid yet": Case(lambda by: by.certificate(HOST, from_days=2), "not valid yet"),
    "unknown issuer": Case(lambda by: by.certificate(HOST), "nobody known", system=False),
    "self-signed, expired": Case(
        lambda by: by.certificate(HOST, self_signed=True, from_days=-9, to_days=-1), "has expired"
    ),
    "self-signed, not of that file": Case(
        lambda by: by.certificate(HOST, self_signed=True),
        "not vouched for by",
        options=("--tls-ca", "authority.pem"),
    ),
    "wrong host, with that file": Case(
        lambda by: by.certificate("other.example"),
        "not for 127.0.0.1",
        options=("--tls-ca", "authority.pem"),
    ),
    "changed": Case(
        lambda by: by.certificate(HOST, self_signed=True), "ANOTHER", CHANGED, known=True
    ),
    "changed to an unknown issuer's": Case(
        lambda by: by.certificate(HOST), "ANOTHER", CHANGED, known=True, system=False
    ),
    "changed to one for another host": Case(
        lambda by: by.certificate("other.example"), "ANOTHER", CHANGED, known=True
    ),
    "changed to an expired one": Case(
        lambda by: by.certificate(HOST, self_signed=True, to_days=0, from_days=-3),
        "ANOTHER",
        CHANGED,
        known=True,
    ),
}


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_every_other_certificate_is_refused_before_anything_is_said(
    traveller: Traveller, rounds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failed: list[str] = []
    for _ in range(rounds):
        for name, case in CASES.items():
            if wrong := refused(traveller, case):
                failed.append(f"{name}: {wrong}")
    tried = rounds * len(CASES)
    with capsys.disabled():
        print(f"\nK5: {tried} visits to servers not to be trusted, {len(failed)} not refused")
    assert failed == []


def refused(traveller: Traveller, case: Case) -> str:
    """What is wrong with how it was refused."""
    traveller.pins.unlink(missing_ok=True)
    known = traveller.authority.certificate(HOST, self_signed=True)
    if case.known:
        traveller.pin(known)
    before = traveller.pins.read_text() if case.known else None
    shown = case.shown(traveller.authority)
    traveller.front.show(shown)
    options = [os.fspath(traveller.pem) if each.endswith(".pem") else each for each in case.options]
    variables = {"SSL_CERT_FILE": os.fspath(traveller.pem) if case.system else os.devnull}
    visit = traveller.visits(*options, **variables)
    after = traveller.pins.read_text() if traveller.pins.exists() else None
    if visit.code != case.code or case.why not in visit.err:
        return f"{visit}"
    if traveller.front.said:
        return f"it said {traveller.front.said!r}"
    if case.code == CHANGED and not (
        known.fingerprint in visit.err and shown.fingerprint in visit.err
    ):
        return "both fingerprints are not named"
    return "" if after == before else f"the pins were {before!r}, and are {after!r}"


# Servers that do not encrypt


def answering(data: bytes) -> Iterator[tuple[str, int]]:
    """An address where somebody says `data` to whoever comes, and nothing else."""
    with socket.create_server((HOST, 0)) as listener:
        heard: list[bytes] = []

        def answer() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    with sock:
                        heard.append(sock.recv(READ_BYTES))
                        sock.sendall(data)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE_S)
        assert all(each.startswith(b"\x16\x03") for each in heard), "nothing but TLS is said"


PLAIN_ANSWERS = {
    "a greeting": b"Choose an alias:\n",
    "without an end": b"x" * 600,
    "an escape sequence": b"\x1b]0;owned\x07\x1b[2J\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "half a word": b"Choo",
}


@pytest.mark.parametrize("data", PLAIN_ANSWERS.values(), ids=PLAIN_ANSWERS.keys())
def test_a_server_that_does_not_encrypt_is_not_talked_to(tmp_path: Path, data: bytes) -> None:
    for address in answering(data):
        visit = visits(address, tmp_path, "--tls", "--timeout", "20")
        assert visit.code == DISTRUSTED
        assert "--no-tls" in visit.err
        assert "\x1b" not in visit.err


@pytest.mark.parametrize("greeting", [b"", b"Choose an alias:\n"], ids=["at once", "greeted"])
def test_who_is_turned_away_at_the_door_tries_again(tmp_path: Path, greeting: bytes) -> None:
    for address in answering(greeting + b"-- The server is full. Try again in a while.\n"):
        visit = visits(address, tmp_path, "--tls", "--timeout", "4")
        assert visit.code == UNAVAILABLE
        assert "The server is full" in visit.err
        assert "--no-tls" not in visit.err, "it may well encrypt"


def test_our_own_server_without_tls_is_recognised(start: Start, tmp_path: Path) -> None:
    server = start.server(config="[tls]\nenabled = false\n")
    visit = visits(server.address, tmp_path, "--tls")
    assert visit.code == DISTRUSTED
    assert "--no-tls" in visit.err


def test_without_tls_it_is_plain_and_the_prompt_says_so(chatters: Chatters) -> None:
    alice = chatters.person(1, "--no-tls").joined()
    alice.until(lambda: alice.typed.startswith("#lobby (plain)>"), "the word in the prompt")
    bob = chatters.person(2).joined()
    bob.until(lambda: bob.typed.startswith("#lobby>"), "no word on one's own machine")
