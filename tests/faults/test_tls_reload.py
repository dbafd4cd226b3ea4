"""A certificate that changes while people talk."""

from __future__ import annotations

import base64
import hashlib
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from chatcore.loading import fingerprint_of
from chatcore.self_made import CERT_FILE, KEY_FILE, make
from tests.tls import Pinger, tls_native, trusting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from tests.conftest import Server, Start

    WaitFor: TypeAlias = Callable[[Callable[[], object], str], None]


@pytest.mark.parametrize("reloads", [50])
def test_certificates_change_under_load(
    start: Start, tmp_path: Path, wait_for: WaitFor, reloads: int
) -> None:
    """T7: old sessions live, newcomers see the new one, and a broken one changes nothing."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        make(folder, ["localhost"])
    cert, key = tmp_path / CERT_FILE, tmp_path / KEY_FILE

    def put(folder: Path) -> str:
        for name, path in ((KEY_FILE, key), (CERT_FILE, cert)):
            new = path.with_suffix(".new")
            new.write_bytes((folder / name).read_bytes())
            new.replace(path)
        return fingerprint_of(cert)

    put(folders[0])
    server = start.server("--tls-cert", str(cert), "--tls-key", str(key))
    old = tls_native(server.address, "Old")
    failed = 0
    with Pinger(old) as pinger:
        for number in range(reloads):
            wanted = put(folders[(number + 1) % 2])
            server.signal(signal.SIGHUP)
            wait_for(lambda wanted=wanted: shown(server) == wanted, "the new certificate")
        good = shown(server)
        cert.write_text("broken")
        server.signal(signal.SIGHUP)
        wait_for(lambda: "the old certificate stays" in server.log, "a complaint")
        failed += shown(server) != good
    print(f"\nT7: {reloads} reloads, failed: {failed}; {pinger.figures}")
    assert not failed
    assert not pinger.failed
    old.close()


def shown(server: Server) -> str:
    """The fingerprint that a newcomer sees."""
    with (
        socket.create_connection(server.address, timeout=20) as sock,
        trusting().wrap_socket(sock) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
