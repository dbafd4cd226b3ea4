"""TLS as a filter: any split of the bytes gives the same, and every fault has words."""

from __future__ import annotations

import contextlib
import ssl

import pytest

from chatcore.client.tunnel import CertificateError, NotTlsError, Tunnel, TunnelError
from tests.client.tls_front import Authority


class Server:
    """The other end, in memory."""

    def __init__(self, folder, certificate, **changes):
        path = folder / "server.pem"
        path.write_bytes(certificate.chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["chatcore"])
        for name, value in changes.items():
            setattr(context, name, value)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def turn(self, data):
        """Take what came; what there is to send."""
        self.incoming.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()


def unchecked():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def certificate(authority):
    return authority.certificate("127.0.0.1", self_signed=True)


def shaken(tunnel, server, size):
    """Both, after the handshake; what the server sends comes in pieces of `size` bytes."""
    while not tunnel.is_open:
        data = server.turn(tunnel.data_to_send())
        assert data
        feed(tunnel, data, size)
    assert feed(tunnel, server.turn(tunnel.data_to_send()), size) == b""  # its tickets
    return tunnel, server


def feed(tunnel, data, size):
    return b"".join(
        tunnel.received(data[start : start + size]) for start in range(0, len(data), size)
    )


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bytes_go_both_ways_in_any_pieces(tmp_path, certificate, size):
    tunnel, server = shaken(Tunnel(unchecked(), "127.0.0.1"), Server(tmp_path, certificate), size)
    assert tunnel.certificate == certificate.der
    assert server.tls.selected_alpn_protocol() == "chatcore"
    tunnel.send(b"hello " * 10_000)
    server.incoming.write(tunnel.data_to_send())
    got = b""
    while len(got) < 60_000:
        got += server.tls.read(65_536)
    assert got == b"hello " * 10_000
    server.tls.write(b"welcome")
    assert feed(tunnel, server.outgoing.read(), size) == b"welcome"
    assert not tunnel.ended


def test_the_last_word_of_the_server_is_the_end(tmp_path, certificate):
    tunnel, server = shaken(
        Tunnel(unchecked(), "127.0.0.1"), Server(tmp_path, certificate), 100_000
    )
    server.tls.write(b"bye")
    with pytest.raises(ssl.SSLWantReadError):
        server.tls.unwrap()
    assert tunnel.received(server.outgoing.read()) == b"bye"
    assert tunnel.ended


def test_our_last_word_reaches_the_server(tmp_path, certificate):
    tunnel, server = shaken(
        Tunnel(unchecked(), "127.0.0.1"), Server(tmp_path, certificate), 100_000
    )
    tunnel.leave()
    server.incoming.write(tunnel.data_to_send())
    assert server.tls.read(10) == b""


def test_a_certificate_that_does_not_hold_says_why(tmp_path, certificate):
    tunnel = Tunnel(ssl.create_default_context(cafile=None), "127.0.0.1")
    server = Server(tmp_path, certificate)
    with pytest.raises(CertificateError) as caught:
        shaken(tunnel, server, 100_000)
    assert caught.value.code == 18
    assert tunnel.data_to_send(), "the server is told"


@pytest.mark.parametrize("size", [1, 1_000])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Choose an alias:\nChoose an alias:\n", "“Choose an alias:”"),
        (b"Choose an alias:\nYou must log in.\n", "“You must log in.”"),
        (b"Choose an alias:\n\x15\x03\x03\x00\x02\x02\x28", "refuses"),
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
        (b"\xff\xfe" * 400, "without TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "refuses"),
    ],
)
def test_what_is_no_tls_is_recognised(data, words, size):
    tunnel = Tunnel(unchecked(), "127.0.0.1")
    with pytest.raises(NotTlsError, match=words):
        feed(tunnel, data, size)


@pytest.mark.parametrize("said", [b"Choo", b"Choose an alias:\n", b"Choose an alias:\nHTT"])
def test_half_an_answer_and_then_nothing_is_no_tls_either(said):
    tunnel = Tunnel(unchecked(), "127.0.0.1")
    assert tunnel.received(said) == b""
    with pytest.raises(NotTlsError, match="Choo"):
        tunnel.lost()


@pytest.mark.parametrize("size", [1, 1_000])
def test_who_is_greeted_before_our_first_message_came_goes_on(tmp_path, certificate, size):
    tunnel = Tunnel(unchecked(), "127.0.0.1")
    assert feed(tunnel, b"Choose an alias:\n", size) == b""
    shaken(tunnel, Server(tmp_path, certificate), size)
    assert tunnel.lost() == b""


@pytest.mark.parametrize("size", [1, 1_000])
@pytest.mark.parametrize("before", [b"", b"Choose an alias:\n"])
def test_who_is_turned_away_at_the_door_is_told_why_and_nothing_of_encryption(before, size):
    tunnel = Tunnel(unchecked(), "127.0.0.1")
    with pytest.raises(TunnelError, match=r"it says “The server is full\.”") as caught:
        feed(tunnel, before + b"-- The server is full.\n", size)
    assert not isinstance(caught.value, NotTlsError)


def test_nothing_at_all_is_a_matter_of_the_network():
    assert Tunnel(unchecked(), "127.0.0.1").lost() == b""


def test_nonsense_after_a_beginning_of_tls_has_words(tmp_path, certificate):
    tunnel, _server = shaken(
        Tunnel(unchecked(), "127.0.0.1"), Server(tmp_path, certificate), 100_000
    )
    with pytest.raises(TunnelError, match="TLS: "):
        tunnel.received(b"\x17\x03\x03\x00\x20" + b"x" * 32)


@pytest.mark.parametrize("host", ["", ".example", "x" * 300, "a..b"])
def test_a_name_that_no_certificate_can_be_for_is_no_tunnel(host):
    with pytest.raises(TunnelError, match="no certificate"):
        Tunnel(ssl.create_default_context(), host)
