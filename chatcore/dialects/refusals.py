"""What is said, in its own language, to a client of a dialect that this server does not speak yet.

Nothing that the client sent is repeated: a browser may have been made to send it by somebody else's page.
"""

from __future__ import annotations

HOW_TO_JOIN = (
    "This is a chatcore chat room. It does not speak {} yet.\n"
    "Join from a terminal, with the same host and port:\n"
    "\n"
    "    nc HOST PORT\n"
    "    python -m chatcore chat HOST:PORT\n"
)


def http_answer(first: bytes) -> bytes:
    """RFC 9110 15.6.2: 501, "the server does not support the functionality required to fulfill the request"."""
    body = HOW_TO_JOIN.format("HTTP").encode()
    head = (
        "HTTP/1.1 501 Not Implemented\r\n"
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


def tls_answer() -> bytes:
    """RFC 8446 6: a fatal alert (2), handshake_failure (40): no set of parameters is acceptable, as there is none."""
    return bytes((0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28))
