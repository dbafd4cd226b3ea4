"""What is said, in its own language, to a client of a dialect that this server does not speak yet.

Nothing that the client sent is repeated: a browser may have been made to send it by somebody else's page.
"""

from __future__ import annotations

HOW_TO_JOIN = (
    "This is a chatcore chat room. It cannot show you its page.\n"
    "Join from a terminal, with the same host and port:\n"
    "\n"
    "    nc HOST PORT\n"
    "    python -m chatcore chat HOST:PORT\n"
)


ENCRYPT = "This room takes only encrypted connections from other machines. Join with the same host and port:"
ENCRYPTED_WAYS = (
    "python -m chatcore chat --tls HOST:PORT",
    "openssl s_client -quiet -connect HOST:PORT",
)


def http_answer(first: bytes, why: str = "") -> bytes:
    """RFC 9110 15.6.2: 501, "the server does not support the functionality required to fulfill the request".

    `why`: what it would need to serve the page.
    """
    return _http(first, "501 Not Implemented", f"{HOW_TO_JOIN}\n{why}\n" if why else HOW_TO_JOIN)


def http_encrypt(first: bytes) -> bytes:
    """RFC 9110 15.5.4: 403. Not 426, which would promise that this connection can become an encrypted one."""
    ways = "".join(f"    {way}\n" for way in ENCRYPTED_WAYS)
    return _http(first, "403 Forbidden", f"{ENCRYPT}\n\n{ways}")


def _http(first: bytes, status: str, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    # RFC 9110 9.3.2: the answer to HEAD has no content.
    return head.encode() + (b"" if first.startswith(b"HEAD ") else body)


def irc_answer() -> bytes:
    """modern.ircdocs, ERROR: "sent to a client before it is disconnected"."""
    return b"ERROR :This chatcore room does not speak IRC yet. Join with: nc HOST PORT\r\n"


def irc_encrypt() -> bytes:
    return f"ERROR :{ENCRYPT} {ENCRYPTED_WAYS[0]}\r\n".encode()


def plain_encrypt() -> bytes:
    return f"-- {ENCRYPT} {' or '.join(ENCRYPTED_WAYS)}\n".encode()


def tls_answer() -> bytes:
    """Handshake_failure: no set of parameters is acceptable, as there is none."""
    return _alert(40)


def tls_unfit() -> bytes:
    """Decode_error: "the length of the message was incorrect"."""
    return _alert(50)


def tls_no_protocol() -> bytes:
    """No_application_protocol, RFC 7301 3.2: the client wants to speak what nobody here does."""
    return _alert(120)


def _alert(description: int) -> bytes:
    """RFC 8446 6: a fatal one (2), in a record of its own that nobody has encrypted yet."""
    return bytes((0x15, 0x03, 0x03, 0x00, 0x02, 0x02, description))
