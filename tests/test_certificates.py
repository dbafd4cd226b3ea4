"""Certificates: which one is shown, how one is made, and what is said when one cannot be used."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chatcore import config, making, self_made
from chatcore.banner import ways_in
from chatcore.certificates import (
    LOOK_S,
    CertificateError,
    Certificates,
    Pair,
    load,
    names_of,
)
from chatcore.connection.door import Door
from chatcore.loading import fingerprint_of
from chatcore.reactor.loop import Reactor
from chatcore.self_made import CERT_FILE, KEY_FILE
from tests.conftest import DEADLINE_S, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from chatcore.config import Settings
    from tests.conftest import Start

    Settle: TypeAlias = Callable[[Certificates], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a server with a data folder, and no certificate."""
    found, _ = config.load(config.parser().parse_args(["--data", str(tmp_path)]), {})
    return found


@pytest.fixture
def held() -> Certificates:
    return Certificates(Door())


@pytest.fixture
def settle() -> Iterator[Callable[[Certificates], None]]:
    """Let what is being made become finished, in a loop."""
    reactor = Reactor()

    def wait(certificates: Certificates) -> None:
        told: list[bool] = []
        certificates.watch(reactor, lambda: told.append(True))
        end = time.monotonic() + DEADLINE_S * PATIENCE
        while not told:
            assert time.monotonic() < end, "it is never told"
            reactor.turn()
        assert told == [True]
        assert reactor.stats.faults == 0

    yield wait
    reactor.close()


def named(settings: Settings, pair: Pair, **more: Any) -> Settings:
    return replace(settings, tls_cert=str(pair.cert), tls_key=str(pair.key), **more)


def copied(pair: Pair, folder: Path) -> Pair:
    """The same, where a test may change it."""
    copy = Pair(folder / "my.crt", folder / "my.key", pair.origin)
    copy.cert.write_bytes(pair.cert.read_bytes())
    copy.key.write_bytes(pair.key.read_bytes())
    return copy


# Which


def test_one_of_our_own_is_made_once_and_kept(
    settings: Settings, held: Certificates, settle: Settle, tmp_path: Path
) -> None:
    held.open(settings, {}, [])
    settle(held)
    again = Certificates(Door())
    again.open(settings, {}, [])
    assert held.fingerprint == again.fingerprint == fingerprint_of(tmp_path / CERT_FILE)
    assert held.words == f"{held.fingerprint} (made by this server)"
    assert held.door.context is not None


def test_a_damaged_one_of_our_own_says_how_to_get_another(
    settings: Settings, held: Certificates, tmp_path: Path
) -> None:
    for name in (CERT_FILE, KEY_FILE):
        (tmp_path / name).write_text("damaged")
    with pytest.raises(CertificateError, match=r"no certificate.*remove both.*makes new ones"):
        held.open(settings, {}, [])


def test_half_of_one_is_made_anew(
    settings: Settings, held: Certificates, settle: Settle, tmp_path: Path
) -> None:
    (tmp_path / KEY_FILE).write_text("left over from a crash")
    held.open(settings, {}, [])
    settle(held)
    assert held.door.context is not None


def test_a_run_that_keeps_nothing_leaves_nothing(
    settings: Settings,
    held: Certificates,
    settle: Settle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = os.listdir("/proc/self/fd")
    held.open(replace(settings, data=None), {}, [])
    settle(held)
    assert held.words.endswith("(made for this run)")
    assert not list(tmp_path.iterdir())
    assert len(os.listdir("/proc/self/fd")) == len(before)
    held.reload(replace(settings, data=None))
    held.look()
    assert held.door.context is not None


def test_the_one_in_the_settings_goes_first_and_then_systemds(
    settings: Settings, pair: Pair, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    self_made.make(credentials, ["localhost"])
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    of_settings, of_systemd = Certificates(Door()), Certificates(Door())
    of_settings.open(named(settings, pair), environ, [])
    of_systemd.open(settings, environ, [])
    assert of_settings.fingerprint == fingerprint_of(pair.cert)
    assert of_systemd.fingerprint == fingerprint_of(credentials / CERT_FILE)
    assert "systemd" in of_systemd.words
    assert not (tmp_path / CERT_FILE).exists()


def test_none_when_it_is_switched_off(settings: Settings, held: Certificates) -> None:
    held.open(replace(settings, tls_enabled=False), {}, [])
    assert held.door.context is None
    assert "tls.enabled = false" in held.words
    held.reload(replace(settings, tls_enabled=False))


def test_without_the_package_a_line_says_how_to_get_encryption(
    settings: Settings, held: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "find_spec", lambda name: None)
    held.open(settings, {}, [])
    assert held.door.context is None
    assert "pip install cryptography" in held.words
    with pytest.raises(CertificateError, match=r"tls\.required.*pip install cryptography"):
        held.open(replace(settings, tls_required=True), {}, [])


def test_a_folder_that_takes_none_is_told_and_the_room_opens(
    settings: Settings, held: Certificates, settle: Settle, tmp_path: Path
) -> None:
    held.open(replace(settings, data=str(tmp_path / "not there")), {}, [])
    settle(held)
    assert held.door.context is None
    assert "No such file" in held.words


def test_one_that_is_required_is_waited_for(settings: Settings, held: Certificates) -> None:
    held.open(replace(settings, tls_required=True), {}, [])
    assert held.door.context is not None
    assert held.door.required
    assert not held.door.awaited


def test_one_that_is_required_and_cannot_be_made_ends_the_start(
    settings: Settings, held: Certificates, tmp_path: Path
) -> None:
    with pytest.raises(CertificateError, match=r"tls\.required, but .*No such file"):
        held.open(replace(settings, tls_required=True, data=str(tmp_path / "not there")), {}, [])


def test_what_a_reload_requires_meanwhile_is_in_force_when_it_is_there(
    settings: Settings, held: Certificates, settle: Settle
) -> None:
    held.open(settings, {}, [])
    held.reload(replace(settings, tls_required=True))
    assert not held.door.required, "nobody could come in"
    settle(held)
    assert held.door.required


# How it is made


def test_what_is_made_is_what_the_field_expects(tmp_path: Path) -> None:
    self_made.make(tmp_path, ["localhost", "127.0.0.1", "::1", "vm"])
    cert = x509.load_pem_x509_certificate((tmp_path / CERT_FILE).read_bytes())
    key = cert.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "vm"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    basic = cert.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not basic.ca, "who trusts it trusts nobody else"
    assert (cert.not_valid_after_utc - cert.not_valid_before_utc).days > 3_650


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_key_is_never_readable_for_others(tmp_path: Path, umask: int) -> None:
    """Not even for a moment: its file is made so. Seen by strace-like eyes: the mode that `open` is given."""
    seen: dict[str, int] = {}
    before, real = os.umask(umask), os.open

    def spying(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        fd = real(path, flags, mode, **more)
        if str(path).startswith(str(tmp_path)):
            seen[str(path)] = stat.S_IMODE(os.fstat(fd).st_mode)
        return fd

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", spying)
            self_made.make(tmp_path, ["localhost"])
    finally:
        os.umask(before)
    assert seen
    assert set(seen.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == [CERT_FILE, KEY_FILE]


def test_it_is_made_for_every_name_that_people_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    found = names_of(["0.0.0.0", "::", "10.1.2.3", "fe80::1%eth0"])
    assert found[:5] == ["localhost", "127.0.0.1", "::1", "box", "box.local"]
    assert {"10.1.2.3", "fe80::1"} <= set(found)
    assert not {"0.0.0.0", "::"} & set(found)
    monkeypatch.setattr("socket.gethostname", lambda: "bücherwurm")
    assert "bücherwurm" not in names_of([])


# What cannot be used


def broken_pairs(pair: Pair, folder: Path) -> dict[str, tuple[Callable[[Pair], object], str]]:
    other = ec.generate_private_key(ec.SECP256R1())

    def locked(copy: Pair) -> None:
        copy.key.write_bytes(
            other.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )

    def foreign(copy: Pair) -> None:
        copy.key.write_bytes(
            other.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    return {
        "no cert": (lambda copy: copy.cert.unlink(), "No such file"),
        "no key": (lambda copy: copy.key.unlink(), "No such file"),
        "a folder": (lambda copy: (copy.cert.unlink(), copy.cert.mkdir()), "Is a directory"),
        "no PEM": (lambda copy: copy.cert.write_text("hello"), "no certificate in PEM form"),
        "damaged": (
            lambda copy: copy.cert.write_text(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
            ),
            "cannot be used",
        ),
        "no base64": (
            lambda copy: copy.cert.write_text(
                "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"
            ),
            "damaged",
        ),
        "no key in it": (lambda copy: copy.key.write_text("hello"), "PEM form"),
        "a foreign key": (foreign, "does not belong to the certificate"),
        "a locked key": (locked, "locked by a password"),
    }


@pytest.mark.parametrize("case", list(broken_pairs(Pair(*(None,) * 3), None)))  # type: ignore[arg-type]
def test_a_configured_one_that_cannot_be_used_is_told_with_its_cause(
    settings: Settings, held: Certificates, pair: Pair, tmp_path: Path, case: str
) -> None:
    copy = copied(pair, tmp_path)
    damage, cause = broken_pairs(pair, tmp_path)[case]
    damage(copy)
    with pytest.raises(CertificateError, match=cause) as raised:
        held.open(named(settings, copy), {}, [])
    assert str(copy.cert) in str(raised.value) or str(copy.key) in str(raised.value)


@pytest.mark.parametrize("case", list(broken_pairs(Pair(*(None,) * 3), None)))  # type: ignore[arg-type]
def test_one_that_breaks_later_leaves_the_old_one_and_is_told_once(
    settings: Settings,
    held: Certificates,
    pair: Pair,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    case: str,
) -> None:
    copy = copied(pair, tmp_path)
    held.open(named(settings, copy), {}, [])
    context, fingerprint = held.door.context, held.fingerprint
    broken_pairs(pair, tmp_path)[case][0](copy)
    for _ in range(3):
        held.look()
    assert held.door.context is context
    assert held.fingerprint == fingerprint
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "the old certificate stays" in caplog.text


def test_the_start_ends_with_the_cause(start: Start, pair: Pair, tmp_path: Path) -> None:
    import sys

    from tests.conftest import ROOT, clean_environment

    ended = subprocess.run(
        [
            *(sys.executable, "server_1.py", "--port", "0", "--ephemeral"),
            *("--tls-cert", str(pair.cert), "--tls-key", str(tmp_path / "none.key")),
        ],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 78
    assert "none.key" in ended.stderr
    assert "No such file" in ended.stderr
    assert "Traceback" not in ended.stderr


# When it changes


def test_other_files_are_noticed_and_those_who_come_then_meet_them(
    settings: Settings, held: Certificates, pair: Pair, tmp_path: Path
) -> None:
    copy = copied(pair, tmp_path)
    held.open(named(settings, copy), {}, [])
    old = held.door.context
    held.look()
    assert held.door.context is old, "nothing has changed"
    new = tmp_path / "new"
    new.mkdir()
    self_made.make(new, ["localhost"])
    (new / KEY_FILE).replace(copy.key)
    held.look()
    assert held.door.context is old, "half of it is there"
    (new / CERT_FILE).replace(copy.cert)
    held.look()
    assert held.door.context is not old
    assert held.fingerprint == fingerprint_of(copy.cert)


def test_the_files_are_looked_at_now_and_then(
    settings: Settings, held: Certificates, pair: Pair, tmp_path: Path
) -> None:
    copy, waiting = copied(pair, tmp_path), []
    held.open(named(settings, copy), {}, [])
    reactor: Any = SimpleNamespace(call_later=lambda delay_s, then: waiting.append((delay_s, then)))
    held.watch(reactor, lambda: None)
    old = held.door.context
    self_made.make(tmp_path, ["localhost"])
    (tmp_path / KEY_FILE).replace(copy.key)
    (tmp_path / CERT_FILE).replace(copy.cert)
    ((delay_s, then),) = waiting
    assert delay_s == LOOK_S
    then()
    assert held.door.context is not old
    assert len(waiting) == 2


def test_a_reload_takes_other_files_and_what_is_required(
    settings: Settings, held: Certificates, settle: Settle, pair: Pair
) -> None:
    held.open(settings, {}, [])
    settle(held)
    held.reload(named(settings, pair, tls_required=True))
    assert held.fingerprint == fingerprint_of(pair.cert)
    assert held.door.required


def test_a_reload_may_bring_the_first_certificate_and_require_it(
    settings: Settings, held: Certificates, pair: Pair
) -> None:
    held.open(replace(settings, tls_enabled=False), {}, [])
    held.reload(named(settings, pair, tls_required=True))
    assert held.door.context is not None
    assert held.door.required


def test_a_reload_without_any_certificate_shuts_nobody_out_and_says_so(
    settings: Settings, held: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    held.open(replace(settings, tls_enabled=False), {}, [])
    held.reload(replace(settings, tls_required=True))
    assert not held.door.required
    assert "tls.required is not in force" in caplog.text


def test_what_is_shown_is_what_openssl_calls_its_fingerprint(pair: Pair) -> None:
    import base64

    cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    from cryptography.hazmat.primitives import hashes

    digest = base64.b64encode(cert.fingerprint(hashes.SHA256())).decode().rstrip("=")
    assert load(pair)[1] == f"SHA256:{digest}"


def test_the_banner_shows_it_and_how_to_come_in() -> None:
    here, there = ("127.0.0.1", 7), ("10.0.0.1", 7)
    encrypted = ways_in(there, tls="SHA256:abc (made for this run)", only_tls=True)
    assert "  tls:    SHA256:abc (made for this run)\n" in encrypted
    assert "--no-tls" not in encrypted
    assert "openssl s_client -quiet -connect 10.0.0.1:7\n" in encrypted
    assert "nc " not in encrypted
    assert "client_1.py 10.0.0.1:7 --no-tls\n" in ways_in(there, tls="none: x")
    assert "--no-tls" not in ways_in(here, tls="none: x")
    assert "nc 127.0.0.1 7\n" in ways_in(here, tls="SHA256:abc", only_tls=True)
